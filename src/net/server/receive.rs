//! Receives batches, hands them to the machine, and sends the replies that leave at once.

use std::io;

use super::ServerEngine;
use super::send::{in_kind, send, send_unfragmented};
use super::sockets::Role;
use crate::endpoints::Endpoints;
use crate::net::socket_errors::Severity;
use crate::net::sys::Arrival;
use crate::reflect::{Incoming, Server, ServerPort, WallClock, forbids_fragments};
use crate::time::Duration;

/// How much one look at the sockets brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Received {
    None,
    Some,
    /// As much as one call takes, so that more is likely to wait.
    BatchFull,
}

impl ServerEngine {
    /// Drop counts are no older than this when anything is answered; where a batch was full they are read anew.
    const DROPS_KNOWN_FOR: Duration = Duration::from_millis(10);

    /// Handles a batch of what has arrived at each of these sockets.
    pub(super) fn receive(&mut self, readable: u64) -> io::Result<Received> {
        if self.server.has_kernel_stamps() {
            self.stamps.begin_poll(self.clock.now());
        }
        let mut most = Received::None;
        let mut drained = true;
        for index in 0..self.listeners.all.len() {
            if readable >> index & 1 == 0 {
                continue;
            }
            let peer = self.listeners.all[index].peer().filter(|peer| peer.must_drain());
            drained &= peer.is_none();
            let index = peer.map_or(index, |peer| peer.parent);
            let received = self.receive_at(index)?;
            self.listeners.note_look(index, received == Received::BatchFull);
            self.look_for_heavy_sender(index);
            most = most.max(received);
        }
        if drained && most < Received::BatchFull {
            self.stamps.end_poll();
        }
        Ok(most)
    }

    /// A sender that fills the batches of a listening socket gets a socket of its own.
    fn look_for_heavy_sender(&mut self, index: usize) {
        let Self { inbox, listeners, heavy, .. } = self;
        if inbox.arrived() < inbox.capacity() || listeners.all[index].peer().is_some() {
            return;
        }
        let have_one = |remote| listeners.peers().any(|peer| peer.remote == remote);
        let found = heavy.note_batch(inbox.arrived(), |at| inbox.arrival(at).path, have_one);
        if let Some(Endpoints { remote, local }) = found {
            listeners.open_peer(index, remote, local, self.clock.now());
        }
    }

    pub(super) fn receive_at(&mut self, index: usize) -> io::Result<Received> {
        let listener = &mut self.listeners.all[index];
        match listener.socket.receive(&mut self.inbox) {
            Ok(()) => {
                listener.errors.reset();
                // Replies that became due during the call leave before its datagrams are handled.
                if self.server.next_release().is_some() {
                    self.release();
                }
                self.handle_batch(index);
                Ok(if self.inbox.was_filled() { Received::BatchFull } else { Received::Some })
            }
            Err(error) => match (Severity::of(&error), &listener.role) {
                (Severity::WouldBlock, _) => {
                    listener.errors.reset();
                    Ok(Received::None)
                }
                // An ICMP error: the peer is gone, and replies still go there.
                (Severity::Transient, Role::Peer(_)) => Ok(Received::BatchFull),
                _ => {
                    let action = listener.errors.on_error(&error);
                    self.report(&error);
                    action.apply(error).map(|()| Received::BatchFull)
                }
            },
        }
    }

    /// Answers what one socket received.
    fn handle_batch(&mut self, index: usize) {
        let now = self.clock.now();
        // Before anything is answered that asks for them.
        if now - self.drops_counted > Self::DROPS_KNOWN_FOR {
            self.count_drops();
        } else if self.inbox.was_filled() {
            self.listeners.all[index].socket.count_drops();
        }
        if self.server.has_kernel_stamps() {
            self.stamps.update_offset(self.clock.wall_offset());
        }
        let server_port = self.listeners.all[index].server_port;
        if server_port != ServerPort::Main {
            let offset = self.clock.wall_offset();
            self.server.set_wall_clock(WallClock { offset, ..self.wall_clock });
        }
        let Self { listeners, server, inbox, outbox, stamps, on_error, .. } = self;
        listeners.note_batch(index, now);
        server.set_overflows(listeners.overflows());
        server.set_truncated(listeners.truncated());
        let local = listeners.all[index].peer().and_then(|peer| peer.local);
        let reply_via = listeners.reply_via(index);
        let socket = &mut listeners.all[reply_via].socket;
        for index in 0..inbox.arrived() {
            let Arrival { path, stamp, ttl, tos: traffic_class, socket: mark, .. } = *inbox.arrival(index);
            let header = in_kind(server_port, traffic_class);
            let path = Endpoints { local: path.local.or(local), ..path };
            let received = stamp.and_then(|stamp| stamps.to_monotonic(stamp, now)).unwrap_or(now);
            for place in inbox.datagrams(index) {
                let length = place.len();
                let buffer = inbox.room(index, &place);
                if buffer.len() >= Server::ROOM {
                    let incoming = Incoming::new(now, path, buffer, length);
                    let incoming =
                        Incoming { received, ttl, traffic_class, server_port, socket: mark, ..incoming };
                    if let Some(answer) = server.handle(incoming) {
                        let place = place.start..place.start + answer;
                        if server_port == ServerPort::Main && forbids_fragments(inbox.bytes(place.clone())) {
                            send_unfragmented(socket, inbox.bytes(place), path, outbox, server, on_error);
                        } else {
                            inbox.queue_with(path, header, place);
                        }
                    }
                    continue;
                }
                // A short datagram in a GRO train: its reply may need more room than it had.
                if outbox.is_full() {
                    send(socket, outbox, server, on_error);
                    outbox.clear_outgoing();
                }
                let spare = outbox.next_buffer();
                spare[..length].copy_from_slice(&buffer[..length]);
                let incoming = Incoming::new(now, path, spare, length);
                let incoming =
                    Incoming { received, ttl, traffic_class, server_port, socket: mark, ..incoming };
                if let Some(answer) = server.handle(incoming) {
                    outbox.queue_written_with(path, header, answer);
                }
            }
        }
        for batch in [inbox, outbox] {
            if batch.has_outgoing() {
                send(socket, batch, server, on_error);
                batch.clear_outgoing();
            }
        }
    }
}
