//! Two members behind two NATs, each in a network of its own, and the room in the network between them.
//!
//! ```text
//! bea 10.1.0.2 -- NAT 203.0.113.10 -- 203.0.113.1 room 198.51.100.1 -- NAT 198.51.100.10 -- 10.2.0.2 carl
//! ```

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::namespaces::Network;
use crate::common::process::{Finished, Process, run};

struct Behind {
    // Ended before their hosts.
    _processes: Vec<Process>,
    network: Network,
    folder: TempDir,
}

impl Behind {
    /// Agents bea and carl behind NATs of these kinds.
    fn nats(of_bea: &str, of_carl: &str) -> Self {
        let network = Network::of(&["p", "na", "nb", "ha", "hb"]);
        let sides = [
            ("na", "ha", of_bea, "203.0.113.1/24", "203.0.113.10/24", "10.1.0"),
            ("nb", "hb", of_carl, "198.51.100.1/24", "198.51.100.10/24", "10.2.0"),
        ];
        for (nat, host, kind, middle, outside, inside) in sides {
            network.wire([("p", &[middle], 1_500), (nat, &[outside], 1_500)]);
            let (gateway, own) = (format!("{inside}.1"), format!("{inside}.2/24"));
            network.wire([(nat, &[&format!("{gateway}/24")], 1_500), (host, &[&own], 1_500)]);
            network.ip(nat, &format!("route add default via {}", middle.trim_end_matches("/24")));
            network.ip(host, &format!("route add default via {gateway}"));
            network.masquerade(nat, "p", kind);
        }
        network.forward("p");
        let folder = TempDir::new().unwrap();
        let key = run(network.udpecho("p", folder.path(), "keygen -o key"));
        assert_eq!(key.code, Some(0), "{key:#?}");
        let start = |host, words: &str| Process::spawn(network.udpecho(host, folder.path(), words));
        let mut room = start("p", "room -4 -p 33000 --key-file key");
        room.line_with("members: ");
        let mut processes = vec![room];
        for (host, name, server) in [("ha", "bea", "203.0.113.1"), ("hb", "carl", "198.51.100.1")] {
            let mut agent = start(host, &format!("join {server} --key-file key --name {name} --agent"));
            agent.remark_with("joined");
            processes.push(agent);
        }
        Self { _processes: processes, network, folder }
    }

    /// A member at the room's own host orders it.
    fn order(&self, line: &str) -> (Finished, Vec<Value>) {
        let mut command = self.network.udpecho(
            "p",
            self.folder.path(),
            "join 203.0.113.1 --key-file key --name dora --json --do",
        );
        command.arg(line);
        let done = run(command);
        let answer: Value = serde_json::from_str(&done.stdout.join("\n")).expect("an answer");
        let events = answer["events"].as_array().expect("events").clone();
        (done, events)
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn news<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["news"] == kind).collect()
}

#[test]
fn two_hosts_behind_two_nats_find_the_direct_way() {
    crate::needs!(Namespaces, Nft);
    let behind = Behind::nats("persistent", "persistent");
    let (done, events) = behind.order("/ping bea carl -n 20 -i 20ms");
    assert_eq!(done.code, Some(0), "{events:#?}");
    let way = &news(&events, "way")[0]["way"];
    // The NAT of carl, at the port of carl's own socket.
    assert!(way["direct"].as_str().is_some_and(|at| at.starts_with("198.51.100.10:")), "{way}");
    let results = news(&events, "result");
    assert_eq!((results.len(), &results[0]["to_room"]), (1, &false.into()), "{results:#?}");
    // A busy host skips probes.
    let sent = results[0]["figures"]["sent"].as_u64().unwrap();
    assert!((1..=20).contains(&sent), "{results:#?}");
    assert!(behind.folder().join("results/order-1/run.json").exists());
    // The same NAT lets no connection in, nor a datagram to another port.
    let (done, events) = behind.order("/ports bea carl 33000-33003");
    assert_eq!(done.code, Some(1), "{events:#?}");
    assert_eq!(
        news(&events, "ports")[0]["ports"],
        serde_json::json!({"filtered": "33000-33003"}),
        "{events:#?}"
    );
}

#[test]
fn with_a_nat_that_changes_ports_each_host_is_measured_to_the_room_and_the_nat_is_named() {
    crate::needs!(Namespaces, Nft);
    let behind = Behind::nats("fully-random", "persistent");
    let (done, events) = behind.order("/ping bea carl -n 20 -i 20ms");
    assert_eq!(done.code, Some(0), "{events:#?}");
    assert_eq!(news(&events, "way")[0]["way"], serde_json::json!({"none": "bea"}), "{events:#?}");
    let results = news(&events, "result");
    let mut hosts: Vec<_> =
        results.iter().map(|result| (result["from"].as_str(), &result["to_room"])).collect();
    hosts.sort_by_key(|(from, _)| *from);
    assert_eq!(hosts, [(Some("bea"), &true.into()), (Some("carl"), &true.into())], "{results:#?}");
    // Both ran in the same folder at the same time: each has a record of its own.
    for folder in ["order-1", "order-1-2"] {
        assert!(behind.folder().join("results").join(folder).join("run.json").exists(), "{folder}");
    }
}
