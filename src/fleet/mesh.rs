//! The counts of several monitors, as directed paths between hosts.

use std::collections::{BTreeMap, BTreeSet};

use super::contacts::{Contact, Contacts};
use super::locate::{Finding, Host, Path};
use super::report::{MonitorReport, TargetReport};

/// Hosts that monitor each other.
#[derive(Clone, Debug, Default)]
pub struct Mesh {
    /// Monitors and targets.
    pub hosts: Vec<Host>,
    /// In the order of the hosts.
    pub paths: Vec<MeshPath>,
    contacts: Contacts,
}

/// A directed path as both its ends counted it.
#[derive(Clone, Copy, Debug)]
pub struct MeshPath {
    /// Lost in the network or in the receiver's socket. A loss whose direction is unknown counts for neither.
    pub counts: Path,
    /// Of the lost ones, those lost in the receiver's socket.
    pub overflow: u64,
    /// Lost on the way there or back.
    pub unknown: u64,
    /// A median of the round trip, in microseconds.
    pub median_us: Option<f64>,
}

impl Mesh {
    /// Of these monitors; of two with one name the first. A monitor's probes to itself are no path.
    pub fn of(reports: &[MonitorReport]) -> Self {
        let mut mesh = Self::default();
        let mut seen = BTreeSet::new();
        let reports: Vec<_> = reports.iter().filter(|report| seen.insert(&report.source)).collect();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut paths: BTreeMap<(usize, usize), MeshPath> = BTreeMap::new();
        let monitors = reports.iter().map(|report| report.source.as_str()).collect();
        for report in &reports {
            let from = mesh.place(&mut places, &report.source);
            let names = Names::of(report, &monitors);
            for target in &report.targets {
                let to = mesh.place(&mut places, names.host(target));
                if let (Some(told), true) = (target.host.clone(), mesh.hosts[to].is_unplaced()) {
                    (mesh.hosts[to].rack, mesh.hosts[to].zone) = (told.rack, told.zone);
                }
                if from != to {
                    count(&mut paths, from, to, target);
                    mesh.contacts.note(to, from, target.contact());
                }
            }
        }
        for report in reports {
            let label = |name: &str| report.labels.get(name).cloned().unwrap_or_default();
            let host = &mut mesh.hosts[places[&report.source]];
            (host.rack, host.zone) = (label("rack"), label("zone"));
        }
        mesh.paths = paths.into_values().collect();
        mesh
    }

    fn place(&mut self, places: &mut BTreeMap<String, usize>, name: &str) -> usize {
        *places.entry(name.to_owned()).or_insert_with(|| {
            self.hosts.push(Host { name: name.to_owned(), rack: String::new(), zone: String::new() });
            self.hosts.len() - 1
        })
    }

    /// For `locate`.
    pub fn counts(&self) -> Vec<Path> {
        self.paths.iter().map(|path| path.counts).collect()
    }

    /// Silent racks, hosts and pairs.
    pub(super) fn silent(&self) -> Vec<Finding> {
        self.contacts.silent(&self.hosts)
    }

    /// The hosts that refuse a monitor a session.
    pub(super) fn denied(&self) -> Vec<String> {
        self.contacts.names(&self.hosts, Contact::Denied)
    }

    /// The hosts whose servers told a monitor that they end, and have no successor yet.
    pub(super) fn ended(&self) -> Vec<String> {
        self.contacts.names(&self.hosts, Contact::Ended)
    }

    /// The hosts whose names have no address for a monitor.
    pub(super) fn unresolved(&self) -> Vec<String> {
        self.contacts.names(&self.hosts, Contact::Unresolved)
    }
}

