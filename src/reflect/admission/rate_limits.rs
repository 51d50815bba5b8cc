//! Rate limits: datagrams per second of one session, of one source, and of all.

use std::net::{IpAddr, Ipv6Addr};

use ahash::RandomState;

use crate::meter::Meter;
use crate::time::{Duration, Instant};

/// Datagrams per second; `None` is no limit.
pub type PerSecond = Option<u32>;

/// The datagrams that a server admits per second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    /// Probes of one session.
    pub session: PerSecond,
    /// Datagrams outside sessions: of one source, and of all.
    pub source: PerSecond,
    pub unverified: PerSecond,
    /// Datagrams of all clients.
    pub all: PerSecond,
}

/// The limits of one server.
pub(crate) struct RateLimits {
    rates: Rates,
    sources: Sources,
    unverified: Meter,
    all: Meter,
}

impl RateLimits {
    pub(crate) fn new(rates: Rates, secret: u64) -> Self {
        Self { rates, sources: Sources::new(secret), unverified: Meter::default(), all: Meter::default() }
    }

    /// Whether to admit a datagram outside a session.
    pub(crate) fn admit_unverified(&mut self, now: Instant, source: IpAddr) -> bool {
        self.sources.admits(now, source, self.rates.source)
            && admits(&mut self.unverified, now, self.rates.unverified)
            && admits(&mut self.all, now, self.rates.all)
    }

    /// Whether to admit a probe of the session with this meter.
    pub(crate) fn admit_probe(&mut self, now: Instant, session: &mut Meter) -> bool {
        admits(session, now, self.rates.session) && admits(&mut self.all, now, self.rates.all)
    }
}

/// Whether to admit a datagram: the rate on average, after a burst of 0.1 s.
fn admits(meter: &mut Meter, now: Instant, limit: PerSecond) -> bool {
    const BURST: Duration = Duration::from_millis(100);
    let Some(limit) = limit else { return true };
    let cost = Duration::from_secs(1) / i64::from(limit.max(1));
    meter.admits(now, cost, BURST + cost)
}

/// A meter for each source, in a hash table of fixed size. Busy sources with the same bucket share its
/// meter, so a flood from many addresses limits others only if it is as fast as all buckets together.
struct Sources {
    /// Keyed, so that a source cannot choose its bucket.
    hasher: RandomState,
    buckets: Vec<Bucket>,
}

#[derive(Clone, Copy, Default)]
struct Bucket {
    /// The hash of the source that uses it.
    source: u64,
    meter: Meter,
}

impl Sources {
    /// A fuzzer makes a table for each input, so its table is small.
    const BUCKETS: usize = if cfg!(fuzzing) { 64 } else { 16_384 };

    fn new(secret: u64) -> Self {
        Self { hasher: seeded(secret), buckets: vec![Bucket::default(); Self::BUCKETS] }
    }

    fn admits(&mut self, now: Instant, address: IpAddr, limit: PerSecond) -> bool {
        if limit.is_none() {
            return true;
        }
        let source = self.hasher.hash_one(network(address));
        let bucket = &mut self.buckets[source as usize % Self::BUCKETS];
        if bucket.source != source && bucket.meter.is_idle(now) {
            *bucket = Bucket { source, meter: Meter::default() };
        }
        admits(&mut bucket.meter, now, limit)
    }
}

/// A hasher that cannot be predicted without the secret.
pub(crate) fn seeded(secret: u64) -> RandomState {
    RandomState::with_seeds(secret, secret.rotate_left(16), secret.rotate_left(32), secret.rotate_left(48))
}

/// The address that stands for a source: an IPv4 address, or the /64 network of an IPv6 host.
pub(crate) fn network(address: IpAddr) -> IpAddr {
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
            times.filter(|now| admits(meter, *now, Some(1000))).count()
        };
        // 10,000 a second are asked for.
        let first = admitted(&mut meter, 0, 10_000);
        assert!((1095..=1105).contains(&first), "{first}");
        let second = admitted(&mut meter, 10_000, 20_000);
        assert!((995..=1005).contains(&second), "{second}");
        assert!(admits(&mut meter, START, None));
    }

    #[test]
    fn datagrams_slower_than_the_limit_are_admitted() {
        let mut meter = Meter::default();
        assert!((0..100).all(|second| admits(&mut meter, START + Duration::from_secs(second), Some(1))));
    }

    #[test]
    fn the_flood_of_one_source_does_not_limit_the_others() {
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
