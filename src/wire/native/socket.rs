//! What an answer tells of the socket that its question came through: with another answer's, whether
//! datagrams were dropped there between the two, and whether they may have been another sender's.
//!
//! ```text
//! drops (2) | turns (2)
//! ```

use super::fields::{U32, get_u16, put_u16};

/// The counts of a socket as a datagram was queued there. Both begin anew after 65,535, from wherever
/// they began: only their differences mean something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketMark {
    /// Datagrams that were dropped for want of room.
    pub drops: u16,
    /// Grows whenever a datagram comes from another sender than the one before, or in a train.
    pub turns: u16,
}

impl SocketMark {
    /// How many were dropped between two marks, whichever is the earlier.
    pub fn drops_between(self, other: Self) -> u64 {
        let forth = other.drops.wrapping_sub(self.drops);
        u64::from(forth.min(forth.wrapping_neg()))
    }

    pub(super) fn put(self, bytes: &mut [u8], at: U32) {
        put_u16(bytes, at.start..at.start + 2, self.drops);
        put_u16(bytes, at.start + 2..at.end, self.turns);
    }

    pub(super) fn get(bytes: &[u8], at: U32) -> Self {
        Self { drops: get_u16(bytes, at.start..at.start + 2), turns: get_u16(bytes, at.start + 2..at.end) }
    }
}
