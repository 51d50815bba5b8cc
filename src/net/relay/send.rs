//! What leaves: runs of datagrams of one socket in one call.

use std::io;
use std::ops::Range;

use super::upstreams::Upstreams;
use super::{Place, RelayEngine, RelayObservation, RelayObserver};
use crate::endpoints::Endpoints;
use crate::impair::Direction;
use crate::net::sys::Batch;
use crate::relay::{DropCause, Fate, Header, Leaving};
use crate::time::Instant;

/// Datagrams that leave through one socket.
pub(super) struct Outbox {
    batch: Batch,
    leaving: Vec<Leaving>,
    place: Place,
}

impl Outbox {
    /// Where the next datagram is written.
    pub(super) fn next_buffer(&mut self) -> &mut [u8] {
        self.batch.next_buffer()
    }

    pub(super) fn leaves_by(&self, place: Place) -> bool {
        self.place == place
    }

    pub(super) fn new(capacity: usize, longest: usize) -> Self {
        Self {
            batch: Batch::new(capacity, longest),
            leaving: Vec::with_capacity(capacity),
            place: Place::Listener(0),
        }
    }
}

impl RelayEngine {
    /// Sends what was held and is due.
    pub(super) fn release(&mut self, observer: &mut impl RelayObserver) {
        loop {
            let now = self.clock.now();
            if self.outbox.batch.is_full() {
                self.flush(observer);
            }
            let Some(leaving) = self.relay.poll_transmit(now, self.outbox.batch.next_buffer()) else { break };
            self.queue_written(leaving, observer);
        }
        self.flush(observer);
    }

    /// Queues a datagram that stands in the inbox.
    pub(super) fn queue(&mut self, leaving: Leaving, bytes: Range<usize>, observer: &mut impl RelayObserver) {
        if self.outbox.batch.is_full() || exit(&self.upstreams, &leaving) != self.outbox.place {
            self.flush(observer);
        }
        self.outbox.batch.next_buffer()[..bytes.len()].copy_from_slice(self.inbox.bytes(bytes));
        self.queue_written(leaving, observer);
    }

    /// Queues the datagram in the next buffer, after what leaves through another socket.
    fn queue_written(&mut self, leaving: Leaving, observer: &mut impl RelayObserver) {
        if self.relay.is_down(leaving.mapping) {
            return self.discard(leaving, observer);
        }
        let place = exit(&self.upstreams, &leaving);
        if place != self.outbox.place && !self.outbox.leaving.is_empty() {
            let datagram = self.outbox.batch.next_buffer()[..leaving.length].to_vec();
            self.flush(observer);
            self.outbox.batch.next_buffer()[..leaving.length].copy_from_slice(&datagram);
        }
        let ttl = match leaving.header.ttl.map(|ttl| ttl.saturating_sub(1)) {
            // A relay that sends to itself ends here, as with a router.
            Some(0) => {
                let fate = self.relay.sent(&leaving, false);
                let released = self.clock.now();
                let payload = &self.outbox.batch.next_buffer()[..leaving.length];
                return observer.observe(RelayObservation::Sent { leaving, fate, released }, payload);
            }
            ttl => ttl,
        };
        let header = Header { ttl, tos: leaving.tos };
        let path = match leaving.direction {
            Direction::Up => Endpoints { remote: self.listeners[leaving.mapping].upstream, local: None },
            Direction::Down => leaving.client,
        };
        self.outbox.place = place;
        self.outbox.batch.queue_written_with(path, header, leaving.length);
        self.outbox.leaving.push(leaving);
    }

    /// Sends what is queued; a datagram has its fate then.
    pub(super) fn flush(&mut self, observer: &mut impl RelayObserver) {
        if self.outbox.leaving.is_empty() {
            return;
        }
        let Outbox { batch, leaving, place } = &mut self.outbox;
        let socket = match *place {
            Place::Listener(mapping) => self.listeners[mapping].socket.as_mut(),
            Place::Upstream(number) => self.upstreams.get_mut(number).map(|upstream| &mut upstream.socket),
        };
        let could_not_open = socket.is_none();
        let mut errors: Vec<(usize, String)> = Vec::new();
        let mut refusals = 0;
        if let Some(socket) = socket {
            socket.send_those(batch, &|_| true, &mut |index, error| {
                // It is about a datagram that left earlier: this one has not been tried yet.
                if error.kind() == io::ErrorKind::ConnectionRefused && refusals < 2 * leaving.len() {
                    refusals += 1;
                    return true;
                }
                errors.push((index, error.to_string()));
                false
            });
        }
        batch.clear_outgoing();
        let mut sent = std::mem::take(leaving);
        let Leaving { mapping, flow, .. } = sent[0];
        for _ in 0..refusals {
            self.note_refusal(mapping, flow, observer);
        }
        let released = self.clock.now();
        for (index, leaving) in sent.drain(..).enumerate() {
            let error = errors.iter().find(|(at, _)| *at == index).map(|(_, why)| why.clone());
            let failed = could_not_open || error.is_some();
            if let Some(why) = error {
                let Leaving { mapping, flow, .. } = leaving;
                let flow = Some(flow);
                observer.observe(RelayObservation::SocketError { mapping, flow, at: released, why }, &[]);
            }
            let fate: Fate = self.relay.sent(&leaving, !failed);
            self.note_release_error(&leaving, released);
            let payload = &self.outbox.batch.written(index)[..leaving.length];
            observer.observe(RelayObservation::Sent { leaving, fate, released }, payload);
        }
        // Its memory serves again.
        self.outbox.leaving = sent;
    }

    /// How late a held datagram left.
    fn note_release_error(&mut self, leaving: &Leaving, released: Instant) {
        if leaving.due > leaving.arrived {
            let error = u64::try_from((released - leaving.due).as_nanos()).unwrap_or(0);
            self.release_errors.saturating_record(error);
        }
    }

    /// It was still held when its mapping went down or the relay stopped, and stands in the next buffer.
    pub(super) fn discard(&mut self, leaving: Leaving, observer: &mut impl RelayObserver) {
        if let Some(dropped) = self.relay.discard(&leaving, DropCause::Down) {
            let (fate, released) = (Fate::Dropped(dropped.cause), self.clock.now());
            let payload = &self.outbox.batch.next_buffer()[..leaving.length];
            observer.observe(RelayObservation::Sent { leaving, fate, released }, payload);
        }
    }
}

fn exit(upstreams: &Upstreams, leaving: &Leaving) -> Place {
    match leaving.direction {
        Direction::Up => Place::Upstream(upstreams.current(leaving.flow)),
        Direction::Down => Place::Listener(leaving.mapping),
    }
}
