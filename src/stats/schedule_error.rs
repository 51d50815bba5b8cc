//! Send lateness: the actual send time minus the due time.

use super::quantiles::Quantiles;
use crate::time::Duration;

#[derive(Clone, Debug, Default)]
pub(crate) struct ScheduleError {
    errors: Quantiles,
    missed: u64,
}

impl ScheduleError {
    /// When the probe left minus when it was due, and the time until the next one was due.
    pub(crate) fn record(&mut self, error: Duration, interval: Duration) {
        self.errors.record(error);
        self.missed += u64::from(error > interval);
    }

    pub(crate) fn errors(&self) -> &Quantiles {
        &self.errors
    }

    /// Probes that left more than one interval late.
    pub(crate) fn missed(&self) -> u64 {
        self.missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_is_more_than_one_interval_late() {
        let mut schedule = ScheduleError::default();
        for (error, interval) in [(5, 10), (10, 10), (11, 10), (-3, 10), (11, 20)] {
            schedule.record(Duration::from_micros(error), Duration::from_micros(interval));
        }
        assert_eq!(schedule.missed(), 1);
        assert_eq!(schedule.errors().n(), 5);
        assert_eq!(schedule.errors().min(), Some(Duration::from_micros(-3)));
        assert_eq!(schedule.errors().at(0.5), Some(Duration::from_micros(10)));
    }
}
