//! QUIC stacks through a proxy, judged by what they themselves say: quinn, aioquic and ngtcp2.

use std::path::Path;
use std::process::Command;

use super::{Through, dropped, make_certificate, until_bound};
use crate::common::needs::quinn_peer;
use crate::common::process::{Finished, Process, free_port, port_in, python, run};

const BYTES: &str = "10000000";

/// A server that is ready, and its port.
fn server(command: Command) -> (Process, u16) {
    let mut server = Process::spawn(command);
    let port = port_in(&server.line_with("listens on port"));
    (server, port)
}

fn quinn(words: &[&str]) -> Command {
    let mut peer = Command::new(quinn_peer());
    peer.args(words);
    peer
}

fn aioquic(words: &[&str]) -> Command {
    let mut peer = python("quic_peer.py");
    peer.args(words);
    peer
}

/// Fetches through a proxy; what the client printed, and what the server printed then.
struct Fetched {
    client: Finished,
    server: Process,
}

fn fetch(folder: &Path, peer: fn(&[&str]) -> Command, bytes: &str, flags: &str) -> Fetched {
    let (server, port) = server(peer(&["serve"]));
    let proxy = Through::start(folder, port, flags);
    let client = run(peer(&["fetch", &proxy.port.to_string(), bytes]));
    assert!(client.code == Some(0) && client.has_line(&format!("received {bytes} bytes")), "{client:#?}");
    proxy.end();
    Fetched { client, server }
}

/// The number behind this word in a line of a peer.
fn number(line: &str, word: &str) -> u64 {
    let rest = line.split_once(word).unwrap_or_else(|| panic!("no '{word}' in {line}")).1;
    rest.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{line}"))
}

/// 10 MB at 20 Mbit/s take 4 s.
fn moves_through_rebindings(peer: fn(&[&str]) -> Command) {
    let folder = tempfile::tempdir().unwrap();
    let flags = "--nat rebind=1s+1s --rate 20Mbit,queue=300k --expect up.rebound>=2";
    let mut fetched = fetch(folder.path(), peer, BYTES, flags);
    let came_from = fetched.server.line_with("came from");
    assert!(number(&came_from, "came from") >= 3, "{came_from}");
}

fn moves_through_a_black_hole(peer: fn(&[&str]) -> Command) {
    let folder = tempfile::tempdir().unwrap();
    fetch(folder.path(), peer, BYTES, "--mtu 1300 --rate 100Mbit,queue=1M");
}

#[test]
fn aioquic_moves_ten_megabytes_while_its_port_changes_every_second() {
    crate::needs!(Python, Aioquic);
    moves_through_rebindings(aioquic);
}

#[test]
fn aioquic_moves_ten_megabytes_through_an_mtu_black_hole() {
    crate::needs!(Python, Aioquic);
    moves_through_a_black_hole(aioquic);
}

#[test]
fn quinn_moves_ten_megabytes_while_its_port_changes_every_second() {
    crate::needs!(Quinn);
    moves_through_rebindings(quinn);
}

/// It probes for more, and stays below what the path takes.
#[test]
fn quinn_finds_the_mtu_of_a_black_hole() {
    crate::needs!(Quinn);
    let folder = tempfile::tempdir().unwrap();
    let mut fetched = fetch(folder.path(), quinn, BYTES, "--mtu 1300 --rate 100Mbit,queue=1M");
    let path = fetched.server.line_with("mtu");
    assert!((1_200..=1_272).contains(&number(&path, "mtu")), "{path}");
    assert!(dropped(folder.path(), "down", "mtu") > 0, "it probed");
}

/// After a second the path takes less than before.
#[test]
fn quinn_notices_a_black_hole_that_opens_under_way() {
    crate::needs!(Quinn);
    let folder = tempfile::tempdir().unwrap();
    let steps = "repeat = false\n[[step]]\nfor = '1s'\n[[step]]\nfor = '1s'\nmtu = '1300'\n";
    std::fs::write(folder.path().join("scenario.toml"), steps).unwrap();
    let flags = "--scenario scenario.toml --rate 20Mbit,queue=300k";
    let mut fetched = fetch(folder.path(), quinn, BYTES, flags);
    let path = fetched.server.line_with("mtu");
    assert!(number(&path, "mtu") <= 1_272 && number(&path, "black holes") >= 1, "{path}");
}

/// Little enough for a window without a loss.
#[test]
fn quinn_tells_a_bleached_path_from_a_mangled_and_a_clean_one() {
    crate::needs!(Quinn);
    const HALTED: &str = "ECN not acknowledged by peer";
    for (flags, halted, congested) in
        [("", false, false), ("--ecn bleach", true, false), ("--ecn mangle", false, true)]
    {
        let folder = tempfile::tempdir().unwrap();
        let mut fetched = fetch(folder.path(), quinn, "300000", flags);
        let path = fetched.server.line_with("congestion events");
        fetched.server.signal("KILL");
        let log = fetched.server.finish();
        assert_eq!(log.stderr.iter().any(|line| line.contains(HALTED)), halted, "{flags}: {path}");
        let ecn_only = number(&path, "lost") == 0 && number(&path, "congestion events") > 0;
        assert_eq!(ecn_only, congested, "{flags}: {path} {:#?}", fetched.client);
    }
}

#[test]
fn ngtcp2_tells_by_its_log_whether_the_path_is_capable_of_ecn() {
    crate::needs!(Ngtcp2, Openssl);
    let folder = tempfile::tempdir().unwrap();
    make_certificate(folder.path());
    std::fs::create_dir(folder.path().join("www")).unwrap();
    std::fs::write(folder.path().join("www/file"), vec![7; 300_000]).unwrap();
    let port = free_port();
    let mut server = Command::new("/usr/sbin/gtlsserver");
    server.current_dir(folder.path()).args(["-d", "www", "127.0.0.1", &port.to_string()]);
    server.args(["key.pem", "cert.pem"]);
    let _server = Process::spawn(server);
    until_bound(port);
    let capable = |log: &[&String], is_capable: bool| {
        let words = if is_capable { "path is ECN capable" } else { "path is not ECN capable" };
        log.iter().any(|line| line.contains(words))
    };
    // In its acknowledgements it counts the packets that came marked.
    let marked = |log: &[&String]| {
        let counts = log.iter().filter_map(|line| line.split_once(" ce=")?.1.parse::<u64>().ok());
        counts.max().unwrap_or(0)
    };
    for flags in ["", "--ecn bleach", "--ecn mangle"] {
        let proxy = Through::start(folder.path(), port, &format!("--force {flags}"));
        let mut client = Command::new("gtlsclient");
        client.args("--no-quic-dump --no-http-dump --exit-on-all-streams-close 127.0.0.1".split(' '));
        client.args([&proxy.port.to_string(), "https://localhost/file"]);
        let client = run(client);
        proxy.end();
        let log: Vec<&String> = client.stderr.iter().chain(&client.stdout).collect();
        match flags {
            "" => assert!(capable(&log, true) && marked(&log) == 0, "{client:#?}"),
            "--ecn bleach" => assert!(capable(&log, false) && marked(&log) == 0, "{client:#?}"),
            _ => assert!(marked(&log) > 100, "{client:#?}"),
        }
    }
}
