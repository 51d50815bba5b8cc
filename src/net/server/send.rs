//! What goes out: what was held and is due, and replies as they come.

use super::sockets::route;
use super::{OnError, ServerEngine, SocketErrorReport};
use crate::endpoints::Endpoints;
use crate::net::sys::{Batch, Socket};
use crate::reflect::Server;

impl ServerEngine {
    /// Sends what was held and is due.
    pub(super) fn release(&mut self) {
        let Self { listeners, server, outbox, clock, on_error, .. } = self;
        loop {
            let now = clock.now();
            while !outbox.is_full()
                && let Some((path, length)) = server.poll_transmit(now, outbox.next_buffer())
            {
                outbox.queue_written(path, length);
            }
            if !outbox.has_outgoing() {
                return;
            }
            let listening = listeners.listening();
            let count = listening.len();
            for (index, listener) in listening.iter_mut().enumerate() {
                let routed_here = |path| route(path, count) == index;
                send_those(&mut listener.socket, outbox, &routed_here, server, on_error);
            }
            outbox.clear_outgoing();
        }
    }
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
