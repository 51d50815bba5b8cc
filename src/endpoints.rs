//! The two endpoints of a datagram, as one host sees them; networks, and which addresses are private.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use crate::units::UnitError;

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

/// An IP network: the addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    const EXAMPLE: &str = "192.0.2.0/24";

    /// Whether an address, which an IPv6 socket may show as a mapped one, lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.checked_shr(32 - u32::from(self.prefix)).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.checked_shr(128 - u32::from(self.prefix)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// An address alone is a network of one.
impl FromStr for Network {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(at, bits)| (at, Some(bits)));
        let address: IpAddr =
            address.parse().map_err(|_| UnitError::new(format!("'{text}' is no network"), Self::EXAMPLE))?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => most,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most).ok_or_else(|| {
                UnitError::new(
                    format!("'{bits}' in '{text}' is no prefix of 0 to {most} bits"),
                    Self::EXAMPLE,
                )
            })?,
        };
        Ok(Self { address, prefix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_the_addresses_with_its_prefix() {
        for (network, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "2001:db8::a"),
            ("2001:db8::/32", "2001:db8:1::9", "2001:db9::"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
        ] {
            let of = |text: &str| network.parse::<Network>().unwrap().contains(text.parse().unwrap());
            assert!(of(inside) && !of(outside), "{network}");
        }
        for text in ["", "lan", "192.0.2.0/33", "192.0.2.0/x", "::/129"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
