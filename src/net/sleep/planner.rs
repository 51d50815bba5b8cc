//! How early to wake for a deadline: sleep until shortly before it, then spin. How long before is learnt from how
//! late sleeps end. Reads no clock.

use crate::time::{Duration, Instant};

/// The processor time spent for leaving on time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timer {
    /// Sleep until the deadline: a percent of a core, and 10 to 150 us late, later after longer sleeps.
    Sleep,
    /// Sleep, then spin for as long as sleeps are known to be late.
    #[default]
    Hybrid,
    /// Never sleep between probes: a whole core.
    Busy,
}

/// Plans the sleep before each deadline.
#[derive(Debug)]
pub(super) struct WakePlanner {
    timer: Timer,
    /// How late sleeps end, by length: in a longer one the processor rests deeper.
    lateness: [Duration; CLASSES.len()],
    /// Woken for this deadline already: another sleep would not be worth its call.
    woken_for: Option<Instant>,
    /// A spin may always take so long, however short the sleep.
    spin_budget: Duration,
}

/// A sleep that is to end shortly before a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sleep {
    deadline: Instant,
    pub end: Instant,
    class: usize,
}

/// Sleeps up to some length, and what is known of them.
struct Class {
    longest: Duration,
    first_guess: Duration,
    /// Target miss rate: one sleep in N may end later than planned; fewer of the long ones, beside which
    /// spinning is cheap.
    late_one_in: i64,
}

const CLASSES: [Class; 6] = [
    Class::up_to(500, 50, 20),
    Class::up_to(2_000, 50, 20),
    Class::up_to(8_000, 120, 100),
    Class::up_to(32_000, 150, 200),
    Class::up_to(128_000, 180, 200),
    Class::up_to(i64::MAX / 1_000, 220, 200),
];

impl Class {
    const fn up_to(longest: i64, first_guess: i64, late_one_in: i64) -> Self {
        let [longest, first_guess] = [Duration::from_micros(longest), Duration::from_micros(first_guess)];
        Self { longest, first_guess, late_one_in }
    }
}

impl WakePlanner {
    const LEAST: Duration = Duration::from_micros(8);
    const MOST: Duration = Duration::from_micros(400);
    /// A spin takes no more than this part of the sleep, except before the shortest.
    const PART: i64 = 20;
    /// Of a client, which has nothing else to do.
    const SPIN_BUDGET: Duration = Duration::from_micros(100);
    /// A punctual sleep lowers the estimate by this, a late one raises it (N - 1) times that.
    const DOWN: Duration = Duration::from_nanos(200);

    pub(super) fn new(timer: Timer) -> Self {
        let lateness = CLASSES.map(|class| class.first_guess);
        Self { timer, lateness, woken_for: None, spin_budget: Self::SPIN_BUDGET }
    }

    /// For a server, which has too many deadlines to spin before each.
    pub(super) fn low_cost() -> Self {
        Self { spin_budget: Duration::ZERO, ..Self::new(Timer::Hybrid) }
    }

    /// The sleep by which this deadline is met; none if there is no time to sleep.
    pub(super) fn sleep_until(&self, deadline: Instant, now: Instant) -> Option<Sleep> {
        let length = deadline - now;
        let class = CLASSES.iter().position(|class| length <= class.longest).unwrap_or(CLASSES.len() - 1);
        let lead = match self.timer {
            Timer::Sleep => Duration::ZERO,
            Timer::Hybrid if self.woken_for == Some(deadline) => return None,
            Timer::Hybrid => self.lateness[class].min(self.spin_budget(length)),
            Timer::Busy => return None,
        };
        Some(Sleep { deadline, end: deadline - lead, class }).filter(|sleep| sleep.end > now)
    }

    /// For how long to spin at most after a sleep of this length.
    fn spin_budget(&self, length: Duration) -> Duration {
        (length / Self::PART).clamp(self.spin_budget, Self::MOST)
    }

