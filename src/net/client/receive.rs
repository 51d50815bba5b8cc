//! Receives a target's replies with their receive times, and errors.

use std::io;

use super::events::{Observation, Observer};
use super::send::report_icmp;
use super::shared::{Place, Shared};
use super::target::{Readable, Target};
use crate::net::socket_errors::Severity;
use crate::probe::SocketOperation;
use crate::time::Instant;

impl Target {
    pub(super) fn receive(
        &mut self,
        readable: Readable,
        shared: &mut Shared,
        observer: &mut impl Observer,
    ) -> io::Result<()> {
        let (places, as_of) = match readable {
            Readable::Any => (None, shared.clock.now()),
            Readable::At(places, as_of) => (Some(places), as_of),
        };
        self.stamps.begin_poll(as_of);
        if places.is_none_or(|places| !places.is_empty()) {
            self.read_tx_stamps_before_a_wait(shared, observer);
        }
        let mut drained = true;
        match places {
            None => {
                for channel in 0..self.sockets.len() {
                    drained &= self.receive_at(channel, shared, observer)?;
                }
            }
            Some(places) => {
                for Place { channel, .. } in places {
                    match *channel {
                        Place::FOREIGN => {
                            self.foreign.read_reported(&mut shared.inbox, &mut self.client, &shared.clock);
                        }
                        channel => drained &= self.receive_at(channel as usize, shared, observer)?,
                    }
                }
            }
        }
        match drained {
            true => self.stamps.end_poll(),
            false => shared.backlog = true,
        }
        self.note_drops();
        Ok(())
    }

    pub(super) fn read_foreign(&mut self, shared: &mut Shared) {
        self.foreign.read(&mut shared.inbox, &mut self.client, &shared.clock);
    }

    /// At the end no further datagram may come to report the drop count, so the kernel is asked.
    fn note_drops(&mut self) {
        if self.client.next_due().is_none() {
            self.sockets.iter_mut().for_each(|socket| socket.count_drops());
        }
        self.client.note_socket(self.sockets[0].mark());
    }

    /// Whether nothing is left. A flood of replies must not delay the next probe.
    fn receive_at(
        &mut self,
        channel: usize,
        shared: &mut Shared,
        observer: &mut impl Observer,
    ) -> io::Result<bool> {
        for _ in 0..Self::BATCHES {
            match self.sockets[channel].receive(&mut shared.inbox) {
                Ok(()) => {
                    self.errors[channel].reset();
                    self.handle_batch(channel, shared, observer);
                    if !shared.inbox.was_filled() {
                        return Ok(true);
                    }
                }
                Err(error) if Severity::of(&error) == Severity::WouldBlock => {
                    self.errors[channel].reset();
                    return Ok(true);
                }
                // Perhaps an ICMP error; datagrams may be queued behind it.
                Err(error) => {
                    if Severity::of(&error) == Severity::Transient {
                        let now = shared.clock.now();
                        report_icmp(&mut self.client, now, SocketOperation::Receive, &error);
                    }
                    // It ends a run only if no call on the socket will succeed any more.
                    self.errors[channel].on_error(&error).apply(error)?;
                }
            }
        }
        Ok(false)
    }

    /// Reads the clocks' offset: after the kernel made its timestamps, before they are mapped.
    pub(super) fn update_offset(&mut self, shared: &Shared, observer: &mut impl Observer) -> Instant {
        let now = shared.clock.now();
        if let Some(by) = self.stamps.update_offset(shared.clock.wall_offset()) {
            observer.observe(Observation::ClockStep { target: self.id, at: now, by });
        }
        now
    }

    fn handle_batch(&mut self, channel: usize, shared: &mut Shared, observer: &mut impl Observer) {
        let now = self.update_offset(shared, observer);
        self.read_awaited_tx_stamps(shared);
        shared.awaiting = false;
        for index in 0..shared.inbox.arrived() {
            let arrival = *shared.inbox.arrival(index);
            let received =
                arrival.stamp.and_then(|stamp| self.stamps.to_monotonic(stamp, now)).unwrap_or(now);
            if now - received > Self::LAZY {
                // Deadlines that passed before the reply came have passed, though it is read only now.
                self.client.handle_timeout(received);
            }
            self.client.note_socket(arrival.socket);
            self.client.note_traffic_class(arrival.tos);
            for place in shared.inbox.datagrams(index) {
                self.client.handle(received, channel, shared.inbox.bytes(place));
            }
            self.pass_on(observer, arrival.ttl);
        }
    }
}
