//! Source ports of `watch` on a network with a bad path, and behind a NAT that keeps a stale entry.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::namespaces::Network;
use crate::common::process::{Process, output};

/// Runs `nft` in a host.
fn nft(network: &Network, host: &str, rules: &str) {
    let mut nft = Command::new("ip");
    nft.args(["netns", "exec", &network.name(host), "nft", rules]);
    let done = output(nft, "");
    assert!(done.status.success(), "nft: {}", String::from_utf8_lossy(&done.stderr));
}

/// The local ports of the host's UDP sockets that are connected to nothing.
fn shared_ports(network: &Network, host: &str) -> Vec<u16> {
    let mut cat = Command::new("ip");
    cat.args(["netns", "exec", &network.name(host), "cat", "/proc/net/udp"]);
    let table = String::from_utf8(output(cat, "").stdout).unwrap();
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let local =
        rows.filter(|row| row[2].ends_with(":0000")).map(|row| row[1].split_once(':').unwrap().1.to_owned());
    local.map(|port| u16::from_str_radix(&port, 16).unwrap()).collect()
}

/// The first value that a look finds.
fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..400 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("it did not come");
}

/// Counts what comes to a host.
fn count(network: &Network, host: &str) {
    nft(
        network,
        host,
        "add table ip t; add chain ip t i { type filter hook prerouting priority 0; }; add rule ip t i counter",
    );
}

fn counted(network: &Network, host: &str) -> u64 {
    let mut nft = Command::new("ip");
    nft.args(["netns", "exec", &network.name(host), "nft", "list chain ip t i"]);
    let listed = String::from_utf8(output(nft, "").stdout).unwrap();
    listed.split("packets ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok()).unwrap_or(0)
}

fn write(folder: &Path, group: &str) {
    let group = format!("[[group]]\nname = 'a'\ndeadline = '100ms'\ngive-up = '200ms'\n{group}");
    fs::write(folder.join("watch.toml"), group).unwrap();
}

/// Ends the watch once the condition on its stderr holds, and reads what it counted.
fn ended(watching: Process) -> Value {
    let finished = watching.interrupt_until_it_ends();
    serde_json::from_str(&finished.stdout.join("\n")).unwrap_or_else(|error| panic!("{error}: {finished:#?}"))
}

#[test]
fn one_bad_path_of_sixteen_is_seen_and_its_port_is_named() {
    crate::needs!(Namespaces, Nft);
    let folder = TempDir::new().unwrap();
    let network = Network::of(&["a", "b"]);
    network.wire([("a", &["10.7.0.1/24"], 1500), ("b", &["10.7.0.2/24"], 1500)]);
    let _server = network.serve("b", folder.path(), "--clean -p 8080");
    write(folder.path(), "targets = ['10.7.0.2:8080']\ninterval = '5ms'\nflows = 16\n");
    let mut watching = Process::spawn(network.udpecho("a", folder.path(), "watch -f watch.toml --json"));
    let ports = until(|| Some(shared_ports(&network, "a")).filter(|ports| ports.len() == 17));
    // One of two is a flow's, not the spare one.
    let bad = [ports[3], ports[4]];
    nft(
        &network,
        "b",
        &format!(
            "add table ip t; add chain ip t i {{ type filter hook prerouting priority 0; }}; \
             add rule ip t i udp sport {{ {}, {} }} drop",
            bad[0], bad[1]
        ),
    );
    watching.remark_with("its port was silent and a fresh one is answered");
    let told = ended(watching);
    let target = &told["targets"][0];
    let lossy = target["lossy_flows"].as_array().unwrap();
    assert!((1..=2).contains(&lossy.len()), "{target}");
    assert!(target["rerolls"]["moved"].as_u64() >= Some(1), "{target}");
    assert!(target["causes"]["up"].as_u64() >= Some(8), "{target}");
}

/// A NAT sends what comes from a known port to where the server was, and from a fresh one to where it is now.
#[test]
fn a_fixed_port_that_a_nat_sends_to_a_server_that_has_moved_is_replaced() {
    crate::needs!(Namespaces, Nft);
    let folder = TempDir::new().unwrap();
    let network = Network::of(&["a", "r", "b", "c"]);
    network.wire([("a", &["10.8.0.1/24"], 1500), ("r", &["10.8.0.254/24"], 1500)]);
    network.wire([("b", &["10.8.1.1/24"], 1500), ("r", &["10.8.1.254/24"], 1500)]);
    network.wire([("c", &["10.8.2.1/24"], 1500), ("r", &["10.8.2.254/24"], 1500)]);
    network.forward("r");
    for (host, router) in [("a", "10.8.0.254"), ("b", "10.8.1.254"), ("c", "10.8.2.254")] {
        network.ip(host, &format!("route add default via {router}"));
    }
    let rule = |to: &str| {
        format!(
            "flush ruleset; add table ip n; add chain ip n p {{ type nat hook prerouting priority -100; }}; \
             add rule ip n p ip daddr 10.9.9.9 udp dport 8080 dnat to {to}"
        )
    };
    let before = network.serve("b", folder.path(), "--clean -p 8080");
    let _after = network.serve("c", folder.path(), "--clean -p 8080");
    nft(&network, "r", &rule("10.8.1.1"));
    ["b", "c"].into_iter().for_each(|host| count(&network, host));
    write(folder.path(), "targets = ['10.9.9.9:8080']\ninterval = '20ms'\n");
    let mut watching = Process::spawn(network.udpecho("a", folder.path(), "watch -f watch.toml --json"));
    until(|| (counted(&network, "b") > 20).then_some(()));
    nft(&network, "r", &rule("10.8.2.1"));
    // Without ICMP, as a pod that is gone.
    nft(&network, "b", "add rule ip t i drop");
    watching.remark_with("flow 0: its port was silent and a fresh one is answered");
    let healed = counted(&network, "c");
    until(|| (counted(&network, "c") > healed + 10).then_some(()));
    let told = ended(watching);
    drop(before);
    let target = &told["targets"][0];
    assert_eq!((&target["state"], &target["rerolls"]["moved"]), (&"measuring".into(), &1.into()), "{target}");
}
