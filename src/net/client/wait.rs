//! Waiting for the moment at which a probe is due, and for replies, with as few wake-ups as that takes.

use std::io;

use super::engine::{ClientEngine, Known, lazy};
use super::events::Observer;
use super::shared::Place;
use crate::net::sleep::{Next, Situation};
use crate::net::stop_signal::Control;
use crate::net::sys::{self, ReadySet};
use crate::time::{Duration, Instant};

impl ClientEngine {
    /// Within this time before the next probe even a client that shares its processor with the server stays awake.
    const READY: Duration = Duration::from_micros(50);
    /// Sockets that one wait can tell apart.
    const TOLD_APART: usize = u64::BITS as usize;

    /// Waits for a datagram, a request, or the next deadline. A probe that is due before anything else can be
    /// done is sent at its moment. Whether there was a request.
    pub(super) fn wait(&mut self, control: &Control, observer: &mut impl Observer) -> io::Result<bool> {
        let mut next = self.next();
        if let Next::SpinUntil(due) = next {
            self.send_at(due, observer);
            next = self.next();
        }
        let now = self.shared.clock.now();
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
        self.policy.woke(self.shared.clock.now());
        Ok(requested)
    }

    /// Where there are many sockets: which of them are readable, if that is not known.
    pub(super) fn look(&mut self) -> io::Result<()> {
        if let (Some(set), Known::Nothing) = (&mut self.shared.ready_set, &self.readable) {
            let (as_of, mut numbers) = (self.shared.clock.now(), Vec::new());
            set.look(&mut numbers)?;
            self.readable = known(numbers, as_of);
        }
        Ok(())
    }

    fn next(&mut self) -> Next {
        let (now, moments) = (self.shared.clock.now(), self.queue.next());
        let situation =
            Situation { now, due: moments.due, timeout: moments.timeout, backlog: self.shared.backlog };
        self.policy.next(&situation)
    }

    /// Sends the probe that is due at this moment, a little ahead.
    fn send_at(&mut self, moment: Instant, observer: &impl Observer) {
        let Some(id) = self.queue.first_due() else { return };
        if let Some(entry) = self.targets.get_mut(&id) {
            entry.target.send(moment, &mut self.shared);
        }
        self.requeue(id, lazy(observer));
    }

    /// Replies are read when the next probe is sent, if that is soon and no reply is urgent.
    fn reads_with_next_send(&self, now: Instant, observer: &impl Observer) -> bool {
        let soon = self.queue.next().due.is_some_and(|due| due - now <= lazy(observer));
        soon && self.load.urgent == 0
    }

    /// A client that spins on the server's processor keeps the reply from being made: it sleeps until that has
    /// come, or until shortly before the next probe. Whether there was a request.
    fn yield_to_server(&mut self, control: &Control) -> io::Result<bool> {
        let (now, moments) = (self.shared.clock.now(), self.queue.next());
        let yields = self.shared.shares_processor && self.shared.awaiting;
        let Some(due) = moments.due.filter(|due| yields && *due - now > Self::READY) else {
            return Ok(false);
        };
        let until = moments.timeout.into_iter().fold(due - Self::READY, Instant::min);
        self.sleep(true, control, Some(until - now))
    }

    /// Whether there was a request.
    fn sleep(&mut self, listen: bool, control: &Control, timeout: Option<Duration>) -> io::Result<bool> {
        let as_of = self.shared.clock.now();
        let slept = match &mut self.shared.ready_set {
            Some(set) => {
                let mut numbers = Vec::new();
                let slept = set.wait(listen, control, timeout, &mut numbers);
                slept.map(|requested| (requested, known(numbers, as_of)))
            }
            None => self.sleep_at_few(listen, control, timeout, as_of),
        };
        match slept {
            Ok((requested, readable)) => {
                self.wait_errors.reset();
                self.readable = readable;
                Ok(requested)
            }
            Err(error) => self.wait_errors.on_error(&error).apply(error).map(|()| false),
        }
    }

    fn sleep_at_few(
        &self,
        listen: bool,
        control: &Control,
        timeout: Option<Duration>,
        as_of: Instant,
    ) -> io::Result<(bool, Known)> {
        if !listen {
            let woken = sys::wait(std::iter::empty(), control, timeout)?;
            return Ok((woken.stop_requested, Known::Nothing));
        }
        let running = self.targets.values().filter(|entry| !entry.is_over);
        let pool = self.shared.pool.sockets().map(|(port, socket)| (Place::of_pool(port), socket));
        let all = running.flat_map(|entry| entry.target.places(as_of)).chain(pool);
        let woken = sys::wait(all.clone().map(|(_, socket)| socket), control, timeout)?;
        let is_readable = |index: &usize| woken.readable >> index & 1 == 1;
        let readable = (0..Self::TOLD_APART).zip(all.clone()).filter(|(index, _)| is_readable(index));
        let mut places: Vec<Place> = readable.map(|(_, (place, _))| place).collect();
        places.sort_unstable();
        let complete = all.count() <= Self::TOLD_APART;
        Ok((woken.stop_requested, Known::Readable { places, as_of, complete }))
    }
}

fn known(numbers: Vec<u64>, as_of: Instant) -> Known {
    let complete = numbers.len() < ReadySet::AT_ONCE;
    let mut places: Vec<Place> = numbers.into_iter().map(Place::of_number).collect();
    places.sort_unstable();
    Known::Readable { places, as_of, complete }
}
