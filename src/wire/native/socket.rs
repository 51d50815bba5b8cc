//! The state of the server's socket when a request arrived. Two of them tell whether the socket dropped
//! datagrams in between, and whether these may have been another sender's.

use super::fields::{U32, get_u16, put_u16};

/// Two counts of a socket when a datagram was queued there. Both wrap around and start anywhere: only
/// their differences mean something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketMark {
    /// Datagrams dropped because the receive buffer was full.
    pub drops: u16,
    /// Grows whenever a datagram is not from the same sender as the one before, or came in a GRO batch.
    pub turns: u16,
}

impl SocketMark {
    /// Datagrams dropped between two marks, whichever is earlier.
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
