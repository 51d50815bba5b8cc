//! What leaves, and what is said where it cannot.

use std::io;

use super::ClientEngine;
use crate::net::trouble::{Trouble, in_words, is_too_long};
use crate::probe::{Client, SendError, Transmit};
use crate::time::{Duration, Instant};

impl ClientEngine {
    /// Times that one call is made again because it told an ICMP message instead.
    const ICMP_TRIES: u32 = 3;
    /// With less time than this until the next probe the processor is kept.
    const YIELDING: Duration = Duration::from_micros(500);

    /// Sends what the machine has to send in this moment, for which it is made ready if it is to come:
    /// several datagrams in one call where several are due. Whoever is behind looks for replies in between.
    pub(super) fn send(&mut self, moment: Instant) {
        for _ in 0..Self::BATCHES {
            self.outbox.clear_letters();
            self.departing.clear();
            while !self.outbox.is_full()
                && let Some(transmit) = self.client.build(self.clock.now().max(moment), self.outbox.spare())
            {
                self.outbox.commit(self.endpoint.path(), transmit.length);
                self.departing.push(transmit);
                // On another socket each leaves by itself.
                if transmit.channel != 0 || transmit.renew {
                    break;
                }
            }
            self.awaiting |= !self.departing.is_empty();
            self.clock.watch_until(moment);
            match self.departing[..] {
                [] => return,
                [transmit] => self.send_one(&transmit),
                _ => self.send_all(),
            }
            if self.has_time_to_yield() {
                // What this thread does next can wait; the reply cannot.
                std::thread::yield_now();
            }
        }
    }

    /// Whoever else runs then, as the thread that records, may do so for longer than a probe is to be late.
    fn has_time_to_yield(&self) -> bool {
        let due_soon = |due| due - self.clock.now() < Self::YIELDING;
        self.shares_processor && !self.client.next_due().is_some_and(due_soon)
    }

    fn send_one(&mut self, transmit: &Transmit) {
        if transmit.renew {
            match self.endpoint.open() {
                Ok(socket) => self.sockets[transmit.channel] = socket,
                Err(error) => return self.client.send_failed(transmit, send_error(&error)),
            }
        }
        self.finalize();
        // Alone in the outbox, so at its beginning.
        let datagram = self.outbox.bytes(0..transmit.length);
        let mut patience = Self::ICMP_TRIES;
        while let Err(error) = self.sockets[transmit.channel].send_one(datagram) {
            if !told_instead(&error, &mut patience) {
                // Whatever is no probe is sent again by and by.
                let passing = matches!(Trouble::of(&error), Trouble::Shortage | Trouble::None);
                let again = transmit.seq.is_none() && passing;
                if !again {
                    self.client.send_failed(transmit, send_error(&error));
                }
                return;
            }
            tell_obstruction(&mut self.client, self.clock.now(), &error);
        }
        self.note_sent(usize::from(transmit.seq.is_some()));
    }

    /// What stands in the outbox leaves, with nothing in between.
    fn finalize(&mut self) {
        let now = self.clock.now();
        for (index, transmit) in self.departing.iter().enumerate() {
            self.client.finalize(transmit, now, self.outbox.committed(index));
        }
    }

    fn send_all(&mut self) {
        self.finalize();
        let Self { sockets, client, outbox, departing, clock, endpoint, .. } = self;
        let channel = departing[0].channel;
        if endpoint.has_trains() && outbox.longest_train() > 1 {
            departing.iter().filter_map(|transmit| transmit.seq).for_each(|seq| client.sent_offloaded(seq));
        }
        let mut sent = departing.iter().filter(|transmit| transmit.seq.is_some()).count();
        let mut patience = Self::ICMP_TRIES;
        sockets[channel].send(outbox, |index, error| {
            let again = told_instead(error, &mut patience);
            if again {
                tell_obstruction(client, clock.now(), error);
            } else {
                sent -= usize::from(departing[index].seq.is_some());
                client.send_failed(&departing[index], send_error(error));
            }
            again
        });
        self.note_sent(sent);
    }
}

/// A pending ICMP error is told instead of sending; then the datagram is still to be sent. A missing
/// route has the same names, and stays.
fn told_instead(error: &io::Error, patience: &mut u32) -> bool {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    let icmp = matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable);
    let told = icmp && *patience > 0;
    *patience -= u32::from(told);
    told
}

pub(super) fn tell_obstruction(client: &mut Client, now: Instant, error: &io::Error) {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        client.unreachable(now);
    } else if error.raw_os_error().is_none_or(|code| !is_too_long(code)) {
        client.obstructed(now, &in_words(error));
    }
}

fn send_error(error: &io::Error) -> SendError {
    match error.raw_os_error() {
        Some(code) if is_too_long(code) => SendError::TooLong,
        _ => SendError::Other(in_words(error)),
    }
}
