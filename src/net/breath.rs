//! Rest for whoever runs ahead of all other programs. One that hardly sleeps at such a rank is stopped by
//! the kernel, which leaves a twentieth of each second to the others and may take it at once, 50 ms; who
//! sleeps for more than that in small parts is not. Reads no clock.

use crate::time::{Duration, Instant};

pub struct Breath {
    owed: Duration,
    reckoned: Instant,
}

impl Breath {
    /// One part in so many.
    const PART: i64 = 11;
    const LENGTH: Duration = Duration::from_micros(60);
    /// To fall asleep and to wake is no rest for anybody; whoever has much to do sleeps for little more.
    const TURNING: Duration = Duration::from_micros(10);
    /// What the kernel would take within a second is much more.
    const PRESSING: Duration = Duration::from_millis(5);
    /// Of less there is hardly any rest.
    pub const SHORTEST: Duration = Duration::from_micros(20);
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

    /// Whether so much is owed that the kernel may soon take it.
    pub fn is_pressing(&self) -> bool {
        self.owed >= Self::PRESSING
    }

    pub fn slept(&mut self, length: Duration) {
        let rest = (length - Self::TURNING).max(Duration::ZERO);
        self.owed = (self.owed - rest).max(-Self::AHEAD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Instant {
        Instant::ZERO + Duration::from_micros(micros)
    }

    /// Goes round every 2 us for a second, and sleeps when that is due; how often, and for how long in all.
    fn sleeps(breath: &mut Breath, from: i64) -> (i64, i64) {
        let (mut now, mut sleeps, mut all) = (from, 0, 0);
        while now < from + 1_000_000 {
            if let Some(length) = breath.due(at(now)) {
                let micros = length.as_nanos() / 1000;
                assert!(micros <= 100, "{micros} us at once");
                now += micros;
                sleeps += 1;
                all += micros;
                breath.slept(length);
            }
            now += 2;
        }
        (sleeps, all)
    }

    #[test]
    fn who_never_sleeps_is_to_rest_for_more_than_a_twentieth_in_small_parts() {
        let (sleeps, all) = sleeps(&mut Breath::begin(at(0)), 0);
        let rest = all - sleeps * Breath::TURNING.as_nanos() / 1000;
        assert!((100_000..130_000).contains(&all) && rest > 75_000, "{rest} us of {all}");
    }

    #[test]
    fn who_sleeps_enough_need_not_but_a_long_sleep_does_not_serve_for_ever() {
        let mut breath = Breath::begin(at(0));
        for round in 1..10_000 {
            assert_eq!(breath.due(at(round * 100)), None);
            breath.slept(Duration::from_micros(20));
        }
        breath.slept(Duration::from_secs(3600));
        assert!(sleeps(&mut breath, 1_000_000).1 > 100_000);
    }

    #[test]
    fn who_puts_it_off_for_long_is_pressed() {
        let mut breath = Breath::begin(at(0));
        let asked = [1_000, 100_000].map(|now| (breath.due(at(now)).is_some(), breath.is_pressing()));
        assert_eq!(asked, [(true, false), (true, true)]);
        (0..100).for_each(|_| breath.slept(Breath::LENGTH));
        assert!(!breath.is_pressing());
    }

    #[test]
    fn what_it_takes_to_fall_asleep_and_to_wake_is_no_rest() {
        let mut breath = Breath::begin(at(0));
        let asked = (1..10_000).filter(|round| {
            breath.slept(Breath::TURNING);
            breath.due(at(round * 20)).inspect(|length| breath.slept(*length)).is_some()
        });
        assert!(asked.count() > 200);
    }
}
