//! A host that stands still while it answers a measurement is named as the suspect; a path that loses is not
//! blamed on the hosts.

use std::process::Command;
use std::time::Duration;

use super::{Hosts, Room, order};
use crate::common::cgroup::CpuQuota;
use crate::common::namespaces::Network;
use crate::common::process::{Process, run};

/// The longest stall that the room tells of this host, in milliseconds.
fn stalled(lines: &[String], host: &str) -> u32 {
    let of_host = lines.iter().filter(|line| line.contains(&format!("{host} was BUSY")));
    let stalls = of_host.filter_map(|line| {
        let rest = line.split("suspended or stalled for ").nth(1)?;
        rest.split(' ').next()?.parse().ok()
    });
    stalls.max().unwrap_or(0)
}

#[test]
fn an_agent_that_is_frozen_every_second_is_the_suspect_and_the_other_host_is_not() {
    let mut hosts = Hosts::of(Room::start(""));
    let ordered = hosts.order("/ping bea carl -n 150 -i 20ms", |hosts| {
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(400));
            hosts.carl.signal("STOP");
            std::thread::sleep(Duration::from_millis(500));
            hosts.carl.signal("CONT");
        }
    });
    assert_eq!(ordered.code, Some(0), "{ordered:#?}");
    let lines = hosts.anna.lines_until_now();
    assert!(lines[0].starts_with("-- #1 150 sent"), "{lines:#?}");
    assert!(stalled(&lines, "carl") >= 300, "{lines:#?}");
    assert!(stalled(&lines, "bea") < 300, "{lines:#?}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_agent_that_its_cpu_quota_freezes_is_the_suspect() {
    crate::needs!(CpuQuota);
    let group = CpuQuota::of_percent(10).unwrap();
    let room = Room::start("");
    let folder = tempfile::tempdir().unwrap();
    let _bea = room.agent(folder.path(), "--name bea");
    let mut carl = Command::new("sh");
    carl.args(["-c", &format!("{} && exec \"$@\"", group.enter()), "sh", env!("CARGO_BIN_EXE_udpecho")]);
    carl.args(["join", &format!("127.0.0.1:{}", room.port), "--agent", "--name", "carl"]);
    let mut carl = Process::spawn(carl);
    carl.remark_with("joined 127.0.0.1:");
    // A neighbour in the group uses up its share.
    let mut neighbour = Command::new("sh");
    neighbour.args(["-c", &format!("{} && while :; do :; done", group.enter())]);
    let _neighbour = Process::spawn(neighbour);
    let ordered = order(room.port, "/ping bea carl -n 60 -i 50ms");
    group.lift();
    let frozen = |line: &&String| line.contains(" by its CPU quota");
    let named = ordered.stdout.iter().find(frozen).unwrap_or_else(|| panic!("{ordered:#?}"));
    assert!(named.contains("carl"), "{named}");
}

#[test]
fn a_path_that_loses_makes_no_host_a_suspect() {
    crate::needs!(Namespaces, Nft);
    let network = Network::of(&["a", "b"]);
    network.wire([("a", &["10.9.0.1/24"], 1_500), ("b", &["10.9.0.2/24"], 1_500)]);
    network.nft(
        "b",
        "add table ip t; add chain ip t i { type filter hook input priority 0; }; \
         add rule ip t i meta l4proto udp numgen random mod 10 < 2 drop",
    );
    let folder = tempfile::tempdir().unwrap();
    let start = |host, words: &str| Process::spawn(network.udpecho(host, folder.path(), words));
    let mut room = start("a", "room -4 -p 30000");
    room.line_with("members: ");
    let mut agents = [("a", "bea"), ("b", "carl")]
        .map(|(host, name)| start(host, &format!("join 10.9.0.1:30000 --agent --name {name}")));
    agents.iter_mut().for_each(|agent| drop(agent.remark_with("joined")));
    let mut ordered = network.udpecho("a", folder.path(), "join 10.9.0.1:30000 --name dora --do");
    ordered.arg("/ping bea carl -n 200 -i 10ms");
    let ordered = run(ordered);
    assert!(ordered.has_line(", lost up "), "{ordered:#?}");
    // A machine that is busy with other tests may say so; no drop of the network is its own.
    assert!(stalled(&ordered.stdout, "carl").max(stalled(&ordered.stdout, "bea")) < 300, "{ordered:#?}");
    assert!(ordered.stdout.iter().all(|line| !line.contains("dropped")), "{ordered:#?}");
}
