//! Sends a target's datagrams, and reports those that do not leave.

use std::io;

use super::shared::{Place, Shared};
use super::target::Target;
use crate::net::clock::Clock;
use crate::net::socket_errors::{Severity, is_too_long, socket_error};
use crate::probe::{Client, SendError, SocketOperation, Transmit};
use crate::time::{Duration, Instant};

/// How often one call is repeated because it reported an ICMP error instead of sending.
pub(super) const ICMP_TRIES: u32 = 3;

impl Target {
    /// With less time than this until the next probe the processor is not yielded.
    const YIELDING: Duration = Duration::from_micros(500);

    /// Sends what is due at this moment, which may be a little ahead: the datagrams are built before it and leave in
    /// it, in one call. Few calls in a row, so that a client that is behind reads replies in between.
    pub(super) fn send(&mut self, moment: Instant, shared: &mut Shared) {
        for _ in 0..Self::BATCHES {
            self.build(moment, shared);
            shared.awaiting |= !shared.departing.is_empty();
            shared.clock.spin_until(moment);
            match shared.departing[..] {
                [] => return,
                _ if self.pooled.is_some() => self.send_pooled(shared),
                [transmit] => self.send_one(&transmit, shared),
                _ => self.send_all(shared),
            }
            if shared.shares_processor && !self.is_due_soon(&shared.clock) {
                // The server on this processor makes the reply now.
                std::thread::yield_now();
            }
        }
    }

    /// Fills the outbox with what is due by that moment.
    fn build(&mut self, moment: Instant, shared: &mut Shared) {
        let Shared { clock, outbox, departing, pool, .. } = shared;
        outbox.clear_outgoing();
        departing.clear();
        let header = self.pooled.as_ref().map(|pooled| pooled.header).unwrap_or_default();
        if self.pooled.is_some() {
            self.client.note_socket(pool.mark());
        }
        while !outbox.is_full()
            && let Some(transmit) = self.client.build(clock.now().max(moment), outbox.next_buffer())
        {
            outbox.queue_written_with(self.endpoint.path(), header, transmit.length);
            departing.push(transmit);
            // A datagram for another socket leaves alone.
            if transmit.channel != 0 || transmit.renew || self.pooled.is_some() {
                return;
            }
        }
    }

    /// The thread that gets the processor may hold it for longer than a probe may be late.
    fn is_due_soon(&self, clock: &Clock) -> bool {
        self.client.next_due().is_some_and(|due| due - clock.now() < Self::YIELDING)
    }

    fn send_one(&mut self, transmit: &Transmit, shared: &mut Shared) {
        if transmit.renew
            && let Err(error) = self.reopen(transmit.channel, shared)
        {
            return self.client.send_failed(transmit, send_error(&error));
        }
        self.finalize(shared);
        // It is alone in the outbox, so at its beginning.
        let datagram = shared.outbox.bytes(0..transmit.length);
        let mut tries = ICMP_TRIES;
        while let Err(error) = self.sockets[transmit.channel].send_one(datagram) {
            if !was_icmp_error(&error, &mut tries) {
                return report_send_error(&mut self.client, transmit, &error);
            }
            report_icmp(&mut self.client, shared.clock.now(), SocketOperation::Send, &error);
        }
        self.note_sent(usize::from(transmit.seq.is_some()));
    }

    fn reopen(&mut self, channel: usize, shared: &Shared) -> io::Result<()> {
        let socket = self.endpoint.open()?;
        shared.watch(&socket, Place { target: self.id, channel: channel as u32 })?;
        self.sockets[channel] = socket;
        Ok(())
    }

    /// Writes the send time into each datagram of the outbox; the send call follows at once.
    pub(super) fn finalize(&mut self, shared: &mut Shared) {
        let now = shared.clock.now();
        for (index, transmit) in shared.departing.iter().enumerate() {
            self.client.finalize(transmit, now, shared.outbox.written(index));
        }
    }

    fn send_all(&mut self, shared: &mut Shared) {
        self.finalize(shared);
        let Shared { outbox, departing, clock, .. } = shared;
        let Self { sockets, client, endpoint, .. } = self;
        let channel = departing[0].channel;
        if endpoint.offloads() && outbox.longest_train() > 1 {
            departing.iter().filter_map(|transmit| transmit.seq).for_each(|seq| client.sent_offloaded(seq));
        }
        let mut sent = departing.iter().filter(|transmit| transmit.seq.is_some()).count();
        let mut tries = ICMP_TRIES;
        sockets[channel].send_those(outbox, &|_| true, &mut |index, error| {
            let again = was_icmp_error(error, &mut tries);
            if again {
                report_icmp(client, clock.now(), SocketOperation::Send, error);
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
pub(super) fn was_icmp_error(error: &io::Error, tries: &mut u32) -> bool {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    let icmp = matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable);
    let again = icmp && *tries > 0;
    *tries -= u32::from(again);
    again
}

pub(super) fn report_icmp(client: &mut Client, now: Instant, operation: SocketOperation, error: &io::Error) {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        client.unreachable(now);
    } else if error.raw_os_error().is_none_or(|code| !is_too_long(code)) {
        client.obstructed(now, socket_error(operation, error));
    }
}

/// The client repeats everything but probes, so a shortage is no failure of these.
pub(super) fn report_send_error(client: &mut Client, transmit: &Transmit, error: &io::Error) {
    let short = matches!(Severity::of(error), Severity::Shortage | Severity::WouldBlock);
    if transmit.seq.is_some() || !short {
        client.send_failed(transmit, send_error(error));
    }
}

fn send_error(error: &io::Error) -> SendError {
    match error.raw_os_error() {
        Some(code) if is_too_long(code) => SendError::TooLong,
        _ => SendError::Socket(socket_error(SocketOperation::Send, error)),
    }
}
