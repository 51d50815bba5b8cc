//! Protocols on datagrams that send again what was lost: DTLS, CoAP, TFTP.

use std::path::Path;
use std::process::Command;

use super::{Through, dropped, make_certificate, until_bound};
use crate::common::process::{Process, free_port, output, run};

/// A server that reads from a terminal which never ends.
fn dtls_server(folder: &Path, port: u16) -> Process {
    let mut server = Command::new("sh");
    let line = format!(
        "mkfifo input && exec openssl s_server -dtls1_2 -4 -accept 127.0.0.1:{port} -cert cert.pem -key key.pem -quiet <>input"
    );
    server.current_dir(folder).args(["-c", &line]);
    let server = Process::spawn(server);
    until_bound(port);
    server
}

#[test]
fn a_dtls_handshake_survives_the_loss_of_its_first_message() {
    crate::needs!(Openssl);
    let folder = tempfile::tempdir().unwrap();
    make_certificate(folder.path());
    let port = free_port();
    let mut server = dtls_server(folder.path(), port);
    let proxy = Through::start(folder.path(), port, "--up loss=bursts:1@0");
    let mut client = Command::new("openssl");
    client.args(["s_client", "-brief", "-dtls1_2", "-connect", &format!("127.0.0.1:{}", proxy.port)]);
    let said = output(client, "a line through DTLS\n");
    assert!(String::from_utf8_lossy(&said.stderr).contains("CONNECTION ESTABLISHED"), "{said:?}");
    server.line_with("a line through DTLS");
    proxy.end();
    assert_eq!(dropped(folder.path(), "up", "lost"), 1);
}

/// Of the second request the first datagram is lost.
#[test]
fn a_confirmable_coap_request_is_sent_again_once() {
    crate::needs!(Coap);
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut server = Command::new("coap-server-notls");
    server.args(["-A", "127.0.0.1", "-p", &port.to_string()]);
    let _server = Process::spawn(server);
    until_bound(port);
    let proxy = Through::start(folder.path(), port, "--up loss=bursts:1@1");
    let retransmissions = [0, 1].map(|_| {
        let mut client = Command::new("coap-client-notls");
        client.args(["-v", "7", "-m", "get", &format!("coap://127.0.0.1:{}/time", proxy.port)]);
        let client = run(client);
        let log = || client.stdout.iter().chain(&client.stderr);
        assert!(log().any(|line| line.contains("c:2.05")), "{client:#?}");
        log().filter(|line| line.contains("retransmission #")).count()
    });
    proxy.end();
    assert_eq!((retransmissions, dropped(folder.path(), "up", "lost")), ([0, 1], 1));
}

/// The server answers from a port of its own, and waits a second before it sends a block again.
#[test]
fn a_file_comes_over_tftp_whole_from_the_port_that_the_server_chose() {
    crate::needs!(Tftp, Root);
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("files");
    std::fs::create_dir(&files).unwrap();
    let content: Vec<u8> = (0..60_000_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(files.join("file"), &content).unwrap();
    let port = free_port();
    let mut server = Command::new("/usr/sbin/in.tftpd");
    server.args(["-L", "-4", "-u", "root", "-a", &format!("127.0.0.1:{port}"), "-s"]).arg(&files);
    let _server = Process::spawn(server);
    until_bound(port);
    let proxy = Through::start(folder.path(), port, "--nat follow=port --down loss=nth:50");
    let mut client = Command::new("tftp");
    client.current_dir(folder.path()).args(["-4", "-m", "binary", "127.0.0.1", &proxy.port.to_string()]);
    client.args(["-c", "get", "file"]);
    let client = run(client);
    proxy.end();
    assert!(std::fs::read(folder.path().join("file")).is_ok_and(|got| got == content), "{client:#?}");
    assert_eq!(dropped(folder.path(), "down", "lost"), 2);
}
