//! A real mesh: six hosts in three racks, each of which watches all others, in network namespaces. Routers drop known
//! shares of what passes, and nft counts what they dropped.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::namespaces::Network;
use crate::common::process::{Finished, Process, run};

const RACKS: [(&str, [&str; 2]); 3] = [("r1", ["n1", "n2"]), ("r2", ["n3", "n4"]), ("r3", ["n5", "n6"])];

/// Its routers drop every seventh datagram that a rule is about, and count it by its ends and direction. A handshake has
/// another length than a probe or reply of 128 bytes.
const TABLE: &str = "table ip f { \
    set up { type ipv4_addr . ipv4_addr; size 4096; flags dynamic; }; \
    set down { type ipv4_addr . ipv4_addr; size 4096; flags dynamic; }; \
    chain lost { udp dport 8080 update @up { ip saddr . ip daddr counter } drop; \
      update @down { ip saddr . ip daddr counter } drop; }; \
    chain f { type filter hook forward priority 0; }; }";

struct Mesh {
    network: Network,
    folder: TempDir,
    /// Reflectors, ended with this.
    _servers: Vec<Process>,
    monitors: Vec<Process>,
}

fn hosts() -> impl Iterator<Item = &'static str> {
    RACKS.into_iter().flat_map(|(_, hosts)| hosts)
}

fn address(host: &str) -> String {
    format!("10.{}.0.2", &host[1..])
}

fn rack_of(host: &str) -> &'static str {
    RACKS.into_iter().find(|(_, hosts)| hosts.contains(&host)).unwrap().0
}

impl Mesh {
    fn new() -> Self {
        let all: Vec<&str> = hosts().chain(RACKS.map(|(rack, _)| rack)).chain(["s"]).collect();
        let network = Network::of(&all);
        network.forward("s");
        for (k, (rack, hosts)) in RACKS.into_iter().enumerate() {
            network.forward(rack);
            network.nft(rack, TABLE);
            let [to_rack, to_spine] = [1, 2].map(|end| format!("10.{}.0.{end}/24", 100 + k));
            network.wire([("s", &[&to_rack], 1500), (rack, &[&to_spine], 1500)]);
            network.ip(rack, &format!("route add default via 10.{}.0.1", 100 + k));
            for host in hosts {
                let [router, own] = [1, 2].map(|end| format!("10.{}.0.{end}/24", &host[1..]));
                network.wire([(rack, &[&router], 1500), (host, &[&own], 1500)]);
                network.ip(host, &format!("route add default via 10.{}.0.1", &host[1..]));
                network.ip("s", &format!("route add 10.{}.0.0/24 via 10.{}.0.2", &host[1..], 100 + k));
            }
        }
        let folder = TempDir::new().unwrap();
        let servers = hosts().map(|host| network.serve(host, folder.path(), "--clean -p 8080")).collect();
        Self { network, folder, _servers: servers, monitors: Vec::new() }
    }

    /// With its monitors.
    fn watched() -> Self {
        let mut mesh = Self::new();
        mesh.watch();
        mesh
    }

    /// Starts the monitors; a target is named by its address, and so is a monitor.
    fn watch(&mut self) {
        for host in hosts() {
            let targets: Vec<String> = hosts()
                .filter(|other| *other != host)
                .map(|other| format!("'{}:8080'", address(other)))
                .collect();
            let text = format!(
                "name = '{}'\nlabels = {{ rack = '{}' }}\n[[group]]\nname = 'mesh'\ntargets = [{}]\n\
                 interval = '30ms'\ndeadline = '200ms'\ngive-up = '400ms'\n",
                address(host),
                rack_of(host),
                targets.join(", ")
            );
            let file = format!("{host}.toml");
            fs::write(self.folder.path().join(&file), text).unwrap();
            let words = format!("watch -f {file} --json --http {}:9476", address(host));
            let mut monitor = Process::spawn(self.network.udpecho(host, self.folder.path(), &words));
            monitor.remark_with("see http://");
            self.monitors.push(monitor);
        }
    }

    fn locate(&self, during: &str) -> Finished {
        let pages: Vec<String> = hosts().map(|host| format!("http://{}:9476", address(host))).collect();
        let words = format!("locate --json --during {during} {}", pages.join(" "));
        run(self.network.udpecho("s", self.folder.path(), &words))
    }

    /// Until nothing of an earlier fault is in flight, and each monitor measures.
    fn wait_for_quiet(&self) {
        for _ in 0..40 {
            // A page is new each second.
            let now = self.locate("1100ms");
            let paths = object(&now)["paths"].as_u64();
            if now.code == Some(0) && paths == Some(30) {
                return;
            }
        }
        panic!("{:#?}", self.locate("1100ms"));
    }

