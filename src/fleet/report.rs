//! A monitor's report of its targets: `/api/targets.json` of its page, or the output of `watch --json`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::contacts::Contact;
use super::snapshot::{Snapshot, TargetView};
use crate::probe::{Cause, HostNames};

/// Of one monitor.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct MonitorReport {
    /// The name of the monitor's host.
    pub source: String,
    /// `rack` and `zone` say where it stands.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Its targets.
    pub targets: Vec<TargetReport>,
}

/// The counts of one target.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct TargetReport {
    /// The target's group: two groups may measure one target.
    #[serde(default)]
    pub group: String,
    /// `HOST` or `HOST:PORT`.
    pub target: String,
    /// As in `State::label`.
    #[serde(default)]
    pub state: String,
    /// The names that its server tells of its host.
    #[serde(default)]
    pub host: Option<HostNames>,
    /// Since the start.
    #[serde(flatten)]
    pub total: ProbeCounts,
    /// Of the last two minutes; a page has these.
    #[serde(default)]
    pub recent: Option<ProbeCounts>,
}

/// Probes and their losses.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ProbeCounts {
    /// Probes that are resolved.
    pub sent: u64,
    /// The lost ones by cause.
    pub causes: BTreeMap<String, u64>,
    /// Of the newest RTTs.
    #[serde(default)]
    pub median_us: Option<f64>,
}

impl MonitorReport {
    /// The report of this moment.
    pub fn of(now: &Snapshot) -> Self {
        Self {
            source: now.source.clone(),
            labels: now.labels.clone(),
            targets: now.targets.iter().map(TargetReport::of).collect(),
        }
    }

    /// The counts since an earlier report of the same monitor.
    #[must_use]
    pub fn since(mut self, earlier: &Self) -> Self {
        let before: BTreeMap<_, _> =
            earlier.targets.iter().map(|target| (target.key(), &target.total)).collect();
        for target in &mut self.targets {
            target.recent = None;
            if let Some(before) = before.get(&target.key()) {
                target.total = target.total.since(before);
            }
        }
        self
    }
}

impl TargetReport {
    fn of(view: &TargetView) -> Self {
        let figures = &view.figures;
        let recent = ProbeCounts {
            sent: view.recent.sent,
            causes: view.recent.causes().map(|(cause, count)| (cause.to_owned(), count)).collect(),
            median_us: view.recent.median.map(|median| median.as_micros_f64()),
        };
        let causes = Cause::ALL.map(|cause| (cause.label().to_owned(), figures.lost_by(cause)));
        Self {
            group: view.wanted.key.group.clone(),
            target: view.wanted.key.target.clone(),
            state: figures.state().label().to_owned(),
            host: figures.host().cloned(),
            total: ProbeCounts { sent: figures.resolved(), causes: causes.into(), median_us: None },
            recent: Some(recent),
        }
    }

    fn key(&self) -> (&str, &str) {
        (&self.group, &self.target)
    }

    /// The recent counts, where there are any.
    pub(super) fn newest(&self) -> &ProbeCounts {
        self.recent.as_ref().unwrap_or(&self.total)
    }

    /// By the state, or else by the counts.
    pub(super) fn contact(&self) -> Contact {
        let counts = self.newest();
        match &*self.state {
            "unresolved" => Contact::Unresolved,
            "denied" => Contact::Denied,
            "ended" => Contact::Ended,
            "silent" | "closed" => Contact::Silent,
            _ if counts.sent > 0 && counts.lost() >= counts.sent => Contact::Silent,
            _ => Contact::Heard,
        }
    }

    pub(super) fn listed(&self) -> &str {
        host_of(&self.target)
    }
}

/// A target's host, without a port and the brackets of an IPv6 address.
pub fn host_of(target: &str) -> &str {
    if let Some(address) = target.strip_prefix('[') {
        return address.split(']').next().unwrap_or(address);
    }
    match target.split_once(':') {
        Some((host, port)) if !port.contains(':') => host,
        _ => target,
    }
}

impl ProbeCounts {
    /// By these causes; never more than were sent.
    pub(super) fn lost_by(&self, causes: &[&str]) -> u64 {
        sum(causes.iter().filter_map(|cause| self.causes.get(*cause))).min(self.sent)
    }

    fn lost(&self) -> u64 {
        sum(self.causes.values())
    }

    /// A monitor that was started anew counts from its start.
    fn since(&self, earlier: &Self) -> Self {
        let is_later = self.sent >= earlier.sent;
        let before = |cause: &str| earlier.causes.get(cause).copied().filter(|_| is_later).unwrap_or(0);
        let rest = |(cause, count): (&String, &u64)| (cause.clone(), count.saturating_sub(before(cause)));
        Self {
            sent: if is_later { self.sent - earlier.sent } else { self.sent },
            causes: self.causes.iter().map(rest).collect(),
            median_us: self.median_us,
        }
    }
}

/// A report of another host may have any numbers.
fn sum<'a>(counts: impl Iterator<Item = &'a u64>) -> u64 {
    counts.fold(0, |sum, count| sum.saturating_add(*count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sent: u64, up: u64) -> MonitorReport {
        let target = serde_json::json!({ "target": "b:80", "sent": sent, "causes": { "up": up }, "state": "measuring" });
        serde_json::from_value(serde_json::json!({ "source": "a", "targets": [target] })).unwrap()
    }

    #[test]
    fn the_difference_of_two_reports_is_what_was_counted_between() {
        let counts =
            |report: MonitorReport| (report.targets[0].total.sent, report.targets[0].total.lost_by(&["up"]));
        assert_eq!(counts(read(150, 12).since(&read(100, 10))), (50, 2));
        assert_eq!(counts(read(20, 1).since(&read(100, 10))), (20, 1), "it was started anew");
        let new = MonitorReport { targets: Vec::new(), ..read(0, 0) };
        assert_eq!(counts(read(20, 1).since(&new)), (20, 1));
    }

    #[test]
    fn two_groups_with_one_target_are_counted_apart() {
        let of = |sent: [u64; 2]| {
            let target = |(group, sent)| serde_json::json!({ "group": group, "target": "b", "sent": sent, "causes": {} });
            let targets = [("ef", sent[0]), ("bulk", sent[1])].map(target);
            let report = serde_json::json!({ "source": "a", "targets": targets });
            serde_json::from_value::<MonitorReport>(report).unwrap()
        };
        let between = of([130, 1_300]).since(&of([100, 1_000]));
        assert_eq!([0, 1].map(|at: usize| between.targets[at].total.sent), [30, 300]);
    }

    #[test]
    fn hosts_are_listed_without_ports() {
        for (target, host) in
            [("n8", "n8"), ("n8:80", "n8"), ("[2001:db8::1]:80", "2001:db8::1"), ("::1", "::1")]
        {
            assert_eq!(host_of(target), host);
        }
    }

    #[test]
    fn a_target_without_a_reply_is_silent() {
        let contacts = [(10, 10), (10, 9), (0, 0)].map(|(sent, up)| read(sent, up).targets[0].contact());
        assert_eq!(contacts, [Contact::Silent, Contact::Heard, Contact::Heard]);
    }
}
