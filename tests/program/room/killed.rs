//! A measurement on order ends with the client that started it, and the record is whole up to then.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::{Hosts, Room};
use crate::common::process::command;

/// It takes a minute.
const ORDER: &str = "/ping bea carl -n 3000 -i 20ms";
/// A third of it: it ended early.
const FEW: u64 = 1_000;

/// Looks until it is there.
fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    loop {
        match look() {
            Some(found) => return found,
            None => thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// The processes that run in this folder.
fn running_in(folder: &Path) -> Vec<u32> {
    let folder = folder.canonicalize().unwrap();
    let ids = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_there = |id: &u32| std::fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|cwd| cwd == folder);
    ids.filter(is_there).collect()
}

/// Waits until probes are recorded.
fn has_begun(hosts: &Hosts) {
    let rows = hosts.folder.path().join("results/order-1/probes.csv");
    until(|| std::fs::read_to_string(&rows).ok().filter(|rows| rows.lines().count() > 1));
}

/// Of the record, once it is complete.
fn sent(hosts: &Hosts) -> u64 {
    let run = hosts.folder.path().join("results/order-1/run.json");
    until(|| {
        let run: Value = serde_json::from_str(&std::fs::read_to_string(&run).ok()?).ok()?;
        run["summary"]["sent"].as_u64()
    })
}

#[test]
fn the_measurement_of_a_killed_agent_ends_with_it() {
    let mut hosts = Hosts::of(Room::start(""));
    hosts.order(ORDER, |hosts| {
        has_begun(hosts);
        // Both agents and the measurement.
        let running = running_in(hosts.folder.path());
        assert_eq!(running.len(), 3, "{running:?}");
        hosts.bea.signal("KILL");
    });
    assert!((1..FEW).contains(&sent(&hosts)));
    until(|| (running_in(hosts.folder.path()) == [hosts.carl.pid()]).then_some(()));
}

#[test]
fn a_stopped_order_leaves_the_record_of_what_was_measured() {
    let mut hosts = Hosts::of(Room::start(""));
    let mut join = command(Path::new("."), &format!("join 127.0.0.1:{} --name dora", hosts.room.port));
    let mut dora = join.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut typing = dora.stdin.take().unwrap();
    writeln!(typing, "{ORDER}").unwrap();
    hosts.anna.line_with("-- #1 carl agrees, direct");
    has_begun(&hosts);
    writeln!(typing, "/stop 1").unwrap();
    hosts.anna.line_with("-- #1 stopped");
    assert!((1..FEW).contains(&sent(&hosts)));
    drop(typing);
    dora.wait().unwrap();
}
