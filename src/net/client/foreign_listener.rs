//! Receives what senders other than the server send to the client's port. A connected socket drops those datagrams
//! silently, so a second, unconnected one on the same port takes them. They wake the client at most every 100 ms.

use crate::net::clock::Clock;
use crate::net::socket_errors::SocketErrorKind;
use crate::net::sys::{Batch, Socket};
use crate::probe::Client;
use crate::time::{Duration, Instant};

pub struct ForeignListener {
    /// None where the system has no such socket.
    socket: Option<Socket>,
    /// When it may wake the client again.
    next: Instant,
    /// A wait since the last tick has listened to it.
    listened: bool,
}

impl ForeignListener {
    const PAUSE: Duration = Duration::from_millis(100);
    /// Batches read at once.
    const BATCHES: usize = 4;

    pub fn new(socket: Option<Socket>, now: Instant) -> Self {
        Self { socket, next: now, listened: false }
    }

    /// The socket, if it may wake the client now.
    pub fn socket(&self, now: Instant) -> Option<&Socket> {
        self.socket.as_ref().filter(|_| now >= self.next)
    }

    /// A wait that listened to it is over.
    pub fn waited(&mut self, inbox: &mut Batch, client: &mut Client, clock: &Clock, readable: bool) {
        self.listened = true;
        if readable {
            self.read(inbox, client, clock);
        }
    }

    /// Reads the socket unless a wait has listened to it since the last tick.
    pub fn tick(&mut self, inbox: &mut Batch, client: &mut Client, clock: &Clock) {
        if !std::mem::take(&mut self.listened) {
            self.read(inbox, client, clock);
        }
    }

    fn read(&mut self, inbox: &mut Batch, client: &mut Client, clock: &Clock) {
        let Some(socket) = &mut self.socket else { return };
        let (now, offset) = (clock.now(), clock.wall_offset());
        for _ in 0..Self::BATCHES {
            let received = socket.receive(inbox);
            if received.as_ref().is_err_and(|error| SocketErrorKind::of(error) == SocketErrorKind::WouldBlock)
            {
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
