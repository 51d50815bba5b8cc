//! Held replies, each with the bytes that it carries, until they are due. Memory bounds their number.

use crate::endpoints::Endpoints;
use crate::impair::HoldQueue;
use crate::time::{Duration, Instant};

/// A held reply without its bytes. These still are those of the probe: its dialect turns them into the
/// reply's when it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub path: Endpoints,
    pub received: Instant,
    pub hold: Duration,
    /// Where its dialect keeps its client.
    pub slot: u32,
    /// The index of its dialect.
    pub dialect: u8,
    /// Whether the injection changed its payload.
    pub corrupted: bool,
    /// How many copies leave after this reply.
    pub extra_copies: u8,
    /// Whether it is such a copy.
    pub is_copy: bool,
    /// Of its request.
    pub traffic_class: Option<u8>,
}

/// All held replies. Of two that are due at once, the one held first leaves first.
pub(super) struct HeldReplies {
    queue: HoldQueue<(Held, Box<[u8]>)>,
    /// Bytes of the datagrams, as the allocator rounds them.
    datagram_bytes: usize,
    /// The most replies held at once: the queue keeps its memory for as many.
    most: usize,
    capacity: usize,
}

impl HeldReplies {
    /// Bytes that the queue takes for a reply besides its datagram.
    const EACH: usize = HoldQueue::<(Held, Box<[u8]>)>::BYTES_AT_MOST;

    /// Takes at most `capacity` bytes of memory.
    pub(super) fn new(capacity: usize) -> Self {
        Self { queue: HoldQueue::new(), datagram_bytes: 0, most: 0, capacity }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Bytes of memory of the replies held now.
    pub(super) fn bytes(&self) -> usize {
        self.len() * Self::EACH + self.datagram_bytes
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.queue.next_due()
    }

    /// Holds a reply until it is due; false if there is no room for it.
    pub(super) fn offer(&mut self, held: Held, datagram: &[u8]) -> bool {
        if self.queue.is_empty() && self.most * Self::EACH > self.capacity / 2 {
            // Gives the memory of many short replies back, in case longer ones follow.
            (self.queue, self.most) = (HoldQueue::new(), 0);
        }
        let has_room = self.has_room(datagram);
        if has_room {
            self.push(held, datagram.into());
        }
        has_room
    }

    fn has_room(&self, datagram: &[u8]) -> bool {
        let most = self.most.max(self.len() + 1);
        most * Self::EACH + self.datagram_bytes + allocated(datagram.len()) <= self.capacity
    }

    fn push(&mut self, held: Held, datagram: Box<[u8]>) {
        self.datagram_bytes += allocated(datagram.len());
        self.queue.push(held.received + held.hold, (held, datagram));
        self.most = self.most.max(self.len());
    }

    /// Takes the next reply that is due and writes its bytes to `buffer`. Its further copies stay.
    pub(super) fn pop_due(&mut self, now: Instant, buffer: &mut [u8]) -> Option<(Held, usize)> {
        let (_, (held, datagram)) = self.queue.pop_due(now)?;
        let length = datagram.len();
        buffer[..length].copy_from_slice(&datagram);
        self.datagram_bytes -= allocated(length);
        if let Some(extra_copies) = held.extra_copies.checked_sub(1) {
            self.push(Held { extra_copies, is_copy: true, ..held }, datagram);
        }
        Some((held, length))
    }
}

/// The memory that an allocator takes for this many bytes: with a header, rounded up to 16.
const fn allocated(length: usize) -> usize {
    if length == 0 { 0 } else { (length + 8).next_multiple_of(16) }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::*;

    use super::*;

    fn held_for(hold: Duration) -> Held {
        Held {
            path: Endpoints { remote: SocketAddr::from(([127, 0, 0, 1], 9)), local: None },
            received: Instant::ZERO,
            hold,
            slot: 7,
            dialect: 0,
            corrupted: false,
            extra_copies: 0,
            is_copy: false,
            traffic_class: None,
        }
    }

    fn held() -> impl Strategy<Value = Held> {
        (0..1_i64 << 40, 0..1_i64 << 30, 0_u8..3, any::<bool>()).prop_map(
            |(received, hold, copies, is_copy)| {
                let received = Instant::from_nanos(received);
                Held { received, extra_copies: copies, is_copy, ..held_for(Duration::from_nanos(hold)) }
            },
        )
    }

    proptest! {
        #[test]
        fn held_replies_come_out_unchanged_in_the_order_of_their_due_times(
            replies in proptest::collection::vec((held(), proptest::collection::vec(any::<u8>(), 0..200)), 1..40),
        ) {
            let mut queue = HeldReplies::new(usize::MAX);
            let mut expected = Vec::new();
            for (held, datagram) in &replies {
                prop_assert!(queue.offer(*held, datagram));
                for left in (0..=held.extra_copies).rev() {
                    let is_copy = held.is_copy || left < held.extra_copies;
                    expected.push((Held { extra_copies: left, is_copy, ..*held }, datagram.clone()));
                }
            }
            prop_assert_eq!(queue.len(), replies.len());
            let sum = replies.iter().map(|(_, datagram)| datagram.len()).sum::<usize>();
            prop_assert!(queue.bytes() >= sum + 64 * replies.len(), "{} bytes for {sum}", queue.bytes());
            expected.sort_by_key(|(held, _)| held.received + held.hold);
            let mut buffer = [0; 256];
            for (held, datagram) in expected {
                let due = held.received + held.hold;
                prop_assert_eq!(queue.next_due(), Some(due));
                prop_assert_eq!(queue.pop_due(due - Duration::from_nanos(1), &mut buffer), None);
                prop_assert_eq!(queue.pop_due(due, &mut buffer), Some((held, datagram.len())));
                prop_assert_eq!(&buffer[..datagram.len()], &datagram[..]);
            }
            prop_assert_eq!((queue.len(), queue.bytes(), queue.next_due()), (0, 0, None));
        }
    }

    #[test]
    fn replies_that_are_due_at_once_keep_their_order_whatever_their_lengths() {
        let mut queue = HeldReplies::new(usize::MAX);
        let held = held_for(Duration::from_millis(10));
        let lengths = [100, 60, 1, 71, 200, 48];
        for length in lengths {
            assert!(queue.offer(held, &vec![7; length]));
        }
        let mut buffer = [0; 256];
        let out = std::iter::from_fn(|| Some(queue.pop_due(held.received + held.hold, &mut buffer)?.1));
        assert_eq!(out.collect::<Vec<_>>(), lengths);
    }

    /// Also where replies of another length filled it before.
    #[test]
    fn the_memory_taken_stays_within_the_capacity() {
        let mut queue = HeldReplies::new(100_000);
        let mut buffer = [0; 2048];
        for length in [64, 1400, 64, 300] {
            let held = held_for(Duration::from_millis(10));
            let count = (0..10_000).take_while(|_| queue.offer(held, &vec![7; length])).count();
            let each = HeldReplies::EACH + allocated(length);
            assert_eq!(count, 100_000 / each, "of {length} bytes");
            assert!(queue.bytes() <= 100_000);
            while queue.pop_due(Instant::ZERO + held.hold, &mut buffer).is_some() {}
            assert_eq!(queue.bytes(), 0);
        }
    }
}
