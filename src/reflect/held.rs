//! Replies that wait for their time, with the bytes they will carry.

use super::Path;
use crate::impair::HoldQueue;
use crate::time::{Duration, Instant};

/// A reply that is held. What its header will say of the probe still stands in its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub path: Path,
    pub received: Instant,
    pub hold: Duration,
    pub kind: HeldKind,
    /// How many replies leave after this one.
    pub extra_copies: u8,
    /// One has left already.
    pub is_copy: bool,
    pub datagram: Box<[u8]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldKind {
    /// A native probe; its header is rewritten into its reply's when it leaves.
    Native { corrupted: bool },
    /// The bytes as they are.
    Verbatim,
}

/// All that is held, at most so many bytes.
pub struct HeldReplies {
    queue: HoldQueue<Held>,
    bytes: usize,
    capacity: usize,
}

impl HeldReplies {
    pub fn new(capacity: usize) -> Self {
        Self { queue: HoldQueue::new(), bytes: 0, capacity }
    }

    pub fn len(&self) -> usize {
        self.queue.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn next_due(&self) -> Option<Instant> {
        self.queue.next_due()
    }

    /// Whether there is room for so many bytes more.
    pub fn has_room(&self, length: usize) -> bool {
        self.bytes + length <= self.capacity
    }

    pub fn push(&mut self, held: Held) {
        self.bytes += held.datagram.len();
        self.queue.push(held.received + held.hold, held);
    }

    /// Takes the next that is due. Of one with further copies these stay.
    pub fn pop_due(&mut self, now: Instant) -> Option<Held> {
        let (due, held) = self.queue.pop_due(now)?;
        self.bytes -= held.datagram.len();
        if let Some(extra_copies) = held.extra_copies.checked_sub(1) {
            self.bytes += held.datagram.len();
            self.queue.push(due, Held { extra_copies, is_copy: true, ..held.clone() });
        }
        Some(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a held reply costs besides its bytes: this, and what the queue and the allocator add.
    #[test]
    fn a_held_reply_is_small() {
        assert!(size_of::<Held>() <= 96, "{} bytes", size_of::<Held>());
    }
}
