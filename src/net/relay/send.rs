//! Sends: the datagrams that leave through one socket go in one call, even if those of others stand between them.

use std::io;
use std::ops::Range;

use super::upstreams::Upstreams;
use super::{Place, RelayEngine, RelayObservation, RelayObserver};
use crate::endpoints::Endpoints;
use crate::impair::Direction;
use crate::net::sys::Batch;
use crate::relay::{DropCause, Fate, FlowId, Header, Leaving};
use crate::time::Instant;

/// Datagrams that are to leave, in the order in which they were queued.
pub(super) struct Outbox {
    batch: Batch,
    queued: Vec<Queued>,
    /// Their numbers, sorted by socket.
    order: Vec<usize>,
}

/// It stands in the buffer of its number.
#[derive(Clone)]
struct Queued {
    leaving: Leaving,
    place: Place,
    header: Header,
    bytes: Range<usize>,
}

impl Outbox {
    pub(super) fn new(capacity: usize, longest: usize) -> Self {
        let (queued, order) = (Vec::with_capacity(capacity), Vec::with_capacity(capacity));
        Self { batch: Batch::new(capacity, longest), queued, order }
    }

    /// Where the next datagram is written.
    pub(super) fn next_buffer(&mut self) -> &mut [u8] {
        self.batch.next_buffer()
    }

    /// Whether something waits for a socket of this flow.
    pub(super) fn holds_for_server(&self, flow: FlowId) -> bool {
        let is_of =
            |queued: &Queued| queued.leaving.flow == flow && queued.leaving.direction == Direction::Up;
        self.queued.iter().any(is_of)
    }

    /// Datagrams of one socket stay in their order.
    fn sort_by_socket(&mut self) {
        let Self { queued, order, .. } = self;
        order.clear();
        order.extend(0..queued.len());
        if queued.windows(2).any(|pair| pair[0].place != pair[1].place) {
            order.sort_by_key(|number| queued[*number].place.number());
        }
    }
}

/// Datagrams that a socket refused: the place of each in its group, and why.
type Failed = Vec<(usize, String)>;

impl RelayEngine {
    /// Sends the held datagrams that are due.
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
        if self.outbox.batch.is_full() {
            self.flush(observer);
        }
        self.outbox.batch.next_buffer()[..bytes.len()].copy_from_slice(self.inbox.bytes(bytes));
        self.queue_written(leaving, observer);
    }

    /// Queues the datagram in the next buffer.
    fn queue_written(&mut self, leaving: Leaving, observer: &mut impl RelayObserver) {
        if self.relay.is_down(leaving.mapping) {
            return self.discard(leaving, DropCause::Down, observer);
        }
        // Its flow gave way to another one, and with it the socket to the server.
        if leaving.direction == Direction::Up && !self.relay.is_open(leaving.flow) {
            return self.discard(leaving, DropCause::Limit, observer);
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
        let place = exit(&self.upstreams, &leaving);
        let bytes = self.outbox.batch.keep_written(leaving.length);
        self.outbox.queued.push(Queued { leaving, place, header, bytes });
    }

    /// Sends the queued datagrams; each has its fate then.
    pub(super) fn flush(&mut self, observer: &mut impl RelayObserver) {
        if self.outbox.queued.is_empty() {
            return;
        }
        self.outbox.sort_by_socket();
        let (mut queued, order) =
            (std::mem::take(&mut self.outbox.queued), std::mem::take(&mut self.outbox.order));
        for group in order.chunk_by(|one, next| queued[*one].place == queued[*next].place) {
            let failed = self.send_group(&queued, group, observer);
            let released = self.clock.now();
            for (at, number) in group.iter().enumerate() {
                let why = failed.as_ref().map(|failed| failed.iter().find(|(failed, _)| *failed == at));
                let has_left = why == Some(None);
                if let Some(Some((_, why))) = why {
                    let Leaving { mapping, flow, .. } = queued[*number].leaving;
                    self.tell_error(mapping, Some(flow), why, observer);
                }
                self.settle(&queued[*number].leaving, *number, has_left, released, observer);
            }
        }
        self.outbox.batch.clear_outgoing();
        queued.clear();
        // Their memory serves again.
        (self.outbox.queued, self.outbox.order) = (queued, order);
    }

    /// Sends the group of one socket; `None` if that could not be opened.
    fn send_group(
        &mut self,
        queued: &[Queued],
        group: &[usize],
        observer: &mut impl RelayObserver,
    ) -> Option<Failed> {
        let (socket, server) = match queued[group[0]].place {
            Place::Listener(mapping) => (self.listeners[mapping].socket.as_mut()?, None),
            Place::Upstream(number) => {
                let upstream = self.upstreams.get_mut(number)?;
                (&mut upstream.socket, Some(upstream.remote))
            }
        };
        let batch = &mut self.outbox.batch;
        for number in group {
            let Queued { leaving, header, bytes, .. } = &queued[*number];
            let path = server.map_or(leaving.client, |remote| Endpoints { remote, local: None });
            batch.queue_with(path, *header, bytes.clone());
        }
        let mut failed = Failed::new();
        let mut refusals = 0;
        socket.send_those(batch, &|_| true, &mut |index, error| {
            // It is about a datagram that left earlier: this one has not been tried yet.
            if error.kind() == io::ErrorKind::ConnectionRefused && refusals < 2 * group.len() {
                refusals += 1;
                return true;
            }
            failed.push((index, error.to_string()));
            false
        });
        batch.clear_queue();
        let Leaving { mapping, flow, .. } = queued[group[0]].leaving;
        for _ in 0..refusals {
            self.note_refusal(mapping, flow, observer);
        }
        Some(failed)
    }

    /// A datagram in the buffer of this number has left, or has not.
    fn settle(
        &mut self,
        leaving: &Leaving,
        number: usize,
        has_left: bool,
        released: Instant,
        observer: &mut impl RelayObserver,
    ) {
        let fate: Fate = self.relay.sent(leaving, has_left);
        self.note_release_error(leaving, released);
        let payload = &self.outbox.batch.written(number)[..leaving.length];
        observer.observe(RelayObservation::Sent { leaving: *leaving, fate, released }, payload);
    }

    /// How late a held datagram left.
    fn note_release_error(&mut self, leaving: &Leaving, released: Instant) {
        if leaving.due > leaving.arrived {
            let error = u64::try_from((released - leaving.due).as_nanos()).unwrap_or(0);
            self.release_errors.saturating_record(error);
        }
    }

    /// It was still held when its mapping or flow ended or the relay stopped, and stands in the next buffer.
    pub(super) fn discard(&mut self, leaving: Leaving, cause: DropCause, observer: &mut impl RelayObserver) {
        if let Some(dropped) = self.relay.discard(&leaving, cause) {
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
