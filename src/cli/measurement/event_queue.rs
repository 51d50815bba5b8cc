//! Queue from the measuring thread to the recording thread. It wakes the reader only if replies are shown as they
//! come, or at 1,024 observations: a futex wake takes longer than a short RTT.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::net::{Observation, Observer};
use crate::probe::Event;
use crate::time::Duration;

/// `watched`: each reply is shown as it comes, so that the reader is woken at once.
pub(super) fn event_queue(watched: bool) -> (EventSender, EventQueue) {
    let shared = Arc::new(Shared { queued: Mutex::default(), changed: Condvar::new() });
    (EventSender { shared: Arc::clone(&shared), batch: Vec::new(), watched }, EventQueue { shared, watched })
}

#[derive(Default)]
struct Queued {
    /// Not joined: appending to a long vector would take time.
    batches: Vec<Vec<Observation>>,
    /// Observations in all batches.
    count: usize,
    /// The sender is gone.
    over: bool,
}

impl Queued {
    fn push(&mut self, batch: &mut Vec<Observation>) {
        if !batch.is_empty() {
            self.count += batch.len();
            self.batches.push(std::mem::take(batch));
        }
    }
}

struct Shared {
    queued: Mutex<Queued>,
    changed: Condvar,
}

impl Shared {
    fn queued(&self) -> MutexGuard<'_, Queued> {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The measuring thread's end.
pub(super) struct EventSender {
    shared: Arc<Shared>,
    batch: Vec<Observation>,
    watched: bool,
}

impl EventSender {
    /// As many observations wake the reader.
    const WAKE_AT: usize = 1024;
    /// As many in the batch are worth waiting for the lock.
    const BLOCK_AT: usize = 64 * Self::WAKE_AT;

    /// Waits for the lock only with a very long batch: the reader may hold it while it is not running.
    fn send(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let mut queued = match self.shared.queued.try_lock() {
            Ok(queued) => queued,
            Err(_) if self.batch.len() < Self::BLOCK_AT => return,
            Err(_) => self.shared.queued(),
        };
        queued.push(&mut self.batch);
        let many = queued.count >= Self::WAKE_AT;
        drop(queued);
        if self.watched || many {
            self.shared.changed.notify_one();
        }
    }
}

impl Drop for EventSender {
    fn drop(&mut self) {
        let mut queued = self.shared.queued();
        queued.push(&mut self.batch);
        queued.over = true;
        drop(queued);
        self.shared.changed.notify_one();
    }
}

impl Observer for EventSender {
    fn observe(&mut self, observation: Observation) {
        if !self.watched && matches!(observation, Observation::Event { event: Event::Reply { .. }, .. }) {
            return;
        }
        self.batch.push(observation);
        if self.batch.len().is_multiple_of(Self::WAKE_AT) {
            self.send();
        }
    }

    fn idle(&mut self) {
        self.send();
    }

    fn is_watched(&self) -> bool {
        self.watched
    }
}

/// An item that the reader takes from the queue.
pub(super) enum Taken {
    Some(Vec<Vec<Observation>>),
    /// Nothing came within the time.
    Nothing,
    /// The queue is empty and the sender is gone.
    Over,
}

/// The recording thread's end.
pub(super) struct EventQueue {
    shared: Arc<Shared>,
    watched: bool,
}

impl EventQueue {
    /// Whether replies are shown as they come; if not, the reader has to poll.
    pub(super) fn is_watched(&self) -> bool {
        self.watched
    }

    /// Waits for observations up to this time.
    pub(super) fn take(&self, timeout: Duration) -> Taken {
        let idle = |queued: &mut Queued| queued.batches.is_empty() && !queued.over;
        let waited = self.shared.changed.wait_timeout_while(self.shared.queued(), timeout.to_std(), idle);
        let (mut queued, _) = waited.unwrap_or_else(PoisonError::into_inner);
        queued.count = 0;
        match std::mem::take(&mut queued.batches) {
            batches if !batches.is_empty() => Taken::Some(batches),
            _ if queued.over => Taken::Over,
            _ => Taken::Nothing,
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

    fn numbers(taken: Taken) -> Option<Vec<i64>> {
        let Taken::Some(taken) = taken else { return None };
        let number = |observation: &Observation| match observation {
            Observation::Tick { now, .. } => now.as_nanos(),
            _ => panic!("{observation:?}"),
        };
        Some(taken.iter().flatten().map(number).collect())
    }

    #[test]
    fn observations_are_taken_in_order_and_once() {
        for watched in [false, true] {
            let (mut sender, queue) = event_queue(watched);
            (0..3).for_each(|number| sender.observe(tick(number)));
            assert_eq!(numbers(queue.take(Duration::ZERO)), None, "it was not told to send");
            sender.idle();
            sender.observe(tick(3));
            sender.idle();
            assert_eq!(numbers(queue.take(LONG)), Some(vec![0, 1, 2, 3]));
            assert!(matches!(queue.take(Duration::ZERO), Taken::Nothing));
            sender.observe(tick(4));
            drop(sender);
            assert_eq!(numbers(queue.take(LONG)), Some(vec![4]));
            assert!(matches!(queue.take(LONG), Taken::Over));
        }
    }

    #[test]
    fn the_reader_is_woken_if_watched_or_at_many_observations_or_at_the_end() {
        let waits = |watched: bool, act: fn(EventSender)| {
            let (sender, queue) = event_queue(watched);
            let waiting = std::thread::spawn(move || queue.take(LONG));
            std::thread::sleep(std::time::Duration::from_millis(20));
            act(sender);
            waiting.join().unwrap()
        };
        let one = |mut sender: EventSender| {
            sender.observe(tick(1));
            sender.idle();
            // Its drop would wake the reader as well.
            std::mem::forget(sender);
        };
        assert_eq!(numbers(waits(true, one)), Some(vec![1]));
        let many = |mut sender: EventSender| {
            (0..EventSender::WAKE_AT as i64).for_each(|number| sender.observe(tick(number)));
            std::mem::forget(sender);
        };
        assert_eq!(numbers(waits(false, many)).map(|taken| taken.len()), Some(EventSender::WAKE_AT));
        assert!(matches!(waits(false, drop), Taken::Over));
    }
}
