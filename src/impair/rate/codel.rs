//! Controlled delay (RFC 8289). A first-in, first-out queue of known rate knows at the arrival of a
//! packet when it will leave the queue, so each is judged on arrival, in the order of departure.
//!
//! RFC 8289 keeps the last packet of a queue however long it waited, which is not known on arrival: here
//! the target is at least the time of one full packet, and the effect is the same.

use crate::time::{Duration, Instant};
use crate::units::BitRate;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Codel {
    /// When the wait will have been above the target for an interval.
    first_above: Option<Instant>,
    dropping: bool,
    next_drop: Option<Instant>,
    count: u32,
    /// `count` when dropping began.
    began_with: u32,
}

impl Codel {
    const TARGET: Duration = Duration::from_millis(5);
    const INTERVAL: Duration = Duration::from_millis(100);
    const FULL_PACKET: u64 = 1_514;
    /// Dropping that begins so many intervals after it ended continues where it was.
    const MEMORY: i64 = 16;

    /// Whether the packet that leaves the queue at this time, after this wait, is dropped.
    pub(super) fn drops(&mut self, rate: BitRate, leaves: Instant, wait: Duration) -> bool {
        let target = Self::TARGET.max(rate.time_for(Self::FULL_PACKET));
        if wait < target {
            (self.first_above, self.dropping) = (None, false);
            return false;
        }
        let first_above = *self.first_above.get_or_insert(leaves + Self::INTERVAL);
        if leaves < first_above {
            self.dropping = false;
            return false;
        }
        if !self.dropping {
            self.begin(leaves);
            return true;
        }
        let Some(next_drop) = self.next_drop.filter(|next| leaves >= *next) else { return false };
        self.count += 1;
        self.next_drop = Some(self.control_law(next_drop));
        true
    }

    fn begin(&mut self, now: Instant) {
        self.dropping = true;
        let recent = self.next_drop.is_some_and(|next| now - next < Self::INTERVAL * Self::MEMORY);
        let grown = self.count - self.began_with;
        self.count = if recent && grown > 1 { grown } else { 1 };
        self.began_with = self.count;
        self.next_drop = Some(self.control_law(now));
    }

    /// Drops come closer with the square root of their number.
    fn control_law(&self, from: Instant) -> Instant {
        from + Self::INTERVAL.mul_f64(1.0 / f64::from(self.count).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    /// Packets that leave each millisecond after this wait; when they are dropped.
    fn drops(codel: &mut Codel, from: i64, to: i64, wait: i64) -> Vec<i64> {
        let rate = BitRate::new(100_000_000).unwrap();
        (from..to).filter(|&ms| codel.drops(rate, at(ms), Duration::from_millis(wait))).collect()
    }

    /// By hand from RFC 8289: an interval of grace, then gaps of 100 ms / sqrt(count).
    #[test]
    fn drops_begin_after_an_interval_and_come_closer() {
        let mut codel = Codel::default();
        assert_eq!(drops(&mut codel, 0, 450, 20), [100, 200, 271, 329, 379, 424]);
    }

    #[test]
    fn a_wait_below_the_target_ends_the_dropping() {
        let mut codel = Codel::default();
        assert!(drops(&mut codel, 0, 120, 4).is_empty());
        assert_eq!(drops(&mut codel, 0, 120, 20), [100]);
        assert!(drops(&mut codel, 120, 121, 4).is_empty());
        assert_eq!(drops(&mut codel, 121, 225, 20), [221], "another interval of grace");
    }

    #[test]
    fn a_slow_link_may_hold_one_full_packet() {
        let mut codel = Codel::default();
        let slow = BitRate::new(1_000_000).unwrap();
        let twelve = Duration::from_millis(12);
        assert!((0..1_000).all(|ms| !codel.drops(slow, at(ms), twelve)));
    }
}
