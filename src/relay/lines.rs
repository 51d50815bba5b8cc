//! Lines: what one direction of a flow meets, and which clients have lines of their own.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use crate::impair::Impairment;
use crate::time::Duration;
use crate::units::UnitError;

/// One direction of one flow.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) impairment: Arc<Impairment>,
    /// Everything after so many bytes is dropped.
    pub(super) most_bytes: Option<u64>,
    /// The flow is closed after this time.
    pub(super) forget_after: Option<Duration>,
}

impl From<Arc<Impairment>> for Line {
    fn from(impairment: Arc<Impairment>) -> Self {
        Self { impairment, most_bytes: None, forget_after: None }
    }
}

/// Lines for the clients of one network, instead of the mapping's.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientLines {
    /// Of their addresses.
    pub network: Network,
    /// Toward the server.
    pub up: Arc<Impairment>,
    /// Toward the client.
    pub down: Arc<Impairment>,
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
