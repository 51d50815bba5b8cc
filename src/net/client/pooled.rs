//! Targets that send and receive by the sockets of the pool.

use std::io;

use super::engine::{ClientEngine, lazy};
use super::events::Observer;
use super::frame::destinations;
use super::pool::{Owner, PortNumber};
use super::send::{ICMP_TRIES, report_icmp, report_send_error, was_icmp_error};
use super::shared::{Place, Shared};
use super::target::{Readable, Target};
use crate::net::socket_errors::Severity;
use crate::net::sys::Queued;
use crate::probe::SocketOperation;
use crate::time::Instant;

impl Target {
    /// Sends the one datagram of the outbox.
    pub(super) fn send_pooled(&mut self, shared: &mut Shared) {
        let [transmit] = shared.departing[..] else { return };
        if transmit.renew
            && let Some(pooled) = &mut self.pooled
            && let Err(error) = pooled.renew(self.id, transmit.channel, shared)
        {
            return report_send_error(&mut self.client, &transmit, &error);
        }
        self.finalize(shared);
        let Some(pooled) = &self.pooled else { return };
        let Shared { pool, outbox, .. } = shared;
        let (mut tries, mut has_left) = (ICMP_TRIES, true);
        let socket = &mut pool.port(pooled.ports[transmit.channel]).socket;
        socket.send_those(outbox, &|_| true, &mut |_, error| {
            // The error queue tells which target an ICMP error is about.
            let again = was_icmp_error(error, &mut tries);
            if !again {
                has_left = false;
                report_send_error(&mut self.client, &transmit, error);
            }
            again
        });
        self.note_sent(usize::from(has_left && transmit.seq.is_some()));
    }
}

impl ClientEngine {
    /// Calls for one socket before the others have their turn. A deadline that passes while a reply waits to be read
    /// would make that a loss, so these take the replies of thousands of targets.
    const POOL_BATCHES: usize = 64;

    /// Reads the shared sockets at which something may be, and gives each datagram to its target.
    pub(super) fn read_pool(&mut self, observer: &mut impl Observer) -> io::Result<()> {
        if self.shared.pool.is_empty() {
            return Ok(());
        }
        let now = self.shared.clock.now();
        let (ports, as_of): (Vec<PortNumber>, Instant) = match self.readable.of(Place::POOL) {
            Readable::Any => ((0..self.shared.pool.count()).collect(), now),
            Readable::At(places, as_of) => (places.iter().map(|place| place.channel).collect(), as_of),
        };
        for port in ports {
            self.read_port(port, as_of, observer)?;
        }
        let mut heard = std::mem::take(&mut self.heard);
        heard.sort_unstable();
        heard.dedup();
        for id in heard.drain(..) {
            match self.target(id).is_some_and(Target::is_over) {
                true => self.serve(id, observer),
                false => self.requeue(id, lazy(observer)),
            }
        }
        self.heard = heard;
        Ok(())
    }

    fn read_port(
        &mut self,
        port: PortNumber,
        as_of: Instant,
        observer: &mut impl Observer,
    ) -> io::Result<()> {
        self.shared.pool.port(port).stamps.begin_poll(as_of);
        for _ in 0..Self::POOL_BATCHES {
            let Shared { pool, inbox, .. } = &mut self.shared;
            match pool.receive(port, inbox) {
                Ok(()) => {
                    pool.port(port).errors.reset();
                    self.read_queued(port, observer);
                    self.hand_out(port, observer);
                    if self.shared.inbox.was_filled() {
                        continue;
                    }
                }
                Err(error) if Severity::of(&error) == Severity::WouldBlock => {
                    pool.port(port).errors.reset();
                    self.read_queued(port, observer);
                }
                // An ICMP error is pending; datagrams may be queued behind it.
                Err(error) => {
                    pool.port(port).errors.on_error(&error).apply(error)?;
                    continue;
                }
            }
            self.shared.pool.port(port).stamps.end_poll();
            return Ok(());
        }
        self.shared.backlog = true;
        Ok(())
    }

    /// Transmit timestamps, before the replies to these probes are handled; and ICMP errors.
    fn read_queued(&mut self, port: PortNumber, observer: &mut impl Observer) {
        let Self { shared, targets, heard, .. } = self;
        let Shared { pool, frames, clock, .. } = shared;
        let now = clock.now();
        let (port, owner) = pool.port_and_owners(port);
        port.stamps.update_offset(clock.wall_offset());
        let stamps = port.stamps;
        port.socket.read_error_queue(frames, &mut |queued| match queued {
            Queued::Sent(stamp, frame) => {
                let owner = destinations(frame).find_map(&owner);
                if let Some(entry) = owner.and_then(|owner| targets.get_mut(&owner.target))
                    && let Some(moment) = stamps.to_monotonic(stamp, now)
                {
                    entry.target.on_tx_timestamp(moment, frame);
                }
            }
            Queued::IcmpError(remote, error) => {
                if let Some(owner) = owner(remote)
                    && let Some(entry) = targets.get_mut(&owner.target)
                {
                    report_icmp(&mut entry.target.client, now, SocketOperation::Receive, &error);
                    entry.target.pass_on(observer, None);
                    heard.push(owner.target);
                }
            }
        });
    }

    fn hand_out(&mut self, port: PortNumber, observer: &mut impl Observer) {
        let Self { shared, targets, heard, .. } = self;
        let Shared { pool, inbox, clock, .. } = shared;
        let (now, mark) = (clock.now(), pool.mark());
        let stamps = pool.port(port).stamps;
        for index in 0..inbox.arrived() {
            let arrival = *inbox.arrival(index);
            let Some(Owner { target, channel }) = pool.owner(port, arrival.path.remote) else {
                pool.count_foreign(arrival.datagrams());
                continue;
            };
            let Some(entry) = targets.get_mut(&target) else { continue };
            let received = arrival.stamp.and_then(|stamp| stamps.to_monotonic(stamp, now)).unwrap_or(now);
            let client = &mut entry.target.client;
            if now - received > Target::LAZY {
                // Deadlines that passed before the reply came have passed, though it is read only now.
                client.handle_timeout(received);
            }
            client.note_socket(mark);
            for place in inbox.datagrams(index) {
                client.handle(received, channel, inbox.bytes(place));
            }
            entry.target.pass_on(observer, arrival.ttl);
            heard.push(target);
        }
    }
}
