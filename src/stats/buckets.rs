//! Signed values counted in buckets of constant relative width: memory does not grow with their number.
//!
//! Two HdrHistograms with three digits, one for each side of zero. A bucket stands for its middle,
//! so a value read back is off by at most `RESOLUTION` of its distance from zero.

use hdrhistogram::Histogram;

/// The histogram has 1024 buckets or more to every doubling; a middle is off by half of one.
pub(super) const RESOLUTION: f64 = 1.0 / 2048.0;

#[derive(Clone, Debug)]
pub(super) struct Buckets {
    /// Distances below zero.
    below: Histogram<u64>,
    above: Histogram<u64>,
}

impl Buckets {
    pub(super) fn new() -> Self {
        let side = || Histogram::new(3).expect("three digits are among those allowed");
        Self { below: side(), above: side() }
    }

    pub(super) fn record(&mut self, value: i64) {
        let side = if value < 0 { &mut self.below } else { &mut self.above };
        side.record(value.unsigned_abs()).expect("a histogram that grows takes any value");
    }

    /// The middle of each bucket in use and how many values it holds, in ascending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, u64)> {
        let below: Vec<_> = middles(&self.below).map(|(distance, count)| (-distance, count)).collect();
        below.into_iter().rev().chain(middles(&self.above))
    }

    /// The middle of the bucket that holds the value of this rank, counted from 1.
    pub(super) fn at_rank(&self, rank: u64) -> Option<i64> {
        let mut seen = 0;
        self.iter().find_map(|(middle, count)| {
            seen += count;
            (seen >= rank).then_some(middle)
        })
    }
}

fn middles(side: &Histogram<u64>) -> impl Iterator<Item = (i64, u64)> {
    side.iter_recorded().map(|step| {
        let middle = side.median_equivalent(step.value_iterated_to());
        (i64::try_from(middle).unwrap_or(i64::MAX), step.count_at_value())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_value_has_a_bucket() {
        let mut buckets = Buckets::new();
        for value in [i64::MAX, 0, -1, i64::MIN, 5] {
            buckets.record(value);
        }
        let read: Vec<_> = buckets.iter().collect();
        assert_eq!(read[1..4], [(-1, 1), (0, 1), (5, 1)]);
        assert!(read[0].0 < -i64::MAX / 2 && read[4].0 > i64::MAX / 2);
        assert_eq!(buckets.at_rank(3), Some(0));
        assert_eq!(buckets.at_rank(6), None);
    }

    #[test]
    fn the_resolution_holds_at_every_magnitude() {
        for exponent in 0..62 {
            for value in [1_i64 << exponent, (1 << exponent) + (1 << exponent) / 3, (2 << exponent) - 1] {
                let mut buckets = Buckets::new();
                buckets.record(value);
                let read = buckets.at_rank(1).unwrap();
                assert!((read - value).abs() as f64 <= value as f64 * RESOLUTION, "{value} read as {read}");
            }
        }
    }

    #[test]
    fn a_long_run_takes_no_more_memory_than_a_short_one() {
        let mut buckets = Buckets::new();
        buckets.record(10_000_000_000);
        let before = buckets.above.distinct_values();
        for value in 0..100_000 {
            buckets.record(value * 1000);
        }
        assert_eq!(buckets.above.distinct_values(), before);
    }
}
