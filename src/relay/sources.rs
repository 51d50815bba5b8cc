//! New flows of each source network: a rate limit whose cost does not grow with the number of networks.

use std::collections::HashMap;
use std::mem;
use std::net::IpAddr;

use crate::meter::Meter;
use crate::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Sources {
    per_flow: Duration,
    /// Networks that were asked for since `turned`, and those of the burst before: earlier ones are idle, and an idle
    /// meter is as good as none.
    recent: HashMap<IpAddr, Meter>,
    before: HashMap<IpAddr, Meter>,
    turned: Instant,
}

impl Sources {
    const BURST: Duration = Duration::from_secs(2);
    /// Networks within a burst.
    const MOST: usize = 65_536;

    pub(super) fn new(flows_per_second: u32, now: Instant) -> Self {
        let per_flow = Duration::from_secs(1) / i64::from(flows_per_second.max(1));
        Self { per_flow, recent: HashMap::new(), before: HashMap::new(), turned: now }
    }

    /// Whether this source may open one more flow; this host always may.
    pub(super) fn admits(&mut self, now: Instant, source: IpAddr) -> bool {
        if source.to_canonical().is_loopback() {
            return true;
        }
        if now - self.turned >= Self::BURST {
            self.before = mem::take(&mut self.recent);
            self.turned = now;
        }
        let network = network(source);
        if self.recent.len() >= Self::MOST && !self.recent.contains_key(&network) {
            return false;
        }
        let before = &self.before;
        let meter =
            self.recent.entry(network).or_insert_with(|| before.get(&network).copied().unwrap_or_default());
        meter.admits(now, self.per_flow, Self::BURST)
    }
}

/// The /24 or /56 of an address.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(ip) => IpAddr::from((ip.to_bits() & !0xFF).to_be_bytes()),
        IpAddr::V6(ip) => IpAddr::from((ip.to_bits() >> 72 << 72).to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn a_network_keeps_to_its_rate_across_the_turns_of_the_tables() {
        let mut sources = Sources::new(100, at(0));
        let mut admitted = |from: i64, to: i64| {
            let addresses = (from..to).map(|milli| (milli, IpAddr::from([192, 0, 2, (milli % 256) as u8])));
            addresses.filter(|(milli, source)| sources.admits(at(*milli), *source)).count()
        };
        assert_eq!(admitted(0, 1_000), 200 + 99);
        assert_eq!(admitted(1_000, 11_000), 1_000);
        assert_eq!(admitted(60_000, 60_150), 150);
    }

    #[test]
    fn networks_beyond_the_most_are_refused_until_the_burst_is_over() {
        let mut sources = Sources::new(100, at(0));
        let mut admits = |milli: i64, network: u32| {
            sources.admits(at(milli), IpAddr::from((0x0B00_0000 + network * 256).to_be_bytes()))
        };
        let most = Sources::MOST as u32;
        assert_eq!((0..most + 10).filter(|network| admits(0, *network)).count(), Sources::MOST);
        assert!(admits(1, 7) && !admits(1, most));
        assert!(admits(2_000, most));
    }
}
