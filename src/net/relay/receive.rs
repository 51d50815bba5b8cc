//! Receives from clients and servers: each datagram is treated as of the moment at which the kernel received it.

use std::io;
use std::net::SocketAddr;

use super::{Listener, Place, RelayEngine, RelayObservation, RelayObserver};
use crate::endpoints::Endpoints;
use crate::net::socket_errors::Severity;
use crate::net::sys::{Arrival, ReadySet};
use crate::relay::{Decision, FlowId, Happening, Header, MappingId, Nat, Sender, Side};

/// A listening socket, or that of a flow.
#[derive(Clone, Copy)]
struct Source {
    mapping: MappingId,
    /// None for the clients of the mapping.
    flow: Option<FlowId>,
    /// Among the ports that the flow has had.
    port: u32,
}

impl Source {
    fn side(self, path: Endpoints, server: SocketAddr) -> Side {
        let Self { flow, port, .. } = self;
        let sender = match path.remote {
            remote if remote == server => Sender::Server,
            remote if remote.ip() == server.ip() => Sender::OtherPort,
            _ => Sender::OtherAddress,
        };
        flow.map_or(Side::Client(path), |flow| Side::Server { flow, port, sender })
    }
}

impl RelayEngine {
    /// Handles a batch of each of these sockets. Whether one was full, so that more is likely to wait.
    pub(super) fn receive(
        &mut self,
        readable: &[u64],
        observer: &mut impl RelayObserver,
    ) -> io::Result<bool> {
        let mut backlog = false;
        for number in readable {
            backlog |= self.receive_at(Place::of_number(*number), observer)?;
        }
        self.flush(observer);
        if !backlog && readable.len() < ReadySet::AT_ONCE {
            self.stamps.end_poll();
        }
        Ok(backlog)
    }

    fn receive_at(&mut self, place: Place, observer: &mut impl RelayObserver) -> io::Result<bool> {
        let (socket, errors, source) = match place {
            Place::Listener(mapping) => {
                let Listener { socket, errors, .. } = &mut self.listeners[mapping];
                // A mapping may have been closed since.
                let Some(socket) = socket else { return Ok(false) };
                (socket, errors, Source { mapping, flow: None, port: 0 })
            }
            Place::Upstream(number) => {
                // A flow may have been closed since.
                let Some(upstream) = self.upstreams.get_mut(number) else { return Ok(false) };
                let source =
                    Source { mapping: upstream.mapping, flow: Some(upstream.flow), port: upstream.port };
                (&mut upstream.socket, &mut upstream.errors, source)
            }
        };
        match socket.receive(&mut self.inbox) {
            Ok(()) => {
                errors.reset();
                self.count_overflows(place, false);
                self.handle_batch(source, observer);
                Ok(self.inbox.was_filled())
            }
            Err(error) if Severity::of(&error) == Severity::WouldBlock => {
                errors.reset();
                Ok(false)
            }
            Err(error) => {
                let action = errors.on_error(&error);
                self.report(source, &error, observer);
                action.apply(error).map(|()| true)
            }
        }
    }

    fn report(&mut self, source: Source, error: &io::Error, observer: &mut impl RelayObserver) {
        let Source { mapping, flow, .. } = source;
        match flow {
            Some(flow) if error.kind() == io::ErrorKind::ConnectionRefused => {
                self.note_refusal(mapping, flow, observer);
            }
            _ => self.tell_error(mapping, flow, error, observer),
        }
    }

    /// The server answered from this port: the flow's next datagrams go there, if its NAT follows.
    fn follow(&mut self, flow: Option<FlowId>, from: SocketAddr) {
        let Some(flow) = flow.filter(|flow| self.relay.nat(*flow).is_some_and(Nat::follows)) else { return };
        if let Some(upstream) = self.upstreams.of_flow_mut(flow) {
            upstream.remote = from;
        }
    }

    /// ICMP port unreachable: a datagram that left earlier did not arrive.
    pub(super) fn note_refusal(
        &mut self,
        mapping: MappingId,
        flow: FlowId,
        observer: &mut impl RelayObserver,
    ) {
        self.relay.note_refusal(mapping);
        self.note_flow(flow, mapping, |id, flow| Happening::Refused { id, flow, left_out: 0 });
        let at = self.clock.now();
        observer.observe(RelayObservation::Refused { flow, mapping, at }, &[]);
    }

    fn handle_batch(&mut self, source: Source, observer: &mut impl RelayObserver) {
        let now = self.clock.now();
        self.stamps.update_offset(self.clock.wall_offset());
        for index in 0..self.inbox.arrived() {
            let Arrival { path, stamp, ttl, tos, .. } = *self.inbox.arrival(index);
            let arrived = stamp.and_then(|stamp| self.stamps.to_monotonic(stamp, now)).unwrap_or(now);
            let server = self.listeners[source.mapping].upstream;
            let side = source.side(path, server);
            let header = Header { tos, ttl };
            for place in self.inbox.datagrams(index) {
                let size = place.len();
                let datagram = &mut self.inbox.room(index, &place)[..size];
                let decision = self.relay.handle(arrived, source.mapping, side, header, datagram);
                self.apply_events(observer);
                if path.remote != server && !matches!(decision, Decision::Dropped(_)) {
                    self.follow(source.flow, path.remote);
                }
                let datagram = &self.inbox.room(index, &place)[..size];
                match decision {
                    Decision::Held(leaving) => {
                        observer.observe(RelayObservation::Arrived { leaving }, datagram);
                    }
                    Decision::Forward(leaving) => {
                        observer.observe(RelayObservation::Arrived { leaving }, datagram);
                        self.queue(leaving, place, observer);
                    }
                    Decision::Dropped(dropped) => {
                        let from = path;
                        let gone = RelayObservation::Dropped { dropped, arrived, from, size, header };
                        observer.observe(gone, datagram);
                    }
                }
            }
        }
    }
}
