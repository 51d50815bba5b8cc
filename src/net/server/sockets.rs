//! A server's sockets: one or two that listen, and one for each heavy sender.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::config::{Bind, PortClosed, PortShare, Serving};
use super::peer_sockets::Peer;
use crate::endpoints::Endpoints;
use crate::net::socket_errors::ErrorBudget;
use crate::net::sys::{Backend, Options, Socket, bind_socket};
use crate::reflect::ServerPort;
use crate::time::Instant;

/// One UDP socket of a server, and which datagrams the kernel delivers to it.
pub(super) struct Listener {
    pub socket: Socket,
    pub role: Role,
    pub server_port: ServerPort,
    pub errors: ErrorBudget,
}

pub(super) enum Role {
    /// Every address of the host: PKTINFO gives the address that a datagram came to, and the reply leaves from it.
    Wildcard,
    /// One address of the host.
    LocalAddress,
    /// One heavy sender.
    Peer(Peer),
}

impl Listener {
    pub(super) fn new(socket: Socket, role: Role, server_port: ServerPort) -> Self {
        Self { socket, role, server_port, errors: ErrorBudget::default() }
    }

    pub(super) fn peer(&self) -> Option<&Peer> {
        match &self.role {
            Role::Peer(peer) => Some(peer),
            Role::Wildcard | Role::LocalAddress => None,
        }
    }

    fn peer_mut(&mut self) -> Option<&mut Peer> {
        match &mut self.role {
            Role::Peer(peer) => Some(peer),
            Role::Wildcard | Role::LocalAddress => None,
        }
    }
}

/// Listening sockets stand first, port by port, IPv6 before IPv4; the peers' sockets follow.
pub(super) struct Listeners {
    pub all: Vec<Listener>,
    listening: usize,
    /// The kernel decides which server of a shared port a client meets: a peer socket would take the client
    /// from the others.
    shared_port: bool,
    /// Of peer sockets that are closed.
    overflows: u64,
    truncated: u64,
}

impl Listeners {
    const RECEIVE_BUFFER: usize = 4 << 20;
    pub(super) const MAX_PEERS: usize = 8;

    pub(super) fn open(bind: Bind, serving: Serving) -> io::Result<Self> {
        let mut all = listen(bind, ServerPort::Main, serving)?;
        for (server_port, port) in ServerPort::ALL.into_iter().zip(serving.other_ports) {
            let Some(port) = port else { continue };
            let opened = listen(bind.at_port(port), server_port, serving);
            all.extend(
                opened.map_err(|error| io::Error::new(error.kind(), PortClosed { server_port, error }))?,
            );
        }
        let (listening, shared_port) = (all.len(), serving.share != PortShare::Alone);
        Ok(Self { all, listening, shared_port, overflows: 0, truncated: 0 })
    }

    pub(super) fn first(&self) -> &Socket {
        &self.all[0].socket
    }

    pub(super) fn sockets(&self) -> impl Iterator<Item = &Socket> + Clone {
        self.all.iter().map(|listener| &listener.socket)
    }

    /// The first socket of a port, if the server has it.
    pub(super) fn of_port(&self, server_port: ServerPort) -> Option<&Socket> {
        let listening = &self.all[..self.listening];
        listening.iter().find(|listener| listener.server_port == server_port).map(|listener| &listener.socket)
    }

    /// The sockets that listen at this port, and that held replies leave through.
    pub(super) fn listening(&mut self, server_port: ServerPort) -> &mut [Listener] {
        let listening = &mut self.all[..self.listening];
        let start = listening.iter().take_while(|listener| listener.server_port != server_port).count();
        let count =
            listening[start..].iter().take_while(|listener| listener.server_port == server_port).count();
        &mut listening[start..start + count]
    }

    /// The socket that replies leave through to what this one receives. A peer socket would get the ICMP errors
    /// of a peer that is gone, and report them instead of sending to the next peer of that address.
    pub(super) fn reply_via(&self, index: usize) -> usize {
        self.all[index].peer().map_or(index, |peer| peer.parent)
    }

    pub(super) fn count_drops(&mut self) {
        self.all.iter_mut().for_each(|listener| listener.socket.count_drops());
    }

    pub(super) fn overflows(&self) -> u64 {
        self.overflows + self.sockets().map(|socket| socket.overflows()).sum::<u64>()
    }

    pub(super) fn truncated(&self) -> u64 {
        self.truncated + self.sockets().map(|socket| socket.truncated()).sum::<u64>()
    }

