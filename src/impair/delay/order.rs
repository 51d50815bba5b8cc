//! Jitter that keeps order: nothing is released before what came earlier.
//!
//! The draws stay what they are; what is added to them so that the order holds depends on when
//! the probes come, as it does in a router's queue.

use crate::time::Instant;

#[derive(Clone, Copy, Debug)]
pub(in crate::impair) struct Order {
    latest: Instant,
}

impl Order {
    pub(in crate::impair) fn new() -> Self {
        Self { latest: Instant::from_nanos(i64::MIN) }
    }

    /// When something may leave that would leave at this time by itself.
    pub(in crate::impair) fn keep(&mut self, release: Instant) -> Instant {
        self.latest = self.latest.max(release);
        self.latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_before_what_came_earlier() {
        let mut order = Order::new();
        let kept = [30, 10, 40, 20].map(|at| order.keep(Instant::from_nanos(at)).as_nanos());
        assert_eq!(kept, [30, 30, 40, 40]);
    }
}
