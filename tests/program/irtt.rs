//! irtt on sockets: our server, our client, and those of irtt 0.9.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use tempfile::TempDir;
use udpecho::probe::{Cause, Losses};

use crate::common::files::Record;
use crate::common::process::{Process, Serve, command, free_port, run};
use crate::common::relay::{pass, relay};

const KEY: &str = "0x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn irtt(words: &str) -> Process {
    let mut command = Command::new("irtt");
    command.args(words.split_whitespace());
    Process::spawn(command)
}

/// A server of irtt 0.9 at a free port.
fn irtt_server(options: &str) -> (Process, u16) {
    let port = free_port();
    let mut server = irtt(&format!("server -b 127.0.0.1:{port} {options}"));
    server.line_with("starting IRTT server");
    server.line_with("listener on");
    (server, port)
}

/// Ours, and the port at which it speaks irtt.
fn our_server(options: &str) -> (Serve, u16) {
    let mut serve = Serve::start(&format!("--clean --irtt=0 {options}"));
    let line = serve.process.line_with("answers irtt");
    let digits = line.split("port ").nth(1).unwrap().split(|c: char| !c.is_ascii_digit()).next().unwrap();
    (serve, digits.parse().unwrap())
}

/// A file with the key, and the folder that it is in.
fn key_file() -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, KEY.trim_start_matches("0x")).unwrap();
    let name = file.to_str().unwrap().to_owned();
    assert!(Command::new("chmod").args(["600", &name]).status().unwrap().success());
    (folder, name)
}

/// Losses in the order up, down, unknown.
fn causes(record: &Record) -> [u64; 3] {
    let causes = &record.run.summary.as_ref().unwrap().causes;
    [Cause::Up, Cause::Down, Cause::Unknown].map(|cause| causes.get(&cause).copied().unwrap_or(0))
}

/// Before this port drops every seventh probe and every eleventh reply, and counts them; openings and closing probes
/// pass.
fn lossy_relay(server: u16, last: u32) -> (u16, Arc<[AtomicU64; 2]>) {
    let lost = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let mut came = [0; 2];
    let counts = Arc::clone(&lost);
    let mut is_lost = move |way: usize, nth: u64, datagram: &[u8]| {
        let seq = datagram.get(12..16).map(|seq| u32::from_le_bytes(seq.try_into().unwrap()));
        if datagram[3] & 5 != 0 || seq.is_none_or(|seq| seq > last) {
            return false;
        }
        came[way] += 1;
        let is_lost = came[way] % nth == 0;
        counts[way].fetch_add(u64::from(is_lost), Ordering::Relaxed);
        is_lost
    };
    let mut is_lost_up = is_lost.clone();
    let up = move |server: &_, datagram: &[u8]| {
        if !is_lost_up(0, 7, datagram) {
            pass(server, datagram);
        }
    };
    let down = move |client: &_, datagram: &[u8]| {
        if !is_lost(1, 11, datagram) {
            pass(client, datagram);
        }
    };
    (relay(server, up, down), lost)
}

fn check_through_a_relay(server: u16) {
    let (port, lost) = lossy_relay(server, 199);
    let folder = TempDir::new().unwrap();
    let words = format!("ping --irtt -o run 127.0.0.1:{port} -n 200 -i 10ms -W 1");
    let finished = run(command(folder.path(), &words));
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    let record = Record::read(&folder.path().join("run"));
    let [up, down] = [0, 1].map(|way| lost[way].load(Ordering::Relaxed));
    assert!(up > 20 && down > 10);
    assert_eq!(causes(&record), [up, down, 0]);
    // Each by its name, in one gap or not.
    let named = |cause| record.rows.iter().filter(|row| row.cause == Some(cause)).count() as u64;
    assert_eq!([named(Cause::Up), named(Cause::Down)], [up, down]);
    assert_eq!(record.run.knows.unwrap().losses, Losses::Window);
    let again = run(command(folder.path(), "report run"));
    assert!(again.has_line(&format!("{up} lost on the way up, {down} lost on the way down")), "{again:#?}");
}

