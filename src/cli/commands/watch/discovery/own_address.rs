//! The addresses of this host, as far as targets have them.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::net::is_own_address;
use crate::time::{Duration, Instant};

/// The answers of the last minute: each costs three calls of the system.
pub(super) struct OwnAddresses {
    known: HashMap<IpAddr, bool>,
    until: Instant,
}

impl Default for OwnAddresses {
    fn default() -> Self {
        Self { known: HashMap::new(), until: Instant::ZERO }
    }
}

impl OwnAddresses {
    const REFRESH: Duration = Duration::from_secs(60);

    /// From time to time the host may have other addresses.
    pub(super) fn refresh(&mut self, now: Instant) {
        if now >= self.until {
            self.known.clear();
            self.until = now + Self::REFRESH;
        }
    }

    /// A loopback address is no host's own: tests and local servers have them.
    pub(super) fn has(&mut self, address: IpAddr) -> bool {
        *self.known.entry(address).or_insert_with(|| is_own_address(address))
    }
}
