//! The flood limit of a member: 3 lines and 4 kB a second after a burst of 10 lines or 16 kB. Lines beyond it
//! are dropped with one notice; 60 s of that end the membership.

use crate::meter::Meter;
use crate::time::{Duration, Instant};

/// Two limits, and since when lines are dropped.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FloodLimit {
    lines: Meter,
    bytes: Meter,
    /// Since when lines are dropped, and when the last one was.
    flooding: Option<(Instant, Instant)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    /// The first of a row: the member is told once.
    DropAndTell,
    Drop,
    /// It went on for too long.
    Expel,
}

impl FloodLimit {
    const PER_LINE: Duration = Duration::from_nanos(1_000_000_000 / 3);
    const LINES_BURST: i64 = 10;
    const BYTES_PER_SECOND: i64 = 4_096;
    const BYTES_BURST: i64 = 16_384;
    const PATIENCE: Duration = Duration::from_secs(60);
    /// A row of dropped lines ends with this much time without one.
    const CALM: Duration = Duration::from_secs(5);

    pub(super) fn admit(&mut self, now: Instant, bytes: usize) -> Verdict {
        let lines_burst = Self::PER_LINE * Self::LINES_BURST;
        let of_bytes = |bytes: i64| Duration::from_secs(bytes) / Self::BYTES_PER_SECOND;
        let cost = of_bytes(bytes.min(1 << 30) as i64);
        if self.lines.has_room(now, Self::PER_LINE, lines_burst)
            && self.bytes.has_room(now, cost, of_bytes(Self::BYTES_BURST))
        {
            self.lines.take(now, Self::PER_LINE);
            self.bytes.take(now, cost);
            return Verdict::Pass;
        }
        let row = self.flooding.filter(|(_, last)| now - *last <= Self::CALM);
        let since = row.map_or(now, |(since, _)| since);
        self.flooding = Some((since, now));
        match row {
            None => Verdict::DropAndTell,
            Some(_) if now - since >= Self::PATIENCE => Verdict::Expel,
            Some(_) => Verdict::Drop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn ten_lines_at_once_and_then_three_a_second() {
        let mut limit = FloodLimit::default();
        let passed = |limit: &mut FloodLimit, from: i64, to: i64, step: usize| {
            (from..to).step_by(step).filter(|ms| limit.admit(at(*ms), 20) == Verdict::Pass).count()
        };
        assert_eq!(passed(&mut limit, 0, 10, 1), 10);
        assert_eq!(limit.admit(at(11), 20), Verdict::DropAndTell);
        assert_eq!(limit.admit(at(12), 20), Verdict::Drop);
        assert_eq!(passed(&mut limit, 20, 10_020, 10), 30);
    }

    #[test]
    fn long_lines_are_counted_by_their_bytes() {
        let mut limit = FloodLimit::default();
        let passed = (0..6).filter(|_| limit.admit(at(0), 4_096) == Verdict::Pass).count();
        assert_eq!(passed, 4);
        assert_eq!(limit.admit(at(1_000), 4_096), Verdict::Pass);
    }

    #[test]
    fn a_minute_of_flooding_ends_the_membership_and_a_pause_forgives() {
        let mut limit = FloodLimit::default();
        let mut verdicts = (0..59_000).step_by(100).map(|ms| limit.admit(at(ms), 20));
        assert!(verdicts.all(|verdict| verdict != Verdict::Expel));
        let last = (59_000..63_000).step_by(100).map(|ms| limit.admit(at(ms), 20)).last();
        assert_eq!(last, Some(Verdict::Expel));

        let mut calm = FloodLimit::default();
        for round in 0..5 {
            let from = round * 20_000;
            let verdicts: Vec<Verdict> = (0..20).map(|n| calm.admit(at(from + n * 100), 20)).collect();
            assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::DropAndTell).count(), 1);
            assert!(!verdicts.contains(&Verdict::Expel));
        }
    }
}
