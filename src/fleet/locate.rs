//! Finds the host, rack, link between zones, or path that explains losses best.
//!
//! Probes tell losses by direction, so a directed path has a count of its own. Suspects are added greedily by
//! the log-likelihood that they gain, as in SCORE (Kompella et al., NSDI 2005), with the losses of a path as
//! independent draws.

use std::collections::{BTreeMap, BTreeSet};

/// Where a host stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Different from the others' names.
    pub name: String,
    /// Empty if unknown.
    pub rack: String,
    /// Empty if unknown.
    pub zone: String,
}

impl Host {
    /// Whether neither its rack nor its zone is known.
    pub(super) fn is_unplaced(&self) -> bool {
        self.rack.is_empty() && self.zone.is_empty()
    }
}

/// The probes that went from one host to another, and those lost on that way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// A place in the list of hosts.
    pub from: usize,
    /// A place in the list of hosts.
    pub to: usize,
    /// Probes or replies that set out.
    pub sent: u64,
    /// Of these, lost on the way.
    pub lost: u64,
}

/// A place that may be at fault. A host, rack or zone is named as in the list of hosts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suspect {
    /// A host loses part of its output.
    HostOut(String),
    /// A host loses part of its input.
    HostIn(String),
    /// A rack loses part of its output.
    RackOut(String),
    /// A rack loses part of its input.
    RackIn(String),
    /// The link from one zone to another.
    Link(String, String),
    /// One path.
    Path(String, String),
    /// No host of this rack answers any that asks it.
    SilentRack(String),
    /// This host answers none that asks it.
    Silent(String),
    /// Neither answers the other.
    SilentPair(String, String),
    /// The first does not answer the second, which nobody asks.
    SilentTo(String, String),
}

/// A suspect and the losses that it explains.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The place and the direction.
    pub suspect: Suspect,
    /// The share that it loses.
    pub share: f64,
    /// Its paths, and those among them with a loss.
    pub paths: usize,
    /// Of its paths, those that lost something.
    pub lossy: usize,
    /// Log-likelihood gained by it.
    pub gain: f64,
}

/// Suspects are sought until none gains this much; e^12 is 160,000 to one.
const THRESHOLD: f64 = 12.0;
/// No path is believed to lose less than this.
const LEAST_BASE: f64 = 1e-5;
const MOST_FINDINGS: usize = 16;

/// The suspects that explain the losses of these paths, the weightiest first; empty if nothing stands out.
pub fn locate(hosts: &[Host], paths: &[Path]) -> Vec<Finding> {
    let paths: Vec<Path> = paths.iter().copied().filter(|path| path.sent > 0).collect();
    let suspects = suspects(hosts, &paths);
    let mut expected = vec![base(&paths); paths.len()];
    let mut findings = Vec::new();
    let mut named = BTreeSet::new();
    while findings.len() < MOST_FINDINGS {
        // `max_by` takes the last of equals. In reverse order that is the rack, not a link with the same paths.
        let unnamed = suspects.iter().rev().filter(|(suspect, _)| !named.contains(*suspect));
        let judged = unnamed.map(|(suspect, members)| (judge(suspect, members, &paths, &expected), members));
        let best = judged.max_by(|(a, _), (b, _)| a.gain.total_cmp(&b.gain));
        let Some((finding, members)) = best.filter(|(finding, _)| finding.gain > 0.0) else { break };
        for member in members {
            expected[*member] = joined(expected[*member], finding.share);
        }
        named.insert(finding.suspect.clone());
        findings.push(finding);
    }
    findings
}

/// The loss that all paths have, from the paths that lost nothing: with independent losses there are
/// as many as that loss makes likely. Faults of a few paths hardly change it.
fn base(paths: &[Path]) -> f64 {
    let whole = paths.iter().filter(|path| path.lost == 0).count() as f64;
    let likely = |loss: f64| paths.iter().map(|path| (path.sent as f64 * (-loss).ln_1p()).exp()).sum::<f64>();
    let [sent, lost] = [|path: &Path| path.sent as f64, |path: &Path| path.lost as f64]
        .map(|of| paths.iter().map(of).sum::<f64>());
    let (mut low, mut high) = (0.0, (lost / sent.max(1.0)).min(0.999));
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if likely(middle) > whole { low = middle } else { high = middle }
    }
    low.max(LEAST_BASE)
}

