//! The two endpoints of a datagram, as one host sees them; which addresses are private.

use std::net::{IpAddr, SocketAddr};

/// The address of the peer, and the address of this host that the peer used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Endpoints {
    /// The peer's address and port.
    pub remote: SocketAddr,
    /// A reply leaves from this address, if the socket reports it.
    pub local: Option<IpAddr>,
}

/// Loopback, link-local and private addresses.
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}
