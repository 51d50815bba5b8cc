//! The queue of what is held: items come out at their exact time, in its order.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::time::Instant;

/// Holds items until they are due. Of two that are due at once the first held leaves first.
#[derive(Debug)]
pub struct HoldQueue<T> {
    heap: BinaryHeap<Reverse<Held<T>>>,
    pushed: u64,
}

#[derive(Debug)]
struct Held<T> {
    due: Instant,
    order: u64,
    item: T,
}

impl<T> HoldQueue<T> {
    pub fn new() -> Self {
        Self { heap: BinaryHeap::new(), pushed: 0 }
    }

    pub fn len(&self) -> usize {
        self.heap.len()
    }

    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    pub fn push(&mut self, due: Instant, item: T) {
        self.heap.push(Reverse(Held { due, order: self.pushed, item }));
        self.pushed += 1;
    }

    /// When the next item is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(held)| held.due)
    }

    /// Takes the next item if it is due by `now`, with the time at which it was due.
    pub fn pop_due(&mut self, now: Instant) -> Option<(Instant, T)> {
        if self.next_due()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(held)| (held.due, held.item))
    }
}

impl<T> Default for HoldQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Ord for Held<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.due, self.order).cmp(&(other.due, other.order))
    }
}

impl<T> PartialOrd for Held<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Held<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Held<T> {}
