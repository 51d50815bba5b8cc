//! The two ends of a datagram's way, as one host sees them.

use std::net::{IpAddr, SocketAddr};

/// The address of the peer, and the address of this host that the peer used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Endpoints {
    pub remote: SocketAddr,
    /// A reply leaves from this address, where the socket can tell.
    pub local: Option<IpAddr>,
}
