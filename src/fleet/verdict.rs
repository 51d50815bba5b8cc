//! The place of a fault in one sentence.

use std::fmt;

use super::locate::{Finding, Host, Path, Suspect, locate};
use super::mesh::Mesh;

/// The host, rack, link or path at fault, with the direction; or nothing.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// The weightiest first.
    pub findings: Vec<Finding>,
    /// Paths with at least one probe.
    pub paths: usize,
    /// The names of its ends, and its share of loss.
    pub worst: Option<(String, String, f64)>,
    /// Hosts that refuse a monitor a session: they are there, and nothing is known of their paths.
    pub denied: Vec<String>,
    /// Hosts whose servers told a monitor that they end, and have no successor yet.
    pub ended: Vec<String>,
    /// Hosts whose names have no address for a monitor.
    pub unresolved: Vec<String>,
}

impl Verdict {
    /// Of hosts that monitor each other: those that are silent first.
    pub fn of_mesh(mesh: &Mesh) -> Self {
        let mut verdict = Self::of(&mesh.hosts, &mesh.counts());
        verdict.findings.splice(..0, mesh.silent());
        Self { denied: mesh.denied(), ended: mesh.ended(), unresolved: mesh.unresolved(), ..verdict }
    }

    /// Of these paths.
    pub fn of(hosts: &[Host], paths: &[Path]) -> Self {
        let sent = || paths.iter().filter(|path| path.sent > 0);
        let loss = |path: &Path| path.lost as f64 / path.sent as f64;
        let worst = sent().max_by(|a, b| loss(a).total_cmp(&loss(b)));
        let name = |host: usize| hosts[host].name.clone();
        Self {
            findings: locate(hosts, paths),
            paths: sent().count(),
            worst: worst.map(|path| (name(path.from), name(path.to), loss(path))),
            ..Self::default()
        }
    }
}

impl Verdict {
    /// The direction in which a host at fault loses nothing.
    fn other_direction(&self, finding: &Finding) -> Option<&'static str> {
        let (other, arrives) = match &finding.suspect {
            Suspect::HostIn(host) => (Suspect::HostOut(host.clone()), "what it sends arrives"),
            Suspect::HostOut(host) => (Suspect::HostIn(host.clone()), "what it is sent arrives"),
            _ => return None,
        };
        self.findings.iter().all(|finding| finding.suspect != other).then_some(arrives)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&[self.judged(), self.unmeasured()].concat().join("\n"))
    }
}

impl Verdict {
    /// A sentence for each finding, or that there is none.
    pub fn judged(&self) -> Vec<String> {
        if self.findings.is_empty() {
            return vec![self.nothing()];
        }
        let with_direction = |finding: &Finding| match self.other_direction(finding) {
            Some(arrives) => format!("{}; {arrives}", sentence(finding)),
            None => sentence(finding),
        };
        self.findings.iter().map(with_direction).collect()
    }

    /// A sentence for each reason why hosts are not judged.
    pub fn unmeasured(&self) -> Vec<String> {
        let denied = unmeasured(&self.denied, "refuses a session", "refuse a session");
        let ended = unmeasured(
            &self.ended,
            "said that it ends, and has no successor yet",
            "said that they end, and have no successor yet",
        );
        let unresolved = unmeasured(&self.unresolved, "has no address", "have no address");
        [denied, ended, unresolved].into_iter().flatten().collect()
    }

    fn nothing(&self) -> String {
        match &self.worst {
            None => "nothing: no path has a probe".to_owned(),
            Some((.., loss)) if *loss == 0.0 => format!("nothing: {} paths, none with a loss", self.paths),
            Some((from, to, loss)) => {
                format!("nothing: {} paths, the worst from {from} to {to} {}", self.paths, percent(*loss))
            }
        }
    }
}

/// Names that a sentence shows; "others" stands for two or more.
const MOST_NAMES: usize = 4;

/// Hosts that are not judged, and why.
fn unmeasured(hosts: &[String], one: &str, several: &str) -> Option<String> {
    let names = match hosts {
        [] => return None,
        [name] => return Some(format!("not measured: {name} {one}")),
        [names @ .., last] if hosts.len() <= MOST_NAMES => format!("{} and {last}", names.join(", ")),
        _ => format!("{} and {} others", hosts[..MOST_NAMES - 1].join(", "), hosts.len() + 1 - MOST_NAMES),
    };
    Some(format!("not measured: {names} {several}"))
}

