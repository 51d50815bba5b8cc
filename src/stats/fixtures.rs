//! Probes for tests.

use crate::probe::{Cause, Outcome, Resolved};
use crate::time::Duration;

/// Sent at time zero, every millisecond, and lost.
pub(super) fn probe() -> Resolved {
    Resolved {
        seq: 0,
        due: Duration::ZERO,
        sent: Some(Duration::ZERO),
        interval: Duration::from_millis(1),
        size: 100,
        outcome: Outcome::Lost,
        cause: Some(Cause::Unknown),
        rtt: None,
        hold: None,
        server: None,
        owd_up: None,
        owd_down: None,
        copies: 0,
        injected_copies: 0,
        probe_copies: None,
        corrupted: None,
        impossible_times: false,
        skipped: false,
        reply_number: None,
    }
}

pub(super) fn answered(rtt: Duration) -> Resolved {
    Resolved { outcome: Outcome::Ok, cause: None, rtt: Some(rtt), copies: 1, ..probe() }
}
