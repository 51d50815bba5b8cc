//! On virtual wires between network namespaces, whose MTU is ours to choose.

use tempfile::TempDir;

use crate::common::namespaces::Network;
use crate::common::process::{Process, Serve, command, run};

/// The output of `ping --find-size`, which is the command find-size.
fn found(network: &Network, target: &str) -> String {
    let folder = TempDir::new().unwrap();
    let finished =
        Process::spawn(network.udpecho("a", folder.path(), &format!("ping {target} --find-size"))).finish();
    assert_eq!((finished.code, finished.stdout.len()), (Some(0), 1), "{finished:#?}");
    finished.stdout[0].clone()
}

/// Why there is no run.
fn refused(network: &Network, words: &str) -> String {
    let folder = TempDir::new().unwrap();
    let finished = Process::spawn(network.udpecho("a", folder.path(), &format!("ping {words}"))).finish();
    assert_eq!((finished.code, finished.stderr.len()), (Some(2), 1), "{finished:#?}");
    finished.stderr[0].clone()
}

#[test]
fn a_wire_that_carries_less_is_measured_and_advised_on() {
    crate::needs!(Namespaces);
    let network = Network::of(&["a", "b"]);
    let folder = TempDir::new().unwrap();
    network.wire([("a", &["10.9.0.1/24", "fd09::1/64"], 1400), ("b", &["10.9.0.2/24", "fd09::2/64"], 1400)]);
    let _server = network.serve("b", folder.path(), "--clean");
    assert_eq!(found(&network, "10.9.0.2"), "largest payload both ways: 1372 bytes (IP packet 1400)");
    assert_eq!(found(&network, "fd09::2"), "largest payload both ways: 1352 bytes (IP packet 1400)");
    let why = refused(&network, "10.9.0.2 -n 3 -s 1373 -M do");
    assert!(why.contains("1373 bytes are too long: the path to 10.9.0.2"), "{why}");
    assert!(why.ends_with("carries at most 1372, as in -s 1372"), "{why}");
    let measure = "ping 10.9.0.2 -n 3 -i 0.01 -W 5 -s 1372 -M do --no-record";
    let finished = Process::spawn(network.udpecho("a", folder.path(), measure)).finish();
    assert!(finished.has_line("3 packets transmitted, 3 received"), "{finished:#?}");
}

/// Also once it fragments, and what is short as well as what is long.
#[test]
fn answers_longer_than_the_wire_carries_leave_in_pieces() {
    crate::needs!(Namespaces);
    let network = Network::of(&["a", "b"]);
    let folder = TempDir::new().unwrap();
    network.wire([("a", &["10.9.0.1/24", "fd09::1/64"], 1400), ("b", &["10.9.0.2/24", "fd09::2/64"], 1400)]);
    let _server = network.serve("b", folder.path(), "--clean");
    for (target, size) in
        [("10.9.0.2", 100), ("10.9.0.2", 4000), ("10.9.0.2", 60_000), ("10.9.0.2", 100), ("fd09::2", 4000)]
    {
        let measure = format!("ping {target} -n 3 -i 0.01 -W 5 -s {size} --no-record");
        let finished = Process::spawn(network.udpecho("a", folder.path(), &measure)).finish();
        assert!(finished.has_line("3 packets transmitted, 3 received"), "{finished:#?}");
    }
    assert_eq!(found(&network, "10.9.0.2"), "largest payload both ways: 1372 bytes (IP packet 1400)");
}

/// The far end of a wire takes no more than its own MTU (and a VLAN's tag) and says nothing.
#[test]
fn a_black_hole_is_found_by_what_passes() {
    crate::needs!(Namespaces);
    let network = Network::of(&["a", "b"]);
    let folder = TempDir::new().unwrap();
    network.wire([("a", &["10.9.0.1/24"], 1500), ("b", &["10.9.0.2/24"], 1400)]);
    let _server = network.serve("b", folder.path(), "--clean");
    assert_eq!(
        found(&network, "10.9.0.2"),
        "largest payload both ways: 1372 bytes (IP packet 1400); up 1376, down 1372"
    );
    let why = refused(&network, "10.9.0.2 -n 3 -s 1450 -M do");
    assert!(why.contains("1450 bytes") && why.ends_with("carries at most 1372, as in -s 1372"), "{why}");
}

/// The tag counts as payload: what is found is what `-s` takes.
#[test]
fn with_a_key_a_black_hole_is_found_and_the_size_that_passes_is_measured() {
    crate::needs!(Namespaces);
    let network = Network::of(&["a", "b"]);
    let folder = TempDir::new().unwrap();
    assert_eq!(run(command(folder.path(), "keygen -o key")).code, Some(0));
    let key = format!("--key-file {}/key", folder.path().display());
    network.wire([("a", &["10.9.0.1/24"], 1500), ("b", &["10.9.0.2/24"], 1400)]);
    let _server = network.serve("b", folder.path(), &format!("--clean {key}"));
    assert_eq!(
        found(&network, &format!("10.9.0.2 {key}")),
        "largest payload both ways: 1372 bytes (IP packet 1400); up 1376, down 1372"
    );
    let why = refused(&network, &format!("10.9.0.2 -n 3 -s 1450 -M do {key}"));
    assert!(why.ends_with("carries at most 1372, as in -s 1372"), "{why}");
    let measure = format!("ping 10.9.0.2 -n 3 -i 0.01 -W 5 -s 1372 -M do --no-record {key}");
    let finished = Process::spawn(network.udpecho("a", folder.path(), &measure)).finish();
    assert!(finished.has_line("3 packets transmitted, 3 received"), "{finished:#?}");
    // Without the key there is no answer, and no size.
    let without = network.udpecho("a", folder.path(), "ping 10.9.0.2 --find-size");
    let finished = Process::spawn(without).finish();
    assert!(finished.code == Some(1) && finished.stderr[0].contains("key"), "{finished:#?}");
}

#[test]
fn a_router_that_tells_is_believed() {
    crate::needs!(Namespaces);
    let network = Network::of(&["a", "r", "b"]);
    let folder = TempDir::new().unwrap();
    network.wire([("a", &["10.9.1.1/24"], 1500), ("r", &["10.9.1.2/24"], 1500)]);
    network.wire([("r", &["10.9.2.2/24"], 1300), ("b", &["10.9.2.1/24"], 1300)]);
    network.forward("r");
    network.ip("a", "route add default via 10.9.1.2");
    network.ip("b", "route add default via 10.9.2.2");
    let _server = network.serve("b", folder.path(), "--clean");
    let why = refused(&network, "10.9.2.1 -n 3 -s 1472 -M do");
    assert!(why.ends_with("carries at most 1272, as in -s 1272"), "{why}");
    assert_eq!(found(&network, "10.9.2.1"), "largest payload both ways: 1272 bytes (IP packet 1300)");
}

#[test]
fn loopback_carries_all_that_udp_does() {
    let serve = Serve::start("");
    let folder = TempDir::new().unwrap();
    let target = format!("ping 127.0.0.1:{} --find-size", serve.port);
    let finished = run(command(folder.path(), &target));
    assert_eq!(
        finished.stdout,
        ["largest payload both ways: 65507 bytes (IP packet 65535)"],
        "{finished:#?}"
    );
    let finished = run(command(folder.path(), &format!("{target} --io portable")));
    assert!(finished.code == Some(2) && finished.stderr[0].contains("find-size"), "{finished:#?}");
    assert_eq!(crate::common::process::names(folder.path()), [""; 0], "nothing is recorded");
}
