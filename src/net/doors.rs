//! A server's sockets: those where it listens, and a door for each address of the host that it was asked
//! at. Through a door no datagram has to bear the address, on the way in or out: a thirtieth of its cost.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::server::Serving;
use super::sys::{Backend, Options, Socket};
use super::trouble::Trouble;
use crate::reflect::{ANSWER_HOPS, Path};

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bind {
    /// Every address of the host, IPv4 and IPv6 alike where there is IPv6.
    Any(u16),
    AnyV4(u16),
    AnyV6(u16),
    At(SocketAddr),
}

pub struct Doors {
    /// First those that listen, then the doors.
    pub sockets: Vec<Socket>,
    pub ways: Ways,
    refused: Vec<IpAddr>,
    most: usize,
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
                ttl: Some(u32::from(ANSWER_HOPS)),
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
                Ok(v6) if apart => vec![v6, any_v4(port)?],
                Ok(both) => vec![both],
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
                // A host without IPv6.
                Err(_) => vec![any_v4(port)?],
            },
        };
        // Which of several servers a client meets is the system's choice: a door would take it from them.
        let most = if serving.share_port { 0 } else { Self::MOST };
        let ways = Ways { listening: sockets.len(), addresses: Vec::new() };
        Ok(Self { sockets, ways, refused: Vec::new(), most })
    }

    pub fn overflows(&self) -> u64 {
        self.sockets.iter().map(Socket::overflows).sum()
    }

    pub fn truncated(&self) -> u64 {
        self.sockets.iter().map(Socket::truncated).sum()
    }

    /// An answer has left from this address of the host through this socket: from now on the address has
    /// a door, if it can have one. Whether that is new.
    pub fn open(&mut self, index: usize, address: IpAddr) -> bool {
        let Ways { listening, addresses } = &mut self.ways;
        let tried = addresses.len() + self.refused.len();
        let known = addresses.contains(&address) || self.refused.contains(&address);
        // Such an address is none without the name of its link.
        let of_a_link = matches!(address, IpAddr::V6(ip) if ip.is_unicast_link_local());
        if index >= *listening || tried >= self.most || known || of_a_link {
            return false;
        }
        match self.sockets[index].door(address) {
            Ok(door) => {
                self.sockets.push(door);
                addresses.push(address);
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
    pub fn of(&self, path: Path) -> usize {
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
