//! The due time of each probe, fixed in advance from time zero on, and how many there are.

use crate::schedule::Schedule;
use crate::time::{Duration, Instant};

/// The probes that are still to be sent.
#[derive(Debug)]
pub(super) struct SendPlan {
    schedule: Schedule,
    /// Set when the first probe's due time is known.
    zero: Option<Instant>,
    next_due: Duration,
    next_seq: u64,
    count: Option<u64>,
    total: Option<Duration>,
    stopped: bool,
    /// The last probe was skipped.
    catching_up: bool,
}

/// A probe whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    pub seq: u64,
    pub due: Instant,
    pub interval: Duration,
    /// The schedule would be shorter, but the minimum interval applies.
    pub at_floor: bool,
    /// Not to be sent: this host was suspended, and the probe would be part of a burst and measure that.
    pub skipped: bool,
}

impl SendPlan {
    /// A probe that is later than this, and later than its interval, is skipped; so are those due after it, but
    /// not the newest.
    const MAX_LATENESS: Duration = Duration::from_millis(50);

    pub(super) fn new(schedule: Schedule, count: Option<u64>, total: Option<Duration>) -> Self {
        Self {
            schedule,
            zero: None,
            next_due: Duration::ZERO,
            next_seq: 0,
            count,
            total,
            stopped: false,
            catching_up: false,
        }
    }

    /// Time zero is the due time of the first probe.
    pub(super) fn start(&mut self, zero: Instant) {
        self.zero = Some(zero);
    }

    pub(super) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// As if the count had been reached.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    pub(super) fn is_finished(&self) -> bool {
        self.stopped
            || self.count.is_some_and(|count| self.next_seq >= count)
            || self.total.is_some_and(|total| self.next_due >= total)
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        if self.is_finished() { None } else { self.zero.map(|zero| zero + self.next_due) }
    }

    /// Passes over the due times until now without a probe for them; returns how many there were.
    pub(super) fn pass_over(&mut self, now: Instant) -> u64 {
        let mut passed = 0;
        while self.next_due().is_some_and(|due| due <= now) {
            self.next_due += self.schedule.next_interval();
            passed += 1;
        }
        passed
    }

    /// Takes the next probe if it is due.
    pub(super) fn take(&mut self, now: Instant) -> Option<Planned> {
        let due = self.next_due().filter(|due| *due <= now)?;
        let interval = self.schedule.next_interval();
        let seq = self.next_seq;
        self.next_due += interval;
        self.next_seq += 1;
        let latest = if self.catching_up { interval } else { Self::MAX_LATENESS.max(interval) };
        let skipped = now - due > latest;
        self.catching_up = skipped;
        Some(Planned { seq, due, interval, at_floor: self.schedule.at_floor(), skipped })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Interval;

    fn plan(count: Option<u64>, total: Option<Duration>) -> SendPlan {
        let interval = Interval::new(Duration::from_millis(500)).unwrap();
        let mut plan = SendPlan::new(Schedule::Fixed(interval), count, total);
        plan.start(Instant::from_nanos(1000));
        plan
    }

    #[test]
    fn due_times_do_not_depend_on_when_probes_were_sent() {
        let mut plan = plan(Some(3), None);
        let late = Instant::from_nanos(1000) + Duration::from_millis(1250);
        let due: Vec<i64> = std::iter::from_fn(|| plan.take(late)).map(|p| p.due.as_nanos()).collect();
        assert_eq!(due, [1000, 500_001_000, 1_000_001_000]);
        assert!(plan.is_finished());
    }

    #[test]
    fn due_times_that_are_passed_over_use_no_number() {
        let mut plan = plan(None, None);
        let at = |ms| Instant::from_nanos(1000) + Duration::from_millis(ms);
        assert_eq!(plan.take(at(0)).map(|planned| planned.seq), Some(0));
        assert_eq!([at(499), at(1_400)].map(|now| plan.pass_over(now)), [0, 2]);
        let next = plan.take(at(1_500)).unwrap();
        assert_eq!((next.seq, next.due, next.skipped), (1, at(1_500), false));
    }

    #[test]
    fn after_a_stall_only_the_newest_probe_is_sent() {
        let mut plan = plan(None, None);
        let now = Instant::from_nanos(1000) + Duration::from_millis(2_700);
        let skipped: Vec<bool> = std::iter::from_fn(|| plan.take(now)).map(|p| p.skipped).collect();
        assert_eq!(skipped, [true, true, true, true, true, false]);
        let fast = Schedule::Fixed(Interval::new(Duration::from_millis(1)).unwrap());
        let mut plan = SendPlan::new(fast, None, None);
        plan.start(Instant::ZERO);
        let mut sent = |now| {
            let now = Instant::ZERO + Duration::from_millis(now);
            std::iter::from_fn(|| plan.take(now)).filter(|planned| !planned.skipped).count()
        };
        assert_eq!([0, 49, 3_049, 3_050].map(&mut sent), [1, 49, 2, 1]);
        let slow = Schedule::Fixed(Interval::new(Duration::from_secs(10)).unwrap());
        let mut plan = SendPlan::new(slow, None, None);
        plan.start(Instant::ZERO);
        assert!(!plan.take(Instant::ZERO + Duration::from_secs(9)).unwrap().skipped);
    }

    #[test]
    fn the_total_time_ends_the_plan() {
        let mut plan = plan(None, Some(Duration::from_secs(1)));
        assert_eq!(std::iter::from_fn(|| plan.take(Instant::FAR_FUTURE)).count(), 2);
    }
}
