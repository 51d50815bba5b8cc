//! Sends held replies when they are due, and other replies at once.

use super::sockets::route;
use super::{OnError, ServerEngine, SocketErrorReport};
use crate::endpoints::Endpoints;
use crate::net::sys::{Batch, Socket};
use crate::reflect::{Departure, Server, ServerPort};
use crate::relay::Header;

impl ServerEngine {
    /// Sends what was held and is due, a batch at most: under load something is always due, and the engine must
    /// receive and, at a real-time priority, rest as well.
    pub(super) fn release(&mut self) {
        let now = self.clock.now();
        let mut server_port = ServerPort::Main;
        while !self.outbox.is_full()
            && let Some(departure) = self.server.poll_transmit(now, self.outbox.next_buffer())
        {
            if departure.server_port != server_port {
                self.send_before(departure.length, server_port);
                server_port = departure.server_port;
            }
            let Departure { path, traffic_class, length, .. } = departure;
            self.outbox.queue_written_with(path, in_kind(server_port, traffic_class), length);
        }
        if self.outbox.has_outgoing() {
            self.send_held(server_port);
        }
    }

    /// Sends what is queued for one port; the datagram in the next buffer, which is for another, stays the next.
    fn send_before(&mut self, length: usize, server_port: ServerPort) {
        if self.outbox.has_outgoing() {
            let next = self.outbox.next_buffer()[..length].to_vec();
            self.send_held(server_port);
            self.outbox.next_buffer()[..length].copy_from_slice(&next);
        }
    }

    fn send_held(&mut self, server_port: ServerPort) {
        let Self { listeners, server, outbox, on_error, .. } = self;
        let listening = listeners.listening(server_port);
        let count = listening.len();
        for (index, listener) in listening.iter_mut().enumerate() {
            let routed_here = |path| route(path, count) == index;
            send_those(&mut listener.socket, outbox, &routed_here, server, on_error);
        }
        outbox.clear_outgoing();
    }
}

/// The IP header of a reply to a request of this traffic class, where it is not the socket's own. The congestion
/// marks of the request are not repeated.
pub(super) fn in_kind(server_port: ServerPort, traffic_class: Option<u8>) -> Header {
    const DSCP: u8 = 0xFC;
    let tos = traffic_class.filter(|_| server_port.replies_in_kind()).map(|class| class & DSCP);
    Header { tos, ttl: None }
}

/// Sends what is queued in the batch; what cannot be sent is counted, reported, and not tried again.
pub(super) fn send(socket: &mut Socket, batch: &Batch, server: &mut Server, on_error: &OnError) {
    send_those(socket, batch, &|_| true, server, on_error);
}

/// The same of those datagrams only that take such a path.
fn send_those(
    socket: &mut Socket,
    batch: &Batch,
    take: &dyn Fn(Endpoints) -> bool,
    server: &mut Server,
    on_error: &OnError,
) {
    socket.send_those(batch, take, &mut |ordinal, error| {
        on_error(&SocketErrorReport { remote: batch.remote_of(ordinal), error });
        server.send_failed()
    });
}

/// Sends a datagram by itself, unfragmented or not at all.
pub(super) fn send_unfragmented(
    socket: &mut Socket,
    datagram: &[u8],
    path: Endpoints,
    outbox: &mut Batch,
    server: &mut Server,
    on_error: &OnError,
) {
    if outbox.has_outgoing() {
        send(socket, outbox, server, on_error);
        outbox.clear_outgoing();
    }
    outbox.next_buffer()[..datagram.len()].copy_from_slice(datagram);
    outbox.queue_written(path, datagram.len());
    // A backend that cannot set don't-fragment tells the client so in the reply.
    let _ = socket.set_dont_fragment(true);
    send(socket, outbox, server, on_error);
    outbox.clear_outgoing();
    let _ = socket.set_dont_fragment(false);
}
