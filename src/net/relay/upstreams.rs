//! The sockets toward the servers: one a flow, and with a NAT those of its earlier ports, too.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Place, RelayEngine, RelayObservation, RelayObserver, options};
use crate::net::socket_errors::ErrorBudget;
use crate::net::sys::{Socket, bind_socket};
use crate::relay::{FlowId, Happening, MappingId};

/// The socket of one port of a flow, connected to its server unless a NAT lets in others.
pub(super) struct Upstream {
    pub(super) socket: Socket,
    pub(super) flow: FlowId,
    pub(super) mapping: MappingId,
    /// Among the ports that the flow has had.
    pub(super) port: u32,
    pub(super) local: SocketAddr,
    /// Where it sends: the server, or the port of it that answered last.
    pub(super) remote: SocketAddr,
    /// Overflows of its socket that are counted.
    pub(super) overflows: u64,
    pub(super) errors: ErrorBudget,
}

/// All of them, by their numbers.
#[derive(Default)]
pub(super) struct Upstreams {
    sockets: HashMap<u64, Upstream>,
    /// The numbers of a flow that has had several ports, the current one last.
    moved: HashMap<u64, Vec<u64>>,
    next: u64,
}

impl Upstreams {
    /// Numbers from here on are of later ports; the first of a flow has the flow's number.
    const LATER: u64 = 1 << 62;
    /// Earlier ports that stay open, so that the kernel does not refuse what comes to them.
    const KEPT: usize = 8;

    /// The number of the socket through which the flow sends.
    pub(super) fn current(&self, flow: FlowId) -> u64 {
        let moved = self.moved.get(&flow.number()).and_then(|numbers| numbers.last());
        moved.copied().unwrap_or(flow.number())
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Upstream> {
        self.sockets.get_mut(&number)
    }

    pub(super) fn of_flow(&self, flow: FlowId) -> Option<&Upstream> {
        self.sockets.get(&self.current(flow))
    }

    pub(super) fn of_flow_mut(&mut self, flow: FlowId) -> Option<&mut Upstream> {
        let current = self.current(flow);
        self.sockets.get_mut(&current)
    }

    /// Returns the earliest port of the flow where it has too many now.
    fn insert(&mut self, number: u64, upstream: Upstream) -> Option<Upstream> {
        let flow = upstream.flow.number();
        self.sockets.insert(number, upstream);
        if number == flow {
            return None;
        }
        let numbers = self.moved.entry(flow).or_insert_with(|| vec![flow]);
        numbers.push(number);
        let is_one_more = numbers.len() > Self::KEPT + 1;
        is_one_more.then(|| self.sockets.remove(&numbers.remove(0)))?
    }

    /// The numbers of all sockets.
    pub(super) fn all_numbers(&self) -> Vec<u64> {
        self.sockets.keys().copied().collect()
    }

    /// Takes out the sockets of a flow.
    pub(super) fn take(&mut self, flow: FlowId) -> Vec<Upstream> {
        let numbers = self.moved.remove(&flow.number()).unwrap_or_else(|| vec![flow.number()]);
        numbers.iter().filter_map(|number| self.sockets.remove(number)).collect()
    }

    fn number(&mut self, flow: FlowId, port: u32) -> u64 {
        if port == 0 {
            return flow.number();
        }
        self.next += 1;
        Self::LATER | self.next
    }
}

impl RelayEngine {
    /// Opens a flow's socket for this one of its ports, and says where it is bound.
    pub(super) fn open_upstream(
        &mut self,
        flow: FlowId,
        mapping: MappingId,
        port: u32,
        observer: &mut impl RelayObserver,
    ) -> Option<SocketAddr> {
        match self.try_open(flow, mapping, port) {
            Ok(local) => Some(local),
            Err(error) => {
                self.tell_error(mapping, Some(flow), &error, observer);
                None
            }
        }
    }

    /// From now on the flow sends from another port.
    pub(super) fn rebind_to(
        &mut self,
        flow: FlowId,
        mapping: MappingId,
        port: u32,
        observer: &mut impl RelayObserver,
    ) {
        let upstream = self.open_upstream(flow, mapping, port, observer);
        self.note_flow(flow, mapping, |id, flow| Happening::Rebound { id, flow, upstream });
        observer.observe(RelayObservation::Rebound { flow, mapping, upstream }, &[]);
    }

    fn try_open(&mut self, flow: FlowId, mapping: MappingId, port: u32) -> io::Result<SocketAddr> {
        let before = self.upstreams.of_flow(flow).map(|upstream| upstream.remote);
        let remote = before.unwrap_or(self.listeners[mapping].upstream);
        let (own, is_open) =
            self.relay.nat(flow).map_or((None, false), |nat| (nat.local_ip(port), nat.is_open()));
        let any: IpAddr = match remote {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let mut socket = bind_socket((own.unwrap_or(any), 0).into(), &options(false))?;
        if !is_open {
            socket.connect(remote)?;
        }
        let number = self.upstreams.number(flow, port);
        self.ready_set.add(&socket, Place::Upstream(number).number(), false)?;
        let local = socket.local_addr()?;
        let errors = ErrorBudget::default();
        let upstream = Upstream { socket, flow, mapping, port, local, remote, overflows: 0, errors };
        if let Some(earliest) = self.upstreams.insert(number, upstream) {
            self.close_upstream(earliest);
        }
        Ok(local)
    }
}
