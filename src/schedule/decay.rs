//! Each interval is shorter than the one before by a fixed share, down to a minimum.

use crate::time::Duration;
use crate::units::{Interval, Probability};

/// Intervals that shrink by a constant share down to a floor.
#[derive(Clone, Debug)]
pub struct Decay {
    /// Unrounded, so that the hundredth interval is the first times the factor to the 99th.
    next: f64,
    factor: f64,
    floor: Duration,
    at_floor: bool,
}

impl Decay {
    /// Starts from `first`; each interval is `share` shorter than the last. A floor above the first
    /// interval is lowered to it.
    pub fn new(first: Interval, share: Probability, floor: Interval) -> Self {
        Self {
            next: first.get().as_nanos() as f64,
            factor: 1.0 - share.get(),
            floor: floor.get().min(first.get()),
            at_floor: false,
        }
    }

    pub(crate) fn next_interval(&mut self) -> Duration {
        let floor = self.floor.as_nanos() as f64;
        self.at_floor = self.next < floor;
        let interval = self.next.max(floor);
        self.next *= self.factor;
        Duration::from_nanos(interval.round() as i64)
    }

    pub(crate) fn at_floor(&self) -> bool {
        self.at_floor
    }

    pub(crate) fn floor(&self) -> Duration {
        self.floor
    }

    pub(crate) fn longest_interval(&self) -> Duration {
        Duration::from_nanos(self.next.round() as i64).max(self.floor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decay(first_ms: i64, floor_ms: i64) -> Decay {
        let interval = |ms| Interval::new(Duration::from_millis(ms)).unwrap();
        Decay::new(interval(first_ms), Probability::new(0.05).unwrap(), interval(floor_ms))
    }

    #[test]
    fn each_interval_is_19_twentieths_of_the_one_before() {
        let mut decay = decay(500, 1);
        let intervals: Vec<i64> = (0..4).map(|_| decay.next_interval().as_nanos()).collect();
        assert_eq!(intervals, [500_000_000, 475_000_000, 451_250_000, 428_687_500]);
        for _ in 4..99 {
            decay.next_interval();
        }
        let hundredth = decay.next_interval().as_nanos() as f64;
        assert!((hundredth - 500e6 * 0.95_f64.powi(99)).abs() <= 0.5);
    }

    #[test]
    fn intervals_stop_at_the_minimum_and_at_floor_says_so() {
        let mut decay = decay(100, 90);
        let told: Vec<(i64, bool)> =
            (0..4).map(|_| (decay.next_interval().as_nanos() / 1_000, decay.at_floor())).collect();
        assert_eq!(told, [(100_000, false), (95_000, false), (90_250, false), (90_000, true)]);
    }

    #[test]
    fn the_first_interval_is_never_lengthened() {
        let mut decay = decay(10, 90);
        assert_eq!(decay.next_interval(), Duration::from_millis(10));
    }
}
