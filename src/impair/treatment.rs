//! What the pipeline decided for one probe.

use super::corrupt;
use super::direction::Direction;
use crate::time::Duration;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Treatment {
    /// Where it is dropped, if it is: up before the server counts it, down as a reply withheld.
    /// All else is then as if nothing had happened to it.
    pub dropped: Option<Direction>,
    /// Whether it is dropped because the queue before the limited rate was full.
    pub overflowed: bool,
    /// How long its reply is held on purpose, both ways together.
    pub hold: Duration,
    /// The part of the hold that belongs to the way up.
    pub hold_up: Duration,
    /// How many replies leave beyond the first.
    pub extra_copies: u8,
    /// Which byte of the payload arrives changed, counted modulo the payload's length.
    pub corrupted: Option<u32>,
}

impl Treatment {
    pub(super) fn dropped(direction: Direction, overflowed: bool) -> Self {
        Self { dropped: Some(direction), overflowed, ..Self::default() }
    }

    /// Does to the payload what was decided: flips one bit, or leaves it alone.
    pub fn corrupt(&self, payload: &mut [u8]) {
        if let Some(byte) = self.corrupted {
            corrupt::flip(payload, byte);
        }
    }
}
