//! An error of the client's socket, as data: the caller, which knows the peer, puts it into words.

/// An operation of the socket that failed, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketError {
    /// The operation.
    pub operation: SocketOperation,
    /// The cause.
    pub kind: SocketErrorKind,
    /// The system's number for it, where it gave one.
    pub code: Option<i32>,
}

/// The operations of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketOperation {
    /// A datagram was to leave.
    Send,
    /// An ICMP message about an earlier datagram is read here, too.
    Receive,
}

/// The cause of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketErrorKind {
    /// No neighbour or route there, or, by ICMP, a firewall on the path prohibits it.
    HostUnreachable,
    /// No route of this host leads there.
    NetworkUnreachable,
    /// By a route of this host or, by ICMP, by a firewall on the path.
    Prohibited,
    /// By a firewall on this host.
    NotPermitted,
    /// Any other, by its number.
    Other,
}

impl SocketError {
    /// Datagrams do not get to the server, whose host may be down: the socket itself is good.
    pub const fn is_of_path(self) -> bool {
        use SocketErrorKind::{HostUnreachable, NetworkUnreachable, Prohibited};
        matches!(self.kind, HostUnreachable | NetworkUnreachable | Prohibited)
    }
}
