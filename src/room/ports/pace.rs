//! The pace of knocks: 200 a second, repeated ones included, so that no host or filter takes them for a flood.

use crate::time::{Duration, Instant};

/// When the next knock may leave.
#[derive(Debug)]
pub struct Pace {
    next: Instant,
}

impl Pace {
    /// Between two knocks.
    pub const STEP: Duration = Duration::from_millis(5);

    /// The first knock may leave at once.
    pub fn new(now: Instant) -> Self {
        Self { next: now }
    }

    /// Each call is for one knock: it may leave at this time. Time that nobody used is not made up for.
    pub fn turn(&mut self, now: Instant) -> Instant {
        let turn = self.next.max(now);
        self.next = turn + Self::STEP;
        turn
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_second_has_more_than_200_knocks(pauses in proptest::collection::vec(0_i64..6_000, 201..600)) {
            let mut now = Instant::ZERO;
            let mut pace = Pace::new(now);
            let turns: Vec<Instant> = pauses
                .into_iter()
                .map(|pause| {
                    now += Duration::from_micros(pause);
                    pace.turn(now)
                })
                .collect();
            prop_assert!(turns.windows(201).all(|turns| turns[200] - turns[0] >= Duration::from_secs(1)));
        }
    }
}
