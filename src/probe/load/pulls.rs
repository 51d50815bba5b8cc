//! The requests for a load down: when the next one is due, and what it asks for.

use crate::time::{Duration, Instant};
use crate::wire::native::{Pull, Token};

#[derive(Debug)]
pub(super) struct Pulls {
    number: u32,
    next: Instant,
    /// Of the last request: when it was sent, bits a second of UDP payload, bytes of a packet.
    last: Option<(Instant, f64, u32)>,
}

impl Pulls {
    const INTERVAL: Duration = Duration::from_millis(50);
    /// A rate that differs by more is asked for at once.
    const CHANGED: f64 = 0.05;

    pub(super) fn new(now: Instant) -> Self {
        Self { number: 0, next: now, last: None }
    }

    /// When the next request is due, if the load shall have this rate.
    pub(super) fn next_due(&self, rate: f64, size: u32) -> Instant {
        match self.last {
            Some((_, last, last_size)) if last_size == size && (rate / last - 1.0).abs() <= Self::CHANGED => {
                self.next
            }
            _ => Instant::ZERO,
        }
    }

    /// The request that is due, and how long the load had ended before for want of one.
    pub(super) fn take(
        &mut self,
        now: Instant,
        token: Token,
        phase: u32,
        rate: f64,
        size: u32,
    ) -> Option<(Pull, Duration)> {
        if now < self.next_due(rate, size) {
            return None;
        }
        let late =
            self.last.map_or(Duration::ZERO, |(sent, ..)| now - sent - Pull::LASTS).max(Duration::ZERO);
        self.number += 1;
        self.last = Some((now, rate, size));
        self.next = now + Self::INTERVAL;
        let most = rate / 8.0 * Pull::LASTS.as_secs_f64();
        let budget = most.max(f64::from(size)).min(f64::from(u32::MAX)) as u32;
        Some((Pull { token, phase, number: self.number, rate: rate as u64, size, budget }, late))
    }

    /// A request that asks what the server grants.
    pub(super) fn question(&mut self, token: Token, phase: u32) -> Pull {
        self.number += 1;
        Pull { token, phase, number: self.number, rate: 0, size: 0, budget: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_leaves_each_50_ms_and_at_once_for_another_rate() {
        let at = |millis| Instant::from_nanos(1_000_000_000) + Duration::from_millis(millis);
        let mut pulls = Pulls::new(at(0));
        let mut take = |millis, rate| pulls.take(at(millis), Token(1), 1, rate, 1_000);
        let (first, late) = take(0, 8e6).unwrap();
        assert_eq!((first.number, first.budget, late), (1, 150_000, Duration::ZERO));
        assert!(take(49, 8.3e6).is_none());
        assert_eq!(take(49, 8.5e6).unwrap().0.number, 2);
        assert!(take(98, 8.5e6).is_none());
        let (_, late) = take(299, 8.5e6).unwrap();
        assert_eq!(late, Duration::from_millis(100));
    }
}
