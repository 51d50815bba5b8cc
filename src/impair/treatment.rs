//! The fate of one packet.

use super::corrupt;
use super::direction::Direction;
use crate::time::Duration;

/// Drop, hold, copies and changes that an impairment decides for one datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Treatment {
    /// Set if it is dropped; all other fields are then their defaults.
    pub dropped: Option<Dropped>,
    /// How long it is held on purpose; for a probe of a session, both directions together.
    pub hold: Duration,
    /// The part of the hold that belongs to the up direction.
    pub hold_up: Duration,
    /// The part of the hold spent at bottlenecks, transmission counted; `None` if there is none.
    pub queued: Option<Duration>,
    /// Copies that leave beyond the first.
    pub extra_copies: u8,
    /// How long after the first.
    pub copy_after: Duration,
    /// The TOS byte as it leaves, if it was known and changes.
    pub tos: Option<u8>,
    /// The byte of the payload that arrives changed, modulo the payload's length.
    pub corrupted: Option<u32>,
}

/// Where and why a datagram is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The direction whose link dropped it.
    pub direction: Direction,
    /// The model that dropped it.
    pub cause: DropCause,
}

/// The part of an impairment that drops a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropCause {
    /// The loss model lost it.
    Lost,
    /// The queue of the limited rate was full, or CoDel kept it short.
    QueueFull,
    /// It was longer than the path's MTU.
    Mtu,
    /// The path was gone for a while.
    Outage,
}

impl Treatment {
    pub(super) fn dropped(dropped: Dropped) -> Self {
        Self { dropped: Some(dropped), ..Self::default() }
    }

    /// Flips one bit of the payload if the packet is to arrive corrupted.
    pub fn corrupt(&self, payload: &mut [u8]) {
        if let Some(byte) = self.corrupted {
            corrupt::flip(payload, byte);
        }
    }
}
