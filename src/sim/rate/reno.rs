//! A greedy TCP Reno flow: slow start, congestion avoidance, half the window at a loss.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::time::{Duration, Instant};

/// Bytes of a packet of others.
pub(super) const PACKET: usize = 1_200;

#[derive(Debug)]
pub(super) struct Reno {
    rtt: Duration,
    /// Packets in flight that are allowed.
    window: f64,
    threshold: f64,
    in_flight: u32,
    /// Acknowledgements on their way: when they come, and whether the packet was lost.
    news: BinaryHeap<Reverse<(Instant, bool)>>,
    now: Instant,
    /// Losses of one round trip count once.
    reduced_at: Instant,
}

impl Reno {
    pub(super) fn new(rtt: Duration, start: Instant) -> Self {
        Self {
            rtt,
            window: 10.0,
            threshold: f64::INFINITY,
            in_flight: 0,
            news: BinaryHeap::new(),
            now: start,
            reduced_at: start,
        }
    }

    fn has_room(&self) -> bool {
        f64::from(self.in_flight) < self.window
    }

    pub(super) fn next(&self) -> Instant {
        match self.news.peek() {
            Some(Reverse((at, _))) if !self.has_room() => *at,
            _ => self.now,
        }
    }

    /// Learns what has come, or sends a packet; true if one passed. `pass` is the wait at the bottleneck.
    pub(super) fn step(&mut self, pass: impl FnOnce(usize) -> Option<Duration>) -> bool {
        if !self.has_room()
            && let Some(Reverse((at, lost))) = self.news.pop()
        {
            self.now = self.now.max(at);
            self.learn(lost);
            return false;
        }
        let wait = pass(PACKET);
        self.in_flight += 1;
        // Three later acknowledgements tell of a loss, about a round trip after it.
        let known = self.now + self.rtt + wait.unwrap_or_default();
        self.news.push(Reverse((known, wait.is_none())));
        wait.is_some()
    }

    fn learn(&mut self, lost: bool) {
        self.in_flight -= 1;
        if lost && self.now - self.reduced_at >= self.rtt {
            self.window = (self.window / 2.0).max(2.0);
            self.threshold = self.window;
            self.reduced_at = self.now;
        } else if !lost {
            self.window += if self.window < self.threshold { 1.0 } else { 1.0 / self.window };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::impair::{Bottleneck, RateLimit};

    /// 10 Mbit with a queue of the path's own bandwidth-delay product: Reno keeps it busy.
    #[test]
    fn alone_it_fills_the_link() {
        let (limit, mut link): (RateLimit, _) = ("10Mbit,queue=50k".parse().unwrap(), Bottleneck::default());
        let mut reno = Reno::new(Duration::from_millis(40), Instant::ZERO);
        let mut passed = 0;
        while reno.next() < Instant::ZERO + Duration::from_secs(30) {
            let now = reno.next();
            passed += u64::from(reno.step(|bytes| link.pass(limit, 1, now, bytes)));
        }
        let rate = passed as f64 * PACKET as f64 * 8.0 / 30.0;
        assert!((9.3e6..=10.1e6).contains(&rate), "{rate}");
        assert!(reno.window < 150.0, "it has met losses: {}", reno.window);
    }
}
