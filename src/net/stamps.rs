//! What the kernel's stamps, which are of the time of day, mean on the tool's own clock, also if the
//! time of day was set while they waited to be read. Reads no clock.

use crate::time::{Duration, Instant};

/// Follows how far the time of day leads, from one look at the sockets to the next.
#[derive(Clone, Copy, Debug)]
pub struct Stamps {
    /// What stamps of before a step lead by, and those of after it.
    before: Duration,
    after: Duration,
    /// What was stamped earlier has been read.
    since: Instant,
    /// When the look that goes on began.
    begun: Instant,
}

impl Stamps {
    /// Between steps both clocks run alike: what differs by less is how exactly they were read. Datagrams
    /// of one stamp that are read one after the other must not change their order by that.
    const READ_WITHIN: Duration = Duration::from_micros(1);
    /// A change of the time of day by more than this is a step, not a drift.
    const STEP: Duration = Duration::from_millis(1);
    /// Clocks are not read that exactly while something else wants to run.
    const SLACK: Duration = Duration::from_micros(100);

    pub fn new(lead: Duration, now: Instant) -> Self {
        Self { before: lead, after: lead, since: now, begun: now }
    }

    pub fn begin_look(&mut self, now: Instant) {
        self.begun = now;
    }

    /// The time of day leads by so much now. Returns what it was set by, if it was.
    pub fn note(&mut self, lead: Duration) -> Option<Duration> {
        let step = lead - self.after;
        if step.abs() > Self::READ_WITHIN {
            self.after = lead;
        }
        Some(step).filter(|step| step.abs() > Self::STEP)
    }

    /// All that was stamped before the look began has been read.
    pub fn end_look(&mut self) {
        self.before = self.after;
        self.since = self.begun;
    }

    /// The moment of a stamp that was just read; none if it is of neither time of day, as when that
    /// was set twice.
    pub fn moment(&self, stamp: Instant, now: Instant) -> Option<Instant> {
        let by = |lead: Duration| (stamp - lead).min(now);
        if (self.after - self.before).abs() <= Self::STEP {
            return Some(by(self.after));
        }
        let possible = |lead: Duration| {
            let moment = stamp - lead;
            let since_the_look = self.since - Self::SLACK <= moment && moment <= now + Self::SLACK;
            since_the_look.then(|| by(lead).max(self.since))
        };
        match (possible(self.before), possible(self.after)) {
            // The step was shorter than the time between two looks. It came at any moment of that, so
            // the more room a reading leaves for it the likelier it is.
            (Some(before), Some(after)) if now - before > after - self.since => Some(before),
            (before, after) => after.or(before),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn by(millis: i64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Looked at 100 ms when the time of day led by 40 ms; at 110 ms again, when it had been set.
    fn stepped(lead: Duration) -> Stamps {
        let mut stamps = Stamps::new(by(40), at(0));
        stamps.begin_look(at(100));
        stamps.end_look();
        stamps.begin_look(at(110));
        stamps.note(lead);
        stamps
    }

    #[test]
    fn a_reply_that_waited_across_a_step_keeps_its_moment_on_either_side_of_it() {
        for step in [-3_600_000, -500, -11, 11, 500, 3_600_000] {
            let lead = by(40 + step);
            let stamps = stepped(lead);
            let before = at(103) + by(40);
            let after = at(108) + lead;
            assert_eq!(stamps.moment(before, at(110)), Some(at(103)), "stamped before a step of {step} ms");
            assert_eq!(stamps.moment(after, at(110)), Some(at(108)), "stamped after a step of {step} ms");
        }
    }

    #[test]
    fn a_stamp_that_fits_neither_time_of_day_has_no_moment() {
        let stamps = stepped(by(540));
        for stamp in [at(200), at(400), at(700)] {
            assert_eq!(stamps.moment(stamp, at(110)), None);
        }
    }

    #[test]
    fn a_step_is_told_once_and_a_drift_is_none() {
        let mut stamps = Stamps::new(by(40), at(0));
        assert_eq!(stamps.note(by(41)), None);
        assert_eq!(stamps.note(by(42)), None);
        assert_eq!(stamps.note(by(-58)), Some(by(-100)));
        assert_eq!(stamps.note(by(-58)), None);
    }

    /// A train is stamped once, and may be read by two calls.
    #[test]
    fn how_exactly_the_clocks_are_read_changes_no_order() {
        let mut stamps = Stamps::new(by(40), at(0));
        let moments = [0, 90, -400, 999, -999].map(|nanos| {
            assert_eq!(stamps.note(by(40) + Duration::from_nanos(nanos)), None);
            stamps.moment(at(50), at(20))
        });
        assert_eq!(moments, [Some(at(10)); 5]);
        stamps.note(by(40) + Duration::from_nanos(2_000));
        assert_eq!(stamps.moment(at(50), at(20)), Some(at(10) - Duration::from_nanos(2_000)), "a drift");
    }

    /// Of a long queue the later batches, too, may have come before the step.
    #[test]
    fn both_times_of_day_count_until_all_of_before_is_read() {
        let mut stamps = stepped(by(540));
        stamps.note(by(540));
        assert_eq!(stamps.moment(at(143), at(111)), Some(at(103)));
        stamps.begin_look(at(112));
        assert_eq!(stamps.moment(at(144), at(112)), Some(at(104)), "the look before left something");
        stamps.end_look();
        stamps.begin_look(at(120));
        assert_eq!(stamps.moment(at(115) + by(540), at(120)), Some(at(115)));
        assert_eq!(stamps.moment(at(600), at(120)), Some(at(60)), "nothing is left to be told apart");
    }

    #[test]
    fn where_a_short_step_allows_both_times_of_day_the_likelier_counts() {
        let stamps = stepped(by(37));
        assert_eq!(stamps.moment(at(101) + by(40), at(110)), Some(at(101)), "the step came after it");
        assert_eq!(stamps.moment(at(109) + by(37), at(110)), Some(at(109)), "the step came before it");
        assert_eq!(stamps.moment(at(108) + by(40), at(110)), Some(at(108)), "the newer is of the future");
    }

    #[test]
    fn no_stamp_is_of_the_future() {
        let stamps = Stamps::new(by(40), at(100));
        assert_eq!(stamps.moment(at(110) + by(41), at(110)), Some(at(110)));
        let stamps = stepped(by(540));
        let just_after = at(110) + by(540) + Duration::from_micros(50);
        assert_eq!(stamps.moment(just_after, at(110)), Some(at(110)));
    }
}
