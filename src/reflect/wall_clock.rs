//! The wall clock of the server's host, for dialects whose replies tell the time of day.

use crate::time::{Duration, Instant};

/// The clock's state, as the system tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    /// How far it is ahead of this program's instants: zero unless it was set since the start.
    pub offset: Duration,
    /// Whether something keeps it in step with UTC.
    pub synchronized: bool,
    /// How far it may be from UTC.
    pub error: Duration,
}

impl Default for WallClock {
    /// The state assumed where the system does not tell.
    fn default() -> Self {
        Self { offset: Duration::ZERO, synchronized: false, error: Duration::from_secs(1) }
    }
}

impl WallClock {
    /// Nanoseconds since 1970 at this instant.
    pub(super) fn unix_nanos(&self, at: Instant) -> i64 {
        (at + self.offset).as_nanos()
    }
}
