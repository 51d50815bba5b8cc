//! Probes that were skipped because this host was suspended or stalled; successive ones are one event.

use super::event::Event;
use super::send_plan::Planned;
use crate::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(super) struct Suspended(Option<Skipped>);

#[derive(Clone, Copy, Debug)]
struct Skipped {
    first_seq: u64,
    probes: u64,
    late: Duration,
}

impl Suspended {
    /// This probe is skipped.
    pub(super) fn skip(&mut self, planned: &Planned, now: Instant) {
        let first = Skipped { first_seq: planned.seq, probes: 0, late: now - planned.due };
        self.0.get_or_insert(first).probes += 1;
    }

    /// The next probe is sent: reports those skipped before it, if any.
    pub(super) fn end(&mut self) -> Option<Event> {
        let Skipped { first_seq, probes, late } = self.0.take()?;
        Some(Event::Suspended { first_seq, probes, late })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn successive_skipped_probes_are_one_event_with_the_lateness_of_the_first() {
        let mut suspended = Suspended::default();
        assert_eq!(suspended.end(), None);
        let now = Instant::from_nanos(10_000);
        for seq in 3..6 {
            let due = Instant::from_nanos(1000 * seq as i64);
            let interval = Duration::from_nanos(1000);
            suspended.skip(&Planned { seq, due, interval, at_floor: false, skipped: true }, now);
        }
        let late = Duration::from_nanos(7000);
        assert_eq!(suspended.end(), Some(Event::Suspended { first_seq: 3, probes: 3, late }));
        assert_eq!(suspended.end(), None);
    }
}
