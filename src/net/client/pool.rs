//! Unconnected sockets that many targets share: as many as one target has source ports, however many targets there
//! are. At each socket an address belongs to one target, so the sender of a datagram tells which target it is for.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::sockets::RECEIVE_BUFFER;
use super::target_queue::TargetId;
use crate::net::clock::Clock;
use crate::net::kernel_timestamps::StampMapper;
use crate::net::socket_errors::ErrorBudget;
use crate::net::sys::{Batch, Options, Socket, bind_socket};
use crate::reflect::SocketMark;

/// Its number at the engine.
pub(super) type PortNumber = u32;

#[derive(Default)]
pub(super) struct Pool {
    ports: Vec<Port>,
    owners: HashMap<(PortNumber, SocketAddr), Owner>,
    /// Grows with each batch: a drop at a shared socket may have been any target's datagram.
    turns: u16,
    /// Datagrams from addresses that belong to no target.
    foreign: u64,
}

/// One socket, with what is kept for each.
pub(super) struct Port {
    pub socket: Socket,
    is_ipv6: bool,
    pub stamps: StampMapper,
    pub errors: ErrorBudget,
}

/// The target that an address belongs to, and the number of its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub target: TargetId,
    pub channel: usize,
}

impl Pool {
    pub(super) fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    pub(super) fn count(&self) -> PortNumber {
        self.ports.len() as PortNumber
    }

    /// A socket of the address's family, from this one on, at which it belongs to no target yet.
    pub(super) fn free_port(&self, remote: SocketAddr, from: PortNumber) -> Option<PortNumber> {
        let is_free = |number: &PortNumber| {
            self.ports[*number as usize].is_ipv6 == remote.is_ipv6()
                && !self.owners.contains_key(&(*number, remote))
        };
        (from..self.count()).find(is_free)
    }

    /// Its number in datagrams; 0 if the system does not tell.
    pub(super) fn source_port(&self, number: PortNumber) -> u16 {
        self.ports[number as usize].socket.local_addr().map_or(0, |address| address.port())
    }

    /// Opens one more socket.
    pub(super) fn open(&mut self, is_ipv6: bool, clock: &Clock) -> io::Result<PortNumber> {
        let any: IpAddr = if is_ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let options = Options {
            receive_buffer: Some(RECEIVE_BUFFER),
            stamps: true,
            tx_stamps: true,
            report_ttl: true,
            icmp_errors: true,
            ..Options::default()
        };
        let socket = bind_socket(SocketAddr::new(any, 0), &options)?;
        let stamps = StampMapper::new(clock.wall_offset(), clock.now());
        self.ports.push(Port { socket, is_ipv6, stamps, errors: ErrorBudget::default() });
        Ok(self.count() - 1)
    }

    pub(super) fn take(&mut self, port: PortNumber, remote: SocketAddr, owner: Owner) {
        self.owners.insert((port, remote), owner);
    }

    pub(super) fn leave(&mut self, port: PortNumber, remote: SocketAddr) {
        self.owners.remove(&(port, remote));
    }

    pub(super) fn owner(&self, port: PortNumber, remote: SocketAddr) -> Option<Owner> {
        self.owners.get(&(port, remote)).copied()
    }

    pub(super) fn count_foreign(&mut self, datagrams: u64) {
        self.foreign += datagrams;
    }

    pub(super) fn port(&mut self, number: PortNumber) -> &mut Port {
        &mut self.ports[number as usize]
    }

    /// A socket, and whose each address at it is.
    pub(super) fn port_and_owners(
        &mut self,
        number: PortNumber,
    ) -> (&mut Port, impl Fn(SocketAddr) -> Option<Owner> + use<'_>) {
        let Self { ports, owners, .. } = self;
        (&mut ports[number as usize], move |remote| owners.get(&(number, remote)).copied())
    }

    pub(super) fn sockets(&self) -> impl Iterator<Item = (PortNumber, &Socket)> + Clone {
        (0..).zip(self.ports.iter().map(|port| &port.socket))
    }

    pub(super) fn receive(&mut self, number: PortNumber, inbox: &mut Batch) -> io::Result<()> {
        self.turns = self.turns.wrapping_add(1);
        self.ports[number as usize].socket.receive(inbox)
    }

    pub(super) fn socket(&self, number: PortNumber) -> &Socket {
        &self.ports[number as usize].socket
    }

    pub(super) fn has_stamps(&self) -> bool {
        self.ports.iter().all(|port| port.socket.has_stamps())
    }

    pub(super) fn has_tx_stamps(&self) -> bool {
        self.ports.iter().all(|port| port.socket.has_tx_stamps())
    }

    /// All sockets as one, for each target.
    pub(super) fn mark(&self) -> SocketMark {
        SocketMark { drops: self.overflows() as u16, turns: self.turns }
    }

    /// Datagrams that the sockets dropped because their buffers were full.
    pub(super) fn overflows(&self) -> u64 {
        self.ports.iter().map(|port| port.socket.overflows()).sum()
    }

    pub(super) fn foreign(&self) -> u64 {
        self.foreign
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    #[test]
    fn an_address_belongs_to_one_target_at_each_socket_and_thousands_of_addresses_share_one() {
        let (clock, mut pool) = (Clock::start(), Pool::default());
        let mut seat = |remote: SocketAddr, target| {
            let port = match pool.free_port(remote, 0) {
                Some(port) => port,
                None => pool.open(remote.is_ipv6(), &clock).unwrap(),
            };
            let owner = Owner { target: TargetId(target), channel: 0 };
            pool.take(port, remote, owner);
            assert_eq!(pool.owner(port, remote), Some(owner));
            port
        };
        for target in 0..3_000 {
            let remote = SocketAddr::from(([127, 0, (target / 250) as u8, (target % 250) as u8], 8080));
            assert_eq!(seat(remote, target), 0);
        }
        assert_eq!([seat(at("127.0.0.1:8080"), 4_000), seat(at("127.0.0.1:8081"), 4_001)], [1, 0]);
        assert_eq!([seat(at("[::1]:8080"), 4_002), seat(at("[::1]:8080"), 4_003)], [2, 3]);
        pool.leave(0, at("127.0.0.1:8080"));
        assert_eq!((pool.free_port(at("127.0.0.1:8080"), 0), pool.count()), (Some(0), 4));
    }
}
