//! What leaves: runs of datagrams of one socket in one call.

use std::io;
use std::ops::Range;

use super::{Place, RelayEngine, RelayObservation};
use crate::endpoints::Endpoints;
use crate::impair::Direction;
use crate::net::sys::Batch;
use crate::relay::{DropCause, Fate, Header, Leaving};

/// Datagrams that leave through one socket.
pub(super) struct Outbox {
    batch: Batch,
    leaving: Vec<Leaving>,
    place: Place,
}

impl Outbox {
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
    pub(super) fn release(&mut self, on_record: &mut impl FnMut(RelayObservation)) {
        loop {
            let now = self.clock.now();
            if self.outbox.batch.is_full() {
                self.flush(on_record);
            }
            let Some(leaving) = self.relay.poll_transmit(now, self.outbox.batch.next_buffer()) else { break };
            self.queue_written(leaving, on_record);
        }
        self.flush(on_record);
    }

    /// Queues a datagram that stands in the inbox.
    pub(super) fn queue(
        &mut self,
        leaving: Leaving,
        bytes: Range<usize>,
        on_record: &mut impl FnMut(RelayObservation),
    ) {
        if self.outbox.batch.is_full() || exit(&leaving) != self.outbox.place {
            self.flush(on_record);
        }
        self.outbox.batch.next_buffer()[..bytes.len()].copy_from_slice(self.inbox.bytes(bytes));
        self.queue_written(leaving, on_record);
    }

    /// Queues the datagram in the next buffer, after what leaves through another socket.
    fn queue_written(&mut self, leaving: Leaving, on_record: &mut impl FnMut(RelayObservation)) {
        if self.relay.is_down(leaving.mapping) {
            return self.discard(&leaving, on_record);
        }
        let place = exit(&leaving);
        if place != self.outbox.place && !self.outbox.leaving.is_empty() {
            let datagram = self.outbox.batch.next_buffer()[..leaving.length].to_vec();
            self.flush(on_record);
            self.outbox.batch.next_buffer()[..leaving.length].copy_from_slice(&datagram);
        }
        let ttl = match leaving.header.ttl.map(|ttl| ttl.saturating_sub(1)) {
            // A relay that sends to itself ends here, as with a router.
            Some(0) => return self.record(leaving, false, on_record),
            ttl => ttl,
        };
        let header = Header { ttl, ..leaving.header };
        let path = match leaving.direction {
            Direction::Up => Endpoints { remote: self.listeners[leaving.mapping].upstream, local: None },
            Direction::Down => leaving.client,
        };
        self.outbox.place = place;
        self.outbox.batch.queue_written_with(path, header, leaving.length);
        self.outbox.leaving.push(leaving);
    }

    /// Sends what is queued; a datagram has its fate then.
    pub(super) fn flush(&mut self, on_record: &mut impl FnMut(RelayObservation)) {
        if self.outbox.leaving.is_empty() {
            return;
        }
        let Outbox { batch, leaving, place } = &mut self.outbox;
        let socket = match *place {
            Place::Listener(mapping) => self.listeners[mapping].socket.as_mut(),
            Place::Upstream(flow) => self.upstreams.get_mut(&flow).map(|upstream| &mut upstream.socket),
        };
        let could_not_open = socket.is_none();
        let mut errors: Vec<(usize, io::Error)> = Vec::new();
        if let Some(socket) = socket {
            socket.send_those(batch, &|_| true, &mut |index, error| {
                errors.push((index, io::Error::new(error.kind(), error.to_string())));
                false
            });
        }
        batch.clear_outgoing();
        let mut sent = std::mem::take(leaving);
        for (index, error) in &errors {
            let Leaving { mapping, flow, direction, .. } = sent[*index];
            let refused = direction == Direction::Up && error.kind() == io::ErrorKind::ConnectionRefused;
            on_record(match refused {
                true => RelayObservation::Refused { flow, mapping, at: self.clock.now() },
                false => self.socket_error(mapping, Some(flow), error),
            });
        }
        for (index, leaving) in sent.drain(..).enumerate() {
            let failed = could_not_open || errors.iter().any(|(at, _)| *at == index);
            self.record(leaving, !failed, on_record);
        }
        // Its memory serves again.
        self.outbox.leaving = sent;
    }

    fn record(&mut self, leaving: Leaving, sent: bool, on_record: &mut impl FnMut(RelayObservation)) {
        let fate: Fate = self.relay.sent(&leaving, sent);
        let released = self.clock.now();
        if leaving.due > leaving.arrived {
            let error = u64::try_from((released - leaving.due).as_nanos()).unwrap_or(0);
            self.release_errors.saturating_record(error);
        }
        on_record(RelayObservation::Sent { leaving, fate, released });
    }

    /// The mapping went down while it was held.
    fn discard(&mut self, leaving: &Leaving, on_record: &mut impl FnMut(RelayObservation)) {
        if let Some(dropped) = self.relay.discard(leaving, DropCause::Down) {
            let Leaving { arrived, length, header, .. } = *leaving;
            on_record(RelayObservation::Dropped { dropped, arrived, size: length, header });
        }
    }
}

fn exit(leaving: &Leaving) -> Place {
    match leaving.direction {
        Direction::Up => Place::Upstream(leaving.flow.number()),
        Direction::Down => Place::Listener(leaving.mapping),
    }
}
