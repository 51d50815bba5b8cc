//! Retries with growing gaps.

use super::event::Failure;
use crate::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    since: Instant,
    next: Instant,
    tries: u32,
    first_gap: Duration,
    longest_gap: Duration,
}

impl Retry {
    const FIRST_GAP: Duration = Duration::from_millis(200);
    const LONGEST_GAP: Duration = Duration::from_secs(1);

    /// The first try is due at once.
    pub(super) fn new(now: Instant) -> Self {
        let (first_gap, longest_gap) = (Self::FIRST_GAP, Self::LONGEST_GAP);
        Self { since: now, next: now, tries: 0, first_gap, longest_gap }
    }

    /// From 1 s to 32 s between tries, for a server that may be gone for good.
    pub(super) fn slow(now: Instant) -> Self {
        let [first_gap, longest_gap] = [1, 32].map(Duration::from_secs);
        Self { first_gap, longest_gap, ..Self::new(now) }
    }

    /// A try a second, the pace at which devices of others are asked.
    pub(super) fn every_second(now: Instant) -> Self {
        Self { first_gap: Self::LONGEST_GAP, ..Self::new(now) }
    }

    /// With gaps that do not grow.
    pub(super) fn steady(now: Instant) -> Self {
        Self { longest_gap: Self::FIRST_GAP, ..Self::new(now) }
    }

    pub(super) fn next(&self) -> Instant {
        self.next
    }

    pub(super) fn tries(&self) -> u32 {
        self.tries
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.next
    }

    /// Silence after this many tries, once the next one would be due.
    pub(super) fn failure(&self, tries: u32, now: Instant) -> Option<Failure> {
        let is_over = self.tries >= tries && self.is_due(now);
        is_over.then(|| Failure::Silent { tries: self.tries, after: now - self.since })
    }

    /// Counts a try and sets the time of the next.
    pub(super) fn tried(&mut self, now: Instant) {
        let gap = self.first_gap * (1 << self.tries.min(8));
        self.tries += 1;
        self.next = now + gap.min(self.longest_gap);
    }
}
