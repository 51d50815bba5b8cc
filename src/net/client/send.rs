//! What leaves, and what is reported when it cannot.

use std::io;

use super::ClientEngine;
use crate::net::socket_errors::{SocketErrorKind, describe, is_too_long};
use crate::probe::{Client, SendError, Transmit};
use crate::time::{Duration, Instant};

impl ClientEngine {
    /// How often one call is repeated because it reported an ICMP error instead of sending.
    const ICMP_TRIES: u32 = 3;
    /// With less time than this until the next probe the processor is not yielded.
    const YIELDING: Duration = Duration::from_micros(500);

    /// Sends what is due at this moment, which may be a little ahead: the datagrams are built before it and leave in
    /// it, in one call. Few calls in a row, so that a client that is behind reads replies in between.
    pub(super) fn send(&mut self, moment: Instant) {
        for _ in 0..Self::BATCHES {
            self.outbox.clear_outgoing();
            self.departing.clear();
            while !self.outbox.is_full()
                && let Some(transmit) =
                    self.client.build(self.clock.now().max(moment), self.outbox.next_buffer())
            {
                self.outbox.queue_written(self.endpoint.path(), transmit.length);
                self.departing.push(transmit);
                // A datagram for another socket leaves alone.
                if transmit.channel != 0 || transmit.renew {
                    break;
                }
            }
            self.awaiting |= !self.departing.is_empty();
            self.clock.spin_until(moment);
            match self.departing[..] {
                [] => return,
                [transmit] => self.send_one(&transmit),
                _ => self.send_all(),
            }
            if self.has_time_to_yield() {
                // The server on this processor makes the reply now.
                std::thread::yield_now();
            }
        }
    }

    /// The thread that gets the processor may hold it for longer than a probe may be late.
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
        // It is alone in the outbox, so at its beginning.
        let datagram = self.outbox.bytes(0..transmit.length);
        let mut tries = Self::ICMP_TRIES;
        while let Err(error) = self.sockets[transmit.channel].send_one(datagram) {
            if !was_icmp_error(&error, &mut tries) {
                // The machine repeats everything but probes.
                let kind = SocketErrorKind::of(&error);
                let short = matches!(kind, SocketErrorKind::Shortage | SocketErrorKind::WouldBlock);
                let again = transmit.seq.is_none() && short;
                if !again {
                    self.client.send_failed(transmit, send_error(&error));
                }
                return;
            }
            report_icmp(&mut self.client, self.clock.now(), &error);
        }
        self.note_sent(usize::from(transmit.seq.is_some()));
    }

    /// Writes the send time into each datagram of the outbox; the send call follows at once.
    fn finalize(&mut self) {
        let now = self.clock.now();
        for (index, transmit) in self.departing.iter().enumerate() {
            self.client.finalize(transmit, now, self.outbox.written(index));
        }
    }

    fn send_all(&mut self) {
        self.finalize();
        let Self { sockets, client, outbox, departing, clock, endpoint, .. } = self;
        let channel = departing[0].channel;
        if endpoint.offloads() && outbox.longest_train() > 1 {
            departing.iter().filter_map(|transmit| transmit.seq).for_each(|seq| client.sent_offloaded(seq));
        }
        let mut sent = departing.iter().filter(|transmit| transmit.seq.is_some()).count();
        let mut tries = Self::ICMP_TRIES;
        sockets[channel].send_those(outbox, &|_| true, &mut |index, error| {
            let again = was_icmp_error(error, &mut tries);
            if again {
                report_icmp(client, clock.now(), error);
            } else {
                sent -= usize::from(departing[index].seq.is_some());
                client.send_failed(&departing[index], send_error(error));
            }
            again
        });
        self.note_sent(sent);
    }
}

/// The kernel reports a pending ICMP error instead of sending; the datagram is still to be sent. A missing route has
/// the same error codes, and stays.
fn was_icmp_error(error: &io::Error, tries: &mut u32) -> bool {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    let icmp = matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable);
    let again = icmp && *tries > 0;
    *tries -= u32::from(again);
    again
}

pub(super) fn report_icmp(client: &mut Client, now: Instant, error: &io::Error) {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        client.unreachable(now);
    } else if error.raw_os_error().is_none_or(|code| !is_too_long(code)) {
        client.obstructed(now, &describe(error));
    }
}

fn send_error(error: &io::Error) -> SendError {
    match error.raw_os_error() {
        Some(code) if is_too_long(code) => SendError::TooLong,
        _ => SendError::Other(describe(error)),
    }
}
