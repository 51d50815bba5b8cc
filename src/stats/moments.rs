//! Count, extremes, mean and standard deviation of durations in constant memory.
//!
//! The sum is a whole number, so the mean is exact to the nanosecond however long the run and
//! however far from zero the values (a one-way delay between two clocks may lie decades away).

use crate::time::Duration;

/// Mean and variance in one pass (Welford), without keeping the values.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moments {
    n: u64,
    sum: i128,
    /// The sum of squared distances from the mean, in ns^2 (Welford 1962).
    m2: f64,
    min: Duration,
    max: Duration,
}

impl Moments {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn record(&mut self, value: Duration) {
        if self.n == 0 {
            (self.min, self.max) = (value, value);
        } else {
            let n = self.n as f64;
            self.m2 += self.distance_to(value).powi(2) * (n / (n + 1.0));
            (self.min, self.max) = (self.min.min(value), self.max.max(value));
        }
        self.n += 1;
        self.sum += i128::from(value.as_nanos());
    }

    /// As if the other's values had been recorded here too (Chan, Golub, LeVeque 1979).
    pub fn merge(&mut self, other: &Self) {
        if self.n == 0 || other.n == 0 {
            if self.n == 0 {
                *self = *other;
            }
            return;
        }
        let (a, b) = (self.n as f64, other.n as f64);
        let apart = {
            let (whole, part) = self.centre();
            let (other_whole, other_part) = other.centre();
            (other_whole - whole) as f64 + (other_part - part)
        };
        self.m2 += other.m2 + apart * apart * (a * b / (a + b));
        self.n += other.n;
        self.sum += other.sum;
        (self.min, self.max) = (self.min.min(other.min), self.max.max(other.max));
    }

    pub(crate) fn n(&self) -> u64 {
        self.n
    }

    pub(crate) fn min(&self) -> Option<Duration> {
        (self.n > 0).then_some(self.min)
    }

    pub(crate) fn max(&self) -> Option<Duration> {
        (self.n > 0).then_some(self.max)
    }

    /// To the nearest nanosecond.
    pub fn mean(&self) -> Option<Duration> {
        if self.n == 0 {
            return None;
        }
        let (whole, part) = self.centre();
        let nearest = whole + i128::from(part >= 0.5);
        i64::try_from(nearest).ok().map(Duration::from_nanos)
    }

    /// Of the sample (n - 1): one value has none.
    pub fn stddev(&self) -> Option<Duration> {
        (self.n > 1).then(|| root(self.m2 / (self.n - 1) as f64))
    }

    /// Of the values taken as the whole population (n), as some other tools print it.
    pub fn population_stddev(&self) -> Option<Duration> {
        (self.n > 0).then(|| root(self.m2 / self.n as f64))
    }

    /// The mean in whole nanoseconds, and the remaining fraction.
    fn centre(&self) -> (i128, f64) {
        // Of nearly every run the sum fits 64 bits, in which a division takes a fraction of the time.
        if let (Ok(sum), Ok(n)) = (i64::try_from(self.sum), i64::try_from(self.n)) {
            return (i128::from(sum.div_euclid(n)), sum.rem_euclid(n) as f64 / n as f64);
        }
        let n = i128::from(self.n);
        (self.sum.div_euclid(n), self.sum.rem_euclid(n) as f64 / n as f64)
    }

    fn distance_to(&self, value: Duration) -> f64 {
        let (whole, part) = self.centre();
        let distance = i128::from(value.as_nanos()) - whole;
        i64::try_from(distance).map_or(distance as f64, |distance| distance as f64) - part
    }
}

fn root(variance: f64) -> Duration {
    Duration::from_nanos(variance.sqrt().round() as i64)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[i64]) -> Moments {
        let mut moments = Moments::new();
        for value in values {
            moments.record(Duration::from_nanos(*value));
        }
        moments
    }

    /// Two passes, as in a textbook; the distances from the first value keep it honest far from zero.
    fn naive_stddev(values: &[i64], divisor: f64) -> f64 {
        let near: Vec<f64> = values.iter().map(|v| (v - values[0]) as f64).collect();
        let mean = near.iter().sum::<f64>() / near.len() as f64;
        (near.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / divisor).sqrt()
    }

    #[test]
    fn the_stddev_of_10_and_20_is_that_of_a_sample() {
        let moments = of(&[10_000_000, 20_000_000]);
        assert_eq!(moments.stddev(), Some(Duration::from_nanos(7_071_068)));
        assert_eq!(moments.population_stddev(), Some(Duration::from_millis(5)));
        assert_eq!(moments.mean(), Some(Duration::from_millis(15)));
    }

    #[test]
    fn a_spread_of_less_than_a_nanosecond_is_not_lost_on_the_way() {
        // From a mean of 2/3: 4/9 + 1/9 + 1/9.
        assert!((of(&[0, 1, 1]).m2 - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_not_known_is_none() {
        assert!(of(&[]).mean().or(of(&[]).min()).or(of(&[]).population_stddev()).is_none());
        assert_eq!(of(&[7]).stddev(), None);
        assert_eq!(of(&[7]).population_stddev(), Some(Duration::ZERO));
    }

    #[test]
    fn decades_from_zero_a_nanosecond_still_counts() {
        let base = 1_700_000_000_000_000_000;
        let moments = of(&[base, base + 2, base + 4]);
        assert_eq!(moments.mean(), Some(Duration::from_nanos(base + 2)));
        assert_eq!(moments.stddev(), Some(Duration::from_nanos(2)));
        let ends = of(&[i64::MIN, i64::MIN, i64::MAX, i64::MAX]);
        assert_eq!(ends.mean(), Some(Duration::ZERO));
    }

    proptest! {
        #[test]
        fn agrees_with_two_passes(base in -2_000_000_000_000_000_000_i64..2_000_000_000_000_000_000,
                                  offsets in vec(0_i64..1_000_000_000, 1..200)) {
            let values: Vec<i64> = offsets.iter().map(|o| base + o).collect();
            let moments = of(&values);
            let n = values.len();
            let sum: i128 = values.iter().map(|v| i128::from(*v)).sum();
            let mean = i128::from(moments.mean().unwrap().as_nanos());
            prop_assert!((2 * (mean * n as i128 - sum)).abs() <= n as i128);
            prop_assert_eq!(moments.min().unwrap().as_nanos(), *values.iter().min().unwrap());
            prop_assert_eq!(moments.max().unwrap().as_nanos(), *values.iter().max().unwrap());
            if n > 1 {
                let stddev = moments.stddev().unwrap().as_nanos() as f64;
                prop_assert!((stddev - naive_stddev(&values, n as f64 - 1.0)).abs() <= 1.0);
            }
        }

        #[test]
        fn merging_is_recording_both(a in vec(-1_000_000_i64..1_000_000, 0..50),
                                     b in vec(5_000_000_i64..9_000_000, 0..50)) {
            let mut merged = of(&a);
            merged.merge(&of(&b));
            let all: Vec<i64> = a.iter().chain(&b).copied().collect();
            let whole = of(&all);
            prop_assert_eq!(merged.n(), whole.n());
            prop_assert_eq!(merged.mean(), whole.mean());
            prop_assert_eq!(merged.min(), whole.min());
            prop_assert_eq!(merged.max(), whole.max());
            let apart = merged.stddev().unwrap_or_default() - whole.stddev().unwrap_or_default();
            prop_assert!(apart.abs() <= Duration::from_nanos(1));
        }
    }
}
