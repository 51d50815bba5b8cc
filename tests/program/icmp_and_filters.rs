//! What gets in the way for real, between network namespaces: routes that go away and come back,
//! filters, full queues, datagrams that no ordinary socket sends. Both ends survive it, count it and
//! say when it was.
#![cfg(target_os = "linux")]

use std::process::Command;

use tempfile::TempDir;
use udpecho::probe::{Cause, Outcome};

use crate::common::files::Record;
use crate::common::namespaces::Network;
use crate::common::process::{Finished, Process, output};

/// A client's host and a server's, joined by a wire.
struct Stage {
    network: Network,
    folder: TempDir,
}

const SERVER: &str = "10.9.0.2";

impl Stage {
    fn set() -> Self {
        let network = Network::of(&["a", "b"]);
        network.wire([("a", &["10.9.0.1/24"], 1500), ("b", &["10.9.0.2/24"], 1500)]);
        Self { network, folder: TempDir::new().unwrap() }
    }

    fn serve(&self, options: &str) -> Process {
        self.network.serve("b", self.folder.path(), options)
    }

    fn ping(&self, words: &str) -> Process {
        let words = format!("ping {SERVER} -i 0.05 -W 5 -o run {words}");
        Process::spawn(self.network.udpecho("a", self.folder.path(), &words))
    }

    fn record(&self) -> Record {
        Record::complete(&self.folder.path().join("run"))
    }

    /// The port of the client's socket, which its host knows.
    fn client_port(&self) -> u16 {
        let words = ["netns", "exec", &self.network.name("a"), "cat", "/proc/net/udp"];
        let mut cat = Command::new("ip");
        cat.args(words);
        let table = output(cat, "").stdout;
        let table = String::from_utf8(table).unwrap();
        let connected = table.lines().find_map(|line| {
            let mut words = line.split_whitespace().skip(1);
            let (local, remote) = (words.next()?, words.next()?);
            remote.ends_with(":1F90").then(|| local.split(':').nth(1).map(str::to_owned))?
        });
        u16::from_str_radix(&connected.expect("a connected socket"), 16).unwrap()
    }

