//! Limits log lines per second and counts the suppressed ones, so that a storm of errors fills no disk. Pure; `now`
//! is an argument.

use crate::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct LogLimit {
    max: u32,
    /// The current second, and its lines.
    began: Option<Instant>,
    lines: u32,
    suppressed: u64,
    suppressed_in_total: u64,
}

impl LogLimit {
    const SECOND: Duration = Duration::from_secs(1);

    pub(super) fn new(max: u32) -> Self {
        Self { max, began: None, lines: 0, suppressed: 0, suppressed_in_total: 0 }
    }

    /// Whether one more line is allowed. Call `take_suppressed` first.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        if self.is_over(now) {
            self.began = Some(now);
            self.lines = 0;
        }
        let room = self.lines < self.max;
        self.lines += u32::from(room);
        self.suppressed += u64::from(!room);
        self.suppressed_in_total += u64::from(!room);
        room
    }

    /// The number of lines suppressed in a second that is over by now; each is returned once.
    pub(super) fn take_suppressed(&mut self, now: Instant) -> Option<u64> {
        let suppressed = if self.is_over(now) { std::mem::take(&mut self.suppressed) } else { 0 };
        (suppressed > 0 && self.max > 0).then_some(suppressed)
    }

    pub(super) fn suppressed_in_total(&self) -> u64 {
        self.suppressed_in_total
    }

    fn is_over(&self, now: Instant) -> bool {
        // A clock that was set back starts a new second, too.
        self.began.is_none_or(|began| !(began..began + Self::SECOND).contains(&now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Instant {
        Instant::from_nanos(5_000_000_000) + Duration::from_millis(millis)
    }

    #[test]
    fn lines_above_the_limit_are_counted_and_their_number_is_returned_once() {
        let mut limit = LogLimit::new(3);
        let admitted = (0..100).filter(|k| limit.admits(at(k * 5))).count();
        assert_eq!((admitted, limit.take_suppressed(at(999))), (3, None));
        assert_eq!((limit.take_suppressed(at(1000)), limit.take_suppressed(at(1000))), (Some(97), None));
        assert!(limit.admits(at(1000)) && limit.admits(at(1999)) && limit.admits(at(1999)));
        assert!(!limit.admits(at(1999)));
        // The next second begins with the next line, whenever that is.
        assert_eq!(limit.take_suppressed(at(60_000)), Some(1));
        assert!(limit.admits(at(60_000)));
        assert_eq!((limit.take_suppressed(at(99_000)), limit.suppressed_in_total()), (None, 98));
    }

    #[test]
    fn a_clock_set_back_suppresses_nothing() {
        let mut limit = LogLimit::new(1);
        assert!(limit.admits(at(0)) && !limit.admits(at(10)));
        assert!(limit.admits(at(-3_600_000)));
    }

    #[test]
    fn a_limit_of_zero_allows_no_line_and_counts_all() {
        let mut limit = LogLimit::new(0);
        assert!(
            (0..10).all(|k| !limit.admits(at(k * 1000)) && limit.take_suppressed(at(k * 1000)).is_none())
        );
        assert_eq!(limit.suppressed_in_total(), 10);
    }
}