/// By which name a monitor's targets are hosts of the mesh.
struct Names<'a> {
    monitors: &'a BTreeSet<&'a str>,
    /// By name: the listed hosts that have it or whose servers tell it.
    claims: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Names<'a> {
    fn of(report: &'a MonitorReport, monitors: &'a BTreeSet<&'a str>) -> Self {
        let mut names = Self { monitors, claims: BTreeMap::new() };
        for target in &report.targets {
            for name in [Some(target.listed()), told(target)].into_iter().flatten() {
                names.claims.entry(name).or_default().insert(target.listed());
            }
        }
        names
    }

    /// A target that is listed under a monitor's name is that monitor. Another one has the name that its server tells,
    /// unless another target has it too: then one of them may lie.
    fn host(&self, target: &'a TargetReport) -> &'a str {
        let listed = target.listed();
        if self.monitors.contains(listed) {
            return listed;
        }
        told(target).filter(|told| self.claims[told].len() == 1).unwrap_or(listed)
    }
}

fn told(target: &TargetReport) -> Option<&str> {
    target.host.as_ref().map(|host| host.name.as_str()).filter(|name| !name.is_empty())
}

/// Adds one monitor's counts of one target, in both directions.
fn count(paths: &mut BTreeMap<(usize, usize), MeshPath>, from: usize, to: usize, target: &TargetReport) {
    let counts = target.newest();
    let unknown = counts.lost_by(&["unknown", "refused", "injected_up", "injected_down"]);
    let lost_up = counts.lost_by(&["up", "server_overflow"]).min(counts.sent - unknown);
    let arrived = counts.sent - unknown - lost_up;
    let lost_down = counts.lost_by(&["down", "client_overflow"]).min(arrived);
    let mut add = |from, to, sent, lost, overflow: &str| {
        let none = Path { from, to, sent: 0, lost: 0 };
        let none = MeshPath { counts: none, overflow: 0, unknown: 0, median_us: None };
        let path = paths.entry((from, to)).or_insert(none);
        for (sum, count) in [
            (&mut path.counts.sent, sent),
            (&mut path.counts.lost, lost),
            (&mut path.overflow, counts.lost_by(&[overflow])),
            (&mut path.unknown, counts.lost_by(&["unknown"])),
        ] {
            *sum = sum.saturating_add(count);
        }
        path.median_us = counts.median_us.or(path.median_us);
    };
    add(from, to, lost_up + arrived, lost_up, "server_overflow");
    add(to, from, arrived, lost_down, "client_overflow");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::locate::Suspect;
    use crate::fleet::report::ProbeCounts;
    use crate::probe::HostNames;

    /// A target, its probes, and those lost by each cause.
    type Made<'a> = (&'a str, u64, &'a [(&'a str, u64)]);

    fn report(source: &str, targets: &[Made<'_>]) -> MonitorReport {
        let target = |(target, sent, causes): &Made<'_>| TargetReport {
            target: (*target).to_owned(),
            total: ProbeCounts {
                sent: *sent,
                causes: causes.iter().map(|(cause, count)| ((*cause).to_owned(), *count)).collect(),
                median_us: None,
            },
            ..TargetReport::default()
        };
        MonitorReport {
            source: source.to_owned(),
            labels: BTreeMap::from([("rack".to_owned(), format!("r-{}", &source[..1]))]),
            targets: targets.iter().map(target).collect(),
        }
    }

    #[test]
    fn a_path_is_counted_from_both_its_ends() {
        let a = report("a", &[("b:8080", 100, &[("up", 10), ("down", 5), ("unknown", 3)]), ("a", 9, &[])]);
        let b = report("b", &[("a", 50, &[("server_overflow", 2), ("client_overflow", 1)])]);
        let mesh = Mesh::of(&[a, b]);
        assert_eq!(mesh.hosts.iter().map(|host| host.rack.as_str()).collect::<Vec<_>>(), ["r-a", "r-b"]);
        let [there, back] = mesh.paths[..] else { panic!("{mesh:?}") };
        assert_eq!((there.counts.sent, there.counts.lost), (97 + 48, 10 + 1));
        assert_eq!((back.counts.sent, back.counts.lost), (87 + 50, 5 + 2));
        assert_eq!((there.overflow, back.overflow, there.unknown), (1, 2, 3));
    }

    #[test]
    fn recent_counts_go_before_those_since_the_start() {
        let mut a = report("a", &[("b", 1_000, &[("up", 500)])]);
        a.targets[0].recent = Some(ProbeCounts { sent: 120, ..ProbeCounts::default() });
        let mesh = Mesh::of(&[a]);
        assert_eq!((mesh.paths[0].counts.sent, mesh.paths[0].counts.lost), (120, 0));
    }

    fn names(mesh: &Mesh) -> Vec<Suspect> {
        mesh.silent().into_iter().map(|finding| finding.suspect).collect()
    }

    #[test]
    fn a_host_is_silent_if_no_monitor_hears_it_and_a_rack_if_none_of_its_hosts_is_heard() {
        let gone: &[(&str, u64)] = &[("unknown", 60)];
        let a = report("a", &[("b", 60, gone), ("c", 60, &[])]);
        let c = report("c", &[("b", 60, gone), ("a", 60, &[])]);
        assert_eq!(names(&Mesh::of(&[a.clone(), c.clone()])), [Suspect::Silent("b".into())]);
        let b = report("b", &[("a", 60, &[])]);
        assert_eq!(
            names(&Mesh::of(&[a.clone(), b])),
            [Suspect::Silent("b".into())],
            "its reflector is dead, its monitor is not"
        );
        let one = report("r1", &[("r2", 60, gone), ("a", 60, gone)]);
        let two = report("r2", &[("r1", 60, gone), ("a", 60, gone)]);
        let others = report("a", &[("r1", 60, gone), ("r2", 60, gone), ("c", 60, &[])]);
        let c = report("c", &[("a", 60, &[]), ("r1", 60, gone)]);
        assert_eq!(names(&Mesh::of(&[one, two, others, c])), [Suspect::SilentRack("r-r".into())]);
    }

    /// A host that denies a session is alive; one without an address is asked nothing.
    #[test]
    fn a_host_that_denies_is_not_silent_and_one_without_an_address_is_not_asked() {
        let gone: &[(&str, u64)] = &[("unknown", 60)];
        let targets: [Made<'_>; 3] = [("b", 60, gone), ("c", 60, gone), ("d", 60, gone)];
        let with_state = |source, states: [&str; 3]| {
            let mut report = report(source, &targets);
            for (target, state) in report.targets.iter_mut().zip(states) {
                target.state = state.into();
            }
            report
        };
        let one = with_state("a", ["silent", "denied", "unresolved"]);
        let mesh = Mesh::of(std::slice::from_ref(&one));
        assert_eq!(names(&mesh), [Suspect::Silent("b".into())]);
        assert_eq!((mesh.denied(), mesh.unresolved()), (vec!["c".to_owned()], vec!["d".to_owned()]));
        let mesh = Mesh::of(&[one, with_state("e", ["silent", "silent", "silent"])]);
        let pair = Suspect::SilentTo("c".into(), "e".into());
        let [b, d] = ["b", "d"].map(|host| Suspect::Silent(host.into()));
        assert_eq!(names(&mesh), [b, d, pair], "c denies another, so it is there");
        assert_eq!(mesh.silent().iter().map(|finding| finding.paths).collect::<Vec<_>>(), [2, 1, 2]);
    }

    /// A rollout is neither an outage nor a quiet network.
    #[test]
    fn a_host_whose_server_said_that_it_ends_is_neither_silent_nor_fine() {
        let gone: &[(&str, u64)] = &[("unknown", 60)];
        let with_state = |source, states: [&str; 2]| {
            let mut report = report(source, &[("b", 60, gone), ("c", 60, gone)]);
            report.targets.iter_mut().zip(states).for_each(|(target, state)| target.state = state.into());
            report
        };
        let mesh = Mesh::of(&[with_state("a", ["ended", "measuring"]), with_state("d", ["silent", "ended"])]);
        assert_eq!(mesh.ended(), ["b", "c"]);
        let line = "not measured: b and c said that they end, and have no successor yet";
        let verdict = crate::fleet::Verdict::of_mesh(&mesh);
        assert_eq!(verdict.unmeasured(), [line]);
        assert!(!verdict.findings.iter().any(|finding| finding.suspect == Suspect::Silent("b".into())));
    }

    /// The page of a host with two addresses is read at either.
    #[test]
    fn a_monitor_that_reports_twice_counts_once() {
        let a = report("a", &[("b", 100, &[("up", 10)])]);
        let mesh = Mesh::of(&[a.clone(), a]);
        assert_eq!((mesh.paths[0].counts.sent, mesh.paths[0].counts.lost), (100, 10));
    }

    #[test]
    fn a_report_with_the_largest_numbers_is_read() {
        let most = u64::MAX;
        let all: &[(&str, u64)] = &[("up", most), ("down", most), ("unknown", 1), ("server_overflow", most)];
        let reports: [(_, _, &[(&str, u64)]); 3] = [("a", "b", &[]), ("b", "a", &[]), ("c", "b", all)];
        let reports = reports.map(|(source, other, causes)| report(source, &[(other, most, causes)]));
        let verdict = crate::fleet::Verdict::of_mesh(&Mesh::of(&reports));
        assert!(!verdict.to_string().is_empty());
    }

    /// A monitor that lists these addresses, whose servers tell these names.
    fn listing(source: &str, targets: &[(&str, &str)]) -> MonitorReport {
        let mut listing = report(source, &[]);
        listing.targets = targets
            .iter()
            .map(|(address, name)| TargetReport {
                target: format!("{address}:8080"),
                host: Some(HostNames { name: (*name).into(), rack: "r1".into(), zone: String::new() }),
                ..TargetReport::default()
            })
            .collect();
        listing
    }

    #[test]
    fn a_listed_address_is_the_host_that_its_server_names() {
        let mesh = Mesh::of(&[
            listing("a", &[("192.0.2.2", "b"), ("192.0.2.9", "plain")]),
            listing("b", &[("192.0.2.1", "a")]),
        ]);
        let hosts: Vec<_> = mesh.hosts.iter().map(|host| (host.name.as_str(), host.rack.as_str())).collect();
        assert_eq!(hosts, [("a", "r-a"), ("b", "r-b"), ("plain", "r1")], "a monitor's own labels go first");
        assert_eq!(mesh.paths.len(), 4);
    }

    #[test]
    fn nobody_takes_the_place_of_a_monitor_by_telling_its_name() {
        let mesh = Mesh::of(&[
            listing("a", &[("192.0.2.2", "b"), ("192.0.2.66", "b"), ("c", "b")]),
            listing("b", &[]),
            listing("c", &[]),
        ]);
        let names: Vec<_> = mesh.hosts.iter().map(|host| host.name.as_str()).collect();
        assert_eq!(names, ["a", "192.0.2.2", "192.0.2.66", "c", "b"]);
        let mesh = Mesh::of(&[listing("a", &[("b", ""), ("192.0.2.66", "b")])]);
        let names: Vec<_> = mesh.hosts.iter().map(|host| host.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "192.0.2.66"], "b is listed and tells nothing");
    }

    #[test]
    fn two_that_do_not_hear_each_other_are_a_pair() {
        let gone: &[(&str, u64)] = &[("unknown", 60)];
        let reports = [
            report("a", &[("b", 60, gone), ("c", 60, &[])]),
            report("b", &[("a", 60, gone), ("c", 60, &[])]),
            report("c", &[("a", 60, &[]), ("b", 60, &[])]),
        ];
        assert_eq!(names(&Mesh::of(&reports)), [Suspect::SilentPair("a".into(), "b".into())]);
    }
}
