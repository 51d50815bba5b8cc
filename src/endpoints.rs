//! The two endpoints of a datagram, as one host sees them.

use std::net::{IpAddr, SocketAddr};

/// The address of the peer, and the address of this host that the peer used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Endpoints {
    /// The peer's address and port.
    pub remote: SocketAddr,
    /// A reply leaves from this address, if the socket reports it.
    pub local: Option<IpAddr>,
}