    /// The sleep ended; if a datagram ended it early, nothing is learnt.
    pub(super) fn learn(&mut self, sleep: Sleep, woke: Instant) {
        let late = woke - sleep.end;
        if late < Duration::ZERO {
            return;
        }
        self.woken_for = Some(sleep.deadline);
        let class = &CLASSES[sleep.class];
        let most = self.spin_budget(class.longest);
        let lateness = &mut self.lateness[sleep.class];
        let up = Self::DOWN * (class.late_one_in - 1);
        let next = if late > *lateness { *lateness + up } else { *lateness - Self::DOWN };
        *lateness = next.clamp(Self::LEAST, most);
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
        let end = |timer| WakePlanner::new(timer).sleep_until(at(1_000), at(0)).map(|sleep| sleep.end);
        assert_eq!(end(Timer::Sleep), Some(at(1_000)));
        assert_eq!(end(Timer::Hybrid), Some(at(950)));
        assert_eq!(end(Timer::Busy), None);
        assert_eq!(WakePlanner::new(Timer::Hybrid).sleep_until(at(40), at(0)), None);
    }

    /// Sleeps for so long, many times, late by what the function makes of a number from 0 to 1; by how
    /// much before their deadlines they are to end in the end.
    fn lead_after(
        planner: &mut WakePlanner,
        length: i64,
        sleeps: u64,
        late: impl Fn(f64) -> f64,
    ) -> Duration {
        let stream = Stream::new(7, "sleeps");
        let deadline = at(length);
        for number in 0..sleeps {
            let sleep = planner.sleep_until(deadline, at(0)).unwrap();
            planner.learn(sleep, sleep.end + Duration::from_nanos((late(stream.unit(number)) * 1e3) as i64));
            planner.woken_for = None;
        }
        deadline - planner.sleep_until(deadline, at(0)).unwrap().end
    }

    /// Sleeps late by 0 to 40 us, evenly: 38 us is what all but one in twenty keep to.
    #[test]
    fn the_lead_becomes_what_most_sleeps_are_late() {
        let lead = lead_after(&mut WakePlanner::new(Timer::Hybrid), 1_000, 20_000, |unit| unit * 40.0);
        assert!((30.0..46.0).contains(&lead.as_micros_f64()), "{lead}");
    }

    /// One in thirty is late by 200 us: worth spinning for at a long sleep's end only.
    #[test]
    fn a_long_sleep_may_be_late_more_seldom_and_each_length_is_learnt_by_itself() {
        let late = |unit: f64| if unit < 1.0 / 30.0 { 200.0 } else { 20.0 };
        let mut planner = WakePlanner::new(Timer::Hybrid);
        let long = lead_after(&mut planner, 5_000, 20_000, late).as_micros_f64();
        let short = lead_after(&mut planner, 1_000, 20_000, late).as_micros_f64();
        assert!((170.0..250.0).contains(&long) && short < 50.0, "{long} and {short} us");
        let again = planner.sleep_until(at(5_000), at(0)).unwrap();
        assert_eq!((at(5_000) - again.end).as_micros_f64(), long);
    }

    #[test]
    fn a_spin_takes_no_more_than_a_twentieth_of_the_time() {
        let lead = |length| lead_after(&mut WakePlanner::new(Timer::Hybrid), length, 100, |_| 1_000_000.0);
        let micros = [300, 1_000, 3_000, 5_000, 50_000].map(|length| lead(length).as_nanos() / 1_000);
        assert_eq!(micros, [100, 100, 150, 250, 400]);
    }

    #[test]
    fn a_low_cost_planner_keeps_to_that_for_the_shortest_sleeps_too() {
        let lead = |length| lead_after(&mut WakePlanner::low_cost(), length, 100, |_| 1_000_000.0);
        let micros = [20, 300, 1_000, 50_000].map(|length| lead(length).as_nanos() / 1_000);
        assert_eq!(micros, [1, 15, 50, 400]);
    }

    /// Another sleep would cost a call, and be late in its own way.
    #[test]
    fn one_deadline_is_slept_for_once() {
        let mut planner = WakePlanner::new(Timer::Hybrid);
        let sleep = planner.sleep_until(at(50_000), at(0)).unwrap();
        planner.learn(sleep, sleep.end - Duration::from_micros(1));
        assert_eq!(planner.sleep_until(at(50_000), at(0)), Some(sleep), "something else ended it");
        planner.learn(sleep, sleep.end);
        assert_eq!(planner.sleep_until(at(50_000), sleep.end), None);
        assert!(planner.sleep_until(at(100_000), at(50_000)).is_some());
    }

    #[test]
    fn a_stolen_second_does_not_make_it_spin_for_long() {
        let mut planner = WakePlanner::new(Timer::Hybrid);
        lead_after(&mut planner, 1_000, 100, |_| 1_000_000.0);
        let after = lead_after(&mut planner, 1_000, 2_000, |_| 1.0);
        assert_eq!(after, WakePlanner::LEAST);
    }
}
