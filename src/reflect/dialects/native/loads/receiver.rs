//! Counts the load up of one session.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::time::{Duration, Instant};
use crate::wire::native::{Arrivals, Load, Sums};

pub(super) struct Receiver {
    arrivals: Arrivals,
    /// Packets that the injection holds: when they arrive, number, delay, bytes.
    held: BinaryHeap<Reverse<(Instant, u64, Duration, u64)>>,
    reported: Option<Instant>,
}

impl Receiver {
    /// A client gets one report in this time at most.
    const LEAST_INTERVAL: Duration = Duration::from_millis(5);
    const MAX_HELD: usize = 100_000;

    pub(super) fn new(now: Instant) -> Self {
        Self { arrivals: Arrivals::new(now), held: BinaryHeap::new(), reported: None }
    }

    /// A packet that arrives now, or when the injection lets it.
    pub(super) fn expect(&mut self, arrives: Instant, load: &Load, bytes: u64) {
        if self.held.len() < Self::MAX_HELD {
            self.held.push(Reverse((arrives, load.seq, arrives - load.sent, bytes)));
        }
    }

    /// The sums of the arrivals, once `every` microseconds have passed since the last report; 0 asks for none.
    pub(super) fn report(&mut self, now: Instant, every: u32) -> Option<Sums> {
        while let Some(Reverse((at, seq, delay, bytes))) = self.held.peek().copied()
            && at <= now
        {
            self.held.pop();
            self.arrivals.add(seq, at, delay, bytes);
        }
        let every = Duration::from_micros(i64::from(every));
        let is_due = self.reported.is_none_or(|reported| now - reported >= every.max(Self::LEAST_INTERVAL));
        if every == Duration::ZERO || !is_due {
            return None;
        }
        let sums = self.arrivals.report()?;
        self.reported = Some(now);
        Some(sums)
    }
}
