//! The counts of the monitor itself.

use crate::probe::Resolved;
use crate::stats::RttBuckets;
use crate::time::Duration;

/// The monitor's own faults, apart from those of the paths.
#[derive(Clone, Debug, Default)]
pub struct Monitor {
    /// From due to sent, of all probes.
    pub lateness: RttBuckets,
    /// Datagrams that came while a receive buffer was full.
    pub overflows: u64,
    /// Datagrams at shared sockets from addresses that are no target's.
    pub foreign: u64,
}

impl Monitor {
    /// Takes a probe of any target.
    pub fn observe(&mut self, probe: &Resolved) {
        if let Some(late) = probe.schedule_error() {
            self.lateness.record(late.max(Duration::ZERO));
        }
    }
}
