//! Probes for tests.

use crate::probe::{Cause, Outcome, Resolved};
use crate::time::Duration;

/// Sent at time zero, every millisecond, and lost.
pub(super) fn probe() -> Resolved {
    Resolved {
        interval: Duration::from_millis(1),
        size: 100,
        cause: Some(Cause::Unknown),
        ..Resolved::unanswered(0)
    }
}

pub(super) fn answered(rtt: Duration) -> Resolved {
    Resolved { outcome: Outcome::Ok, cause: None, rtt: Some(rtt), copies: 1, ..probe() }
}