/// Every suspect with the places of its paths. One with a single path is that path.
fn suspects(hosts: &[Host], paths: &[Path]) -> BTreeMap<Suspect, Vec<usize>> {
    let mut suspects: BTreeMap<Suspect, Vec<usize>> = BTreeMap::new();
    for (at, path) in paths.iter().enumerate() {
        let (from, to) = (&hosts[path.from], &hosts[path.to]);
        let mut add = |suspect| suspects.entry(suspect).or_default().push(at);
        add(Suspect::HostOut(from.name.clone()));
        add(Suspect::HostIn(to.name.clone()));
        if from.rack != to.rack {
            add(Suspect::RackOut(from.rack.clone()));
            add(Suspect::RackIn(to.rack.clone()));
        }
        if from.zone != to.zone {
            add(Suspect::Link(from.zone.clone(), to.zone.clone()));
        }
    }
    let hosts_of = |members: &[usize]| -> [BTreeSet<usize>; 2] {
        [members.iter().map(|at| paths[*at].from).collect(), members.iter().map(|at| paths[*at].to).collect()]
    };
    suspects.retain(|suspect, members| match suspect {
        Suspect::RackOut(name) => !name.is_empty() && hosts_of(members)[0].len() > 1,
        Suspect::RackIn(name) => !name.is_empty() && hosts_of(members)[1].len() > 1,
        Suspect::Link(from, to) => !from.is_empty() && !to.is_empty() && members.len() > 1,
        _ => members.len() > 1,
    });
    for (at, path) in paths.iter().enumerate() {
        let [from, to] = [path.from, path.to].map(|host| hosts[host].name.clone());
        suspects.insert(Suspect::Path(from, to), vec![at]);
    }
    suspects
}

/// How much better the losses are explained if this suspect loses a share of its own.
fn judge(suspect: &Suspect, members: &[usize], paths: &[Path], expected: &[f64]) -> Finding {
    let sum = |of: &dyn Fn(usize) -> f64| members.iter().map(|at| of(*at)).sum::<f64>();
    let sent = sum(&|at| paths[at].sent as f64);
    let lost = sum(&|at| paths[at].lost as f64);
    let foreseen = sum(&|at| paths[at].sent as f64 * expected[at]);
    let share = ((lost - foreseen) / (sent - foreseen).max(1.0)).clamp(0.0, 1.0);
    let gained = |at: usize| {
        let likelihood = |p: f64| {
            let p = p.clamp(1e-12, 1.0 - 1e-12);
            let (lost, sent) = (paths[at].lost as f64, paths[at].sent as f64);
            lost * p.ln() + (sent - lost) * (1.0 - p).ln()
        };
        likelihood(joined(expected[at], share)) - likelihood(expected[at])
    };
    let price = match suspect {
        Suspect::Path(..) => THRESHOLD + (paths.len() as f64).ln(),
        _ => THRESHOLD,
    };
    Finding {
        suspect: suspect.clone(),
        share,
        paths: members.len(),
        lossy: members.iter().filter(|at| paths[**at].lost > 0).count(),
        gain: if share > 0.0 { sum(&gained) - price } else { -price },
    }
}

