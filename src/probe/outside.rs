//! What reaches a client from outside its run: errors of the way to the server, datagrams from others
//! than the server, its own session's replies from another address.

use std::net::SocketAddr;

use super::event::{Event, Failure};
use super::native::Native;
use super::{AnyDialect, Client, Phase};
use crate::time::{Duration, Instant};
use crate::wire::native::{Message, decode};

/// When the server was last heard from elsewhere, and where that was.
#[derive(Clone, Copy, Debug)]
pub struct Elsewhere {
    remote: SocketAddr,
    told: Instant,
}

impl Client {
    /// An address is not told again before so long, nor another one right behind it.
    const TOLD_AGAIN: Duration = Duration::from_secs(10);
    const TOLD_NEXT: Duration = Duration::from_secs(1);

    /// The system, or an ICMP message, says why datagrams do not get to the server.
    pub fn obstructed(&mut self, now: Instant, why: &str) {
        self.counters.unreachable += 1;
        if matches!(self.phase, Phase::Opening) {
            self.fail(Failure::Socket { why: why.to_owned() });
        } else if !self.is_done() && std::mem::take(&mut self.reachable) {
            self.events.push_back(Event::PathError { at: now, why: why.to_owned() });
        }
    }

    /// Takes a datagram that came to the client's port from another address than the server's. It is
    /// never taken for an answer: whoever overheard the session could have sent it.
    pub fn handle_foreign(&mut self, received: Instant, remote: SocketAddr, datagram: &[u8]) {
        if self.is_done() {
            return;
        }
        if self.is_of_our_session(datagram) {
            self.counters.elsewhere += 1;
            let told = self.elsewhere.is_some_and(|known| {
                let pause = if known.remote == remote { Self::TOLD_AGAIN } else { Self::TOLD_NEXT };
                received - known.told < pause
            });
            if !told && !matches!(self.phase, Phase::Opening) {
                self.elsewhere = Some(Elsewhere { remote, told: received });
                self.events.push_back(Event::ServerMoved { at: received, remote });
            }
        } else {
            self.counters.foreign += 1;
        }
        if self.strays.is_due(received) {
            self.tell_strays(received);
        }
    }

    fn is_of_our_session(&self, datagram: &[u8]) -> bool {
        let AnyDialect::Native(native) = &self.dialect else { return false };
        let message = match &self.settings.key {
            None => datagram,
            Some(key) => match native.opens(key, datagram) {
                Some(length) => &datagram[..length],
                None => return false,
            },
        };
        matches!(decode(message), Ok(message) if native.is_answer(&message))
    }
}

impl Native {
    /// Whether this is what the server of this session says.
    fn is_answer(&self, message: &Message) -> bool {
        match message {
            Message::Reply(reply) => self.knows(reply.token),
            Message::Outcomes(tell) => self.knows(tell.token),
            Message::UnknownSession(forgotten) => self.knows(forgotten.token),
            Message::Stopped(token, _) => self.knows(*token),
            _ => false,
        }
    }
}
