//! What goes out: what was held and is due, and answers as they come.

use super::{Complain, Complaint, ServerEngine};
use crate::endpoints::Endpoints;
use crate::net::sys::{self, Batch, Socket};
use crate::reflect::Server;

impl ServerEngine {
    /// Sends what was held and is due.
    pub(super) fn release(&mut self) {
        let Self { doors, server, outbox, clock, complain, .. } = self;
        loop {
            let now = clock.now();
            server.look_ahead(now, sys::fetch);
            let mut through = 0;
            while !outbox.is_full()
                && let Some((path, length)) = server.poll_transmit(now, outbox.spare())
            {
                outbox.commit(path, length);
                through |= 1 << doors.ways.of(path);
            }
            if !outbox.has_letters() {
                return;
            }
            for index in bits(through) {
                let take = |path| doors.ways.of(path) == index;
                post_those(&mut doors.sockets[index], outbox, take, server, complain);
            }
            outbox.clear_letters();
        }
    }
}

/// The places of the ones, from the lowest.
pub(super) fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (set != 0).then(|| set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(lowest)
    })
}

/// Sends what is in the batch; what cannot be sent is counted, told, and not tried again. Whether all
/// of it was sent.
pub(super) fn post(socket: &mut Socket, batch: &Batch, server: &mut Server, complain: &Complain) -> bool {
    post_those(socket, batch, |_| true, server, complain)
}

/// The same of those letters that take such a path.
fn post_those(
    socket: &mut Socket,
    batch: &Batch,
    take: impl Fn(Endpoints) -> bool,
    server: &mut Server,
    complain: &Complain,
) -> bool {
    let mut all = true;
    socket.send_those(batch, take, |ordinal, error| {
        all = false;
        complain(&Complaint { remote: batch.remote_of(ordinal), error });
        server.send_failed()
    });
    all
}

/// Sends a datagram by itself, in one piece or not at all.
pub(super) fn send_whole(
    socket: &mut Socket,
    datagram: &[u8],
    path: Endpoints,
    outbox: &mut Batch,
    server: &mut Server,
    complain: &Complain,
) {
    if outbox.has_letters() {
        post(socket, outbox, server, complain);
        outbox.clear_letters();
    }
    outbox.spare()[..datagram.len()].copy_from_slice(datagram);
    outbox.commit(path, datagram.len());
    // A system where this cannot be said is known to those who look at the answer.
    let _ = socket.set_whole(true);
    post(socket, outbox, server, complain);
    outbox.clear_letters();
    let _ = socket.set_whole(false);
}
