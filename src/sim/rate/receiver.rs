//! The receiver of the load: packets count when they arrive.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::time::Instant;
use crate::wire::native::{Arrivals, Sums};

pub(super) struct Receiver {
    /// When a packet arrives, its number, and when it was sent.
    on_the_way: BinaryHeap<Reverse<(Instant, u64, Instant)>>,
    arrivals: Arrivals,
    packet: u64,
}

impl Receiver {
    pub(super) fn new(packet: u32, now: Instant) -> Self {
        Self { on_the_way: BinaryHeap::new(), arrivals: Arrivals::new(now), packet: u64::from(packet) }
    }

    pub(super) fn expect(&mut self, arrives: Instant, seq: u64, sent: Instant) {
        self.on_the_way.push(Reverse((arrives, seq, sent)));
    }

    /// The sums, if anything has arrived since the last report.
    pub(super) fn report(&mut self, now: Instant) -> Option<Sums> {
        while let Some(Reverse((at, seq, sent))) = self.on_the_way.peek().copied()
            && at <= now
        {
            self.on_the_way.pop();
            self.arrivals.add(seq, at, at - sent, self.packet);
        }
        self.arrivals.report()
    }
}
