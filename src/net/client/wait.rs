//! Waiting for the moment at which a probe is due, and for replies, with as few wake-ups as that takes.

use std::io;

use super::ClientEngine;
use super::events::Observer;
use crate::net::sleep::{Next, Situation};
use crate::net::stop_signal::Control;
use crate::net::sys;
use crate::time::{Duration, Instant};

impl ClientEngine {
    /// If the next send is within 10 ms, replies are read then: kernel timestamps make the delay harmless, and
    /// it saves a wake-up.
    pub(super) const LAZY: Duration = Duration::from_millis(10);
    /// The same if nobody sees the replies. A lost session is then noticed a probe later.
    const LAZY_UNSEEN: Duration = Duration::from_secs(2);
    /// So shortly before the next probe only a reply is worth a wake-up.
    const NEAR: Duration = Duration::from_millis(250);
    /// So shortly before the next probe even a client that shares its processor with the server stays awake.
    const READY: Duration = Duration::from_micros(50);

    /// Waits for a datagram, a request, or the next deadline. A probe that is due before anything else can be
    /// done is sent at its moment. Whether there was a request.
    pub(super) fn wait(&mut self, control: &Control, observer: &mut impl Observer) -> io::Result<bool> {
        let mut next = self.next(observer);
        if let Next::SpinUntil(due) = next {
            self.send(due);
            next = self.next(observer);
        }
        let now = self.clock.now();
        let requested = match next {
            Next::SpinUntil(_) | Next::Poll => return self.yield_to_server(control),
            Next::Rest(length) => {
                std::thread::sleep(length.to_std());
                false
            }
            Next::SleepUntil(end) => {
                let listen = !self.reads_with_next_send(now, observer);
                if listen {
                    observer.idle();
                }
                self.sleep(listen, control, end.map(|end| end - now))?
            }
        };
        self.policy.woke(self.clock.now());
        Ok(requested)
    }

    fn next(&mut self, observer: &impl Observer) -> Next {
        let now = self.clock.now();
        let due = self.client.next_due();
        let near = due.is_some_and(|due| due - now <= Self::NEAR) && !self.client.is_opening();
        let timeout =
            self.client.poll_timeout(now).filter(|_| !near && !self.reads_with_next_send(now, observer));
        self.policy.next(&Situation { now, due, timeout, backlog: false })
    }

    /// A client that has lost its session waits for each answer to its handshake.
    fn reads_with_next_send(&self, now: Instant, observer: &impl Observer) -> bool {
        let lazy = if observer.is_watched() { Self::LAZY } else { Self::LAZY_UNSEEN };
        let soon = self.client.next_due().is_some_and(|due| due - now <= lazy);
        soon && !self.client.is_opening() && self.sockets[0].has_stamps()
    }

    /// A client that spins on the server's processor keeps the reply from being made: it sleeps until that has
    /// come, or until shortly before the next probe. Whether there was a request.
    fn yield_to_server(&mut self, control: &Control) -> io::Result<bool> {
        let now = self.clock.now();
        let Some(due) = self.client.next_due().filter(|_| self.shares_processor && self.awaiting) else {
            return Ok(false);
        };
        if due - now <= Self::READY {
            return Ok(false);
        }
        let ready = due - Self::READY;
        let until = self.client.poll_timeout(now).map_or(ready, |timeout| timeout.min(ready));
        self.sleep(true, control, Some(until - now))
    }

    /// Whether there was a request.
    fn sleep(&mut self, listen: bool, control: &Control, timeout: Option<Duration>) -> io::Result<bool> {
        let foreign = self.foreign.socket(self.clock.now());
        let with_foreign = foreign.is_some();
        let sockets = if listen { &self.sockets[..] } else { &[] };
        match sys::wait(sockets.iter(), foreign, control, timeout) {
            Ok(woken) => {
                self.nothing_there =
                    listen && woken.readable == 0 && self.sockets.len() <= u64::BITS as usize;
                self.errors[self.sockets.len()].reset();
                if with_foreign {
                    let Self { foreign, inbox, client, clock, .. } = self;
                    foreign.waited(inbox, client, clock, woken.foreign_readable);
                }
                Ok(woken.stop_requested)
            }
            Err(error) => self.tolerate(self.sockets.len(), error).map(|()| false),
        }
    }
}
