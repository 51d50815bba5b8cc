//! The clients that may load the path, and the rate that they may have.

use std::net::IpAddr;

use crate::endpoints::is_private;
use crate::units::BitRate;

/// The load that a server sends and counts, for one client at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadGrant {
    /// To no client.
    Nobody,
    /// To loopback, link-local and private addresses, and with a key to any address that has it.
    Private(BitRate),
    /// To every address that a handshake has proven.
    Anybody(BitRate),
}

impl LoadGrant {
    const USUAL: u64 = 1_000_000_000;

    /// Bits a second of UDP payload that this address may have, if any.
    pub(super) fn to(self, address: IpAddr, is_keyed: bool) -> Option<BitRate> {
        match self {
            Self::Nobody => None,
            Self::Private(rate) => (is_keyed || is_private(address)).then_some(rate),
            Self::Anybody(rate) => Some(rate),
        }
    }
}

impl Default for LoadGrant {
    fn default() -> Self {
        BitRate::new(Self::USUAL).map_or(Self::Nobody, Self::Private)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_the_internet_gets_load_with_a_key_or_when_all_do() {
        let rate = BitRate::new(1_000).unwrap();
        let granted = |grant: LoadGrant, address: &str, is_keyed| {
            grant.to(address.parse().unwrap(), is_keyed).map(BitRate::get)
        };
        for (address, is_private) in
            [("127.0.0.1", true), ("10.0.0.1", true), ("fd00::1", true), ("8.8.8.8", false)]
        {
            assert_eq!(granted(LoadGrant::Nobody, address, true), None);
            assert_eq!(granted(LoadGrant::Private(rate), address, false), is_private.then_some(1_000));
            assert_eq!(granted(LoadGrant::Private(rate), address, true), Some(1_000));
            assert_eq!(granted(LoadGrant::Anybody(rate), address, false), Some(1_000));
        }
        assert_eq!(granted(LoadGrant::default(), "127.0.0.1", false), Some(1_000_000_000));
    }
}
