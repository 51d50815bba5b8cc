//! A host that stood still is named as the suspect; what the network did is not blamed on it.

use std::time::Duration;

use udpecho::record::Folder;

use crate::common::process::{Process, Serve, command};

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
