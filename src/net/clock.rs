//! The only clock. Monotonic, and anchored to the wall clock once, so that two hosts whose clocks agree have
//! comparable instants, and setting the wall clock never moves them.

use std::time::{Instant as StdInstant, SystemTime, UNIX_EPOCH};

use crate::time::{Duration, Instant};

/// The monotonic clock, counted from the moment at which it was started.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    anchor: StdInstant,
    /// The wall clock at the anchor, in nanoseconds since 1970.
    anchor_wall: i64,
}

impl Clock {
    /// A clock whose zero is now.
    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn start() -> Self {
        Self { anchor: StdInstant::now(), anchor_wall: wall() }
    }

    /// Time since the start.
    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> Instant {
        Instant::from_nanos(self.anchor_wall) + Duration::from(self.anchor.elapsed())
    }

    /// Reads nothing but the clock until that moment.
    pub fn spin_until(&self, moment: Instant) {
        while self.now() < moment {
            std::hint::spin_loop();
        }
    }

    /// How far the wall clock is ahead of this clock now: zero unless it was set.
    pub fn wall_offset(&self) -> Duration {
        const TRIES: usize = 8;
        let read = || Reading { before: self.now(), wall: Instant::from_nanos(wall()), after: self.now() };
        tightest(std::iter::repeat_with(read).take(TRIES)).map_or(Duration::ZERO, |reading| reading.offset())
    }
}

/// The wall clock, and this clock read before and after it.
#[derive(Clone, Copy, Debug)]
struct Reading {
    before: Instant,
    wall: Instant,
    after: Instant,
}

impl Reading {
    fn width(self) -> Duration {
        self.after - self.before
    }

    /// As if the wall clock was read in the middle: off by half the width at most.
    fn offset(self) -> Duration {
        self.wall - (self.before + self.width() / 2)
    }
}

/// The reading that was interrupted least; the first within 500 ns ends the search.
fn tightest(readings: impl Iterator<Item = Reading>) -> Option<Reading> {
    const TIGHT: Duration = Duration::from_nanos(500);
    let mut best: Option<Reading> = None;
    for reading in readings {
        if best.is_none_or(|best| reading.width() < best.width()) {
            best = Some(reading);
        }
        if reading.width() <= TIGHT {
            break;
        }
    }
    best
}

#[allow(clippy::disallowed_methods, reason = "this is the clock")]
fn wall() -> i64 {
    // Before 1970 and after 2262 the nanoseconds do not fit.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clocks that differ by `OFFSET`; the reading begins at `at` and takes a hundred nanoseconds, but
    /// for two pauses: before and after the time of day is asked.
    fn reading(at: i64, pauses: [i64; 2]) -> Reading {
        let asked = at + 50 + pauses[0];
        let [before, wall, after] = [at, asked + OFFSET, asked + 50 + pauses[1]].map(Instant::from_nanos);
        Reading { before, wall, after }
    }

    #[test]
    fn a_spin_ends_at_its_moment_and_never_before() {
        let clock = Clock::start();
        let moment = clock.now() + Duration::from_millis(1);
        clock.spin_until(moment);
        assert!(clock.now() >= moment);
        // A moment that is over is not waited for.
        clock.spin_until(Instant::ZERO);
    }

    const OFFSET: i64 = 7_000;
    const PAUSE: i64 = 4_000_000;

    fn offset(readings: impl IntoIterator<Item = Reading>) -> i64 {
        tightest(readings.into_iter()).expect("a reading").offset().as_nanos()
    }

    /// One reading alone would be off by half the pause, as the last lines say.
    #[test]
    fn an_interrupted_reading_does_not_count() {
        for pauses in [[PAUSE, 0], [0, PAUSE]] {
            let interrupted = reading(0, pauses);
            assert_eq!(offset([interrupted, reading(2 * PAUSE, [0, 0])]), OFFSET);
            let alone = offset([interrupted]) - OFFSET;
            assert_eq!(alone.abs(), PAUSE / 2);
        }
    }

    #[test]
    fn of_interrupted_readings_the_tightest_counts_whichever_it_is() {
        let pauses = [[90_000, 0], [0, 2_000], [70_000, 70_000], [0, 1_000_000]];
        for turn in 0..pauses.len() {
            let mut pauses = pauses;
            pauses.rotate_left(turn);
            assert_eq!(offset(pauses.map(|pauses| reading(0, pauses))), OFFSET - 1_000);
        }
    }

    /// The clocks are read no more often than it takes.
    #[test]
    fn the_first_tight_reading_is_the_last() {
        let mut asked = 0;
        let read = || {
            asked += 1;
            reading(asked, [if asked < 3 { PAUSE } else { 0 }, 0])
        };
        let found = tightest(std::iter::repeat_with(read).take(8)).expect("a reading");
        assert_eq!((found.offset().as_nanos(), asked), (OFFSET, 3));
    }

    #[test]
    fn no_reading_is_none() {
        assert!(tightest(std::iter::empty()).is_none());
    }
}
