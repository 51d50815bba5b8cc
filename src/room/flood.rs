//! How much a member may say: 3 lines and 4 kB a second after a burst of 10 lines or 16 kB. What is more
//! is dropped with one notice; 60 s of it end the membership.

use crate::time::{Duration, Instant};

/// Two token buckets and how long they have been empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct FloodLimit {
    lines: Bucket,
    bytes: Bucket,
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
    const LINES_PER_SECOND: f64 = 3.0;
    const LINES_BURST: f64 = 10.0;
    const BYTES_PER_SECOND: f64 = 4_096.0;
    const BYTES_BURST: f64 = 16_384.0;
    const PATIENCE: Duration = Duration::from_secs(60);
    /// A row of dropped lines ends with this much time without one.
    const CALM: Duration = Duration::from_secs(5);

    pub(super) fn new(now: Instant) -> Self {
        Self {
            lines: Bucket::full(Self::LINES_PER_SECOND, Self::LINES_BURST, now),
            bytes: Bucket::full(Self::BYTES_PER_SECOND, Self::BYTES_BURST, now),
            flooding: None,
        }
    }

    pub(super) fn admit(&mut self, now: Instant, bytes: usize) -> Verdict {
        if self.lines.has(now, 1.0) && self.bytes.has(now, bytes as f64) {
            self.lines.take(1.0);
            self.bytes.take(bytes as f64);
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

#[derive(Clone, Copy, Debug)]
struct Bucket {
    rate: f64,
    most: f64,
    level: f64,
    filled: Instant,
}

impl Bucket {
    fn full(rate: f64, most: f64, now: Instant) -> Self {
        Self { rate, most, level: most, filled: now }
    }

    fn has(&mut self, now: Instant, amount: f64) -> bool {
        let gained = (now - self.filled).max(Duration::ZERO).as_secs_f64() * self.rate;
        self.level = (self.level + gained).min(self.most);
        self.filled = self.filled.max(now);
        self.level >= amount
    }

    fn take(&mut self, amount: f64) {
        self.level -= amount;
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
        let mut limit = FloodLimit::new(at(0));
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
        let mut limit = FloodLimit::new(at(0));
        let passed = (0..6).filter(|_| limit.admit(at(0), 4_096) == Verdict::Pass).count();
        assert_eq!(passed, 4);
        assert_eq!(limit.admit(at(1_000), 4_096), Verdict::Pass);
    }

    #[test]
    fn a_minute_of_flooding_ends_the_membership_and_a_pause_forgives() {
        let mut limit = FloodLimit::new(at(0));
        let mut verdicts = (0..59_000).step_by(100).map(|ms| limit.admit(at(ms), 20));
        assert!(verdicts.all(|verdict| verdict != Verdict::Expel));
        let last = (59_000..63_000).step_by(100).map(|ms| limit.admit(at(ms), 20)).last();
        assert_eq!(last, Some(Verdict::Expel));

        let mut calm = FloodLimit::new(at(0));
        for round in 0..5 {
            let from = round * 20_000;
            let verdicts: Vec<Verdict> = (0..20).map(|n| calm.admit(at(from + n * 100), 20)).collect();
            assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::DropAndTell).count(), 1);
            assert!(!verdicts.contains(&Verdict::Expel));
        }
    }
}
