//! The page, the record so far and the metrics, read by plain HTTP while a run goes on.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::process::{Process, Serve, command, port_in};
use crate::common::watchdog;

/// A TCP port that is free.
pub fn free_tcp_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The port of the page, from the program's own line.
pub fn page_of(process: &mut Process) -> u16 {
    port_in(&process.remark_with("see http://127.0.0.1:"))
}

pub fn get(port: u16, path: &str) -> String {
    watchdog::progress();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

pub fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

/// The value of the first sample whose name and labels contain `name`.
fn sample(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find(|line| !line.starts_with('#') && line.contains(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in:\n{metrics}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[test]
fn page_events_record_and_metrics_agree_during_a_run() {
    let (folder, serve) = (TempDir::new().unwrap(), Serve::start("--clean --loss nth:4 --duplicate 100%"));
    let words = format!("ping 127.0.0.1:{} -i 20ms -q -o run --http 0", serve.port);
    let mut process = Process::spawn(command(folder.path(), &words));
    let port = page_of(&mut process);
    assert_eq!(body(&get(port, "/healthz")), "ok\n");
    // As a browser reads: each event is newer than the one before.
    let mut events = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(events, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    events.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    std::thread::sleep(Duration::from_secs(4));
    let (metrics, record) = (get(port, "/metrics"), get(port, "/api/run.json"));
    assert!(metrics.contains("content-type: text/plain; version=0.0.4"), "{metrics}");
    let run: Value = serde_json::from_str(body(&record)).unwrap();
    let count = |name: &str| run["summary"][name].as_u64().unwrap();
    assert!(count("sent") > 50 && count("lost") > 10, "{run}");
    let page = get(port, "/");
    assert!(page.contains("content-security-policy: default-src 'none'") && !body(&page).contains("http://"));
    process.signal("INT");
    let mut told = String::new();
    events.read_to_string(&mut told).unwrap();
    let states: Vec<Value> = told
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|state| serde_json::from_str(state).unwrap())
        .collect();
    let versions: Vec<u64> = states.iter().map(|state| state["version"].as_u64().unwrap()).collect();
    assert!(versions.len() >= 4 && versions.is_sorted_by(|one, next| one < next), "{versions:?}");
    let last = states.last().unwrap();
    assert!(told.contains("event: end\n") && last["over"] == true);
    let finished = process.finish();
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    // The last state is the record that was written.
    let written = std::fs::read_to_string(folder.path().join("run/run.json")).unwrap();
    let written: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(last["summary"], written["summary"]);
    // The counters during the run are no larger than the final ones.
    let metrics = body(&metrics);
    let sent = sample(metrics, "udpecho_probes_sent_total");
    assert!((count("sent")..=written["summary"]["sent"].as_u64().unwrap()).contains(&sent));
    assert!(sample(metrics, "cause=\"injected_down\"") >= count("lost"));
    assert_eq!(sample(metrics, "cause=\"up\""), 0);
    assert!(sample(metrics, "udpecho_replies_duplicate_total") >= count("duplicates"));
    assert_eq!(sample(metrics, "le=\"+Inf\""), sample(metrics, "udpecho_rtt_seconds_count"));
    assert!(metrics.contains("le=\"0.00005\"") && metrics.contains("le=\"26.2144\""), "{metrics}");
}

#[test]
fn a_port_in_use_is_an_error_before_the_first_probe() {
    let (folder, serve) = (TempDir::new().unwrap(), Serve::start("--clean"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let words = format!("ping 127.0.0.1:{} -n 1 --http {port}", serve.port);
    let finished = crate::common::process::run(command(folder.path(), &words));
    assert_eq!(finished.code, Some(2));
    assert!(finished.stderr[0].contains("cannot serve a page at 127.0.0.1:"), "{finished:#?}");
    assert!(finished.stderr[0].contains("as in --http "), "{finished:#?}");
}

#[test]
fn readers_that_take_nothing_slow_nothing_down() {
    let (folder, serve) = (TempDir::new().unwrap(), Serve::start("--clean"));
    let words = format!("ping 127.0.0.1:{} -n 400 -i 5ms -q --no-record --http 0", serve.port);
    let mut process = Process::spawn(command(folder.path(), &words));
    let port = page_of(&mut process);
    let stuck: Vec<TcpStream> = (0..40)
        .filter_map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
            write!(stream, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").ok()?;
            Some(stream)
        })
        .collect();
    let finished = process.finish();
    finished.assert_summed_up();
    drop(stuck);
}

#[test]
fn the_page_of_a_proxy_shows_what_its_metrics_count() {
    let (folder, serve) = (TempDir::new().unwrap(), Serve::start("--clean"));
    let words = format!("proxy -l 0 -t 127.0.0.1:{} --up loss=nth:4 --http 0", serve.port);
    let mut process = Process::spawn(command(folder.path(), &words));
    let port = page_of(&mut process);
    let proxy = port_in(&process.line_with("is relayed to").replace("is relayed to", ""));
    let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(("127.0.0.1", proxy)).unwrap();
    for _ in 0..8 {
        client.send(b"x").unwrap();
    }
    let lost = "direction=\"up\",fate=\"lost\"";
    while sample(&get(port, "/metrics"), lost) != 2 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let record: Value = serde_json::from_str(body(&get(port, "/api/proxy.json"))).unwrap();
    assert_eq!((&record["mappings"][0]["up"]["dropped"]["lost"], &record["schema"]), (&2.into(), &1.into()));
    let page = get(port, "/");
    assert!(page.contains("\"kind\":\"proxy\"") && page.contains("m1: 127.0.0.1:"), "{page}");
    assert_eq!(process.interrupt_until_it_ends().code, Some(0));
}
