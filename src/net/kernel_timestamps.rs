//! Kernel timestamps are of the wall clock. Here they become monotonic, also when the wall clock is set while they
//! wait to be read. Reads no clock.

use crate::time::{Duration, Instant};

/// The offset of the wall clock from the monotonic one, from one poll of the sockets to the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct StampMapper {
    /// Before the last step of the wall clock, and after it.
    before: Duration,
    after: Duration,
    /// Every timestamp from before this has been read.
    since: Instant,
    /// When the poll that goes on began.
    begun: Instant,
}

impl StampMapper {
    /// A smaller difference is the error of reading both clocks. Datagrams of one GRO train share a timestamp, and
    /// keep their order when they are read by several calls.
    const READ_WITHIN: Duration = Duration::from_micros(1);
    /// A larger change of the offset is a step, a smaller one a drift.
    const STEP: Duration = Duration::from_millis(1);
    /// The clocks are read less exactly while another thread interrupts.
    const SLACK: Duration = Duration::from_micros(100);

    pub(super) fn new(offset: Duration, now: Instant) -> Self {
        Self { before: offset, after: offset, since: now, begun: now }
    }

    pub(super) fn begin_poll(&mut self, now: Instant) {
        self.begun = now;
    }

    /// The offset now. Returns what the wall clock was set by, if it was.
    pub(super) fn update_offset(&mut self, offset: Duration) -> Option<Duration> {
        let step = offset - self.after;
        if step.abs() > Self::READ_WITHIN {
            self.after = offset;
        }
        Some(step).filter(|step| step.abs() > Self::STEP)
    }

    /// Every timestamp from before the poll began has been read.
    pub(super) fn end_poll(&mut self) {
        self.before = self.after;
        self.since = self.begun;
    }

    /// A timestamp that was just read. None if it fits neither offset, as when the wall clock was set twice.
    pub(super) fn to_monotonic(self, stamp: Instant, now: Instant) -> Option<Instant> {
        let by = |offset: Duration| (stamp - offset).min(now);
        if (self.after - self.before).abs() <= Self::STEP {
            return Some(by(self.after));
        }
        let possible = |offset: Duration| {
            let moment = stamp - offset;
            let since_the_poll = self.since - Self::SLACK <= moment && moment <= now + Self::SLACK;
            since_the_poll.then(|| by(offset).max(self.since))
        };
        match (possible(self.before), possible(self.after)) {
            // The step was shorter than the time between two polls, so both fit. It came at any moment in between:
            // the reading that leaves more time for it is the likelier one.
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

    /// Polled at 100 ms, when the offset was 40 ms, and at 110 ms, when the wall clock had been set.
    fn stepped(offset: Duration) -> StampMapper {
        let mut stamps = StampMapper::new(by(40), at(0));
        stamps.begin_poll(at(100));
        stamps.end_poll();
        stamps.begin_poll(at(110));
        stamps.update_offset(offset);
        stamps
    }

    #[test]
    fn a_reply_that_waited_across_a_step_keeps_its_moment_on_either_side_of_it() {
        for step in [-3_600_000, -500, -11, 11, 500, 3_600_000] {
            let offset = by(40 + step);
            let stamps = stepped(offset);
            let before = at(103) + by(40);
            let after = at(108) + offset;
            assert_eq!(
                stamps.to_monotonic(before, at(110)),
                Some(at(103)),
                "stamped before a step of {step} ms"
            );
            assert_eq!(
                stamps.to_monotonic(after, at(110)),
                Some(at(108)),
                "stamped after a step of {step} ms"
            );
        }
    }

    #[test]
    fn a_stamp_that_fits_neither_time_of_day_has_no_moment() {
        let stamps = stepped(by(540));
        for stamp in [at(200), at(400), at(700)] {
            assert_eq!(stamps.to_monotonic(stamp, at(110)), None);
        }
    }

    #[test]
    fn a_step_is_told_once_and_a_drift_is_none() {
        let mut stamps = StampMapper::new(by(40), at(0));
        assert_eq!(stamps.update_offset(by(41)), None);
        assert_eq!(stamps.update_offset(by(42)), None);
        assert_eq!(stamps.update_offset(by(-58)), Some(by(-100)));
        assert_eq!(stamps.update_offset(by(-58)), None);
    }

    /// A train is stamped once, and may be read by two calls.
    #[test]
    fn how_exactly_the_clocks_are_read_changes_no_order() {
        let mut stamps = StampMapper::new(by(40), at(0));
        let moments = [0, 90, -400, 999, -999].map(|nanos| {
            assert_eq!(stamps.update_offset(by(40) + Duration::from_nanos(nanos)), None);
            stamps.to_monotonic(at(50), at(20))
        });
        assert_eq!(moments, [Some(at(10)); 5]);
        stamps.update_offset(by(40) + Duration::from_nanos(2_000));
        assert_eq!(
            stamps.to_monotonic(at(50), at(20)),
            Some(at(10) - Duration::from_nanos(2_000)),
            "a drift"
        );
    }

    /// Of a long queue the later batches, too, may have come before the step.
    #[test]
    fn both_times_of_day_count_until_all_of_before_is_read() {
        let mut stamps = stepped(by(540));
        stamps.update_offset(by(540));
        assert_eq!(stamps.to_monotonic(at(143), at(111)), Some(at(103)));
        stamps.begin_poll(at(112));
        assert_eq!(stamps.to_monotonic(at(144), at(112)), Some(at(104)), "the poll before left something");
        stamps.end_poll();
        stamps.begin_poll(at(120));
        assert_eq!(stamps.to_monotonic(at(115) + by(540), at(120)), Some(at(115)));
        assert_eq!(stamps.to_monotonic(at(600), at(120)), Some(at(60)), "nothing is left to be told apart");
    }

    #[test]
    fn where_a_short_step_allows_both_times_of_day_the_likelier_counts() {
        let stamps = stepped(by(37));
        assert_eq!(stamps.to_monotonic(at(101) + by(40), at(110)), Some(at(101)), "the step came after it");
        assert_eq!(stamps.to_monotonic(at(109) + by(37), at(110)), Some(at(109)), "the step came before it");
        assert_eq!(
            stamps.to_monotonic(at(108) + by(40), at(110)),
            Some(at(108)),
            "the newer is of the future"
        );
    }

    #[test]
    fn no_stamp_is_of_the_future() {
        let stamps = StampMapper::new(by(40), at(100));
        assert_eq!(stamps.to_monotonic(at(110) + by(41), at(110)), Some(at(110)));
        let stamps = stepped(by(540));
        let just_after = at(110) + by(540) + Duration::from_micros(50);
        assert_eq!(stamps.to_monotonic(just_after, at(110)), Some(at(110)));
    }
}
