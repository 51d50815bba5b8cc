//! Rate limits by the generic cell rate algorithm: all that is kept of the past is one time.

use crate::time::{Duration, Instant};

/// Admits a rate on average, after a burst. The caller says what each item costs, as the time between
/// two of them at the rate.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    /// When the next item would be due if all came evenly.
    next: Instant,
}

impl Meter {
    /// Takes one item if it is within the burst, which is as long as its items cost.
    pub(crate) fn admits(&mut self, now: Instant, cost: Duration, burst: Duration) -> bool {
        let admitted = self.has_room(now, cost, burst);
        if admitted {
            self.take(now, cost);
        }
        admitted
    }

    pub(crate) fn has_room(&self, now: Instant, cost: Duration, burst: Duration) -> bool {
        self.next.max(now) + cost - now <= burst
    }

    pub(crate) fn take(&mut self, now: Instant, cost: Duration) {
        self.next = self.next.max(now) + cost;
    }

    /// A full burst would be admitted.
    pub(crate) fn is_idle(&self, now: Instant) -> bool {
        self.next <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_admitted_at_once_and_the_rest_at_the_rate() {
        let (cost, burst) = (Duration::from_millis(10), Duration::from_millis(50));
        let mut meter = Meter::default();
        let at = |millis| Instant::from_nanos(1_000_000_000) + Duration::from_millis(millis);
        assert!(meter.is_idle(at(0)));
        assert_eq!((0..100).filter(|_| meter.admits(at(0), cost, burst)).count(), 5);
        assert!(!meter.is_idle(at(49)) && meter.is_idle(at(50)));
        assert_eq!((1..=1000).filter(|&millis| meter.admits(at(millis), cost, burst)).count(), 100);
        // A larger item waits for as much as it costs.
        assert!(!meter.has_room(at(1_030), cost * 4, burst) && meter.has_room(at(1_040), cost * 4, burst));
    }
}
