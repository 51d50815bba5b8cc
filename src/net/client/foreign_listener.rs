//! Receives what senders other than the server send to the client's port. A connected socket drops those datagrams
//! silently, so a second, unconnected one on the same port takes them. They wake the client at most every 100 ms.

use std::io;

use super::shared::{Place, Shared};
use super::target_queue::TargetId;
use crate::net::clock::Clock;
use crate::net::socket_errors::Severity;
use crate::net::sys::{Batch, Socket};
use crate::probe::Client;
use crate::time::{Duration, Instant};

pub(super) struct ForeignListener {
    /// None where the system has no such socket.
    socket: Option<Socket>,
    /// When it may wake the client again.
    next: Instant,
    /// The set of sockets has reported it, and reports it again only after `listen_again`.
    silenced: bool,
}

impl ForeignListener {
    const PAUSE: Duration = Duration::from_millis(100);
    /// Batches read at once.
    const BATCHES: usize = 4;

    pub(super) fn new(socket: Option<Socket>, now: Instant) -> Self {
        Self { socket, next: now, silenced: false }
    }

    pub(super) fn is_open(&self) -> bool {
        self.socket.is_some()
    }

    /// The socket, if it may wake the client now.
    pub(super) fn socket(&self, now: Instant) -> Option<&Socket> {
        self.socket.as_ref().filter(|_| now >= self.next)
    }

    /// Where there are many sockets: once the pause is over, the set of them reports this one again.
    pub(super) fn listen_again(&mut self, shared: &Shared, target: TargetId) -> io::Result<()> {
        let (Some(set), Some(socket)) = (&shared.ready_set, &self.socket) else { return Ok(()) };
        if self.silenced && shared.clock.now() >= self.next {
            self.silenced = false;
            set.listen_again(socket, Place { target, channel: Place::FOREIGN }.number())?;
        }
        Ok(())
    }

    /// The set of sockets has reported it.
    pub(super) fn read_reported(&mut self, inbox: &mut Batch, client: &mut Client, clock: &Clock) {
        self.silenced = true;
        self.read(inbox, client, clock);
    }

    pub(super) fn close(&mut self) {
        self.socket = None;
    }

    pub(super) fn read(&mut self, inbox: &mut Batch, client: &mut Client, clock: &Clock) {
        let Some(socket) = &mut self.socket else { return };
        let (now, offset) = (clock.now(), clock.wall_offset());
        for _ in 0..Self::BATCHES {
            let received = socket.receive(inbox);
            if received.as_ref().is_err_and(|error| Severity::of(error) == Severity::WouldBlock) {
                return;
            }
            self.next = now + Self::PAUSE;
            // The next look is soon, and may succeed.
            if received.is_err() {
                return;
            }
            for index in 0..inbox.arrived() {
                let arrival = *inbox.arrival(index);
                let came = arrival.stamp.map_or(now, |stamp| (stamp - offset).min(now));
                for place in inbox.datagrams(index) {
                    client.handle_foreign(came, arrival.path.remote, inbox.bytes(place));
                }
            }
            if !inbox.was_filled() {
                return;
            }
        }
    }
}
