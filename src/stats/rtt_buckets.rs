//! Round-trip times in the 20 buckets of smokeping_prober, so that its dashboards fit: from 50 us,
//! each bound twice the one before, to 26 s.

use super::timeline::Join;
use crate::time::Duration;

const BUCKETS: usize = 20;
/// All buckets, and the count of values above every bound.
pub(crate) const RTT_COUNTS: usize = BUCKETS + 1;
const LOWEST: Duration = Duration::from_micros(50);

/// Counts of RTTs in the buckets of `/metrics`, whose bounds double.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RttBuckets {
    /// The last count is of values above every bound.
    counts: [u64; RTT_COUNTS],
    total: Duration,
}

impl RttBuckets {
    /// Counts one RTT.
    pub fn record(&mut self, value: Duration) {
        let bucket = (0..BUCKETS).find(|bucket| value <= bound(*bucket)).unwrap_or(BUCKETS);
        self.counts[bucket] += 1;
        self.total += value;
    }

    /// For each bound the count of values up to it.
    pub fn cumulative(&self) -> impl Iterator<Item = (Duration, u64)> {
        let mut below = 0;
        self.counts.iter().take(BUCKETS).enumerate().map(move |(bucket, count)| {
            below += count;
            (bound(bucket), below)
        })
    }

    /// As `histogram_quantile` of Prometheus: linear within a bucket, and at most the largest bound.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let rank = share * self.count() as f64;
        let mut below = 0.0;
        for (bucket, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let (low, high) = (bucket.checked_sub(1).map_or(Duration::ZERO, bound), bound(bucket));
            let within = (rank - below) / *count as f64;
            if within <= 1.0 {
                return Some(if bucket < BUCKETS { low + (high - low).mul_f64(within) } else { low });
            }
            below += *count as f64;
        }
        None
    }

    /// From the counts of each bucket by itself, and their sum.
    pub(crate) fn of(counts: [u64; RTT_COUNTS], total: Duration) -> Self {
        Self { counts, total }
    }

    /// The count of each bucket by itself; the last is of values above every bound.
    pub(crate) fn counts(&self) -> [u64; RTT_COUNTS] {
        self.counts
    }

    /// The upper bound of each bucket but the last.
    pub(crate) fn bounds() -> [Duration; BUCKETS] {
        std::array::from_fn(bound)
    }

    /// RTTs so far.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum.
    pub fn total(&self) -> Duration {
        self.total
    }
}

impl Join for RttBuckets {
    fn join(&mut self, later: &Self) {
        self.counts.iter_mut().zip(later.counts).for_each(|(sum, more)| *sum += more);
        self.total += later.total;
    }
}

fn bound(bucket: usize) -> Duration {
    LOWEST * (1 << bucket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_for_every_bound_at_or_above_it() {
        let mut buckets = RttBuckets::default();
        for micros in [1, 50, 51, 100, 26_214_400, 26_214_401] {
            buckets.record(Duration::from_micros(micros));
        }
        let read: Vec<_> = buckets.cumulative().collect();
        assert_eq!(read[0], (Duration::from_micros(50), 2));
        assert_eq!(read[1], (Duration::from_micros(100), 4));
        assert_eq!(read[19], (Duration::from_micros(26_214_400), 5));
        assert_eq!((buckets.count(), buckets.total()), (6, Duration::from_micros(52_429_003)));
    }

    #[test]
    fn a_quantile_lies_within_its_bucket() {
        let mut buckets = RttBuckets::default();
        assert_eq!(buckets.quantile(0.5), None);
        (0..8).for_each(|_| buckets.record(Duration::from_micros(150)));
        (0..2).for_each(|_| buckets.record(Duration::from_secs(60)));
        let found = [0.0, 0.4, 0.8, 0.9, 1.0].map(|share| buckets.quantile(share).unwrap().as_micros_f64());
        assert_eq!(found, [100.0, 150.0, 200.0, 26_214_400.0, 26_214_400.0]);
    }
}
