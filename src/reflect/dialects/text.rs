//! The text dialect: an address that sent `C <size>` is a text client from then on.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use ahash::RandomState;

use crate::impair::SessionLinks;
use crate::reflect::admission::seeded;
use crate::reflect::client_table::ClientFigures;
use crate::reflect::core::Core;
use crate::reflect::counters::DialectCounters;
use crate::reflect::dialect::{Action, Copies, Dialect, Probe};
use crate::reflect::incoming::Incoming;
use crate::reflect::settings::TextFrom;
use crate::time::{Duration, Instant};
use crate::wire::text::{ACKNOWLEDGED, CALIBRATED, Request, STOPPING};

/// The addresses that calibrated. Anybody can forge such addresses, so where there is no room a new one
/// evicts one that only calibrated; failing that, those that were silent for a while are dropped.
pub(crate) struct Text {
    clients: HashMap<SocketAddr, TextClient, RandomState>,
    /// The addresses that calibrated, oldest first; some have sent packets since, or are gone.
    newcomers: VecDeque<SocketAddr>,
    capacity: usize,
    from: TextFrom,
    denied: u64,
    next_sweep: Instant,
}

struct TextClient {
    links: SessionLinks,
    packets: u64,
    last_seen: Instant,
}

impl TextClient {
    fn is_new(&self) -> bool {
        self.packets == 0
    }
}

impl Text {
    const SWEEP: Duration = Duration::from_secs(1);
    const IDLE: Duration = Duration::from_secs(600);
    const IDLE_WHEN_FULL: Duration = Duration::from_secs(10);

    pub(crate) fn new(core: &Core) -> Self {
        Self {
            clients: HashMap::with_hasher(seeded(core.secret.derive("text clients", 0))),
            newcomers: VecDeque::new(),
            capacity: core.settings.max_text_clients,
            from: core.settings.text_from,
            denied: 0,
            next_sweep: Instant::ZERO,
        }
    }

    /// Opens a client, unless there is no room. One that calibrates again keeps its place in the sequence of
    /// its injection.
    fn calibrate(&mut self, core: &mut Core, packet: &mut Incoming) -> Action<'_> {
        let remote = packet.path.remote;
        if !self.clients.contains_key(&remote) {
            if !self.make_room() {
                self.denied += 1;
                return Action::Decline;
            }
            let seed = core.count_opened();
            let client = TextClient { links: core.links(seed), packets: 0, last_seen: packet.now };
            self.clients.insert(remote, client);
            self.newcomers.push_back(remote);
        }
        Action::Reply(put(CALIBRATED, packet.buffer))
    }

    /// Evicts newcomers until there is room for one more; false if there is none.
    fn make_room(&mut self) -> bool {
        while self.clients.len() >= self.capacity {
            let Some(oldest) = self.newcomers.pop_front() else { return false };
            if self.clients.get(&oldest).is_some_and(TextClient::is_new) {
                self.clients.remove(&oldest);
            }
        }
        true
    }
}

impl Dialect for Text {
    fn claims(&self, packet: &Incoming) -> bool {
        let remote = packet.path.remote;
        let may_calibrate = packet.bytes().first() == Some(&b'C');
        (!self.clients.is_empty() && self.clients.contains_key(&remote))
            || may_calibrate
                && matches!(Request::parse(packet.bytes()), Request::Calibrate(_))
                && self.from.allows(remote.ip())
    }

    fn handle(&mut self, core: &mut Core, packet: &mut Incoming) -> Action<'_> {
        match Request::parse(packet.bytes()) {
            Request::Calibrate(_) => self.calibrate(core, packet),
            Request::Exit if core.settings.allow_stop => {
                core.stop_asked = true;
                Action::Reply(put(STOPPING, packet.buffer))
            }
            Request::Exit | Request::Packet => {
                let Some(client) = self.clients.get_mut(&packet.path.remote) else { return Action::Decline };
                let seq = client.packets;
                client.packets += 1;
                client.last_seen = packet.now;
                packet.length = put(ACKNOWLEDGED, packet.buffer);
                Action::Probe(&mut client.links, Probe { slot: 0, seq, header: 0, copies: Copies::All })
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        (!self.clients.is_empty()).then_some(self.next_sweep)
    }

    fn expire(&mut self, now: Instant) -> u64 {
        self.next_sweep = now + Self::SWEEP;
        let before = self.clients.len();
        let idle = if before < self.capacity { Self::IDLE } else { Self::IDLE_WHEN_FULL };
        self.clients.retain(|_, client| now - client.last_seen <= idle);
        let clients = &self.clients;
        self.newcomers.retain(|address| clients.get(address).is_some_and(TextClient::is_new));
        (before - self.clients.len()) as u64
    }

    fn clients(&self, now: Instant) -> Vec<ClientFigures> {
        let figures = |(remote, client): (&SocketAddr, &TextClient)| ClientFigures {
            remote: ClientFigures::canonical(*remote),
            dialect: "text",
            size: None,
            probes: client.packets,
            missing: None,
            dropped: None,
            silent: now - client.last_seen,
        };
        self.clients.iter().map(figures).collect()
    }

    fn counters(&self) -> DialectCounters {
        DialectCounters {
            clients: self.clients.len() as u64,
            denied: self.denied,
            ..DialectCounters::default()
        }
    }
}

fn put(reply: &[u8], buffer: &mut [u8]) -> usize {
    buffer[..reply.len()].copy_from_slice(reply);
    reply.len()
}
