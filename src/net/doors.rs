//! A server's sockets: those where it listens, a door for each address of the host that it was asked at,
//! and a gate for each client that comes in crowds. Through a door no datagram has to bear the address, on
//! the way in or out: a thirtieth of its cost.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::gates::Gates;
use super::server::Serving;
use super::sys::{Backend, Options, Socket};
use super::trouble::Trouble;
use crate::endpoints::Endpoints;
use crate::reflect::REPLY_TTL;
use crate::time::Instant;

/// Where to listen. Port 0 is any that is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bind {
    /// Every address of the host, IPv4 and IPv6 alike where there is IPv6.
    Any(u16),
    AnyV4(u16),
    AnyV6(u16),
    At(SocketAddr),
}

impl Bind {
    pub fn at_port(self, port: u16) -> Self {
        match self {
            Self::Any(_) => Self::Any(port),
            Self::AnyV4(_) => Self::AnyV4(port),
            Self::AnyV6(_) => Self::AnyV6(port),
            Self::At(address) => Self::At(SocketAddr::new(address.ip(), port)),
        }
    }
}

pub struct Doors {
    /// First those that listen, then the doors, then the gates.
    pub sockets: Vec<Socket>,
    pub ways: Ways,
    pub gates: Gates,
    refused: Vec<IpAddr>,
    most: usize,
    /// Of gates that are closed.
    overflows: u64,
    truncated: u64,
}

impl Doors {
    /// A host of more addresses, or whose addresses change, answers from the others as well, only not as fast.
    pub const MOST: usize = 8;
    const RECEIVE_BUFFER: usize = 4 << 20;

    pub fn listen(bind: Bind, serving: Serving) -> io::Result<Self> {
        let open = |address: SocketAddr, dual_stack| {
            let options = Options {
                backend: serving.backend,
                dual_stack,
                ttl: Some(u32::from(REPLY_TTL)),
                hops: true,
                local_address: address.ip().is_unspecified(),
                receive_buffer: Some(Self::RECEIVE_BUFFER),
                trains: true,
                sparing: true,
                whole_at_first: true,
                share_port: serving.share_port,
                busy_poll: serving.busy_poll,
                stamps: serving.stamps,
                ..Options::default()
            };
            Socket::bind(address, &options)
        };
        let any_v4 = |port| open((Ipv4Addr::UNSPECIFIED, port).into(), false);
        let any_v6 = |port, dual_stack| open((Ipv6Addr::UNSPECIFIED, port).into(), dual_stack);
        // One socket for both families is simpler to wait for, but slower.
        let apart = serving.backend == Backend::Native;
        let sockets = match bind {
            Bind::At(address) => vec![open(address, false)?],
            Bind::AnyV4(port) => vec![any_v4(port)?],
            Bind::AnyV6(port) => vec![any_v6(port, false)?],
            Bind::Any(port) => match any_v6(port, !apart) {
                Ok(v6) if apart => match any_v4(v6.local_addr()?.port()) {
                    Ok(v4) => vec![v6, v4],
                    // Free for one family only: the next will do, while this is held.
                    Err(error) if port == 0 && error.kind() == io::ErrorKind::AddrInUse => {
                        return Self::listen(bind, serving);
                    }
                    Err(error) => return Err(error),
                },
                Ok(both) => vec![both],
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
                // A host without IPv6.
                Err(_) => vec![any_v4(port)?],
            },
        };
        // Which of several servers a client meets is the system's choice: a door would take it from them.
        let most = if serving.share_port { 0 } else { Self::MOST };
        let ways = Ways { listening: sockets.len(), addresses: Vec::new() };
        let gates = Gates::default();
        Ok(Self { sockets, ways, gates, refused: Vec::new(), most, overflows: 0, truncated: 0 })
    }

    pub fn overflows(&self) -> u64 {
        self.overflows + self.sockets.iter().map(Socket::overflows).sum::<u64>()
    }

    pub fn truncated(&self) -> u64 {
        self.truncated + self.sockets.iter().map(Socket::truncated).sum::<u64>()
    }

