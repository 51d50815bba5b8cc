//! Waiting: to the moment where a probe is due, no longer than for what else is awaited, and woken no
//! more often than it takes.

use std::io;

use super::ClientEngine;
use crate::net::breath::Breath;
use crate::net::control::Control;
use crate::net::observer::Observer;
use crate::net::sys;
use crate::net::timer::Timer;
use crate::time::{Duration, Instant};

impl ClientEngine {
    /// With the next probe due sooner than this a reply waits for it, under the kernel's stamp: it
    /// saves a wake-up.
    pub(super) const LAZY: Duration = Duration::from_millis(10);
    /// The same if nobody looks at it. That a server has forgotten us is then known a probe later.
    const LAZY_UNSEEN: Duration = Duration::from_secs(2);
    /// With the next probe due sooner than this nothing but a reply is worth a wake-up before.
    const NEAR: Duration = Duration::from_millis(250);
    /// So long before the next probe nothing is waited for by whoever never sleeps.
    const READY: Duration = Duration::from_micros(50);
    /// A sleep of who runs ahead of all is seldom later than this.
    const WAKING: Duration = Duration::from_micros(20);
    /// So long before it is due a probe is made ready by whoever looks for replies until then.
    const AT_HAND: Duration = Duration::from_micros(3);

    /// Sends the next probe in the moment it is due, if there is no time for anything else before.
    pub(super) fn meet_next_due(&mut self) {
        let Some(due) = self.client.next_due() else { return };
        let now = self.clock.now();
        let is_next = match self.outgoing.timer {
            Timer::Busy => due - now <= Self::AT_HAND,
            Timer::Sleep | Timer::Hybrid => self.alarm.sleep_until(due, now).is_none(),
        };
        if is_next {
            self.send(due);
        }
    }

    /// Waits for a datagram, a request, or the next deadline; until a probe is due with the precision
    /// that the timer gives. Whether there was a request.
    pub(super) fn wait(&mut self, control: &Control, observer: &mut impl Observer) -> io::Result<bool> {
        let now = self.clock.now();
        let timeout = self.client.poll_timeout(now);
        let Some(due) = self.client.next_due() else {
            observer.idle();
            return self.rest(true, control, timeout.map(|at| at - now));
        };
        let Some(sleep) = self.alarm.sleep_until(due, now) else {
            // Whoever spins where the server is to run keeps the reply from being made.
            if self.shares_processor && self.awaiting && due - now > Self::READY {
                let until = timeout.map_or(due - Self::READY, |at| at.min(due - Self::READY));
                return self.rest(true, control, Some(until - now));
            }
            self.breathe(due);
            return Ok(false);
        };
        let lazy = if observer.is_watched() { Self::LAZY } else { Self::LAZY_UNSEEN };
        // Who opens anew in the middle of a run is waiting for each answer.
        let opens = self.client.is_opening();
        let near = if opens { Duration::ZERO } else { Self::NEAR };
        let lazy = !opens && due - now <= lazy && self.sockets[0].has_stamps();
        if lazy {
            let asked = self.rest(false, control, Some(sleep.end - now))?;
            self.alarm.learn(sleep, self.clock.now());
            return Ok(asked);
        }
        observer.idle();
        let end = sleep.end;
        let until = timeout.filter(|_| end - now > near).map_or(end, |timeout| timeout.min(end));
        let asked = self.rest(true, control, Some(until - now))?;
        if until == end {
            self.alarm.learn(sleep, self.clock.now());
        }
        Ok(asked)
    }

    /// Sleeps a little if that is owed, and there is time for it before the next probe; or before the kernel
    /// stops it for longer than it may be late.
    fn breathe(&mut self, due: Instant) {
        let now = self.clock.now();
        let Some(breath) = &mut self.breath else { return };
        let Some(owed) = breath.due(now) else { return };
        let spare = due - now - Self::WAKING;
        let length = if breath.is_pressing() { owed } else { owed.min(spare) };
        if length >= Breath::SHORTEST {
            std::thread::sleep(length.to_std());
            breath.slept(self.clock.now() - now);
        }
    }

    /// Whether there was a request.
    fn rest(&mut self, listen: bool, control: &Control, timeout: Option<Duration>) -> io::Result<bool> {
        let now = self.clock.now();
        let bystander = self.bystander.socket(now);
        let hears = bystander.is_some();
        match sys::wait(&self.sockets, listen, bystander, control, timeout) {
            Ok(woken) => {
                self.nothing_there =
                    listen && woken.readable == 0 && self.sockets.len() <= u64::BITS as usize;
                self.patience[self.sockets.len()].renew();
                if hears {
                    let Self { bystander, inbox, client, clock, .. } = self;
                    bystander.waited(inbox, client, clock, woken.beside);
                }
                Ok(woken.asked)
            }
            Err(error) => self.bear(self.sockets.len(), error).map(|()| false),
        }
    }
}
