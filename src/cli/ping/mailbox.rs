//! The way from the thread that measures to the one that shows and records. The first leaves here what it
//! observed and wakes the other only if somebody looks or there is much: to wake a thread takes longer
//! than what is measured.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::net::{Observation, Observer};
use crate::probe::Event;
use crate::time::Duration;

/// Somebody looks at each reply as it comes: it is told at once.
pub fn mailbox(watched: bool) -> (Observed, Mailbox) {
    let shared = Arc::new(Shared { left: Mutex::default(), changed: Condvar::new() });
    (Observed { shared: Arc::clone(&shared), batch: Vec::new(), watched }, Mailbox { shared, watched })
}

#[derive(Default)]
struct Left {
    /// As they were left: to append them to much would take long.
    batches: Vec<Vec<Observation>>,
    /// How many observations those are.
    count: usize,
    /// Nothing more will come.
    over: bool,
}

impl Left {
    fn take_in(&mut self, batch: &mut Vec<Observation>) {
        if !batch.is_empty() {
            self.count += batch.len();
            self.batches.push(std::mem::take(batch));
        }
    }
}

struct Shared {
    left: Mutex<Left>,
    changed: Condvar,
}

impl Shared {
    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of the thread that measures.
pub struct Observed {
    shared: Arc<Shared>,
    batch: Vec<Observation>,
    watched: bool,
}

impl Observed {
    const MUCH: usize = 1024;
    const VERY_MUCH: usize = 64 * Self::MUCH;

    /// Does not wait for the other thread, unless there is very much: it may not be running.
    fn leave(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let mut left = match self.shared.left.try_lock() {
            Ok(left) => left,
            Err(_) if self.batch.len() < Self::VERY_MUCH => return,
            Err(_) => self.shared.left(),
        };
        left.take_in(&mut self.batch);
        let much = left.count >= Self::MUCH;
        drop(left);
        if self.watched || much {
            self.shared.changed.notify_one();
        }
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        let mut left = self.shared.left();
        left.take_in(&mut self.batch);
        left.over = true;
        drop(left);
        self.shared.changed.notify_one();
    }
}

impl Observer for Observed {
    fn observe(&mut self, observation: Observation) {
        if !self.watched && matches!(observation, Observation::Event(Event::Reply { .. }, _)) {
            return;
        }
        self.batch.push(observation);
        if self.batch.len().is_multiple_of(Self::MUCH) {
            self.leave();
        }
    }

    fn idle(&mut self) {
        self.leave();
    }

    fn is_watched(&self) -> bool {
        self.watched
    }
}

/// What is found in a mailbox.
pub enum Found {
    Some(Vec<Vec<Observation>>),
    /// Nothing for as long as was waited.
    Nothing,
    /// Nothing, and nothing more will come.
    Over,
}

/// The end of the thread that shows and records.
pub struct Mailbox {
    shared: Arc<Shared>,
    watched: bool,
}

impl Mailbox {
    /// Whether somebody looks; else what is left here tells nobody that it is, and is to be looked for
    /// now and then.
    pub fn is_watched(&self) -> bool {
        self.watched
    }

    /// What was left here, or will be within this time.
    pub fn take(&self, patience: Duration) -> Found {
        let idle = |left: &mut Left| left.batches.is_empty() && !left.over;
        let waited = self.shared.changed.wait_timeout_while(self.shared.left(), patience.to_std(), idle);
        let (mut left, _) = waited.unwrap_or_else(PoisonError::into_inner);
        left.count = 0;
        match std::mem::take(&mut left.batches) {
            found if !found.is_empty() => Found::Some(found),
            _ if left.over => Found::Over,
            _ => Found::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Instant;

    const LONG: Duration = Duration::from_secs(60);

    fn tick(number: i64) -> Observation {
        Observation::Tick { now: Instant::from_nanos(number), in_flight: 0 }
    }

    fn numbers(found: Found) -> Option<Vec<i64>> {
        let Found::Some(found) = found else { return None };
        let number = |observation: &Observation| match observation {
            Observation::Tick { now, .. } => now.as_nanos(),
            _ => panic!("{observation:?}"),
        };
        Some(found.iter().flatten().map(number).collect())
    }

    #[test]
    fn what_is_left_is_found_in_order_and_once() {
        for watched in [false, true] {
            let (mut observed, mailbox) = mailbox(watched);
            (0..3).for_each(|number| observed.observe(tick(number)));
            assert_eq!(numbers(mailbox.take(Duration::ZERO)), None, "there was no time yet");
            observed.idle();
            observed.observe(tick(3));
            observed.idle();
            assert_eq!(numbers(mailbox.take(LONG)), Some(vec![0, 1, 2, 3]));
            assert!(matches!(mailbox.take(Duration::ZERO), Found::Nothing));
            observed.observe(tick(4));
            drop(observed);
            assert_eq!(numbers(mailbox.take(LONG)), Some(vec![4]));
            assert!(matches!(mailbox.take(LONG), Found::Over));
        }
    }

    #[test]
    fn who_waits_is_woken_where_somebody_looks_or_there_is_much_or_it_is_over() {
        let waits = |watched: bool, deed: fn(Observed)| {
            let (observed, mailbox) = mailbox(watched);
            let waiting = std::thread::spawn(move || mailbox.take(LONG));
            std::thread::sleep(std::time::Duration::from_millis(20));
            deed(observed);
            waiting.join().unwrap()
        };
        let one = |mut observed: Observed| {
            observed.observe(tick(1));
            observed.idle();
            // It must not be its end that wakes.
            std::mem::forget(observed);
        };
        assert_eq!(numbers(waits(true, one)), Some(vec![1]));
        let many = |mut observed: Observed| {
            (0..Observed::MUCH as i64).for_each(|number| observed.observe(tick(number)));
            std::mem::forget(observed);
        };
        assert_eq!(numbers(waits(false, many)).map(|found| found.len()), Some(Observed::MUCH));
        assert!(matches!(waits(false, drop), Found::Over));
    }
}