#[test]
fn through_a_relay_each_loss_before_our_server_has_its_direction() {
    let (_serve, port) = our_server("");
    check_through_a_relay(port);
}

#[test]
fn through_a_relay_each_loss_before_a_server_of_irtt_has_its_direction() {
    crate::needs!(Irtt);
    // Probes that a busy machine sends at once are not too fast for it.
    let (_server, port) = irtt_server("-i 0");
    check_through_a_relay(port);
}

/// With every option of the socket, with a key and without.
fn check_options(server: impl Fn(&str) -> u16, ip: &str, options: &str) {
    let (_folder, key) = key_file();
    for keyed in [false, true] {
        let port = server(if keyed { &key } else { "" });
        let folder = TempDir::new().unwrap();
        let key = if keyed { format!("--key-file {key}") } else { String::new() };
        let words = format!("ping -o run --json --irtt {ip}:{port} -n 20 -i 10ms -W 1 {options} {key}");
        let finished = run(command(folder.path(), &words));
        assert_eq!(finished.code, Some(0), "{finished:#?}");
        let json: Value = serde_json::from_str(&finished.stdout.join("\n")).expect("one object");
        assert_eq!(
            (&json["config"]["dialect"], &json["knows"]["losses"]),
            (&"irtt".into(), &"window".into())
        );
        let record = Record::complete(&folder.path().join("run"));
        assert_eq!(record.ok_or_skipped(), 20);
        assert!(
            record.rows.iter().all(|row| row.rtt.is_none() || row.owd_up.is_some() && row.server.is_some())
        );
        let summary = record.run.summary.unwrap();
        assert!(summary.hold_us.is_none() && summary.net_rtt_us.is_some());
    }
}

#[test]
fn every_option_holds_against_our_server() {
    for (ip, options) in
        [("127.0.0.1", "-Q 46 -t 99 -I 127.0.0.1 -s 200"), ("[::1]", "-Q 10 -t 200 -I ::1 -6")]
    {
        let serves = std::cell::RefCell::new(Vec::new());
        let server = |key: &str| {
            let (serve, port) =
                our_server(&if key.is_empty() { String::new() } else { format!("--key-file {key}") });
            serves.borrow_mut().push(serve);
            port
        };
        check_options(server, ip, options);
    }
}

#[test]
fn every_option_holds_against_a_server_of_irtt() {
    crate::needs!(Irtt);
    let servers = std::cell::RefCell::new(Vec::new());
    let server = |key: &str| {
        let hmac = if key.is_empty() { String::new() } else { format!("--hmac={KEY}") };
        let (server, port) = irtt_server(&format!("-i 0 {hmac}"));
        servers.borrow_mut().push(server);
        port
    };
    check_options(server, "127.0.0.1", "-Q 46 -t 99 -I 127.0.0.1 -s 200");
}

#[test]
fn what_a_server_of_irtt_restricts_is_refused_with_the_option_that_fits() {
    crate::needs!(Irtt);
    let (_server, port) = irtt_server("-i 20ms -d 10s -l 100 --tstamp=single");
    for (options, expected) in [
        ("-n 3 -i 10ms", "answers a probe each 20ms at most: -i 20ms"),
        ("-n 3 -i 1m", "-i 15s"),
        ("-i 20ms", "grants 10s at most: -w 10s"),
        ("-n 3 -s 101", "takes 100 bytes at most: -s 100"),
    ] {
        let words = format!("ping --no-record --irtt 127.0.0.1:{port} {options}");
        let finished = run(command(&std::env::temp_dir(), &words));
        assert_eq!(finished.code, Some(2), "{finished:#?}");
        assert!(finished.stderr.iter().any(|line| line.contains(expected)), "{finished:#?}");
    }
    let words = format!("ping --no-record --irtt 127.0.0.1:{port} -n 3 -i 20ms -s 100");
    let finished = run(command(&std::env::temp_dir(), &words));
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    assert!(finished.has_line("how long it took is unknown"), "{finished:#?}");
}

