//! What of a flow has arrived here, from one report to the next.

use crate::probe::rate_search::Report;
use crate::time::{Duration, Instant};

/// Counts each number once. Those that come long after newer ones are taken for duplicates.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// One after the newest number, and the same at the last report.
    newest: u64,
    reported: u64,
    seen: Box<[u64; Self::WORDS]>,
    arrived: u64,
    bytes: u64,
    first: Option<Instant>,
    last: Instant,
    delays: Vec<Duration>,
}

impl Arrivals {
    const WORDS: usize = 1024;
    const WINDOW: u64 = Self::WORDS as u64 * 64;

    pub(super) fn new(now: Instant) -> Self {
        Self {
            newest: 0,
            reported: 0,
            seen: Box::new([0; Self::WORDS]),
            arrived: 0,
            bytes: 0,
            first: None,
            last: now,
            delays: Vec::new(),
        }
    }

    /// False for a duplicate.
    pub(super) fn add(&mut self, seq: u64, at: Instant, delay: Duration, bytes: u64) -> bool {
        if seq + Self::WINDOW <= self.newest || seq > self.newest + Self::WINDOW {
            return false;
        }
        for passed in self.newest..=seq {
            self.seen[Self::word(passed)] &= !(1 << (passed % 64));
        }
        let (word, bit) = (&mut self.seen[Self::word(seq)], 1 << (seq % 64));
        if *word & bit != 0 {
            return false;
        }
        *word |= bit;
        self.newest = self.newest.max(seq + 1);
        self.arrived += 1;
        self.bytes += bytes;
        self.first.get_or_insert(at);
        self.last = self.last.max(at);
        self.delays.push(delay);
        true
    }

    fn word(seq: u64) -> usize {
        (seq / 64 % Self::WORDS as u64) as usize
    }

    pub(super) fn is_empty(&self) -> bool {
        self.arrived == 0
    }

    /// What has arrived since the last report; nothing if nothing has.
    pub(super) fn take(&mut self) -> Option<Report> {
        let first_arrival = self.first.take()?;
        self.delays.sort_unstable();
        let at = |percent: usize| self.delays[(self.delays.len() - 1) * percent / 100];
        let report = Report {
            sent: self.newest.saturating_sub(self.reported),
            arrived: self.arrived,
            bytes: self.bytes,
            first_arrival,
            last_arrival: self.last,
            delay_p10: at(10),
            delay_p50: at(50),
            delay_p90: at(90),
            delay_max: at(100),
        };
        self.reported = self.newest;
        (self.arrived, self.bytes) = (0, 0);
        self.delays.clear();
        Some(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn add(arrivals: &mut Arrivals, seq: u64, ms: i64) -> bool {
        arrivals.add(seq, at(ms), Duration::from_millis(ms), 100)
    }

    #[test]
    fn duplicates_and_reordering_are_no_loss() {
        let mut arrivals = Arrivals::new(at(0));
        for (seq, ms) in [(0, 1), (2, 2), (1, 3), (4, 5)] {
            assert!(add(&mut arrivals, seq, ms));
        }
        assert!(!add(&mut arrivals, 2, 6));
        let report = arrivals.take().unwrap();
        assert_eq!((report.sent, report.arrived, report.bytes), (5, 4, 400));
        assert_eq!((report.first_arrival, report.last_arrival), (at(1), at(5)));
        assert_eq!(report.delay_p50, Duration::from_millis(2));
        assert_eq!(report.delay_max, Duration::from_millis(5));
        // The one that was missing comes after all, with the next one.
        assert!(add(&mut arrivals, 3, 7) && add(&mut arrivals, 5, 8));
        let report = arrivals.take().unwrap();
        assert_eq!((report.sent, report.arrived), (1, 2));
        assert!(arrivals.take().is_none());
    }

    #[test]
    fn a_number_far_from_the_others_does_not_count() {
        let mut arrivals = Arrivals::new(at(0));
        assert!(add(&mut arrivals, 10, 1));
        assert!(!add(&mut arrivals, u64::MAX / 2, 2));
        assert!(add(&mut arrivals, 11 + Arrivals::WINDOW, 3), "as far as the window is long");
        assert!(!add(&mut arrivals, 10, 4));
        assert!(!add(&mut arrivals, 11, 4), "too old to be told from a duplicate");
    }
}
