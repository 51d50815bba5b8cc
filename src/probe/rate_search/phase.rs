//! The phases of a search, and what each one keeps.

use super::seen::Seen;
use super::steering::Steering;
use super::windows::Windows;
use crate::time::Instant;

#[derive(Debug)]
pub(super) enum Phase {
    Idle { until: Instant },
    Climb { step: ClimbStep, stops: u32 },
    Hold(Steering),
    Settled { hold: Steering, windows: Windows, since: Instant },
    Steps { index: usize, from: Instant, seen: Seen },
    Push(Push),
    Recover { since: Instant, own: bool, other: bool },
    Done,
}

/// More than the path carries, for a time.
#[derive(Debug)]
pub(super) struct Push {
    pub until: Instant,
    /// The push is not prolonged beyond this.
    pub latest: Instant,
    pub seen: Seen,
    /// Reports in a row that lost more than half.
    pub overloaded: u32,
}

/// One rate of the climb, and what arrived at it.
#[derive(Clone, Debug)]
pub(super) struct ClimbStep {
    pub until: Instant,
    pub seen: Seen,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Climbed {
    pub rate: f64,
    pub sent: u64,
    pub lost: u64,
}
