//! Rate-limited reports of datagrams that a run without faults and forgers would not see.

use std::net::SocketAddr;

use super::event::Event;
use super::settings::Counters;
use crate::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Unexpected {
    reported: u64,
    next: Instant,
    /// The address that the server last sent from, and when that was reported.
    moved: Option<(SocketAddr, Instant)>,
}

impl Unexpected {
    const PAUSE: Duration = Duration::from_secs(1);
    /// The same address is reported again after this time.
    const SAME_ADDRESS_PAUSE: Duration = Duration::from_secs(10);

    pub(super) fn new(now: Instant) -> Self {
        Self { reported: 0, next: now, moved: None }
    }

    /// The report, at most once a second.
    pub(super) fn poll(&mut self, now: Instant, counters: Counters) -> Option<Event> {
        if now < self.next { None } else { self.report(now, counters) }
    }

    /// The report of what came since the last one.
    pub(super) fn report(&mut self, now: Instant, counters: Counters) -> Option<Event> {
        let count = counters.unexpected();
        (count > self.reported).then(|| {
            self.reported = count;
            self.next = now + Self::PAUSE;
            Event::Unexpected { at: now, counters }
        })
    }

    /// A datagram of the session came from another address.
    pub(super) fn server_moved(&mut self, received: Instant, remote: SocketAddr) -> Option<Event> {
        let reported = self.moved.is_some_and(|(known, at)| {
            let pause = if known == remote { Self::SAME_ADDRESS_PAUSE } else { Self::PAUSE };
            received - at < pause
        });
        (!reported).then(|| {
            self.moved = Some((remote, received));
            Event::ServerMoved { at: received, remote }
        })
    }
}
