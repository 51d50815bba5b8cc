//! A mesh of 100 hosts with ten peers each, for an hour of virtual time: faults are named within two minutes, and
//! nothing is named without one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use udpecho::fleet::locate::Suspect;
use udpecho::fleet::{Config, OwnHost, Span, Survey, Wanted, sample};
use udpecho::probe::HostNames;
use udpecho::time::{Duration, Instant};

use crate::common::mesh::{Fault, SimulatedMesh};

const HOUR: i64 = 3_600;

fn named(mesh: &SimulatedMesh, second: i64) -> Vec<Suspect> {
    mesh.verdict(second).findings.into_iter().map(|finding| finding.suspect).collect()
}

#[test]
fn an_hour_of_a_quiet_mesh_has_no_false_alarm_and_no_probe_is_missing() {
    let mut mesh = SimulatedMesh::new(100, 10, 1);
    for second in 0..HOUR {
        mesh.second(second, &[]);
        if second % 30 == 29 {
            assert_eq!(named(&mesh, second), [], "after {second} s");
        }
    }
    let now = Instant::ZERO + Duration::from_secs(HOUR);
    let mut lost = 0;
    for target in &mesh.targets {
        lost += target.figures.lost();
        assert_eq!(target.figures.resolved(), HOUR as u64);
        for span in Span::ALL {
            let periods = target.history.span(span, now);
            let [sent, not_on_time] = [
                periods.iter().map(|period| period.sent).sum::<u64>(),
                periods.iter().flat_map(|period| &period.reasons).map(|(_, count)| count).sum(),
            ];
            assert_eq!((sent, not_on_time), (HOUR as u64, target.figures.lost()), "{span:?}");
        }
    }
    // A base loss of 1e-4 there and 1e-4 back, of 3.6 million probes: 720, give or take four deviations.
    assert!((610..830).contains(&lost), "{lost}");
}

/// Five minutes of a fault, four of rest.
#[test]
fn each_fault_is_named_within_two_minutes_and_forgotten_after_it() {
    let name = |text: &str| text.to_owned();
    let places = [
        (Suspect::HostIn(name("n7")), 0.02),
        (Suspect::HostOut(name("n41")), 0.02),
        (Suspect::RackOut(name("r2")), 0.02),
        (Suspect::RackIn(name("r6")), 0.02),
        (Suspect::Link(name("z0"), name("z1")), 0.01),
        (Suspect::Path(name("n5"), name("n8")), 0.1),
    ];
    let begins = |(at, (place, share)): (usize, (Suspect, f64))| {
        let from = 120 + 540 * at as i64;
        Fault { from, until: from + 300, place, share }
    };
    let faults: Vec<Fault> = places.into_iter().enumerate().map(begins).collect();
    let mut mesh = SimulatedMesh::new(100, 10, 2);
    let mut judged = [0; 2];
    for second in 0..faults.last().unwrap().until + 240 {
        mesh.second(second, &faults);
        if second % 10 != 9 {
            continue;
        }
        // A verdict of this second comes when its lost probes are given up.
        let now = second + SimulatedMesh::GIVE_UP;
        let is_named = |fault: &&Fault| (fault.from + 120..fault.until).contains(&now);
        let is_over = |fault: &Fault| (fault.from..fault.until + 160).contains(&now);
        if let Some(fault) = faults.iter().find(is_named) {
            judged[0] += 1;
            assert_eq!(
                named(&mesh, second),
                std::slice::from_ref(&fault.place),
                "{fault:?}, after {} s",
                now - fault.from
            );
        } else if !faults.iter().any(is_over) {
            judged[1] += 1;
            assert_eq!(named(&mesh, second), [], "after {now} s");
        }
    }
    assert!(judged.iter().all(|count| *count > 40), "{judged:?}");
}

/// Each example is a valid configuration with a target or a name to look up.
#[test]
fn shipped_configurations_are_read() {
    let contrib = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib");
    for file in ["watch.toml", "kubernetes/base/watch.toml", "examples/compose/watch.toml"] {
        let text = std::fs::read_to_string(contrib.join(file)).unwrap();
        let config = Config::from_toml(&text, &|_| Some("10.0.0.7".into()))
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(!config.groups.is_empty(), "{file}");
    }
}

/// A selector without labels is of every pod in the namespace: the policy would cut off pods of others.
#[test]
fn shipped_manifests_select_their_own_pods() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/kubernetes/base");
    for (file, selectors) in [("networkpolicy.yaml", 3), ("podmonitor.yaml", 1)] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let own = "elector: { matchLabels: { app.kubernetes.io/name: udpecho } }";
        assert_eq!((text.matches(own).count(), text.contains("elector: {}")), (selectors, false), "{text}");
    }
}

