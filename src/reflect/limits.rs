//! How many datagrams a second are let through.

use std::net::{IpAddr, Ipv6Addr};

use ahash::RandomState;

use crate::time::{Duration, Instant};

/// Datagrams a second; `None` is no limit.
pub type PerSecond = Option<u32>;

/// Keeps to a rate on average and lets a burst of a tenth of a second pass.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    /// When the next would be due if all came evenly (the generic cell rate algorithm).
    next: Instant,
}

impl Meter {
    const BURST: Duration = Duration::from_millis(100);

    pub fn admits(&mut self, now: Instant, limit: PerSecond) -> bool {
        let Some(limit) = limit else { return true };
        if self.next - now > Self::BURST {
            return false;
        }
        self.next = self.next.max(now) + Duration::from_secs(1) / i64::from(limit.max(1));
        true
    }

    fn is_idle(&self, now: Instant) -> bool {
        self.next <= now
    }
}

/// A meter for each source, in a table that never grows. Sources that are busy at one place of the
/// table share its meter: a flood from many addresses costs others something only if it is as fast
/// as all places together allow.
pub struct Sources {
    /// Keeps a source from choosing with whom it shares.
    hasher: RandomState,
    places: Vec<Place>,
}

#[derive(Clone, Copy, Default)]
struct Place {
    name: u64,
    meter: Meter,
}

impl Sources {
    /// A fuzzer makes a table for each of its inputs, and gets a small one.
    const PLACES: usize = if cfg!(fuzzing) { 64 } else { 16_384 };

    pub fn new(secret: u64) -> Self {
        Self { hasher: seeded(secret), places: vec![Place::default(); Self::PLACES] }
    }

    pub fn admits(&mut self, now: Instant, address: IpAddr, limit: PerSecond) -> bool {
        if limit.is_none() {
            return true;
        }
        let name = self.hasher.hash_one(network(address));
        let place = &mut self.places[name as usize % Self::PLACES];
        if place.name != name && place.meter.is_idle(now) {
            *place = Place { name, meter: Meter::default() };
        }
        place.meter.admits(now, limit)
    }
}

/// Hashes that nobody can foretell who does not know the secret.
pub fn seeded(secret: u64) -> RandomState {
    RandomState::with_seeds(secret, secret.rotate_left(16), secret.rotate_left(32), secret.rotate_left(48))
}

/// What counts as one source: an IPv4 address, or the network of an IPv6 host, which has addresses
/// to spare.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_nanos(1_000_000_000_000);

    fn address(index: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0x0A00_0000 + index).into()
    }

    #[test]
    fn a_meter_keeps_to_its_rate_after_a_burst() {
        let mut meter = Meter::default();
        let admitted = |meter: &mut Meter, from: i64, to: i64| {
            let times = (from..to).map(|k| START + Duration::from_micros(100) * k);
            times.filter(|now| meter.admits(*now, Some(1000))).count()
        };
        // 10,000 a second are asked for.
        let first = admitted(&mut meter, 0, 10_000);
        assert!((1095..=1105).contains(&first), "{first}");
        let second = admitted(&mut meter, 10_000, 20_000);
        assert!((995..=1005).contains(&second), "{second}");
        assert!(meter.admits(START, None));
    }

    #[test]
    fn slow_ones_are_let_through_whatever_the_limit() {
        let mut meter = Meter::default();
        assert!((0..100).all(|second| meter.admits(START + Duration::from_secs(second), Some(1))));
    }

    #[test]
    fn one_source_that_floods_leaves_the_others_alone() {
        let mut sources = Sources::new(1);
        let flood = (0..100_000).filter(|_| sources.admits(START, address(0), Some(1000))).count();
        assert!((100..=102).contains(&flood), "{flood}");
        let others = (1..1000).filter(|index| sources.admits(START, address(*index), Some(1000))).count();
        assert_eq!(others, 999);
    }

    #[test]
    fn a_source_is_an_ipv4_address_or_an_ipv6_network() {
        let network = |address: &str| super::network(address.parse().unwrap()).to_string();
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
