//! `/ports A B RANGE`: what two agents find out about the ports between them.

use serde_json::{Value, json};

use super::{Room, order};
use crate::common::namespaces::Network;
use crate::common::process::{Process, run};

fn ports(answer: &[String]) -> Value {
    let answer: Value = serde_json::from_str(&answer.join("\n")).unwrap();
    let events = answer["events"].as_array().unwrap();
    events.iter().find(|event| event["news"] == "ports").unwrap_or_else(|| panic!("{answer}"))["ports"]
        .clone()
}

#[test]
fn each_port_is_open_filtered_refused_or_busy() {
    crate::needs!(Namespaces, Nft);
    let network = Network::of(&["a", "b"]);
    network.wire([("a", &["10.9.0.1/24"], 1_500), ("b", &["10.9.0.2/24"], 1_500)]);
    network.nft(
        "b",
        "add table ip t; add chain ip t i { type filter hook input priority 0; }; \
         add rule ip t i meta l4proto { tcp, udp } th dport 33001 drop; \
         add rule ip t i tcp dport 33002 reject with tcp reset; \
         add rule ip t i udp dport 33002 reject; \
         add chain ip t o { type filter hook output priority 0; }; \
         add rule ip t o udp sport 33004 drop",
    );
    let folder = tempfile::tempdir().unwrap();
    let start = |host, words: &str| Process::spawn(network.udpecho(host, folder.path(), words));
    let mut room = start("a", "room -4 -p 30000");
    room.line_with("members: ");
    let _busy = network.serve("b", folder.path(), "-p 33003 --tcp");
    let mut agents = [
        start("a", "join 10.9.0.1:30000 --name bea --agent"),
        start("b", "join 10.9.0.1:30000 --name carl --agent"),
    ];
    agents.iter_mut().for_each(|agent| drop(agent.remark_with("joined")));
    for (protocol, found) in [
        (
            "tcp",
            json!({"open": "33000, 33004-33005", "refused": "33002", "filtered": "33001", "busy": "33003"}),
        ),
        (
            "udp",
            json!({"open": "33000, 33005", "refused": "33002", "filtered": "33001", "answer_filtered": "33004", "busy": "33003"}),
        ),
    ] {
        let words = "join 10.9.0.1:30000 --name dora --json --do";
        let mut command = network.udpecho("a", folder.path(), words);
        command.arg(format!("/ports bea carl 33000-33005 {protocol}"));
        let done = run(command);
        assert_eq!(done.code, Some(0), "{done:#?}");
        assert_eq!(ports(&done.stdout), found, "{protocol}");
    }
}

#[test]
fn a_check_needs_the_consent_of_both_hosts_and_nothing_listens_without_it() {
    let room = Room::start("");
    let folder = tempfile::tempdir().unwrap();
    let _bea = room.agent(folder.path(), "--name bea");
    let _carl = room.agent(folder.path(), "--name carl --accept nothing");
    for line in ["/ports bea carl 40000-40003", "/ports carl bea 40000-40003"] {
        let refused = order(room.port, line);
        assert_eq!(refused.code, Some(2), "{refused:#?}");
        assert_eq!(refused.stderr, ["udpecho: carl accepts no such order"]);
    }
    let many = order(room.port, "/ports bea 1-600");
    assert_eq!(many.stderr, ["udpecho: an order asks at most 512 ports"]);
    // An agent's bounds: 512 ports take less than its 30 s; who orders it consents.
    let done = order(room.port, "/ports bea 40000-40003 udp");
    assert_eq!(done.code, Some(0), "{done:#?}");
    let found = ports(&done.stdout);
    assert!(found["open"].as_str().is_some_and(|open| open.contains("4000")), "{found}");
}
