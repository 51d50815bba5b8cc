//! Datagrams from a hundred thousand addresses to a proxy that is open to everybody.

use std::process::Command;

use crate::common::namespaces::Network;
use crate::common::process::{Process, port_in, python, run};

const SOURCES: u64 = 100_000;
/// Kilobytes.
const MOST_MEMORY: u64 = 64_000;

/// The same command, in a host of the network.
fn inside(network: &Network, command: &Command) -> Command {
    let mut inside = Command::new("ip");
    inside.args(["netns", "exec", &network.name("a")]).arg(command.get_program()).args(command.get_args());
    inside
}

/// The most memory that a process has had, in kilobytes.
fn most_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn spoofed_sources_take_bounded_memory_are_counted_and_cost_a_measured_flow_nothing() {
    crate::needs!(Namespaces, Python);
    let network = Network::of(&["a"]);
    network.ip("a", "route add local 10.0.0.0/8 dev lo");
    let folder = tempfile::tempdir().unwrap();
    let mut serve = Process::spawn(network.udpecho("a", folder.path(), "serve --clean -p 0"));
    let server = port_in(&serve.line_with("listening on UDP "));
    let line = format!("proxy -l 10.255.0.1:5300 -t 127.0.0.1:{server} --public --api 0");
    let mut proxy = Process::spawn(network.udpecho("a", folder.path(), &line));
    let api = port_in(&proxy.line_with("steered at"));
    let ping = "ping -ip 10.255.0.1 -p 5300 -i 20ms -W 10 -q -o measured";
    let ping = Process::spawn(network.udpecho("a", folder.path(), ping));

    let mut flood = python("spoofed_sources.py");
    flood.args(["10.255.0.1", "5300", &api.to_string(), &SOURCES.to_string()]);
    let flood = run(inside(&network, &flood));
    let state: serde_json::Value = serde_json::from_str(&flood.stdout.concat()).unwrap();
    let memory = most_memory(proxy.pid());
    ping.signal("INT");
    let measured = ping.finish();

    assert!(measured.has_line(" 0% packet loss"), "{measured:#?}");
    assert!(memory < MOST_MEMORY, "{memory} kB");
    let count = |value: &serde_json::Value| value.as_u64().unwrap();
    assert!(count(&state["flows"]) <= 1_024, "{state}");
    let up = &state["up"];
    let refused = count(&up["dropped"]["limit"]);
    // Of the 256 addresses of a network 200 open a flow at once, and 100 a second.
    assert!(refused > 1_000, "{up}");
    assert!(count(&up["arrived"]) >= SOURCES, "{up}");
    assert_eq!(count(&up["arrived"]), count(&up["passed"]) + refused, "{up}");
}
