//! Replies that wait for their time, with the bytes they will carry.

use super::Path;
use crate::impair::HoldQueue;
use crate::time::{Duration, Instant};
use crate::wire::native::Token;

/// What a held reply will be, besides its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    pub path: Path,
    pub received: Instant,
    pub hold: Duration,
    pub kind: ReplyKind,
    /// How many replies leave after this one.
    pub extra_copies: u8,
    /// One has left already.
    pub is_copy: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyKind {
    /// A native reply; its header is written when it leaves.
    Native { token: Token, seq: u64, sent: Instant, corrupted: bool },
    /// The bytes as they are.
    Verbatim,
}

/// All that is held, at most so many bytes.
pub struct HeldReplies {
    queue: HoldQueue<(Reply, Vec<u8>)>,
    bytes: usize,
    capacity: usize,
    /// Buffers of replies that left, for those to come.
    spare: Vec<Vec<u8>>,
}

impl HeldReplies {
    const SPARE_MAX: usize = 4096;

    pub fn new(capacity: usize) -> Self {
        Self { queue: HoldQueue::new(), bytes: 0, capacity, spare: Vec::new() }
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

    /// False if there is no room.
    pub fn push(&mut self, due: Instant, reply: Reply, datagram: &[u8]) -> bool {
        if self.bytes + datagram.len() > self.capacity {
            return false;
        }
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(datagram);
        self.bytes += bytes.len();
        self.queue.push(due, (reply, bytes));
        true
    }

    /// Takes the next that is due, its bytes copied to `buffer`. A reply with further copies stays
    /// as the next of them.
    pub fn pop_due(&mut self, now: Instant, buffer: &mut [u8]) -> Option<(Reply, usize)> {
        let (due, (reply, bytes)) = self.queue.pop_due(now)?;
        let length = bytes.len();
        buffer[..length].copy_from_slice(&bytes);
        if let Some(extra_copies) = reply.extra_copies.checked_sub(1) {
            self.queue.push(due, (Reply { extra_copies, is_copy: true, ..reply }, bytes));
        } else {
            self.bytes -= length;
            if self.spare.len() < Self::SPARE_MAX {
                self.spare.push(bytes);
            }
        }
        Some((reply, length))
    }
}
