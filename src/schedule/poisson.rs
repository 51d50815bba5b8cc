//! Random intervals: events that recur on the path cannot alias with them (RFC 2330 11.1).
//!
//! An interval is a shifted exponential: the floor plus an exponentially distributed time, so that the
//! mean is as requested and the rest memoryless.

use crate::rng::{Seed, Stream};
use crate::time::Duration;
use crate::units::{Interval, UnitError};

/// Random intervals that no periodic event can alias with.
#[derive(Clone, Debug)]
pub struct Poisson {
    stream: Stream,
    index: u64,
    mean: Duration,
    floor: Duration,
}

impl Poisson {
    /// The least unit draw above zero is 2^-53, and -ln of it 36.7.
    const MOST_MEANS: i64 = 37;

    /// The same seed gives the same intervals.
    pub fn new(mean: Interval, floor: Interval, seed: Seed) -> Result<Self, UnitError> {
        if floor >= mean {
            let why = "a random interval must have room between the shortest and the mean";
            return Err(UnitError::new(why, "-i 10ms --min-interval 100us"));
        }
        Ok(Self { stream: Stream::new(seed, "poisson"), index: 0, mean: mean.get(), floor: floor.get() })
    }

    pub(crate) fn next_interval(&mut self) -> Duration {
        let draw = 1.0 - self.stream.unit(self.index);
        self.index += 1;
        self.floor + (self.mean - self.floor).mul_f64(-draw.ln())
    }

    pub(crate) fn mean(&self) -> Duration {
        self.mean
    }

    pub(crate) fn longest_interval(&self) -> Duration {
        self.floor + (self.mean - self.floor) * Self::MOST_MEANS
    }

    /// Ten standard deviations above the mean, which no run exceeds.
    pub fn most_within(&self, span: Duration) -> i64 {
        let mean = span.as_secs_f64() / self.mean.as_secs_f64();
        (mean + 10.0 * mean.sqrt() + 10.0) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(us: i64) -> Interval {
        Interval::new(Duration::from_micros(us)).unwrap()
    }

    fn intervals(seed: Seed, count: usize) -> Vec<i64> {
        let mut poisson = Poisson::new(interval(10_000), interval(100), seed).unwrap();
        (0..count).map(|_| poisson.next_interval().as_nanos()).collect()
    }

    #[test]
    fn the_mean_is_as_requested_and_no_interval_is_below_the_minimum() {
        const COUNT: usize = 1_000_000;
        let intervals = intervals(1, COUNT);
        assert!(intervals.iter().all(|ns| *ns >= 100_000));
        let mean = intervals.iter().sum::<i64>() as f64 / COUNT as f64;
        // Its standard deviation is 9.9 ms / sqrt(10^6).
        assert!((mean - 10e6).abs() < 4.0 * 9.9e3, "{mean}");
    }

    #[test]
    fn intervals_above_the_minimum_are_exponential_and_independent() {
        const COUNT: usize = 100_000;
        let beyond: Vec<f64> = intervals(2, COUNT).iter().map(|ns| (*ns - 100_000) as f64 / 9.9e6).collect();
        let share = |k: usize| (k as f64) / COUNT as f64;
        // Kolmogorov and Smirnov: 1.95 / sqrt(n) is the 99.9 % point.
        let mut sorted = beyond.clone();
        sorted.sort_by(f64::total_cmp);
        let away = sorted.iter().enumerate().map(|(k, x)| {
            let expected = 1.0 - (-x).exp();
            (expected - share(k)).abs().max((share(k + 1) - expected).abs())
        });
        assert!(away.fold(0.0, f64::max) < 1.95 / (COUNT as f64).sqrt());
        // Of independent ones the correlation of neighbours is within 4 / sqrt(n) of zero.
        let correlation = beyond.windows(2).map(|pair| (pair[0] - 1.0) * (pair[1] - 1.0)).sum::<f64>();
        assert!((correlation / COUNT as f64).abs() < 4.0 / (COUNT as f64).sqrt());
    }

    #[test]
    fn the_same_seed_gives_the_same_intervals() {
        assert_eq!(intervals(7, 1000), intervals(7, 1000));
        assert_ne!(intervals(7, 1000), intervals(8, 1000));
    }

    #[test]
    fn most_within_is_an_upper_bound() {
        let poisson = Poisson::new(interval(10_000), interval(100), 3).unwrap();
        let span = Duration::from_millis(200);
        let mut due = 0;
        let due: Vec<i64> = intervals(3, 100_000)
            .iter()
            .map(|ns| {
                due += ns;
                due
            })
            .collect();
        let most = (0..due.len())
            .map(|k| due[k..].iter().take_while(|at| **at - due[k] < span.as_nanos()).count())
            .max()
            .unwrap() as i64;
        assert!(most > 30 && most <= poisson.most_within(span), "{most}");
        assert!(intervals(3, 100_000).iter().all(|ns| *ns <= poisson.longest_interval().as_nanos()));
    }

    #[test]
    fn a_floor_leaves_room_below_the_mean() {
        assert!(Poisson::new(interval(100), interval(100), 1).is_err());
    }
}
