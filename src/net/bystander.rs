//! Hears what others than the server send to a client's port. To a connected socket it does not come, so
//! a second one at the same port takes it; strangers wake the client now and then only.

use super::clock::Clock;
use super::sys::{Batch, Socket};
use super::trouble::Trouble;
use crate::probe::Client;
use crate::time::{Duration, Instant};

pub struct Bystander {
    /// None where such a socket cannot be had.
    socket: Option<Socket>,
    /// When it may be heard again.
    next: Instant,
    /// A wait would have told of strangers since the last tick.
    listened: bool,
}

impl Bystander {
    const PAUSE: Duration = Duration::from_millis(100);
    /// Taken from the socket at once.
    const BATCHES: usize = 4;

    pub fn new(socket: Option<Socket>, now: Instant) -> Self {
        Self { socket, next: now, listened: false }
    }

    /// The socket that may wake the client by now.
    pub fn socket(&self, now: Instant) -> Option<&Socket> {
        self.socket.as_ref().filter(|_| now >= self.next)
    }

    /// Such a wait is over; whether it told of strangers.
    pub fn waited(&mut self, inbox: &mut Batch, client: &mut Client, clock: &Clock, told: bool) {
        self.listened = true;
        if told {
            self.hear(inbox, client, clock);
        }
    }

    /// Looks, unless a wait since the last time would have told.
    pub fn tick(&mut self, inbox: &mut Batch, client: &mut Client, clock: &Clock) {
        if !std::mem::take(&mut self.listened) {
            self.hear(inbox, client, clock);
        }
    }

    fn hear(&mut self, inbox: &mut Batch, client: &mut Client, clock: &Clock) {
        let Some(socket) = &mut self.socket else { return };
        let (now, lead) = (clock.now(), clock.wall_lead());
        for _ in 0..Self::BATCHES {
            let heard = socket.receive(inbox);
            if heard.as_ref().is_err_and(|error| Trouble::of(error) == Trouble::None) {
                return;
            }
            self.next = now + Self::PAUSE;
            // An error is of no interest here, and the next look is soon.
            if heard.is_err() {
                return;
            }
            for index in 0..inbox.arrived() {
                let arrival = *inbox.arrival(index);
                let received = arrival.stamp.map_or(now, |stamp| (stamp - lead).min(now));
                for place in inbox.datagrams(index) {
                    client.handle_foreign(received, arrival.path.remote, inbox.bytes(place));
                }
            }
            if !inbox.was_filled() {
                return;
            }
        }
    }
}
