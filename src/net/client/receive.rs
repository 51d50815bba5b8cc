//! What comes: replies with the moments that they arrived, the stamps of what was sent, errors.

use std::io;

use super::ClientEngine;
use super::send::tell_obstruction;
use crate::net::observer::{Observation, Observer};
use crate::net::trouble::Trouble;
use crate::time::Instant;

impl ClientEngine {
    /// An error of the sockets is no reason to end a run, unless no call will succeed any more.
    pub(super) fn bear(&mut self, whose: usize, error: io::Error) -> io::Result<()> {
        self.patience[whose].after(&error).obey(error)
    }

    pub(super) fn receive(&mut self, observer: &mut impl Observer) -> io::Result<()> {
        self.stamps.begin_look(self.clock.now());
        self.begin_with_tx_stamps(observer);
        let mut all = true;
        for channel in 0..self.sockets.len() {
            // A flood of replies must not keep the next probe from leaving.
            for batch in 1..=Self::BATCHES {
                match self.sockets[channel].receive(&mut self.inbox) {
                    Ok(()) => {
                        self.patience[channel].renew();
                        self.handle_batch(channel, observer);
                        if !self.inbox.was_filled() {
                            break;
                        }
                        all &= batch < Self::BATCHES;
                    }
                    Err(error) if Trouble::of(&error) == Trouble::None => {
                        self.patience[channel].renew();
                        break;
                    }
                    // Perhaps an ICMP error; there may be datagrams behind it.
                    Err(error) => {
                        if Trouble::of(&error) == Trouble::Passing {
                            tell_obstruction(&mut self.client, self.clock.now(), &error);
                        }
                        self.bear(channel, error)?;
                    }
                }
            }
        }
        if all {
            self.stamps.end_look();
        }
        self.client.note_socket(self.sockets[0].mark());
        Ok(())
    }

    /// Before stamps are read, and not before they were made.
    pub(super) fn note_lead(&mut self, observer: &mut impl Observer) -> Instant {
        let now = self.clock.now();
        if let Some(by) = self.stamps.note(self.clock.wall_lead()) {
            observer.observe(Observation::ClockStep { at: now, by });
        }
        now
    }

    fn handle_batch(&mut self, channel: usize, observer: &mut impl Observer) {
        let now = self.note_lead(observer);
        self.read_awaited_tx_stamps();
        self.awaiting = false;
        for index in 0..self.inbox.arrived() {
            let arrival = *self.inbox.arrival(index);
            let received = arrival.stamp.and_then(|stamp| self.stamps.moment(stamp, now)).unwrap_or(now);
            if now - received > Self::LAZY {
                // What was over before it came is so, though nobody looked.
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
