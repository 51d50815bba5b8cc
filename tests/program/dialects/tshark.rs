//! Wireshark's dissectors read every packet of `ping --stamp`, `serve --stamp` and `ping --twamp`, both ways, without
//! a complaint.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tempfile::TempDir;

use crate::common::namespaces::Network;
use crate::common::process::{Process, python, run};

const HOST: &str = "p";
/// Nobody listens there: datagrams to these ports mark the beginning and the end of a capture.
const FIRST: u16 = 9;
const LAST: u16 = 65_000;

fn inside(network: &Network, folder: &Path, inner: &Command) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &network.name(HOST)]).arg(inner.get_program()).args(inner.get_args());
    command.current_dir(folder);
    command
}

fn mark(network: &Network, folder: &Path, port: u16) {
    let words = format!("ping --dialect native 127.0.0.1:{port} -n 1 --no-record");
    assert_eq!(run(network.udpecho(HOST, folder, &words)).code, Some(1));
}

/// All packets on loopback while `traffic` goes on, in `all.pcapng`.
fn capture(network: &Arc<Network>, folder: &Path, traffic: impl FnOnce()) {
    let mut words = Command::new("tshark");
    words.args(["-i", "lo", "-w", "all.pcapng", "-P", "-l"]);
    let mut tshark = Process::spawn(inside(network, folder, &words));
    let seen = Arc::new(AtomicBool::new(false));
    let marking = thread::spawn({
        let (network, folder, seen) = (Arc::clone(network), folder.to_owned(), Arc::clone(&seen));
        move || {
            while !seen.load(Ordering::Acquire) {
                mark(&network, &folder, FIRST);
            }
        }
    });
    tshark.line_with("Len=");
    seen.store(true, Ordering::Release);
    marking.join().unwrap();
    traffic();
    mark(network, folder, LAST);
    tshark.line_with(&LAST.to_string());
    tshark.signal("INT");
    tshark.finish();
}

/// The packets that a filter takes, a line each; `control` is the TCP port of the TWAMP server.
fn packets(folder: &Path, control: &str, filter: &str) -> Vec<String> {
    let mut tshark = Command::new("tshark");
    let markers = format!("udp.port=={FIRST} or udp.port=={LAST}");
    tshark.current_dir(folder).args(["-r", "all.pcapng", "-d", "udp.port==862,twamp.test"]);
    tshark.args(["-d", &format!("tcp.port=={control},twamp.control")]);
    tshark.args(["-Y", &format!("({filter}) and not ({markers})")]);
    let read = run(tshark);
    assert_eq!(read.code, Some(0), "{read:#?}");
    read.stdout
}

#[test]
fn wireshark_reads_every_packet_of_both_ends_without_a_complaint() {
    crate::needs!(Namespaces, Tshark, Python);
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let network = Arc::new(Network::of(&[HOST]));
    let mut twamp = Process::spawn(inside(&network, folder, &python("twamp_server.py")));
    let control = twamp.line_with("port ").rsplit(' ').next().unwrap().to_owned();
    let mut serve = network.serve(HOST, folder, "--clean --stamp");
    serve.line_with("STAMP");
    let mut sent = Vec::new();
    capture(&network, folder, || {
        for words in [
            "--stamp 127.0.0.1",
            "--stamp ::1 --stamp-time ptp -Q 46",
            "--stamp 127.0.0.1 --tlv cos,direct,time,follow-up -s 142",
            &format!("--twamp 127.0.0.1:{control} -s 60"),
        ] {
            // Far enough apart that a busy machine does not send two in one GSO batch, which tshark takes for one.
            let words = format!("ping {words} -n 5 -i 200ms -W 1 --no-record");
            let finished = run(network.udpecho(HOST, folder, &words));
            assert_eq!(finished.code, Some(0), "{finished:#?}");
            let transmitted = finished.stdout.iter().find_map(|line| line.split_once(" packets transmitted"));
            // With the opening. A stalled machine skips probes.
            sent.push(transmitted.unwrap().0.parse::<usize>().unwrap() + 1);
        }
        twamp.line_with(&format!("stopped after {} packets", sent[3]));
    });
    let of = |filter: &str| packets(folder, &control, filter);
    let none: Vec<String> = Vec::new();
    assert_eq!(of("_ws.malformed"), none);
    // From warnings on; a segment that a busy machine sends again is TCP's affair.
    assert_eq!(
        of("_ws.expert.severity >= 0x600000 and not tcp.analysis.flags and not tcp.options.sack"),
        none
    );
    assert_eq!(of("udp and not twamp.test and not icmp and not icmpv6"), none);
    // Each with its reply.
    assert_eq!(of("twamp.test and udp.port==862").len(), 2 * sent[..3].iter().sum::<usize>());
    assert_eq!(of("twamp.test and not udp.port==862").len(), 2 * sent[3]);
    // Greeting, set-up, start, request, accept, start, ack, stop.
    assert_eq!(of("twamp.control and not tcp.analysis.retransmission").len(), 8);
}

/// On its usual port a reflector is found without one being named.
#[test]
fn a_host_without_a_native_server_is_asked_at_the_usual_ports() {
    crate::needs!(Namespaces);
    let folder = TempDir::new().unwrap();
    let network = Network::of(&[HOST]);
    let mut serve = network.serve(HOST, folder.path(), "--clean --stamp -p 9000");
    serve.line_with("STAMP");
    let finished = run(network.udpecho(HOST, folder.path(), "ping 127.0.0.1 -n 1"));
    assert_eq!(finished.code, Some(1));
    let said = "no udpecho server answers at 127.0.0.1 port 8080, but the host speaks STAMP on port 862 (udpecho \
                ping --stamp 127.0.0.1)";
    assert_eq!(finished.stderr.concat(), format!("udpecho: {said}"));
}
