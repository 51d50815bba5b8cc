//! Named paths whose directions differ, in families, with the source of their numbers.

/// A named path for a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathProfile {
    /// As `--profile` takes it.
    pub name: &'static str,
    /// The line toward the server.
    pub up: &'static str,
    /// The line toward the client.
    pub down: &'static str,
    /// The NAT; empty for none.
    pub nat: &'static str,
}

/// Paths of one origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileFamily {
    /// The networks that they emulate.
    pub title: &'static str,
    /// The source of their numbers, and what was added.
    pub source: &'static str,
    /// Its members.
    pub profiles: &'static [PathProfile],
}

/// All families.
pub const fn families() -> &'static [ProfileFamily] {
    &FAMILIES
}

impl PathProfile {
    /// The path of this name, of any family.
    pub fn named(name: &str) -> Option<&'static Self> {
        families().iter().flat_map(|family| family.profiles).find(|profile| profile.name == name)
    }
}

const fn path(name: &'static str, up: &'static str, down: &'static str) -> PathProfile {
    PathProfile { name, up, down, nat: "" }
}

const FAMILIES: [ProfileFamily; 4] = [
    ProfileFamily {
        title: "QUIC interop scenarios",
        source: "quic-interop-runner, testcases_quic.py: 10 Mbit/s, 15 ms, a queue of 25 packets (here 37.5 kB); \
                 the runner's losses come three in a row at most, here they are independent; \
                 interop-rebind-addr is for a server on this host",
        profiles: &[
            path("interop-goodput", INTEROP, INTEROP),
            path(
                "interop-longrtt",
                "delay=constant:750ms rate=10Mbit,queue=37500",
                "delay=constant:750ms rate=10Mbit,queue=37500",
            ),
            path("interop-handshake", "delay=constant:15ms loss=bursts:6@1 rate=10Mbit,queue=37500", INTEROP),
            path("interop-loss30", INTEROP_LOSS30, INTEROP_LOSS30),
            path("interop-loss2", INTEROP_LOSS2, INTEROP_LOSS2),
            path("interop-corrupt30", INTEROP_CORRUPT30, INTEROP_CORRUPT30),
            path("interop-corrupt2", INTEROP_CORRUPT2, INTEROP_CORRUPT2),
            path("interop-blackhole", INTEROP_BLACKHOLE, INTEROP_BLACKHOLE),
            PathProfile { name: "interop-rebind", up: INTEROP, down: INTEROP, nat: "rebind=1s+5s" },
            PathProfile {
                name: "interop-rebind-addr",
                up: INTEROP,
                down: INTEROP,
                nat: "rebind=1s+5s,via=127.0.0.2+127.0.0.3",
            },
        ],
    },
    ProfileFamily {
        title: "WebPageTest",
        source: "WebPageTest, connectivity.ini: half of the RTT each way; the queues, 64 kB, are assumed",
        profiles: &[
            path(
                "wpt-cable",
                "delay=constant:14ms rate=1Mbit,queue=64000",
                "delay=constant:14ms rate=5Mbit,queue=64000",
            ),
            path(
                "wpt-dsl",
                "delay=constant:25ms rate=384kbit,queue=64000",
                "delay=constant:25ms rate=1500kbit,queue=64000",
            ),
            path(
                "wpt-fios",
                "delay=constant:2ms rate=5Mbit,queue=64000",
                "delay=constant:2ms rate=20Mbit,queue=64000",
            ),
            path(
                "wpt-dial",
                "delay=constant:60ms rate=30kbit,queue=64000",
                "delay=constant:60ms rate=49kbit,queue=64000",
            ),
            path(
                "wpt-3g",
                "delay=constant:150ms rate=768kbit,queue=64000",
                "delay=constant:150ms rate=1600kbit,queue=64000",
            ),
            path(
                "wpt-3gfast",
                "delay=constant:75ms rate=768kbit,queue=64000",
                "delay=constant:75ms rate=1600kbit,queue=64000",
            ),
            path(
                "wpt-3gslow",
                "delay=constant:100ms rate=330kbit,queue=64000",
                "delay=constant:100ms rate=780kbit,queue=64000",
            ),
            path(
                "wpt-edge",
                "delay=constant:420ms rate=200kbit,queue=64000",
                "delay=constant:420ms rate=240kbit,queue=64000",
            ),
            path(
                "wpt-2g",
                "delay=constant:650ms rate=32kbit,queue=64000",
                "delay=constant:650ms rate=35kbit,queue=64000",
            ),
        ],
    },
    ProfileFamily {
        title: "Chrome's network throttling",
        source: "Puppeteer, PredefinedNetworkConditions.ts, without its corrections for throttling by request: \
                 half of the RTT each way; the queues, 64 kB, are assumed",
        profiles: &[
            path(
                "chrome-slow-3g",
                "delay=constant:200ms rate=500kbit,queue=64000",
                "delay=constant:200ms rate=500kbit,queue=64000",
            ),
            path(
                "chrome-slow-4g",
                "delay=constant:75ms rate=750kbit,queue=64000",
                "delay=constant:75ms rate=1600kbit,queue=64000",
            ),
            path(
                "chrome-fast-4g",
                "delay=constant:30ms rate=1500kbit,queue=64000",
                "delay=constant:30ms rate=9Mbit,queue=64000",
            ),
        ],
    },
    ProfileFamily {
        title: "Apple's Network Link Conditioner",
        source: "an ipfw script for Mac OS X 10.8 with the tool's 3G and Edge: good, average (nlc-3g, nlc-edge) and lossy. \
                 Apple publishes no numbers, so these are second hand and not checked against the tool. Facebook's \
                 augmented-traffic-control has the same, except 90 ms down in good 3G and a loss of 1 % up as well \
                 in lossy Edge. The queues, 64 kB, are assumed",
        profiles: &[
            path(
                "nlc-3g-good",
                "delay=constant:100ms rate=420kbit,queue=64000",
                "delay=constant:100ms rate=850kbit,queue=64000",
            ),
            path(
                "nlc-3g",
                "delay=constant:100ms rate=330kbit,queue=64000",
                "delay=constant:100ms rate=780kbit,queue=64000",
            ),
            path(
                "nlc-3g-lossy",
                "delay=constant:100ms rate=330kbit,queue=64000",
                "delay=constant:100ms loss=1% rate=780kbit,queue=64000",
            ),
            path(
                "nlc-edge-good",
                "delay=constant:370ms rate=200kbit,queue=64000",
                "delay=constant:350ms rate=250kbit,queue=64000",
            ),
            path(
                "nlc-edge",
                "delay=constant:440ms rate=200kbit,queue=64000",
                "delay=constant:400ms rate=240kbit,queue=64000",
            ),
            path(
                "nlc-edge-lossy",
                "delay=constant:440ms rate=200kbit,queue=64000",
                "delay=constant:400ms loss=1% rate=240kbit,queue=64000",
            ),
        ],
    },
];

