//! Probes whose time went by while this host stood still: those in a row are told as one.

use super::Client;
use super::event::Event;
use super::send_plan::Planned;
use crate::time::{Duration, Instant};

#[derive(Debug, Default)]
pub struct Oversleeping(Option<Suspended>);

#[derive(Clone, Copy, Debug)]
struct Suspended {
    first_seq: u64,
    probes: u64,
    late: Duration,
}

impl Oversleeping {
    /// This probe is not sent any more.
    pub fn note(&mut self, planned: &Planned, now: Instant) {
        let begun = Suspended { first_seq: planned.seq, probes: 0, late: now - planned.due };
        self.0.get_or_insert(begun).probes += 1;
    }

    /// The row is over, if there was one.
    fn end(&mut self) -> Option<Event> {
        let Suspended { first_seq, probes, late } = self.0.take()?;
        Some(Event::Suspended { first_seq, probes, late })
    }
}

impl Client {
    pub(super) fn tell_overslept(&mut self) {
        if let Some(event) = self.oversleeping.end() {
            self.events.push_back(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_told_once_and_is_as_late_as_its_first() {
        let mut oversleeping = Oversleeping::default();
        assert_eq!(oversleeping.end(), None);
        let now = Instant::from_nanos(10_000);
        for seq in 3..6 {
            let due = Instant::from_nanos(1000 * seq as i64);
            let interval = Duration::from_nanos(1000);
            oversleeping.note(&Planned { seq, due, interval, at_floor: false, overslept: true }, now);
        }
        let late = Duration::from_nanos(7000);
        assert_eq!(oversleeping.end(), Some(Event::Suspended { first_seq: 3, probes: 3, late }));
        assert_eq!(oversleeping.end(), None);
    }
}
