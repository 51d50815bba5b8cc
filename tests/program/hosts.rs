//! A host that stood still is named as the suspect; what the network did is not blamed on it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use udpecho::host::{Figures, Summary};
use udpecho::record::Folder;

use crate::common::cgroup::CpuQuota;
use crate::common::process::{Process, Serve, command, run};

#[test]
fn a_client_that_was_frozen_for_a_while_says_that_its_host_was_busy() {
    let serve = Serve::start("--clean");
    let folder = tempfile::tempdir().unwrap();
    let words = format!("ping 127.0.0.1:{} -i 30ms -n 80 -W 2 -o run", serve.port);
    let mut process = Process::spawn(command(folder.path(), &words));
    process.line_with("seq=30 ");
    process.signal("STOP");
    std::thread::sleep(Duration::from_millis(300));
    process.signal("CONT");
    let finished = process.finish();
    assert!(finished.has_line("the client's host was busy in"), "{finished:#?}");
    let run = Folder::open(&folder.path().join("run")).unwrap().read_run().unwrap();
    let seconds = run.hosts.unwrap().client;
    let stalled = seconds.iter().filter_map(|second| second.stalled_us).fold(0.0, f64::max);
    assert!(stalled >= 200_000.0, "{seconds:#?}");
    let mut named = seconds.iter().flat_map(|second| &second.reasons);
    assert!(named.any(|reason| reason.starts_with("suspended or stalled for ")), "{seconds:#?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_client_that_its_cpu_quota_freezes_says_so_in_each_second() {
    crate::needs!(CpuQuota);
    let group = CpuQuota::of_percent(10).unwrap();
    let serve = Serve::start("--clean");
    let folder = tempfile::tempdir().unwrap();
    // A neighbour in the group uses up its share.
    let mut neighbour = Command::new("sh");
    neighbour.args(["-c", &format!("{} && while :; do :; done", group.enter())]);
    let neighbour = Process::spawn(neighbour);
    let mut ping = Command::new("sh");
    ping.current_dir(folder.path()).args(["-c", &format!("{} && exec \"$@\"", group.enter()), "sh"]);
    ping.args([env!("CARGO_BIN_EXE_udpecho"), "ping", &format!("127.0.0.1:{}", serve.port)]);
    ping.args(["-i", "50ms", "-n", "60", "-W", "2", "-o", "run"]);
    let mut ping = Process::spawn(ping);
    ping.line_with("seq=50 ");
    group.lift();
    drop(neighbour);
    let finished = ping.finish();
    let run = Folder::open(&folder.path().join("run")).unwrap().read_run().unwrap();
    let seconds = run.hosts.unwrap().client;
    let frozen =
        |second: &&Figures| second.reasons.iter().any(|reason| reason.ends_with(" by its CPU quota"));
    assert!(seconds.iter().filter(frozen).count() >= 2, "{seconds:#?}");
    let verdict = Summary::of_record(&seconds).unwrap();
    assert!(finished.has_line(&format!("the client's host was {verdict}")), "{verdict} {finished:#?}");
    // The same path without the quota.
    let clean = run_ping(folder.path(), serve.port);
    let named = clean.iter().flat_map(|second| &second.reasons).find(|reason| reason.contains("quota"));
    assert_eq!(named, None);
}

fn run_ping(folder: &Path, port: u16) -> Vec<Figures> {
    let words = format!("ping 127.0.0.1:{port} -i 50ms -n 25 -q -o clean");
    assert_eq!(run(command(folder, &words)).code, Some(0));
    Folder::open(&folder.join("clean")).unwrap().read_run().unwrap().hosts.unwrap().client
}