const INTEROP: &str = "delay=constant:15ms rate=10Mbit,queue=37500";
const INTEROP_LOSS30: &str = "delay=constant:15ms loss=30% rate=10Mbit,queue=37500";
const INTEROP_LOSS2: &str = "delay=constant:15ms loss=2% rate=10Mbit,queue=37500";
const INTEROP_CORRUPT30: &str = "delay=constant:15ms corrupt=30% rate=10Mbit,queue=37500";
const INTEROP_CORRUPT2: &str = "delay=constant:15ms corrupt=2% rate=10Mbit,queue=37500";
const INTEROP_BLACKHOLE: &str = "delay=constant:15ms rate=10Mbit,queue=37500 outage=fixed:on=5s,off=2s";

#[cfg(test)]
mod tests {
    use super::super::nat::Nat;
    use super::*;
    use crate::impair::{Impairment, profiles};

    #[test]
    fn each_path_is_what_it_prints_and_has_a_name_of_its_own() {
        let mut names: Vec<&str> = profiles().iter().map(|profile| profile.name).collect();
        for profile in families().iter().flat_map(|family| family.profiles) {
            for line in [profile.up, profile.down] {
                let impairment: Impairment = line.parse().unwrap();
                assert_eq!(impairment.to_string(), line, "{}", profile.name);
            }
            if !profile.nat.is_empty() {
                assert_eq!(profile.nat.parse::<Nat>().unwrap().to_string(), profile.nat);
            }
            assert!(!names.contains(&profile.name), "{}", profile.name);
            assert_eq!(PathProfile::named(profile.name), Some(profile));
            names.push(profile.name);
        }
        assert_eq!(PathProfile::named("lte"), None);
    }
}
