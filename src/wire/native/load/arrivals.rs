//! The receiver of a load counts its arrivals as sums, so that a lost report costs nothing but time.

use crate::time::{Duration, Instant};

/// The counts of a receiver since the beginning, and the delays since its last report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sums {
    /// Counts up with each report.
    pub number: u32,
    /// One after the newest number that arrived.
    pub newest: u64,
    /// Different packets that arrived.
    pub arrived: u64,
    /// Their bytes of UDP payload.
    pub bytes: u64,
    /// The first arrival since the last report, by the receiver's clock.
    pub first: Instant,
    /// The last arrival.
    pub last: Instant,
    /// 10th, 50th and 90th percentile and maximum of arrival less send time since the last report.
    pub delays: [Duration; 4],
}

/// Counts each number once. A packet that comes after 65,536 newer ones is taken for a duplicate.
#[derive(Clone, Debug)]
pub struct Arrivals {
    reports: u32,
    newest: u64,
    seen: Box<[u64; Self::WORDS]>,
    arrived: u64,
    bytes: u64,
    first: Option<Instant>,
    last: Instant,
    delays: Vec<Duration>,
    /// One in so many delays is kept, so that a receiver that nobody asks needs no more memory.
    stride: u64,
}

impl Arrivals {
    const WORDS: usize = 1024;
    const WINDOW: u64 = Self::WORDS as u64 * 64;
    /// A longer gap in the numbers is none of a path.
    const LONGEST_GAP: u64 = 1 << 32;
    const MOST_DELAYS: usize = 4096;

    /// Nothing has arrived yet.
    pub fn new(now: Instant) -> Self {
        Self {
            reports: 0,
            newest: 0,
            seen: Box::new([0; Self::WORDS]),
            arrived: 0,
            bytes: 0,
            first: None,
            last: now,
            delays: Vec::new(),
            stride: 1,
        }
    }

    /// Counts a packet; false for a duplicate.
    pub fn add(&mut self, seq: u64, at: Instant, delay: Duration, bytes: u64) -> bool {
        if seq.saturating_add(Self::WINDOW) <= self.newest
            || seq.saturating_sub(self.newest) >= Self::LONGEST_GAP
        {
            return false;
        }
        if seq >= self.newest + Self::WINDOW {
            self.seen.fill(0);
        } else {
            (self.newest..=seq).for_each(|passed| self.seen[Self::word(passed)] &= !(1 << (passed % 64)));
        }
        let (word, bit) = (&mut self.seen[Self::word(seq)], 1 << (seq % 64));
        if *word & bit != 0 {
            return false;
        }
        *word |= bit;
        self.newest = self.newest.max(seq + 1);
        self.arrived += 1;
        self.bytes += bytes;
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.last = self.last.max(at);
        self.keep(delay);
        true
    }

    fn keep(&mut self, delay: Duration) {
        if self.delays.len() == Self::MOST_DELAYS {
            let mut index = 0_usize;
            self.delays.retain(|_| {
                index += 1;
                index.is_multiple_of(2)
            });
            self.stride *= 2;
        }
        if self.arrived.is_multiple_of(self.stride) {
            self.delays.push(delay);
        }
    }

    fn word(seq: u64) -> usize {
        (seq / 64 % Self::WORDS as u64) as usize
    }

    /// Whether nothing has arrived since the last report.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The sums, if something has arrived since the last report.
    pub fn report(&mut self) -> Option<Sums> {
        let first = self.first.take()?;
        self.delays.sort_unstable();
        let at = |percent: usize| {
            self.delays.get(self.delays.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
        };
        let delays = [at(10), at(50), at(90), at(100)];
        self.delays.clear();
        self.stride = 1;
        self.reports = self.reports.wrapping_add(1);
        let Self { reports: number, newest, arrived, bytes, last, .. } = *self;
        Some(Sums { number, newest, arrived, bytes, first, last, delays })
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
        let sums = arrivals.report().unwrap();
        assert_eq!((sums.number, sums.newest, sums.arrived, sums.bytes), (1, 5, 4, 400));
        assert_eq!((sums.first, sums.last), (at(1), at(5)));
        assert_eq!(sums.delays, [1, 2, 3, 5].map(Duration::from_millis));
        // The one that was missing comes after all, with the next one.
        assert!(add(&mut arrivals, 3, 7) && add(&mut arrivals, 5, 8));
        let sums = arrivals.report().unwrap();
        assert_eq!((sums.number, sums.newest, sums.arrived), (2, 6, 6));
        assert_eq!((sums.first, sums.last), (at(7), at(8)));
        assert!(arrivals.report().is_none());
    }

    #[test]
    fn a_number_far_behind_is_a_duplicate_and_one_far_ahead_begins_a_new_window() {
        let mut arrivals = Arrivals::new(at(0));
        assert!(add(&mut arrivals, 10, 1));
        assert!(!add(&mut arrivals, u64::MAX, 2) && !add(&mut arrivals, u64::MAX / 2, 2));
        let far = 11 + 3 * Arrivals::WINDOW;
        assert!(add(&mut arrivals, far, 3) && !add(&mut arrivals, far, 3));
        assert!(!add(&mut arrivals, 11, 4), "too old to be told from a duplicate");
        assert!(add(&mut arrivals, far - 1, 4) && !add(&mut arrivals, far - 1, 4));
    }

    #[test]
    fn memory_does_not_grow_while_nobody_asks() {
        let mut arrivals = Arrivals::new(at(0));
        for seq in 0..100_000 {
            assert!(add(&mut arrivals, seq, seq as i64));
        }
        assert!(arrivals.delays.len() <= Arrivals::MOST_DELAYS);
        let [p10, p50, p90, _] = arrivals.report().unwrap().delays.map(Duration::as_millis_f64);
        assert!((p10 - 10e3).abs() < 500.0 && (p50 - 50e3).abs() < 500.0 && (p90 - 90e3).abs() < 500.0);
    }
}
