//! The centre of a server: what its dialects share.

use std::net::IpAddr;

use super::admission::{PeerFilter, RateLimits, Rates, UnverifiedPeers};
use super::counters::Counters;
use super::held_replies::{Held, HeldReplies};
use super::incoming::Incoming;
use super::injection::ImpairNotice;
use super::secret::Secret;
use super::server_port::ServerPort;
use super::settings::Settings;
use super::wall_clock::WallClock;
use crate::impair::SessionLinks;
use crate::meter::Meter;
use crate::rng::Seed;
use crate::time::Instant;
use crate::units::BitRate;
use crate::wire::auth::TAG;
use crate::wire::native::Place;

pub(super) struct Core {
    pub settings: Settings,
    /// The server's description of its injection, for clients.
    pub notice: ImpairNotice,
    pub secret: Secret,
    pub started: Instant,
    pub counters: Counters,
    /// Whether the kernel stamps incoming datagrams; told to clients.
    pub kernel_stamps: bool,
    pub stop_asked: bool,
    /// Among the servers that share its port.
    pub place: Place,
    pub clock: WallClock,
    pub filter: PeerFilter,
    pub unverified: UnverifiedPeers,
    pub held: HeldReplies,
    limits: RateLimits,
}

impl Core {
    pub(super) fn new(settings: Settings, secret: [u8; 32], now: Instant) -> Self {
        let secret = Secret::new(secret);
        let settings = Settings { injection: settings.injection.unshared(), ..settings };
        let rates = Rates {
            session: settings.session_rate,
            source: settings.source_rate,
            unverified: settings.unverified_rate,
            all: settings.max_rate,
        };
        Self {
            notice: settings.injection.notice(),
            started: now,
            counters: Counters::default(),
            kernel_stamps: false,
            stop_asked: false,
            place: Place::ALONE,
            clock: WallClock::default(),
            filter: PeerFilter {
                own_ports: [None; ServerPort::ALL.len()],
                allow_low_ports: settings.allow_low_ports,
            },
            unverified: UnverifiedPeers::new(secret.derive("unverified peers", 0)),
            held: HeldReplies::new(settings.max_held_bytes),
            limits: RateLimits::new(rates, secret.derive("sources", 0)),
            secret,
            settings,
        }
    }

    /// The largest message that fits the largest datagram.
    pub(super) fn largest_message(&self) -> u32 {
        self.settings.max_size.saturating_sub(self.tag())
    }

    /// Bytes that sealing adds to a message.
    pub(super) fn tag(&self) -> u32 {
        if self.is_keyed() { TAG as u32 } else { 0 }
    }

    /// Whether every message is sealed with a key.
    pub(super) fn is_keyed(&self) -> bool {
        self.settings.key.is_some()
    }

    /// Bits a second of load that this address may have, if any.
    pub(super) fn load_for(&self, address: IpAddr) -> Option<BitRate> {
        self.settings.load.to(address, self.is_keyed())
    }

    /// Counts a client that opened; the seed of its injection.
    pub(super) fn count_opened(&mut self) -> Seed {
        self.counters.opened += 1;
        // 32 bits are short enough to be typed again.
        self.settings.impair_seed.unwrap_or_else(|| self.secret.derive("fates", self.counters.opened) >> 32)
    }

    /// The server's injection for one client.
    pub(super) fn links(&self, seed: Seed) -> SessionLinks {
        self.settings.injection.links(self.started, seed)
    }

    /// Whether the rate limits admit a datagram outside a session.
    pub(super) fn admit_unverified(&mut self, packet: &Incoming) -> bool {
        let admitted = self.limits.admit_unverified(packet.now, packet.path.remote.ip());
        self.counters.unverified_refused += u64::from(!admitted);
        admitted
    }

    /// Whether the rate limits admit a probe of the session with this meter.
    pub(super) fn admit_probe(&mut self, now: Instant, session: &mut Meter) -> bool {
        let admitted = self.limits.admit_probe(now, session);
        self.counters.refused += u64::from(!admitted);
        admitted
    }

    /// Admits a datagram of a dialect without sessions: none if a rate limit refuses it, else whether its
    /// reply may keep an echo loop going. A reply that was suspended as such is held after all, since
    /// this datagram proves that there is no loop.
    pub(super) fn admit_peer(&mut self, packet: &Incoming) -> Option<bool> {
        if !self.admit_unverified(packet) {
            return None;
        }
        let remote = packet.path.remote;
        let suspect = self.unverified.received(remote, packet.received, packet.bytes());
        if let Some((held, reply)) = self.unverified.release(remote) {
            self.hold(held, &reply);
        }
        Some(suspect)
    }

    /// Holds a reply until it is due; false if `max_held_bytes` leaves no room for it.
    pub(super) fn hold(&mut self, held: Held, datagram: &[u8]) -> bool {
        let is_held = self.held.offer(held, datagram);
        self.counters.refused += u64::from(!is_held);
        is_held
    }
}
