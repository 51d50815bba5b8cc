//! Packets at a rate that changes from moment to moment, in short trains.

use crate::time::{Duration, Instant};

/// Says when packets are due. Those that are due within 300 us leave together, up to 8 kB.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    next: Instant,
    /// Packets of the present train that are still to leave.
    train: u64,
    missed: u64,
}

impl Pacer {
    const TRAIN: Duration = Duration::from_micros(300);
    /// A longer train overflows a queue of 64 kB at 1 Gbit/s.
    const TRAIN_BYTES: u64 = 8_000;
    /// Packets that are later than this do not leave: they would arrive as a burst.
    const MAX_LAG: Duration = Duration::from_millis(10);

    /// The first packet is due now.
    pub fn new(now: Instant) -> Self {
        Self { next: now, train: 0, missed: 0 }
    }

    /// When the next train is due.
    pub fn next_due(&self) -> Instant {
        self.next
    }

    /// Packets that were due and never left, because the sender was late.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// Whether a packet of `size` bytes is due now, one in each `gap` (in seconds).
    pub fn take(&mut self, now: Instant, gap: f64, size: u32) -> bool {
        if self.train == 0 {
            self.train = self.next_train(now, gap, size);
        }
        let is_due = self.train > 0;
        self.train -= u64::from(is_due);
        is_due
    }

    fn next_train(&mut self, now: Instant, gap: f64, size: u32) -> u64 {
        if now < self.next {
            return 0;
        }
        let lag = now - self.next;
        if lag > Self::MAX_LAG && lag.as_secs_f64() > 2.0 * gap {
            self.missed += (lag.as_secs_f64() / gap) as u64;
            self.next = now;
        }
        let train = (Self::TRAIN.as_secs_f64() / gap) as u64;
        let count = train.clamp(1, (Self::TRAIN_BYTES / u64::from(size)).max(1));
        self.next += Duration::from_secs_f64(gap * count as f64);
        count
    }

    /// After a pause in which nothing was to leave: the next packet is not due before now.
    pub fn resume(&mut self, now: Instant) {
        self.next = self.next.max(now);
        self.train = 0;
    }

    /// The rate has changed: the next packet is not due later than one `gap` from now.
    pub fn hurry(&mut self, now: Instant, gap: f64) {
        self.next = self.next.min(now + Duration::from_secs_f64(gap));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Polls each millisecond for a second.
    fn sent(gap: f64, size: u32, pause: std::ops::Range<i64>) -> (u64, u64) {
        let mut pacer = Pacer::new(Instant::ZERO);
        let mut sent = 0;
        for ms in (0..1_000).filter(|ms| !pause.contains(ms)) {
            let now = Instant::ZERO + Duration::from_millis(ms);
            while pacer.take(now, gap, size) {
                sent += 1;
            }
        }
        (sent, pacer.missed())
    }

    #[test]
    fn as_many_packets_leave_as_the_rate_says_however_they_are_grouped() {
        assert_eq!(sent(0.01, 1_300, 0..0), (100, 0));
        let (many, missed) = sent(0.000_05, 1_300, 0..0);
        assert!((19_970..=20_020).contains(&many) && missed == 0, "{many}, {missed}");
    }

    #[test]
    fn what_a_pause_kept_from_leaving_is_counted_and_not_sent_in_a_burst() {
        let (sent, missed) = sent(0.001, 1_300, 400..600);
        assert!((790..=815).contains(&sent), "{sent}");
        assert!((185..=200).contains(&missed), "{missed}");
    }

    #[test]
    fn a_higher_rate_begins_at_once() {
        let mut pacer = Pacer::new(Instant::ZERO);
        assert!(pacer.take(Instant::ZERO, 1.0, 1_300) && !pacer.take(Instant::ZERO, 1.0, 1_300));
        pacer.hurry(Instant::ZERO, 0.01);
        assert_eq!(pacer.next_due(), Instant::ZERO + Duration::from_millis(10));
    }
}
