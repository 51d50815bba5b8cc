//! Rest for whoever runs ahead of all other programs. One that hardly sleeps at such a rank is stopped by
//! the kernel, which leaves a twentieth of each second to the others and may take it at once, 50 ms; who
//! sleeps for more than that in small parts is not. Reads no clock.

use crate::time::{Duration, Instant};

pub struct Breath {
    owed: Duration,
    reckoned: Instant,
}

impl Breath {
    /// One part in so many. To fall asleep and to wake takes a third of it; of a twelfth too little was left.
    const PART: i64 = 8;
    const LENGTH: Duration = Duration::from_micros(100);
    /// What was slept beyond what was owed serves for later, up to so much.
    const AHEAD: Duration = Duration::from_millis(1);

    pub fn begin(now: Instant) -> Self {
        Self { owed: Duration::ZERO, reckoned: now }
    }

    /// For how long to sleep now.
    pub fn due(&mut self, now: Instant) -> Option<Duration> {
        self.owed += (now - self.reckoned) / Self::PART;
        self.reckoned = now;
        (self.owed >= Self::LENGTH).then_some(Self::LENGTH)
    }

    pub fn slept(&mut self, length: Duration) {
        self.owed = (self.owed - length).max(-Self::AHEAD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Instant {
        Instant::ZERO + Duration::from_micros(micros)
    }

    /// Goes round every 2 us for a second, and sleeps when that is due; for how long in all, and at once.
    fn slept(breath: &mut Breath, from: i64) -> (i64, i64) {
        let (mut now, mut all, mut longest) = (from, 0, 0);
        while now < from + 1_000_000 {
            if let Some(length) = breath.due(at(now)) {
                let micros = length.as_nanos() / 1000;
                now += micros;
                all += micros;
                longest = longest.max(micros);
                breath.slept(length);
            }
            now += 2;
        }
        (all, longest)
    }

    #[test]
    fn who_never_sleeps_is_to_sleep_for_more_than_a_twentieth_in_small_parts() {
        let (all, longest) = slept(&mut Breath::begin(at(0)), 0);
        assert!((100_000..130_000).contains(&all), "{all} us");
        assert_eq!(longest, 100);
    }

    #[test]
    fn who_sleeps_enough_need_not_but_a_long_sleep_does_not_serve_for_ever() {
        let mut breath = Breath::begin(at(0));
        for round in 1..10_000 {
            assert_eq!(breath.due(at(round * 100)), None);
            breath.slept(Duration::from_micros(13));
        }
        breath.slept(Duration::from_secs(3600));
        assert!(slept(&mut breath, 1_000_000).0 > 100_000);
    }
}
