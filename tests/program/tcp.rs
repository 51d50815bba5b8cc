//! TCP: `serve --tcp` beside UDP on one port number, and `ports`, which asks what is open.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::common::process::{Serve, command, run, udpecho};
use udpecho::time::Duration;

fn ask(port: u16, message: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10).to_std())).unwrap();
    stream.write_all(message.as_bytes()).unwrap();
    let mut answer = [0; 256];
    let length = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[test]
fn a_server_answers_tcp_on_the_port_number_of_its_udp() {
    for (kind, message, answer) in [
        ("--tcp", "hello", "hello"),
        ("--tcp=arrow", "hello", "echo -> hello"),
        ("--tcp=ack", "hello", "Acknowledgement"),
        ("--tcp=words", "to be or not to be\n", "to be or not 18\n"),
    ] {
        let server = Serve::start(&format!("--clean {kind}"));
        assert_eq!(ask(server.port, message), answer, "{kind}");
        let ping = format!("ping 127.0.0.1:{} -n 1 --no-record -q", server.port);
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(run(command(folder.path(), &ping)).code, Some(0));
    }
}

#[test]
fn ports_tells_open_from_closed_in_words_in_json_and_by_its_exit_code() {
    let server = Serve::start("--clean --tcp");
    let port = server.port;
    let folder = tempfile::tempdir().unwrap();
    let open = run(command(folder.path(), &format!("ports localhost {port}")));
    assert_eq!(open.code, Some(0));
    assert!(open.has_line(&format!("Port {port}: Open")), "{open:#?}");
    assert!(open.has_line("1 port asked"), "{open:#?}");

    let json = run(command(folder.path(), &format!("ports --json 127.0.0.1 {port}")));
    let value: serde_json::Value = serde_json::from_str(&json.stdout.join("\n")).unwrap();
    assert_eq!((&value["ports"][0]["state"], &value["complete"]), (&"open".into(), &true.into()));
    let mut schema = udpecho();
    schema.args(["schema", "ports"]);
    let schema: serde_json::Value = serde_json::from_str(&run(schema).stdout.join("\n")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&value), "{value}");

    drop(server);
    let closed = run(command(folder.path(), &format!("ports 127.0.0.1 {port}")));
    assert_eq!(closed.code, Some(1), "{closed:#?}");
    assert!(closed.has_line("1 closed"), "{closed:#?}");
    let unknown = run(command(folder.path(), "ports no-such-host.invalid"));
    assert_eq!(unknown.code, Some(2));
    let told = unknown.stderr.iter().any(|line| line.contains("cannot resolve 'no-such-host.invalid'"));
    assert!(told, "{unknown:#?}");
}