    /// Which gate a socket is.
    pub fn gate(&self, index: usize) -> Option<usize> {
        index.checked_sub(self.sockets.len() - self.gates.len())
    }

    /// Where answers leave to what comes to this socket: of a gate that which it stands beside. A gate hears
    /// when its client is gone, and would tell that instead of sending to whoever is there next.
    pub fn exit(&self, index: usize) -> usize {
        self.gate(index).map_or(index, |gate| self.gates.beside(gate))
    }

    /// A client that has come to this socket in crowds has a gate from now on, if it can have one. Whether
    /// that is new.
    pub fn open_gate(&mut self, index: usize, remote: SocketAddr, now: Instant) -> bool {
        let here = self.sockets[index].local_addr().map(|address| address.ip());
        let Some(address) = here.ok().filter(|ip| !ip.is_unspecified()) else { return false };
        if self.most == 0 || self.gate(index).is_some() {
            return false;
        }
        let gate = self.beside(|sockets| sockets[index].gate(address, remote, Gates::BATCH));
        let opened = gate.is_ok();
        if let Ok(gate) = gate {
            self.sockets.push(gate);
            self.gates.opened(remote, index, now);
        }
        opened
    }

    /// Shuts a gate that has been idle, and closes one that was shut: that of this index, in whose place
    /// is the last one now.
    pub fn close_gate(&mut self, now: Instant) -> Option<usize> {
        let first = self.sockets.len() - self.gates.len();
        if let Some(gate) = self.gates.idle(now)
            && self.sockets[first + gate].shut().is_ok()
        {
            self.gates.shut(gate, now);
        }
        let gate = self.gates.empty(now)?;
        let mut closed = self.sockets.swap_remove(first + gate);
        self.gates.closed(gate);
        closed.count_drops();
        self.overflows += closed.overflows();
        self.truncated += closed.truncated();
        Some(first + gate)
    }

    /// The port is shared for this moment only: nobody else is to be let in.
    fn beside(&self, open: impl FnOnce(&[Socket]) -> io::Result<Socket>) -> io::Result<Socket> {
        let share = |shared| self.sockets.iter().try_for_each(|socket| socket.share_port(shared));
        let opened = share(true).and_then(|()| open(&self.sockets));
        share(false)?;
        opened
    }

    /// An answer has left from this address of the host through this socket: from now on the address has
    /// a door, if it can have one. Whether that is new.
    pub fn open(&mut self, index: usize, address: IpAddr) -> bool {
        let Ways { listening, addresses } = &self.ways;
        let tried = addresses.len() + self.refused.len();
        let known = addresses.contains(&address) || self.refused.contains(&address);
        // Such an address is none without the name of its link.
        let of_a_link = matches!(address, IpAddr::V6(ip) if ip.is_unicast_link_local());
        // A gate has no door opened before it.
        if index >= *listening || tried >= self.most || known || of_a_link || self.gates.len() > 0 {
            return false;
        }
        match self.beside(|sockets| sockets[index].door(address)) {
            Ok(door) => {
                self.sockets.push(door);
                self.ways.addresses.push(address);
                true
            }
            Err(error) if Trouble::of(&error) == Trouble::Shortage => false,
            Err(_) => {
                self.refused.push(address);
                false
            }
        }
    }
}

/// Which socket a path leads through.
pub struct Ways {
    listening: usize,
    /// The address of each door.
    addresses: Vec<IpAddr>,
}

impl Ways {
    pub fn of(&self, path: Endpoints) -> usize {
        let door = self.addresses.iter().position(|address| path.local == Some(*address));
        let of_v4 = path.remote.is_ipv4();
        // Where there are two that listen the second is that of IPv4.
        door.map_or(if of_v4 { self.listening - 1 } else { 0 }, |door| self.listening + door)
    }

    /// The address of this socket, if it is a door.
    pub fn address(&self, index: usize) -> Option<IpAddr> {
        self.addresses.get(index.checked_sub(self.listening)?).copied()
    }
}
