//! Percentiles of a run of any length in bounded memory; those of a short run are exact.
//!
//! Up to `EXACT` values are kept as they are. After that they are counted in buckets, and what is
//! read is within `resolution` of the value that the sorted run would give. The minimum and the
//! maximum are always exact, and nothing reported lies beyond them.

use super::buckets::{self, Buckets};
use super::moments::Moments;
use super::percentile;
use crate::time::Duration;

/// A run up to this long has exact percentiles.
pub const EXACT: usize = 4096;

/// A distribution of durations: exact up to `EXACT` values, then in buckets of a small relative width.
#[derive(Clone, Debug)]
pub struct Quantiles {
    origin: Duration,
    moments: Moments,
    values: Values,
}

/// A step of the cumulative distribution: `count` values are at most this one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    pub(crate) value: Duration,
    pub(crate) count: u64,
    pub(crate) share: f64,
}

/// Distances from the origin, in nanoseconds.
#[derive(Clone, Debug)]
enum Values {
    Sorted(Vec<i64>),
    Counted(Box<Buckets>),
}

impl Default for Quantiles {
    fn default() -> Self {
        Self::new()
    }
}

impl Quantiles {
    /// Without values.
    pub fn new() -> Self {
        Self::around(Duration::ZERO)
    }

    /// The resolution is relative to the distance from the origin. Delays between two clocks that
    /// lie decades apart are told from each other only around one of their own.
    pub fn around(origin: Duration) -> Self {
        Self { origin, moments: Moments::new(), values: Values::Sorted(Vec::new()) }
    }

    /// Counts one value, which may be negative.
    pub fn record(&mut self, value: Duration) {
        self.moments.record(value);
        let value = (value - self.origin).as_nanos();
        match &mut self.values {
            Values::Sorted(sorted) if sorted.len() < EXACT => {
                let place = sorted.partition_point(|earlier| *earlier <= value);
                sorted.insert(place, value);
            }
            Values::Sorted(sorted) => {
                let mut counted = Box::new(Buckets::new());
                for value in sorted.iter().chain([&value]) {
                    counted.record(*value);
                }
                self.values = Values::Counted(counted);
            }
            Values::Counted(counted) => counted.record(value),
        }
    }

    /// Values so far.
    pub fn n(&self) -> u64 {
        self.moments.n()
    }

    pub(crate) fn min(&self) -> Option<Duration> {
        self.moments.min()
    }

    /// The largest value, exact; `None` without values.
    pub fn max(&self) -> Option<Duration> {
        self.moments.max()
    }

    /// Mean and standard deviation of the same values.
    pub fn moments(&self) -> &Moments {
        &self.moments
    }

    /// The percentile, by nearest rank; `p` is a share.
    pub fn at(&self, p: f64) -> Option<Duration> {
        self.at_with_undefined(p, 0)
    }

    /// The percentile if `undefined` more values count as infinite (losses, RFC 7679): None if it is.
    pub fn at_with_undefined(&self, p: f64, undefined: u64) -> Option<Duration> {
        self.at_rank(percentile::rank(p, self.n() + undefined)?)
    }

    /// Of an even number the mean of the middle two, which the 50th percentile is not.
    pub fn median(&self) -> Option<Duration> {
        let (low, high) = percentile::middle(self.n())?;
        Some(percentile::mean_of(self.at_rank(low)?, self.at_rank(high)?))
    }

    /// Whether there are values enough to tell this percentile from the maximum.
    pub fn supports(&self, p: f64) -> bool {
        percentile::supports(p, self.n())
    }

    /// How far off a percentile may be, as a share of its distance from the origin; 0 if exact.
    pub fn resolution(&self) -> f64 {
        match self.values {
            Values::Sorted(_) => 0.0,
            Values::Counted(_) => buckets::RESOLUTION,
        }
    }

    /// The cumulative distribution, in ascending order; the last step's share is 1.
    pub fn cumulative(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        let mut add = |distance: i64, count: u64| {
            let value = self.place(distance);
            let count = steps.last().map_or(0, |step| step.count) + count;
            let step = Step { value, count, share: count as f64 / self.n() as f64 };
            match steps.last_mut() {
                Some(last) if last.value == value => *last = step,
                _ => steps.push(step),
            }
        };
        match &self.values {
            Values::Sorted(sorted) => sorted.iter().for_each(|distance| add(*distance, 1)),
            Values::Counted(counted) => counted.iter().for_each(|(distance, count)| add(distance, count)),
        }
        steps
    }

    fn at_rank(&self, rank: u64) -> Option<Duration> {
        match &self.values {
            Values::Sorted(sorted) => {
                sorted.get(usize::try_from(rank).ok()?.checked_sub(1)?).map(|distance| self.place(*distance))
            }
            Values::Counted(_) if rank == 1 => self.min(),
            Values::Counted(_) if rank == self.n() => self.max(),
            Values::Counted(counted) => counted.at_rank(rank).map(|distance| self.place(distance)),
        }
    }

