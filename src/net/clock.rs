//! The only clock. Monotonic, and anchored to the time of day once, so that two hosts whose clocks
//! agree have comparable instants, and a clock that is set never moves them.

use std::time::{Instant as StdInstant, SystemTime, UNIX_EPOCH};

use crate::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub struct Clock {
    anchor: StdInstant,
    /// The time of day at the anchor, in nanoseconds since 1970.
    anchor_wall: i64,
}

impl Clock {
    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn start() -> Self {
        Self { anchor: StdInstant::now(), anchor_wall: wall() }
    }

    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> Instant {
        Instant::from_nanos(self.anchor_wall) + Duration::from(self.anchor.elapsed())
    }

    /// How far the time of day is ahead of this clock by now: zero but for what it was set by. Of
    /// several readings the tightest counts: one that was interrupted is off by half the pause.
    pub fn wall_lead(&self) -> Duration {
        const TIGHT: Duration = Duration::from_nanos(500);
        const TRIES: usize = 8;
        let mut best = (Duration::MAX, Duration::ZERO);
        for _ in 0..TRIES {
            let before = self.now();
            let wall = Instant::from_nanos(wall());
            let width = self.now() - before;
            best = best.min((width, wall - (before + width / 2)));
            if width <= TIGHT {
                break;
            }
        }
        best.1
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the clock")]
fn wall() -> i64 {
    // Before 1970 and after 2262 there is no telling the time of day.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(0))
}
