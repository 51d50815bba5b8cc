//! Jitter that keeps order: no packet is released before an earlier one.
//!
//! The draws stay the same; what is added to them depends on when the packets arrive, as in a
//! router's queue.

use crate::time::Instant;

#[derive(Clone, Copy, Debug)]
pub(in crate::impair) struct Order {
    latest: Instant,
}

impl Order {
    pub(in crate::impair) fn new() -> Self {
        Self { latest: Instant::from_nanos(i64::MIN) }
    }

    /// The release time of a packet that would otherwise leave at this time.
    pub(in crate::impair) fn keep(&mut self, release: Instant) -> Instant {
        self.latest = self.latest.max(release);
        self.latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_packet_leaves_before_an_earlier_one() {
        let mut order = Order::new();
        let kept = [30, 10, 40, 20].map(|at| order.keep(Instant::from_nanos(at)).as_nanos());
        assert_eq!(kept, [30, 30, 40, 40]);
    }
}