    /// `locate` names the fault that this rule of a router makes: kind, direction and places.
    fn assert_named(&self, router: &str, rule: &str, (kind, direction): (&str, &str), places: &[&str]) {
        self.wait_for_quiet();
        self.network
            .nft(router, &format!("add rule ip f f {rule} udp length 136 numgen inc mod 7 0 goto lost"));
        let found = self.locate("2500ms");
        self.network.nft(router, "flush chain ip f f");
        assert_eq!(found.code, Some(3), "{rule}: {found:#?}");
        let found = object(&found);
        let [finding] = &found["findings"].as_array().unwrap()[..] else { panic!("{rule}: {found:#}") };
        let expected: Vec<Value> = places.iter().map(|place| (*place).into()).collect();
        assert_eq!(
            (&finding["kind"], &finding["direction"], finding["places"].as_array().unwrap()),
            (&kind.into(), &direction.into(), &expected),
            "{rule}: {found:#}"
        );
        let share = finding["loss_share"].as_f64().unwrap();
        assert!((0.05..0.25).contains(&share), "{rule} drops a seventh: {found:#}");
    }

    /// By both ends of the lost datagrams: of probes, and of replies.
    fn dropped(&self, direction: &str) -> BTreeMap<(String, String), u64> {
        let mut dropped = BTreeMap::new();
        for (router, _) in RACKS {
            let listed: Value =
                serde_json::from_str(&self.network.nft(router, &format!("list set ip f {direction}")))
                    .unwrap();
            let sets = listed["nftables"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|part| part["set"]["elem"].as_array());
            for element in sets.flatten() {
                let ends = element["elem"]["val"]["concat"].as_array().unwrap();
                let [from, to] = [0, 1].map(|end: usize| ends[end].as_str().unwrap().to_owned());
                *dropped.entry((from, to)).or_default() +=
                    element["elem"]["counter"]["packets"].as_u64().unwrap();
            }
        }
        dropped
    }
}

fn object(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout.join("\n")).unwrap_or_else(|error| panic!("{error}: {finished:#?}"))
}

/// All monitors' counts of this cause, by both ends of the lost datagrams.
fn counted(reports: &[Value], cause: &str) -> BTreeMap<(String, String), u64> {
    let mut counted = BTreeMap::new();
    for report in reports {
        let source = report["source"].as_str().unwrap().to_owned();
        for target in report["targets"].as_array().unwrap() {
            let lost = target["causes"][cause].as_u64().unwrap_or(0);
            let other = target["target"].as_str().unwrap().trim_end_matches(":8080").to_owned();
            let ends = if cause == "down" { (other, source.clone()) } else { (source.clone(), other) };
            if lost > 0 {
                counted.insert(ends, lost);
            }
        }
    }
    counted
}

/// Ends the monitors: every loss is where nft dropped it.
fn assert_counted(mut mesh: Mesh) {
    mesh.wait_for_quiet();
    let ended: Vec<Value> = mesh
        .monitors
        .drain(..)
        .map(|monitor| {
            monitor.signal("INT");
            object(&monitor.finish())
        })
        .collect();
    for direction in ["up", "down"] {
        let dropped = mesh.dropped(direction);
        assert!(dropped.values().sum::<u64>() > 50, "{dropped:?}");
        assert_eq!(counted(&ended, direction), dropped, "{direction}");
    }
    for cause in ["unknown", "server_overflow", "client_overflow", "refused"] {
        assert_eq!(counted(&ended, cause), BTreeMap::new(), "{cause}");
    }
}

#[test]
fn locate_names_a_host_of_a_real_mesh_with_the_direction() {
    crate::needs!(Namespaces, Nft);
    let mesh = Mesh::watched();
    let [three, five] = ["n3", "n5"].map(address);
    mesh.assert_named("r2", &format!("ip daddr {three}"), ("host", "in"), &[&three]);
    mesh.assert_named("r3", &format!("ip saddr {five}"), ("host", "out"), &[&five]);
    assert_counted(mesh);
}

#[test]
fn locate_names_a_rack_and_a_path_of_a_real_mesh() {
    crate::needs!(Namespaces, Nft);
    let mesh = Mesh::watched();
    let [two, six] = ["n2", "n6"].map(address);
    let uplink = mesh.network.interface("r1", "s");
    mesh.assert_named("r1", &format!("oifname {uplink}"), ("rack", "out"), &["r1"]);
    mesh.assert_named("r1", &format!("ip saddr {two} ip daddr {six}"), ("path", "out"), &[&two, &six]);
    assert_counted(mesh);
}
