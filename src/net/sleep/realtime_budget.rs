//! How much a real-time thread has to sleep. The kernel stops a real-time thread that uses over 95 % of a
//! second, for 50 ms at once. Sleeping 1/11 of the time in parts of 60 to 300 us avoids that: p99 of an echo falls from
//! 15-50 ms to under 1 ms (see results/server-profile.md). A server that needs 95 % of its core has no time for that:
//! replies wait for the rests (see results/server.md). It counts sleeps, not the time off the processor: while this
//! core handles interrupts, neither this thread nor another program has it. Reads no clock.

use crate::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct RealtimeBudget {
    owed: Duration,
    updated: Instant,
}

impl RealtimeBudget {
    /// For so much work the thread sleeps for one part, 1/11 of the time.
    const WORK: i64 = 10;
    const LENGTH: Duration = Duration::from_micros(60);
    /// Under load an engine works for milliseconds before it can sleep, and then owes more.
    const LONGEST: Duration = Duration::from_micros(300);
    /// Falling asleep and waking up use the processor too.
    const SWITCH_COST: Duration = Duration::from_micros(10);
    /// Owing so much is urgent: the kernel takes 50 ms.
    const URGENT: Duration = Duration::from_millis(5);
    /// A shorter sleep is mostly switching.
    pub(super) const SHORTEST: Duration = Duration::from_micros(20);
    /// A long sleep counts for later up to so much.
    const MAX_CREDIT: Duration = Duration::from_millis(1);

    pub(super) fn begin(now: Instant) -> Self {
        Self { owed: Duration::ZERO, updated: now }
    }

    /// For how long to sleep now, after work until now.
    pub(super) fn sleep_due(&mut self, now: Instant) -> Option<Duration> {
        self.owed += (now - self.updated) / Self::WORK;
        self.updated = now;
        (self.owed >= Self::LENGTH).then_some(self.owed.min(Self::LONGEST))
    }

    /// Whether the kernel may soon stop the thread.
    pub(super) fn is_urgent(&self) -> bool {
        self.owed >= Self::URGENT
    }

    /// A sleep of this length is over.
    pub(super) fn slept(&mut self, length: Duration, now: Instant) {
        self.updated = now;
        let rest = (length - Self::SWITCH_COST).max(Duration::ZERO);
        self.owed = (self.owed - rest).max(-Self::MAX_CREDIT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Instant {
        Instant::ZERO + Duration::from_micros(micros)
    }

    /// Goes round every 2 us for a second, and sleeps when that is due; how often, and for how long in all.
    fn sleeps(budget: &mut RealtimeBudget, from: i64) -> (i64, i64) {
        let (mut now, mut sleeps, mut all) = (from, 0, 0);
        while now < from + 1_000_000 {
            if let Some(length) = budget.sleep_due(at(now)) {
                let micros = length.as_nanos() / 1000;
                assert!(micros <= 100, "{micros} us at once");
                now += micros;
                sleeps += 1;
                all += micros;
                budget.slept(length, at(now));
            }
            now += 2;
        }
        (sleeps, all)
    }

    #[test]
    fn a_thread_that_never_sleeps_is_to_rest_for_more_than_a_twentieth_in_small_parts() {
        let (sleeps, all) = sleeps(&mut RealtimeBudget::begin(at(0)), 0);
        let rest = all - sleeps * RealtimeBudget::SWITCH_COST.as_nanos() / 1000;
        assert!((100_000..130_000).contains(&all) && rest > 75_000, "{rest} us of {all}");
    }

    #[test]
    fn a_thread_that_sleeps_enough_owes_nothing_but_a_long_sleep_does_not_count_for_ever() {
        let mut budget = RealtimeBudget::begin(at(0));
        for round in 1..10_000 {
            assert_eq!(budget.sleep_due(at(round * 100)), None);
            budget.slept(Duration::from_micros(20), at(round * 100 + 20));
        }
        budget.slept(Duration::from_secs(3600), at(2_000_000));
        assert!(sleeps(&mut budget, 2_000_000).1 > 90_000);
    }

    #[test]
    fn a_thread_that_can_sleep_only_every_two_milliseconds_sleeps_for_longer() {
        let (mut budget, mut now, mut all) = (RealtimeBudget::begin(at(0)), 0, 0);
        while now < 1_000_000 {
            now += 2_000;
            if let Some(length) = budget.sleep_due(at(now)) {
                all += length.as_nanos() / 1000;
                now += length.as_nanos() / 1000;
                budget.slept(length, at(now));
            }
        }
        assert!((75_000..130_000).contains(&all), "{all} us");
    }

    #[test]
    fn nothing_is_owed_for_the_time_asleep() {
        let mut budget = RealtimeBudget::begin(at(0));
        budget.slept(Duration::from_secs(3600), at(3_600_000_000));
        assert_eq!(budget.sleep_due(at(3_600_000_100)), None);
    }

    #[test]
    fn a_rest_that_is_put_off_for_long_becomes_urgent() {
        let mut budget = RealtimeBudget::begin(at(0));
        let asked = [1_000, 100_000].map(|now| (budget.sleep_due(at(now)).is_some(), budget.is_urgent()));
        assert_eq!(asked, [(true, false), (true, true)]);
        (0..100).for_each(|_| budget.slept(RealtimeBudget::LONGEST, at(100_000)));
        assert!(!budget.is_urgent());
    }

    #[test]
    fn falling_asleep_and_waking_up_is_no_rest() {
        let mut budget = RealtimeBudget::begin(at(0));
        let asked = (1..10_000).filter(|round| {
            budget.slept(RealtimeBudget::SWITCH_COST, at(round * 20));
            let due = budget.sleep_due(at(round * 20 + 10));
            due.inspect(|length| budget.slept(*length, at(round * 20 + 10))).is_some()
        });
        assert!(asked.count() > 150);
    }
}
