//! The parts that an engine's targets share: the clock, the buffers and, where there are many, the set of their sockets.

use std::io;
use std::net::SocketAddr;

use super::pool::{Owner, Pool, PortNumber};
use super::target_queue::TargetId;
use crate::net::clock::Clock;
use crate::net::sys::{Batch, ReadySet, Socket};
use crate::probe::Transmit;

pub(super) struct Shared {
    pub clock: Clock,
    pub inbox: Batch,
    pub outbox: Batch,
    /// The datagrams in the outbox.
    pub departing: Vec<Transmit>,
    /// Beginnings of the frames that the kernel stamped as they left.
    pub frames: Batch,
    /// More datagrams wait than were read in this round.
    pub backlog: bool,
    /// Something was sent since the last datagram came.
    pub awaiting: bool,
    /// This program has one processor, and a server most likely runs on it too.
    pub shares_processor: bool,
    /// None while there are few sockets.
    pub ready_set: Option<ReadySet>,
    /// The sockets of targets without sockets of their own.
    pub pool: Pool,
}

impl Shared {
    pub(super) const BATCH: usize = 64;
    const FRAMES: usize = 16;
    /// Holds the headers of the lower layers and that of a probe; the kernel cuts off the rest.
    const FRAME: usize = 256;

    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            inbox: Batch::new(Self::BATCH, 2048),
            outbox: Batch::new(Self::BATCH, 2048),
            departing: Vec::with_capacity(Self::BATCH),
            frames: Batch::new(Self::FRAMES, Self::FRAME),
            backlog: false,
            awaiting: false,
            shares_processor: false,
            ready_set: None,
            pool: Pool::default(),
        }
    }

    /// Datagrams of these lengths fit from now on. Nothing is in the buffers.
    pub(super) fn make_room(&mut self, longest_in: usize, longest_out: usize) {
        for (batch, longest) in [(&mut self.inbox, longest_in), (&mut self.outbox, longest_out)] {
            if batch.longest() < longest {
                *batch = Batch::new(Self::BATCH, longest);
            }
        }
    }

    /// A socket of the pool, from this one on, at which this address belongs to this target from now on.
    pub(super) fn port_for(
        &mut self,
        remote: SocketAddr,
        owner: Owner,
        from: PortNumber,
    ) -> io::Result<PortNumber> {
        let port = match self.pool.free_port(remote, from) {
            Some(port) => port,
            None => {
                let port = self.pool.open(remote.is_ipv6(), &self.clock)?;
                self.watch(self.pool.socket(port), Place::of_pool(port))?;
                port
            }
        };
        self.pool.take(port, remote, owner);
        Ok(port)
    }

    pub(super) fn watch_pool(&self) -> io::Result<()> {
        self.pool.sockets().try_for_each(|(port, socket)| self.watch(socket, Place::of_pool(port)))
    }

    /// Where there are many sockets this one is waited for, too.
    pub(super) fn watch(&self, socket: &Socket, place: Place) -> io::Result<()> {
        match &self.ready_set {
            Some(set) => set.add(socket, place.number(), place.channel == Place::FOREIGN),
            None => Ok(()),
        }
    }
}

/// A socket of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub target: TargetId,
    pub channel: u32,
}

impl Place {
    /// The foreign listener in place of a channel.
    pub(super) const FOREIGN: u32 = u32::MAX;
    /// In place of a target: a socket of the pool.
    pub(super) const POOL: TargetId = TargetId(u32::MAX);

    pub(super) fn of_pool(port: PortNumber) -> Self {
        Self { target: Self::POOL, channel: port }
    }

    pub(super) fn number(self) -> u64 {
        u64::from(self.target.0) << 32 | u64::from(self.channel)
    }

    pub(super) fn of_number(number: u64) -> Self {
        Self { target: TargetId((number >> 32) as u32), channel: number as u32 }
    }
}