/// Lost by one or the other.
fn joined(one: f64, other: f64) -> f64 {
    1.0 - (1.0 - one) * (1.0 - other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Draws, Stream};

    const HOSTS: usize = 60;

    fn hosts() -> Vec<Host> {
        let host = |n: usize| Host {
            name: format!("n{n}"),
            rack: format!("r{}", n / 10),
            zone: format!("z{}", n / 30),
        };
        (0..HOSTS).map(host).collect()
    }

    fn binomial(draws: &mut Draws, sent: u64, share: f64) -> u64 {
        (0..sent).filter(|_| draws.unit() < share).count() as u64
    }

    /// A mesh in which each host asks 10 others, with these losses.
    fn mesh(seed: u64, sent: u64, loss: impl Fn(&Host, &Host) -> f64) -> Vec<Path> {
        let (hosts, mut draws) = (hosts(), Stream::new(seed, "mesh").at(0));
        let mut paths = Vec::new();
        for from in 0..HOSTS {
            for step in [1, 2, 3, 4, 11, 17, 23, 29, 37, 43] {
                let to = (from + step) % HOSTS;
                let share = joined(1e-4, loss(&hosts[from], &hosts[to]));
                paths.push(Path { from, to, sent, lost: binomial(&mut draws, sent, share) });
            }
        }
        paths
    }

    fn named(paths: &[Path]) -> Vec<Suspect> {
        locate(&hosts(), paths).into_iter().map(|finding| finding.suspect).collect()
    }

    #[test]
    fn a_quiet_mesh_has_no_suspect() {
        for seed in 0..6 {
            assert_eq!(named(&mesh(seed, 300, |_, _| 0.0)), []);
        }
        assert_eq!(named(&[]), []);
    }

    #[test]
    fn a_host_is_named_with_the_direction_in_which_it_loses() {
        for seed in 0..6 {
            let into = mesh(seed, 300, |_, to| if to.name == "n7" { 0.02 } else { 0.0 });
            assert_eq!(named(&into), [Suspect::HostIn("n7".into())], "seed {seed}");
            let out = mesh(seed, 300, |from, _| if from.name == "n41" { 0.02 } else { 0.0 });
            assert_eq!(named(&out), [Suspect::HostOut("n41".into())], "seed {seed}");
        }
    }

    #[test]
    fn a_rack_a_link_between_zones_and_a_single_path_are_told_apart() {
        for seed in 0..6 {
            let rack = mesh(seed, 300, |from, to| f64::from(from.rack == "r2" && to.rack != "r2") * 0.02);
            assert_eq!(named(&rack), [Suspect::RackOut("r2".into())], "seed {seed}");
            let link = mesh(seed, 300, |from, to| f64::from(from.zone == "z0" && to.zone == "z1") * 0.01);
            assert_eq!(named(&link), [Suspect::Link("z0".into(), "z1".into())], "seed {seed}");
            let path = mesh(seed, 300, |from, to| f64::from(from.name == "n5" && to.name == "n8") * 0.1);
            assert_eq!(named(&path), [Suspect::Path("n5".into(), "n8".into())], "seed {seed}");
        }
    }

    /// Two zones of one rack each, so that the rack and the link between the zones have the same paths.
    #[test]
    fn a_rack_that_is_a_zone_of_its_own_is_named_before_the_link() {
        let hosts: Vec<Host> = (0..6)
            .map(|n| Host { name: format!("n{n}"), rack: format!("r{}", n / 3), zone: format!("z{}", n / 3) })
            .collect();
        let pairs = (0..6).flat_map(|from| (0..6).map(move |to| (from, to))).filter(|(from, to)| from != to);
        let paths: Vec<Path> = pairs
            .map(|(from, to)| Path { from, to, sent: 300, lost: if from < 3 && to >= 3 { 15 } else { 0 } })
            .collect();
        let found = locate(&hosts, &paths);
        assert_eq!((found.len(), &found[0].suspect), (1, &Suspect::RackOut("r0".into())));
    }

    #[test]
    fn two_faults_at_once_are_both_named() {
        for seed in 0..6 {
            let both = mesh(seed, 300, |from, to| {
                if to.name == "n3" { 0.05 } else { f64::from(from.rack == "r4" && to.rack != "r4") * 0.02 }
            });
            let found: BTreeSet<Suspect> = named(&both).into_iter().collect();
            let expected = [Suspect::HostIn("n3".into()), Suspect::RackOut("r4".into())];
            assert_eq!(found, expected.into_iter().collect(), "seed {seed}");
        }
    }

    /// Without racks and zones hosts are named all the same.
    #[test]
    fn labels_are_optional() {
        let bare: Vec<Host> = hosts()
            .into_iter()
            .map(|host| Host { rack: String::new(), zone: String::new(), ..host })
            .collect();
        let paths = mesh(1, 300, |_, to| if to.name == "n7" { 0.05 } else { 0.0 });
        let found = locate(&bare, &paths);
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0].suspect, found[0].paths), (&Suspect::HostIn("n7".into()), 10));
        assert!((0.03..0.07).contains(&found[0].share), "{}", found[0].share);
    }
}