    /// Runs a Python program in a host.
    fn python(&self, host: &str, program: &str) {
        let name = self.network.name(host);
        let mut python = Command::new("ip");
        python.args(["netns", "exec", &name, "python3", "-c", program]);
        let ran = output(python, "");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
}

fn stop(mut ping: Process, until: &str) -> Finished {
    ping.line_with(until);
    ping.signal("INT");
    let finished = ping.finish();
    finished.assert_summed_up();
    finished
}

/// Routes of these kinds, and what the system says when it is to send along them.
const NO_WAY: [(&str, &str); 4] = [
    ("throw", "Network is unreachable"),
    ("unreachable", "No route to host"),
    ("prohibit", "Permission denied"),
    ("blackhole", "Invalid argument"),
];

#[test]
fn a_server_outlives_every_kind_of_missing_route() {
    crate::needs!(Namespaces);
    let stage = Stage::set();
    let mut server = stage.serve("--clean");
    let mut ping = stage.ping("");
    ping.line_with("udp_seq=");
    for (kind, said) in NO_WAY {
        stage.network.ip("b", &format!("route add {kind} 10.9.0.1/32"));
        let line = server.remark_with(said);
        assert!(line.starts_with("udpecho: cannot send to 10.9.0.1:"), "{line}");
        stage.network.ip("b", &format!("route del {kind} 10.9.0.1/32"));
    }
    let missed = ping.line_with("no answer in time");
    ping.line_with("udp_seq=");
    stop(ping, "udp_seq=");
    server.signal("TERM");
    let finished = server.finish();
    assert!(finished.code == Some(0) && finished.has_line("could not be sent"), "{finished:#?} {missed}");
    let record = stage.record();
    let lost = record.count(Outcome::Lost);
    assert!(lost >= 4 && record.count(Outcome::Ok) + lost == record.rows.len() as u64);
    assert_eq!(record.lost_by(Cause::Down).len() as u64, lost, "the server had answered them");
}

#[test]
fn a_filter_that_forbids_sending_stops_neither_end() {
    crate::needs!(Namespaces, Nft);
    let stage = Stage::set();
    let mut server = stage.serve("--clean");
    let mut ping = stage.ping("");
    ping.line_with("udp_seq=");
    stage.network.forbid("b", 8080, true);
    server.remark_with("Operation not permitted");
    stage.network.forbid("b", 8080, false);
    ping.line_with("udp_seq=");
    stage.network.forbid("a", stage.client_port(), true);
    let line = ping.line_with("Operation not permitted");
    stage.network.forbid("a", stage.client_port(), false);
    assert!(line.contains("not sent"), "{line}");
    stop(ping, "udp_seq=");
    server.signal("TERM");
    let finished = server.finish();
    assert!(finished.code == Some(0) && finished.has_line("could not be sent"), "{finished:#?}");
    let record = stage.record();
    let [lost, unsent] = [Outcome::Lost, Outcome::SendError].map(|outcome| record.count(outcome));
    assert!(lost >= 1 && unsent >= 1 && record.lost_by(Cause::Down).len() as u64 == lost);
    assert_eq!(record.count(Outcome::Ok) + lost + unsent, record.rows.len() as u64);
}

#[test]
fn a_server_says_so_many_errors_a_second_and_how_many_more_there_were() {
    crate::needs!(Namespaces);
    let stage = Stage::set();
    let mut server = stage.serve("--clean --max-log-lines 2");
    let mut ping = stage.ping("");
    ping.line_with("udp_seq=");
    stage.network.ip("b", "route add prohibit 10.9.0.1/32");
    server.remark_with("Permission denied");
    server.remark_with("Permission denied");
    let more = server.remark_with("udpecho: ");
    assert!(more.ends_with("more errors within that second"), "{more}");
    stage.network.ip("b", "route del prohibit 10.9.0.1/32");
    stop(ping, "udp_seq=");
    server.signal("TERM");
    assert!(server.finish().has_line("errors not logged"));
}

#[test]
fn a_client_outlives_its_own_missing_route_and_says_when_that_was() {
    crate::needs!(Namespaces);
    let stage = Stage::set();
    let _server = stage.serve("--clean");
    let mut ping = stage.ping("");
    for (kind, said) in NO_WAY {
        ping.line_with("udp_seq=");
        stage.network.ip("a", &format!("route add {kind} {SERVER}/32"));
        let line = ping.line_with(said);
        stage.network.ip("a", &format!("route del {kind} {SERVER}/32"));
        assert!(line.contains("not sent") || line.starts_with("cannot reach the server"), "{line}");
    }
    stop(ping, "udp_seq=");
    let record = stage.record();
    let unsent = record.count(Outcome::SendError);
    assert!(unsent >= 2 && record.count(Outcome::Ok) + unsent == record.rows.len() as u64);
    let noted = |kind: &str, said: &str| {
        let mut events = record.run.events.iter();
        events.any(|event| event.kind == kind && event.text.contains(said) && event.at_us > 0.0)
    };
    for (_, said) in NO_WAY {
        assert!(noted("path_error", said) || noted("not_sent", said), "{said}: {:#?}", record.run.events);
    }
    let notes = record.run.events.iter().filter(|event| event.kind == "not_sent").count();
    assert!(notes <= 4, "an outage is one note: {:#?}", record.run.events);
}

/// A router that forbids the way: its ICMP message is an error of the client's socket.
#[test]
fn a_router_that_forbids_the_way_is_heard_and_the_run_goes_on() {
    crate::needs!(Namespaces);
    let network = Network::of(&["a", "r", "b"]);
    let folder = TempDir::new().unwrap();
    network.wire([("a", &["10.9.1.1/24"], 1500), ("r", &["10.9.1.2/24"], 1500)]);
    network.wire([("r", &["10.9.2.2/24"], 1500), ("b", &["10.9.2.1/24"], 1500)]);
    network.forward("r");
    network.ip("a", "route add default via 10.9.1.2");
    network.ip("b", "route add default via 10.9.2.2");
    let _server = network.serve("b", folder.path(), "--clean");
    let words = "ping 10.9.2.1 -i 0.05 -W 5 -o run";
    let mut ping = Process::spawn(network.udpecho("a", folder.path(), words));
    ping.line_with("udp_seq=");
    network.ip("r", "route add prohibit 10.9.2.1/32");
    ping.line_with("cannot reach the server: No route to host");
    network.ip("r", "route del prohibit 10.9.2.1/32");
    stop(ping, "udp_seq=");
    let record = Record::complete(&folder.path().join("run"));
    assert!(record.run.events.iter().any(|event| event.kind == "path_error"), "{:#?}", record.run.events);
    assert_eq!(record.count(Outcome::SendError), 0, "a message about one probe takes no other");
}

/// Nothing answered, so the exit code is that of no reply; a firewall of the client's own host is an error of its own.
#[test]
fn a_path_that_is_prohibited_from_the_start_is_no_reply_for_every_command() {
    crate::needs!(Namespaces, Nft);
    let network = Network::of(&["a", "r"]);
    let folder = TempDir::new().unwrap();
    network.wire([("a", &["10.9.1.1/24"], 1500), ("r", &["10.9.1.2/24"], 1500)]);
    network.forward("r");
    network.ip("a", "route add default via 10.9.1.2");
    network.ip("r", "route add prohibit 10.9.2.1/32");
    for words in ["ping 10.9.2.1 -n 2 --no-record", "find-size 10.9.2.1"] {
        let finished = Process::spawn(network.udpecho("a", folder.path(), words)).finish();
        assert_eq!((finished.code, finished.stderr.len()), (Some(1), 1), "{words}: {finished:#?}");
        let told = &finished.stderr[0];
        assert!(told.contains("cannot reach 10.9.2.1 port 8080: No route to host"), "{words}: {finished:#?}");
    }
    network.forbid("a", 20_000, true);
    let words = "ping 10.9.1.2 -n 2 --source-port 20000 --no-record";
    let finished = Process::spawn(network.udpecho("a", folder.path(), words)).finish();
    assert_eq!(finished.code, Some(2), "{finished:#?}");
    assert!(finished.stderr[0].contains("cannot send to 10.9.1.2 port 8080"), "{finished:#?}");
}

/// Sends datagrams whose header is made by hand: `(port, port, payload)` each.
const RAW: &str = r#"
import socket, struct, sys
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
def send(source, to, target, payload, address=None):
    if address: raw.bind((address, 0))
    raw.sendto(struct.pack("!HHHH", source, target, 8 + len(payload), 0) + payload, (to, 0))
"#;

#[test]
fn a_server_takes_datagrams_that_no_ordinary_socket_sends() {
    crate::needs!(Namespaces, Python);
    let stage = Stage::set();
    for io in ["", "--io portable"] {
        let server = stage.serve(&format!("--clean {io}"));
        stage.python(
            "a",
            &format!(
                r#"{RAW}
for source in (0, 1, 7, 53, 8080, 40000, 65535):
    for size in (0, 1, 2, 3, 55, 56, 65507):
        send(source, "{SERVER}", 8080, b"x" * size)
        send(source, "{SERVER}", 8080, (b"\xf5\x75\x10\x05" + b"x" * size)[:size])
"#
            ),
        );
        let finished = stop(stage.ping("--force"), "udp_seq=20");
        assert!(!finished.has_line("no answer"), "{finished:#?}");
        server.signal("TERM");
        let finished = server.finish();
        assert!(finished.code == Some(0) && finished.has_line("ignored"), "{finished:#?}");
    }
}

#[test]
fn a_client_counts_what_strangers_and_forgers_send_to_its_port() {
    crate::needs!(Namespaces, Python);
    let stage = Stage::set();
    stage.network.ip("b", "addr add 10.9.0.3/32 dev lo");
    let _server = stage.serve("--clean -b 10.9.0.2");
    let mut ping = stage.ping("");
    ping.line_with("udp_seq=5");
    let port = stage.client_port();
    stage.python(
        "b",
        &format!(
            r#"{RAW}
for source in (0, 8080, 9999):
    for address in ("10.9.0.2", "10.9.0.3"):
        for size in (0, 1, 56, 1400):
            send(source, "10.9.0.1", {port}, b"\xf5" * size, address)
send(8080, "10.9.0.1", {port}, b"\xf5" * 65507, "10.9.0.2")
"#
        ),
    );
    // Two in three sources are no server; of the server's own address, one in three.
    stop(ping, "5 malformed or of another session, 20 from other sources");
    let record = stage.record();
    // A host that stalls for 50 ms sends fewer.
    let sent = record.rows.iter().filter(|row| row.outcome != Outcome::SendError);
    let others: Vec<_> = sent.filter(|row| row.outcome != Outcome::Ok).collect();
    assert!(others.is_empty(), "{others:#?}");
    let event =
        record.run.events.iter().rfind(|event| event.kind == "unexpected").expect("told with its time");
    assert!(event.at_us > 0.0, "{event:?}");
    assert!(event.text.contains("20 from other sources"), "{event:?}");
    assert!(event.text.contains("5 malformed"), "{event:?}");
}

/// An interface whose queue stands still fills the server's send buffer: what does not go in is
/// counted, and the server goes on to do what it is told.
#[test]
fn an_interface_that_stands_still_does_not_stop_the_server() {
    crate::needs!(Namespaces);
    let stage = Stage::set();
    stage.network.slow_down("b", "a");
    let mut server = stage.serve("--clean");
    let flood = format!("ping {SERVER} -i 0.001 -W 1 -s 8000 --no-record -q");
    let _flood = Process::spawn(stage.network.udpecho("a", stage.folder.path(), &flood));
    let said = server.remark_with("udpecho: cannot send to 10.9.0.1:");
    assert!(said.contains("Resource temporarily unavailable"), "{said}");
    server.signal("TERM");
    let finished = server.finish();
    assert!(finished.code == Some(0) && finished.has_line("could not be sent"), "{finished:#?}");
}
