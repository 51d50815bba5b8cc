//! How a moment is met: sleep until shortly before it, then look at the clock. How long before is
//! learnt from how late the sleeps end. Reads no clock.

use crate::time::{Duration, Instant};

/// What is paid for leaving on time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timer {
    /// Sleep until the moment: a percent of a core, and some 15 us late.
    Sleep,
    /// Sleep, then look at the clock for as long as sleeps are known to be late.
    #[default]
    Hybrid,
    /// Never sleep between probes: a whole core.
    Busy,
}

/// Wakes in time for the next moment.
#[derive(Debug)]
pub struct Alarm {
    timer: Timer,
    /// All but one in twenty sleeps are not later than this.
    lateness: Duration,
}

impl Alarm {
    const FIRST_GUESS: Duration = Duration::from_micros(50);
    const LEAST: Duration = Duration::from_micros(8);
    const MOST: Duration = Duration::from_micros(100);
    /// One late sleep weighs as much as nineteen that were not.
    const UP: Duration = Duration::from_nanos(3_800);
    const DOWN: Duration = Duration::from_nanos(200);

    pub fn new(timer: Timer) -> Self {
        Self { timer, lateness: Self::FIRST_GUESS }
    }

    /// When a sleep has to end so that this moment is met; none if there is no time to sleep.
    pub fn sleep_until(&self, moment: Instant, now: Instant) -> Option<Instant> {
        let lead = match self.timer {
            Timer::Sleep => Duration::ZERO,
            Timer::Hybrid => self.lateness,
            Timer::Busy => return None,
        };
        Some(moment - lead).filter(|end| *end > now)
    }

    /// A sleep that was to end at `asked` ended at `woke`; earlier if something else ended it.
    pub fn learn(&mut self, asked: Instant, woke: Instant) {
        let late = woke - asked;
        if late < Duration::ZERO {
            return;
        }
        let next = if late > self.lateness { self.lateness + Self::UP } else { self.lateness - Self::DOWN };
        self.lateness = next.clamp(Self::LEAST, Self::MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    fn at(micros: i64) -> Instant {
        Instant::ZERO + Duration::from_micros(micros)
    }

    #[test]
    fn only_busy_never_sleeps_and_only_sleep_sleeps_all_the_way() {
        let sleep = |timer| Alarm::new(timer).sleep_until(at(1_000), at(0));
        assert_eq!(sleep(Timer::Sleep), Some(at(1_000)));
        assert_eq!(sleep(Timer::Hybrid), Some(at(950)));
        assert_eq!(sleep(Timer::Busy), None);
        assert_eq!(Alarm::new(Timer::Hybrid).sleep_until(at(40), at(0)), None);
    }

    /// Sleeps late by 0 to 40 us, evenly: 38 us is what all but one in twenty keep to.
    #[test]
    fn the_lead_becomes_what_most_sleeps_are_late() {
        let mut alarm = Alarm::new(Timer::Hybrid);
        let stream = Stream::new(7, "sleeps");
        for sleep in 0..20_000 {
            let late = stream.unit(sleep) * 40.0;
            alarm.learn(at(0), Instant::from_nanos((late * 1_000.0) as i64));
        }
        let micros = alarm.lateness.as_micros_f64();
        assert!((30.0..46.0).contains(&micros), "{micros}");
    }

    #[test]
    fn a_stolen_second_does_not_make_it_spin_for_long() {
        let mut alarm = Alarm::new(Timer::Hybrid);
        (0..100).for_each(|_| alarm.learn(at(0), at(1_000_000)));
        assert_eq!(alarm.lateness, Alarm::MOST);
        (0..1_000).for_each(|_| alarm.learn(at(0), at(1)));
        assert_eq!(alarm.lateness, Alarm::LEAST);
        alarm.learn(at(0), at(-500));
        assert_eq!(alarm.lateness, Alarm::LEAST);
    }
}