    /// A bucket's middle may lie beyond the extremes: it is clamped to them.
    fn place(&self, distance: i64) -> Duration {
        let value = self.origin + Duration::from_nanos(distance);
        match (self.min(), self.max()) {
            (Some(min), Some(max)) => value.clamp(min, max),
            _ => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const PERCENTILES: [f64; 8] = [0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0];

    fn of(values: impl IntoIterator<Item = i64>) -> Quantiles {
        around(0, values)
    }

    fn around(origin: i64, values: impl IntoIterator<Item = i64>) -> Quantiles {
        let mut quantiles = Quantiles::around(Duration::from_nanos(origin));
        for value in values {
            quantiles.record(Duration::from_nanos(value));
        }
        quantiles
    }

    fn sorted(values: &[i64]) -> Vec<Duration> {
        let mut values: Vec<_> = values.iter().map(|v| Duration::from_nanos(*v)).collect();
        values.sort();
        values
    }

    /// Enough copies to leave the exact mode; a percentile of the copies is that of the sample.
    fn counted(values: &[i64]) -> Vec<i64> {
        values.iter().copied().cycle().take(values.len() * (EXACT / values.len() + 1)).collect()
    }

    #[test]
    fn rfc_2330_section_11_3() {
        let quantiles = of([-2, 7, 7, 4, 18, -5]);
        for (p, expected) in [(0.5, 4), (0.25, -2), (1.0, 18)] {
            assert_eq!(quantiles.at(p), Some(Duration::from_nanos(expected)));
        }
        assert_eq!(quantiles.resolution(), 0.0);
        assert!(quantiles.supports(0.8) && !quantiles.supports(0.9));
    }

    #[test]
    fn rfc_7679_takes_the_undefined_as_infinite() {
        let quantiles = of([100, 110, 90, 500]);
        assert_eq!(quantiles.at_with_undefined(0.5, 1), Some(Duration::from_nanos(110)));
        assert_eq!(quantiles.at_with_undefined(0.9, 1), None);
        assert_eq!(of([100, 110]).median(), Some(Duration::from_nanos(105)));
        assert_eq!(of([]).median(), None);
        assert_eq!(of([]).at(0.5), None);
    }

    #[test]
    fn nothing_lies_beyond_the_extremes() {
        // 1_000_001 shares a bucket with 1_000_447; the bucket's middle is beyond either alone.
        let high = of([1_000_001; EXACT + 1]);
        let low = of([1_000_447; EXACT + 1]);
        for p in PERCENTILES {
            assert_eq!(high.at(p), Some(Duration::from_nanos(1_000_001)));
            assert_eq!(low.at(p), Some(Duration::from_nanos(1_000_447)));
        }
        assert_eq!(high.median(), high.max());
        assert_eq!(high.cumulative(), [Step { value: high.max().unwrap(), count: high.n(), share: 1.0 }]);
    }

    #[test]
    fn delays_between_distant_clocks_are_told_apart_around_one_of_them() {
        let base = 1_700_000_000_000_000_000;
        let values = (0..5000).map(|k| base + k * 1000);
        let quantiles = around(base, values);
        let median = quantiles.median().unwrap().as_nanos() - base;
        assert!((median - 2_499_500).abs() < 2000, "{median}");
    }

    proptest! {
        #[test]
        fn a_short_run_is_exact(values in vec(-1000_i64..1000, 1..300)) {
            let (quantiles, sorted) = (of(values.iter().copied()), sorted(&values));
            for p in PERCENTILES {
                prop_assert_eq!(quantiles.at(p), percentile::percentile(&sorted, 0, p));
            }
            prop_assert_eq!(quantiles.median(), percentile::median(&sorted, 0));
        }

        #[test]
        fn a_long_run_is_within_its_resolution(
            values in vec(prop_oneof![-3_000_000_000_i64..3_000_000_000, -5000_i64..5000], 1..60),
        ) {
            let values = counted(&values);
            let (quantiles, sorted) = (of(values.iter().copied()), sorted(&values));
            prop_assert!(quantiles.resolution() > 0.0);
            for p in PERCENTILES {
                let exact = percentile::percentile(&sorted, 0, p).unwrap().as_nanos();
                let got = quantiles.at(p).unwrap().as_nanos();
                prop_assert!((got - exact).abs() as f64 <= exact.abs() as f64 * quantiles.resolution(),
                             "p {p}: {got} for {exact}");
            }
            prop_assert_eq!(quantiles.at(0.0), sorted.first().copied());
            prop_assert_eq!(quantiles.at(1.0), sorted.last().copied());
        }

        #[test]
        fn the_cumulative_steps_count_what_is_at_most_their_value(values in vec(-60_i64..60, 1..100)) {
            // These values are exact in the buckets too.
            for values in [counted(&values), values] {
                let quantiles = of(values.iter().copied());
                let mut distinct = sorted(&values);
                distinct.dedup();
                let expected: Vec<_> = distinct.iter().map(|value| {
                    let count = values.iter().filter(|v| **v <= value.as_nanos()).count() as u64;
                    Step { value: *value, count, share: count as f64 / values.len() as f64 }
                }).collect();
                prop_assert_eq!(quantiles.cumulative(), expected);
            }
        }
    }
}