/// The result of a run of irtt's client.
fn irtt_client(port: u16, options: &str) -> Value {
    let finished = irtt(&format!("client -Q -o - {options} 127.0.0.1:{port}")).finish();
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    serde_json::from_str(&finished.stdout.join("\n")).unwrap_or_else(|_| panic!("{finished:#?}"))
}

#[test]
fn the_client_of_irtt_measures_our_server_with_a_key_and_without() {
    crate::needs!(Irtt);
    let (_folder, key) = key_file();
    for (server, client) in [
        (String::new(), "-l 172 --dscp=0xb8 --sfill=rand --fill=rand".to_owned()),
        (format!("--key-file {key}"), format!("--hmac={KEY}")),
        (String::new(), "--tstamp=midpoint --clock=wall --stats=window".to_owned()),
    ] {
        let (serve, port) = our_server(&server);
        let told = irtt_client(port, &format!("-i 10ms -d 500ms {client}"));
        let stats = &told["stats"];
        let (sent, received) =
            (stats["packets_sent"].as_u64().unwrap(), stats["packets_received"].as_u64().unwrap());
        assert!(sent >= 10 && sent == received, "{stats:#}");
        let counts = &stats["server_packets_received"];
        assert!(*counts == sent || client.contains("window"), "{stats:#}");
        serve.process.signal("INT");
        let finished = serve.process.finish();
        assert!(
            finished.stdout.iter().any(|line| line.contains(&format!("{sent} irtt probes"))),
            "{finished:#?}"
        );
    }
}

#[test]
fn the_client_of_irtt_tells_directions_through_a_relay_as_the_relay_did() {
    crate::needs!(Irtt);
    let (_serve, port) = our_server("");
    let (port, lost) = lossy_relay(port, u32::MAX);
    let told = irtt_client(port, "-i 10ms -d 1990ms");
    let [up, down] = [0, 1].map(|way| lost[way].load(Ordering::Relaxed));
    let trips = told["round_trips"].as_array().unwrap();
    let of = |direction: &str| trips.iter().filter(|trip| trip["lost"] == direction).count() as u64;
    // It cannot tell those after its last reply.
    let after = trips.iter().rev().take_while(|trip| trip["lost"] != "false").count() as u64;
    let told = of("true_up") + of("true_down");
    assert!(told <= up + down && told + after >= up + down, "{told} of {up} and {down}");
    assert!(of("true_up").abs_diff(up) <= after && of("true_down").abs_diff(down) <= after);
}

#[test]
fn the_client_of_irtt_is_told_our_limits() {
    crate::needs!(Irtt);
    let (_serve, port) = our_server("--session-rate 100 --max-duration 2s --max-size 100");
    for (options, expected) in [
        ("-i 5ms -d 1s", "server increased interval from 5ms to 10ms"),
        ("-i 10ms -d 3s", "server reduced duration from 3s to 2s"),
        ("-i 10ms -d 1s -l 101", "server reduced length from 101 to 100"),
    ] {
        let finished = irtt(&format!("client {options} 127.0.0.1:{port}")).finish();
        assert_ne!(finished.code, Some(0));
        let said = [finished.stdout, finished.stderr].concat();
        assert!(said.iter().any(|line| line.contains(expected)), "{said:#?}");
    }
}

#[test]
fn silence_and_a_closed_port_are_explained() {
    let (_folder, key) = key_file();
    let (_serve, port) = our_server(&format!("--key-file {key}"));
    let words = format!("ping --no-record --irtt 127.0.0.1:{port} -n 1");
    let finished = run(command(&std::env::temp_dir(), &words));
    assert_eq!(finished.code, Some(1));
    assert!(finished.stderr.iter().any(|line| line.contains("to 4 irtt openings")), "{finished:#?}");
    assert!(finished.stderr.iter().any(|line| line.contains("--key-file")), "{finished:#?}");
    let words = format!("ping --no-record --irtt 127.0.0.1:{} -n 1", free_port());
    let finished = run(command(&std::env::temp_dir(), &words));
    assert!(
        finished.stderr.iter().any(|line| line.contains("no irtt server listens there")),
        "{finished:#?}"
    );
}
