//! When strays are told of: datagrams that no run without faults and forgers would see. They may come
//! in floods, so at most once a second.

use super::event::Event;
use super::settings::Counters;
use super::{Client, Phase};
use crate::time::{Duration, Instant};

#[derive(Debug)]
pub struct Strays {
    told: u64,
    next: Instant,
}

impl Strays {
    const PAUSE: Duration = Duration::from_secs(1);

    pub fn new(now: Instant) -> Self {
        Self { told: 0, next: now }
    }

    pub fn is_due(&self, now: Instant) -> bool {
        now >= self.next
    }

    fn tell(&mut self, now: Instant, counters: Counters) -> Option<Event> {
        let strays = counters.strays();
        (strays > self.told).then(|| {
            self.told = strays;
            self.next = now + Self::PAUSE;
            Event::Unexpected { at: now, counters }
        })
    }
}

impl Client {
    pub(super) fn tell_strays(&mut self, now: Instant) {
        // Before the first probe there is no time to tell it by; after the end nothing is told.
        if !matches!(self.phase, Phase::Opening | Phase::Done) {
            let event = self.strays.tell(now, self.counters);
            self.events.extend(event);
        }
    }
}