fn sentence(finding: &Finding) -> String {
    let share = percent(finding.share);
    let paths = format!("{} of {} paths", finding.lossy, finding.paths);
    match &finding.suspect {
        Suspect::HostIn(host) => {
            format!("{host} loses {share} of what it is sent ({paths})")
        }
        Suspect::HostOut(host) => {
            format!("{host} loses {share} of what it sends ({paths})")
        }
        Suspect::RackIn(rack) => format!("rack {rack} loses {share} of what enters it ({paths})"),
        Suspect::RackOut(rack) => format!("rack {rack} loses {share} of what leaves it ({paths})"),
        Suspect::Link(from, to) => format!("{share} is lost from zone {from} to zone {to} ({paths})"),
        Suspect::Path(from, to) => format!("{share} is lost from {from} to {to}, on this path alone"),
        Suspect::SilentRack(rack) => {
            format!("rack {rack} is silent: none of its {} hosts answers", finding.paths)
        }
        Suspect::Silent(host) if finding.paths == 1 => {
            format!("{host} is silent: the one monitor that asks it has no answer")
        }
        Suspect::Silent(host) => {
            format!("{host} is silent: none of the {} that ask it has an answer", finding.paths)
        }
        Suspect::SilentPair(one, other) => {
            format!("{one} and {other} do not hear each other; others hear both, the direction is unknown")
        }
        Suspect::SilentTo(host, by) => {
            format!("{by} has no answer from {host}, and others have; the direction is unknown")
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(loss: impl Fn(usize, usize) -> u64) -> (Vec<Host>, Vec<Path>) {
        let host = |n| Host { name: format!("n{n}"), rack: String::new(), zone: String::new() };
        let ways = (0..8).flat_map(|from| [1, 2, 3].map(|step| (from, (from + step) % 8)));
        let path = |(from, to)| Path { from, to, sent: 1_000, lost: loss(from, to) };
        ((0..8).map(host).collect(), ways.map(path).collect())
    }

    #[test]
    fn a_sentence_names_the_place_the_direction_and_the_share() {
        let (hosts, paths) = ring(|_, to| if to == 3 { 50 } else { 0 });
        let verdict = Verdict::of(&hosts, &paths).to_string();
        assert_eq!(verdict, "n3 loses 4.99 % of what it is sent (3 of 3 paths); what it sends arrives");
        let (hosts, paths) = ring(|from, to| u64::from((from, to) == (1, 2)));
        assert_eq!(
            Verdict::of(&hosts, &paths).to_string(),
            "nothing: 24 paths, the worst from n1 to n2 0.10 %"
        );
        assert_eq!(Verdict::of(&hosts, &[]).to_string(), "nothing: no path has a probe");
    }

    #[test]
    fn hosts_that_deny_or_have_no_address_are_named_behind_the_rest() {
        let hosts = |count: usize| (1..=count).map(|n| format!("n{n}")).collect::<Vec<_>>();
        let verdict = |denied: usize, unresolved: usize| {
            let (denied, unresolved) = (hosts(denied), hosts(unresolved));
            Verdict { denied, unresolved, ..Verdict::default() }.to_string()
        };
        let nothing = "nothing: no path has a probe";
        assert_eq!(
            verdict(2, 1),
            format!("{nothing}\nnot measured: n1 and n2 refuse a session\nnot measured: n1 has no address")
        );
        let named = "n1, n2, n3 and 2 others";
        assert_eq!(verdict(0, 5), format!("{nothing}\nnot measured: {named} have no address"));
    }

    #[test]
    fn a_silent_host_has_one_monitor_or_several() {
        let of = |paths| {
            sentence(&Finding {
                suspect: Suspect::Silent("b".into()),
                share: 1.0,
                paths,
                lossy: paths,
                gain: 1.0,
            })
        };
        let suspect = Suspect::SilentTo("c".into(), "e".into());
        let to_one = sentence(&Finding { suspect, share: 1.0, paths: 2, lossy: 2, gain: 1.0 });
        assert_eq!(to_one, "e has no answer from c, and others have; the direction is unknown");
        assert_eq!(of(1), "b is silent: the one monitor that asks it has no answer");
        assert_eq!(of(3), "b is silent: none of the 3 that ask it has an answer");
    }

    #[test]
    fn what_a_host_loses_in_both_directions_is_two_findings() {
        let (hosts, paths) = ring(|from, to| if from == 5 || to == 5 { 40 } else { 0 });
        let verdict = Verdict::of(&hosts, &paths);
        assert_eq!(verdict.findings.len(), 2);
        assert!(!verdict.to_string().contains("arrives"), "{verdict}");
    }
}
