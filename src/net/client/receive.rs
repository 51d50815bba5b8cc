//! What comes: replies with their receive times, and errors.

use std::io;

use super::ClientEngine;
use super::events::{Observation, Observer};
use super::send::report_icmp;
use crate::net::socket_errors::SocketErrorKind;
use crate::time::Instant;

impl ClientEngine {
    /// An error of a socket ends a run only if no call on it will succeed any more.
    pub(super) fn tolerate(&mut self, whose: usize, error: io::Error) -> io::Result<()> {
        self.errors[whose].on_error(&error).apply(error)
    }

    pub(super) fn receive(&mut self, observer: &mut impl Observer) -> io::Result<()> {
        self.stamps.begin_poll(self.clock.now());
        self.begin_with_tx_stamps(observer);
        let mut all = true;
        for channel in 0..self.sockets.len() {
            // A flood of replies must not delay the next probe.
            for batch in 1..=Self::BATCHES {
                match self.sockets[channel].receive(&mut self.inbox) {
                    Ok(()) => {
                        self.errors[channel].reset();
                        self.handle_batch(channel, observer);
                        if !self.inbox.was_filled() {
                            break;
                        }
                        all &= batch < Self::BATCHES;
                    }
                    Err(error) if SocketErrorKind::of(&error) == SocketErrorKind::WouldBlock => {
                        self.errors[channel].reset();
                        break;
                    }
                    // Perhaps an ICMP error; datagrams may be queued behind it.
                    Err(error) => {
                        if SocketErrorKind::of(&error) == SocketErrorKind::Transient {
                            report_icmp(&mut self.client, self.clock.now(), &error);
                        }
                        self.tolerate(channel, error)?;
                    }
                }
            }
        }
        if all {
            self.stamps.end_poll();
        }
        self.client.note_socket(self.sockets[0].mark());
        Ok(())
    }

    /// Reads the clocks' offset: after the kernel made its timestamps, before they are mapped.
    pub(super) fn update_offset(&mut self, observer: &mut impl Observer) -> Instant {
        let now = self.clock.now();
        if let Some(by) = self.stamps.update_offset(self.clock.wall_offset()) {
            observer.observe(Observation::ClockStep { at: now, by });
        }
        now
    }

    fn handle_batch(&mut self, channel: usize, observer: &mut impl Observer) {
        let now = self.update_offset(observer);
        self.read_awaited_tx_stamps();
        self.awaiting = false;
        for index in 0..self.inbox.arrived() {
            let arrival = *self.inbox.arrival(index);
            let received =
                arrival.stamp.and_then(|stamp| self.stamps.to_monotonic(stamp, now)).unwrap_or(now);
            if now - received > Self::LAZY {
                // Deadlines that passed before the reply came have passed, though it is read only now.
                self.client.handle_timeout(received);
            }
            self.client.note_socket(arrival.socket);
            for place in self.inbox.datagrams(index) {
                self.client.handle(received, channel, self.inbox.bytes(place));
            }
            self.pass_on(observer, arrival.ttl);
        }
    }
}
