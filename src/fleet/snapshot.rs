//! A fleet at one moment.

use std::collections::BTreeMap;

use super::figures::{Figures, State};
use super::history::Recent;
use super::monitor::Monitor;
use super::wanted::Wanted;
use crate::time::{Duration, Instant};

/// One target with what was counted of it.
#[derive(Clone, Debug)]
pub struct TargetView {
    /// The target, and how it is measured.
    pub wanted: Wanted,
    /// Since it was added.
    pub figures: Figures,
    /// Of the last two minutes.
    pub recent: Recent,
}

#[cfg(test)]
impl TargetView {
    /// Without an address, in a group with the defaults.
    pub(crate) fn of_test(group: &str, target: &str, figures: Figures) -> Self {
        let wanted = Wanted {
            key: super::Key { group: group.to_owned(), target: target.to_owned() },
            address: None,
            labels: BTreeMap::new(),
            group: super::Config::of_targets(vec![target.to_owned()]).groups.remove(0).into(),
        };
        Self { wanted, figures, recent: Recent::default() }
    }
}

/// How writing the record goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordStatus {
    /// Attempts that failed.
    pub failures: u64,
    /// The last one that did not; zero before the first.
    pub written_at: Instant,
}

/// All targets, and the monitor itself.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The label of every series.
    pub source: String,
    /// Labels of this host.
    pub labels: BTreeMap<String, String>,
    /// Since the start.
    pub elapsed: Duration,
    /// The counts of the monitor itself.
    pub monitor: Monitor,
    /// In the order of groups and targets.
    pub targets: Vec<TargetView>,
    /// Whether the configuration that runs is that of the file.
    pub is_configured: bool,
    /// When it was last read without an error.
    pub configured_at: Instant,
    /// Reads of files and names that failed, by group.
    pub discovery_failures: BTreeMap<String, u64>,
    /// When discovery last succeeded, by group.
    pub discovery_successes: BTreeMap<String, Instant>,
    /// None without a record.
    pub record: Option<RecordStatus>,
}

impl Snapshot {
    /// The targets in this state.
    pub fn count(&self, state: State) -> usize {
        self.targets.iter().filter(|target| target.figures.state() == state).count()
    }
}