/// Hosts that know each other by address alone, as a DNS name lists them; each tells its rack to those that ask.
struct AddressMesh {
    /// By host; none has it from a list.
    racks: Vec<String>,
    surveys: Vec<Survey>,
    targets: Vec<Wanted>,
}

impl AddressMesh {
    const PEERS: &str =
        "[[group]]\nname = 'mesh'\ndns = { name = 'x', port = 8080 }\npeers = { near = 3, far = 4 }\n";

    fn new(hosts: usize) -> Self {
        let group = Arc::new(Config::from_toml(Self::PEERS, &|_| None).unwrap().groups.remove(0));
        let target = |host: usize| {
            let address = SocketAddr::from(([10, 0, 0, host as u8], 8080));
            let key = udpecho::fleet::Key { group: "mesh".into(), target: address.to_string() };
            Wanted { key, address: Some(address), labels: BTreeMap::new(), group: Arc::clone(&group) }
        };
        Self {
            racks: (0..hosts).map(|host| format!("r{}", host % 6)).collect(),
            surveys: vec![Survey::default(); hosts],
            targets: (0..hosts).map(target).collect(),
        }
    }

    /// At this second each host asks those that are due. An answer to every seventh is lost at first.
    fn ask(&mut self, second: i64, silent: &BTreeSet<usize>) {
        let now = Instant::ZERO + Duration::from_secs(second);
        let listed: BTreeSet<SocketAddr> = self.targets.iter().filter_map(|target| target.address).collect();
        for (host, survey) in self.surveys.iter_mut().enumerate() {
            for address in survey.take_due(&listed, now) {
                let asked = self.targets.iter().position(|target| target.address == Some(address)).unwrap();
                let is_lost = second < 60 && (host + asked) % 7 == 0;
                if !is_lost && !silent.contains(&asked) {
                    let rack = self.racks[asked].clone();
                    survey.answer(address, HostNames { rack, ..HostNames::default() }, now);
                }
            }
        }
    }

    /// Every host with its peers.
    fn links(&self) -> BTreeSet<(usize, usize)> {
        let of = |host: usize| {
            let labels = BTreeMap::from([("rack".to_owned(), self.racks[host].clone())]);
            let has_address_of = |target: &Wanted| target.key == self.targets[host].key;
            let own = OwnHost { name: "any", labels: &labels, has_address_of: &has_address_of };
            let peers = self.targets[0].group.peers.unwrap();
            let chosen = sample(self.targets.clone(), peers, own, &self.surveys[host]);
            let place = |peer: Wanted| self.targets.iter().position(|target| target.key == peer.key).unwrap();
            chosen.into_iter().map(move |peer| (host, place(peer))).collect::<Vec<_>>()
        };
        (0..self.targets.len()).flat_map(of).collect()
    }

    /// By host: the peers of its own rack, and the hosts of its rack that have it as a peer.
    fn near(&self) -> Vec<[usize; 2]> {
        let links = self.links();
        let near: Vec<_> =
            links.iter().filter(|(one, other)| self.racks[*one] == self.racks[*other]).collect();
        let count = |of: &dyn Fn(&(usize, usize)) -> bool| near.iter().filter(|link| of(link)).count();
        (0..self.targets.len())
            .map(|host| [count(&|link| link.0 == host), count(&|link| link.1 == host)])
            .collect()
    }
}

#[test]
fn near_peers_are_those_whose_servers_tell_the_same_rack() {
    let nobody = BTreeSet::new();
    let mut mesh = AddressMesh::new(60);
    let far = mesh.links();
    assert_eq!(far.len(), 240, "four each, before a rack is known");
    mesh.ask(0, &nobody);
    mesh.ask(60, &nobody);
    let all = mesh.links();
    assert!(all.is_superset(&far), "no peer is left when racks become known");
    assert!(mesh.near().iter().flatten().all(|count| *count >= 3), "{:?}", mesh.near());
    assert!(all.len() <= 60 * 7);
    // A host that is silent later keeps its place, and one that moves to another rack has peers there.
    let silent = BTreeSet::from([13]);
    mesh.racks[20] = "r5".into();
    (61..720).for_each(|second| mesh.ask(second, &silent));
    assert!(mesh.near().iter().flatten().all(|count| *count >= 3), "{:?}", mesh.near());
    let moved = mesh.links();
    assert_eq!(
        moved
            .iter()
            .filter(|(one, other)| *one != 20 && *other != 20)
            .filter(|link| !all.contains(link))
            .count(),
        3
    );
    assert!(moved.iter().any(|link| link.1 == 13));
}