    pub(super) fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.all.iter().filter_map(Listener::peer)
    }

    /// A batch came to this socket.
    pub(super) fn note_batch(&mut self, index: usize, now: Instant) {
        if let Some(peer) = self.all[index].peer_mut() {
            peer.last_batch = now;
        }
    }

    /// This socket was looked at; `more` waits there.
    pub(super) fn note_look(&mut self, index: usize, more: bool) {
        for peer in self.all.iter_mut().filter_map(Listener::peer_mut) {
            peer.note_parent_batch(index, more);
        }
    }

    /// A heavy sender whose datagrams come to this socket, at this address of the host if the socket has several,
    /// gets a socket of its own. Without one it is served as before.
    pub(super) fn open_peer(
        &mut self,
        parent: usize,
        remote: SocketAddr,
        local: Option<IpAddr>,
        now: Instant,
    ) {
        if self.shared_port || self.peers().count() == Self::MAX_PEERS {
            return;
        }
        let parents = self.all[parent].socket.local_addr().map(|address| address.ip()).ok();
        let Some(address) = local.or(parents).filter(|ip| !ip.is_unspecified()) else { return };
        let opened =
            self.with_shared_port(|all| all[parent].socket.connect_to_peer(address, remote, Peer::MAX_BATCH));
        if let Ok(socket) = opened {
            let peer = Peer::new(remote, local, parent, now);
            let server_port = self.all[parent].server_port;
            self.all.push(Listener::new(socket, Role::Peer(peer), server_port));
        }
    }

    /// The port is shared for this moment only: no other program is to bind to it.
    fn with_shared_port(&self, open: impl FnOnce(&[Listener]) -> io::Result<Socket>) -> io::Result<Socket> {
        let share = |shared| self.sockets().try_for_each(|socket| socket.share_port(shared));
        let opened = share(true).and_then(|()| open(&self.all));
        share(false)?;
        opened
    }

    /// Stops one peer socket that has been idle from receiving, and closes one that was stopped before and is
    /// empty.
    pub(super) fn close_idle_peer(&mut self, now: Instant) {
        let mut idle =
            self.all.iter_mut().filter(|listener| listener.peer().is_some_and(|peer| peer.is_idle(now)));
        if let Some(Listener { socket, role: Role::Peer(peer), .. }) = idle.next()
            && socket.stop_receiving().is_ok()
        {
            peer.stopped = Some(now);
        }
        let empty = |listener: &Listener| listener.peer().is_some_and(|peer| peer.is_empty(now));
        let Some(index) = self.all.iter().position(empty) else { return };
        let mut closed = self.all.swap_remove(index).socket;
        closed.count_drops();
        self.overflows += closed.overflows();
        self.truncated += closed.truncated();
    }
}

/// The index of the socket that sends a held reply, of those that listen at its port: of two the second is that
/// of IPv4.
pub(super) fn route(path: Endpoints, listening: usize) -> usize {
    if path.remote.is_ipv4() { listening - 1 } else { 0 }
}

fn listen(bind: Bind, server_port: ServerPort, serving: Serving) -> io::Result<Vec<Listener>> {
    let open = |address: SocketAddr, dual_stack| {
        let wildcard = address.ip().is_unspecified();
        let options = Options {
            backend: serving.backend,
            dual_stack,
            ttl: Some(u32::from(server_port.reply_ttl())),
            report_ttl: true,
            report_tos: server_port.replies_in_kind(),
            local_address: wildcard,
            receive_buffer: Some(Listeners::RECEIVE_BUFFER),
            offload: true,
            lean: true,
            dont_fragment_first: true,
            share_port: serving.share == PortShare::Later,
            allow_second_socket: serving.share == PortShare::First,
            busy_poll: serving.busy_poll,
            stamps: serving.stamps,
            ..Options::default()
        };
        let role = if wildcard { Role::Wildcard } else { Role::LocalAddress };
        bind_socket(address, &options).map(|socket| Listener::new(socket, role, server_port))
    };
    let any_v4 = |port| open((Ipv4Addr::UNSPECIFIED, port).into(), false);
    let any_v6 = |port, dual_stack| open((Ipv6Addr::UNSPECIFIED, port).into(), dual_stack);
    // One socket for both families is simpler to wait for, but slower.
    let apart = serving.backend == Backend::Native;
    Ok(match bind {
        Bind::At(address) => vec![open(address, false)?],
        Bind::AnyV4(port) => vec![any_v4(port)?],
        Bind::AnyV6(port) => vec![any_v6(port, false)?],
        Bind::Any(port) => match any_v6(port, !apart) {
            Ok(v6) if apart => match any_v4(v6.socket.local_addr()?.port()) {
                Ok(v4) => vec![v6, v4],
                // The port is free for IPv6 only: try the next one, while this is held.
                Err(error) if port == 0 && error.kind() == io::ErrorKind::AddrInUse => {
                    return listen(bind, server_port, serving);
                }
                Err(error) => return Err(error),
            },
            Ok(both) => vec![both],
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            // A host without IPv6.
            Err(_) => vec![any_v4(port)?],
        },
    })
}
