//! Settings of a server: where to listen, how to move datagrams, and where to report socket errors.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::net::sys::Backend;
use crate::reflect::ServerPort;

/// Where to listen. Port 0 is any that is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bind {
    /// Every address of the host, IPv4 and IPv6 alike where there is IPv6.
    Any(u16),
    /// All IPv4 addresses, at this port.
    AnyV4(u16),
    /// All IPv6 addresses, at this port.
    AnyV6(u16),
    /// One address and port.
    At(SocketAddr),
}

impl Bind {
    /// The same addresses, at another port.
    pub fn at_port(self, port: u16) -> Self {
        match self {
            Self::Any(_) => Self::Any(port),
            Self::AnyV4(_) => Self::AnyV4(port),
            Self::AnyV6(_) => Self::AnyV6(port),
            Self::At(address) => Self::At(SocketAddr::new(address.ip(), port)),
        }
    }
}

/// How a server moves its datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serving {
    pub(crate) backend: Backend,
    /// Spin instead of sleeping: lower latency for a whole core.
    pub busy_poll: bool,
    pub(crate) share: PortShare,
    /// The kernel stamps what is received, so that the time in the socket, while the server does not run,
    /// is the server's and not the network's. Costs an echo server 3 %.
    pub stamps: bool,
    /// The ports beside the main one that it has; that of each is at its place in `ServerPort`.
    pub other_ports: OtherPorts,
}

/// Whether servers share the port; the kernel gives each client to one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PortShare {
    /// Only this one has it.
    Alone,
    /// Others follow. Binding fails if another program has the port, so the kernel numbers this socket 0.
    First,
    /// Others have it already.
    Later,
}

/// A number for each `ServerPort` that is open; that of the main port stands elsewhere.
pub type OtherPorts = [Option<u16>; ServerPort::ALL.len()];

impl Default for Serving {
    fn default() -> Self {
        Self {
            backend: Backend::Native,
            busy_poll: false,
            share: PortShare::Alone,
            stamps: true,
            other_ports: OtherPorts::default(),
        }
    }
}

/// A port besides the main one could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct PortClosed {
    /// The port.
    pub server_port: ServerPort,
    /// Why.
    pub error: io::Error,
}

/// An error of a socket that did not end the server.
pub struct SocketErrorReport<'a> {
    /// The address that nothing could be sent to; None while receiving.
    pub remote: Option<SocketAddr>,
    /// The error of the system.
    pub error: &'a io::Error,
}

/// Called by the thread that serves: it must not wait.
pub type OnError = Arc<dyn Fn(&SocketErrorReport) + Send + Sync>;
