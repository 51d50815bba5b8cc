//! The text dialect's server: an address that sent `C <size>` is a text client ever after.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use ahash::RandomState;

use super::client_table::{ClientFigures, canonical};
use super::limits::seeded;
use super::{Incoming, Server};
use crate::impair::SessionLinks;
use crate::time::{Duration, Instant};
use crate::wire::text::{ACKNOWLEDGED, CALIBRATED, Request, STOPPING};

/// Who gets the dialect's replies, which are longer than the requests may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextFrom {
    /// Loopback, link-local and private addresses.
    #[default]
    Private,
    Any,
}

impl TextFrom {
    pub fn allows(self, address: IpAddr) -> bool {
        self == Self::Any
            || match address.to_canonical() {
                IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
                IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
            }
    }
}

/// The addresses that calibrated, at most so many. Anybody can make up such addresses, so one that
/// only calibrated gives way to a new one when there is no room, and when there is none at all, those
/// go first that have been silent for a while.
pub struct TextClients {
    clients: HashMap<SocketAddr, TextClient, RandomState>,
    /// Those that calibrated, the oldest first; some have sent packets since, or are gone.
    newcomers: VecDeque<SocketAddr>,
    capacity: usize,
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

impl TextClients {
    const IDLE: Duration = Duration::from_secs(600);
    const IDLE_WHEN_CROWDED: Duration = Duration::from_secs(10);

    pub fn new(capacity: usize, secret: u64) -> Self {
        Self { clients: HashMap::with_hasher(seeded(secret)), newcomers: VecDeque::new(), capacity }
    }

    pub fn len(&self) -> usize {
        self.clients.len()
    }

    pub fn figures(&self, now: Instant) -> impl Iterator<Item = ClientFigures> {
        self.clients.iter().map(move |(remote, client)| ClientFigures {
            remote: canonical(*remote),
            dialect: "text",
            size: None,
            probes: client.packets,
            missing: None,
            dropped: None,
            silent: now - client.last_seen,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    pub fn expire(&mut self, now: Instant) -> u64 {
        let before = self.clients.len();
        let idle = if before < self.capacity { Self::IDLE } else { Self::IDLE_WHEN_CROWDED };
        self.clients.retain(|_, client| now - client.last_seen <= idle);
        let clients = &self.clients;
        self.newcomers.retain(|address| clients.get(address).is_some_and(TextClient::is_new));
        (before - self.clients.len()) as u64
    }

    /// Makes room for one more if there is none; whether there is room now.
    fn make_room(&mut self) -> bool {
        while self.clients.len() >= self.capacity {
            let Some(oldest) = self.newcomers.pop_front() else { return false };
            if self.clients.get(&oldest).is_some_and(TextClient::is_new) {
                self.clients.remove(&oldest);
            }
        }
        true
    }

    fn insert(&mut self, address: SocketAddr, client: TextClient) {
        self.clients.insert(address, client);
        self.newcomers.push_back(address);
    }
}

impl Server {
    /// Whether this datagram is for the text dialect: its sender calibrated, or does so now.
    pub(super) fn text_speaks(&mut self, remote: SocketAddr, datagram: &[u8]) -> bool {
        if self.text.is_empty() && datagram.first() != Some(&b'C') {
            return false;
        }
        if self.text.clients.contains_key(&remote) {
            return true;
        }
        let wants = matches!(Request::parse(datagram), Request::Calibrate(_))
            && self.settings.text_from.allows(remote.ip());
        let has_room = wants && self.text.make_room();
        self.counters.text_denied += u64::from(wants && !has_room);
        has_room
    }

    pub(super) fn handle_text(&mut self, incoming: &mut Incoming, suspicious: bool) -> Option<usize> {
        let &mut Incoming { received, now, ref path, .. } = incoming;
        match Request::parse(incoming.bytes()) {
            Request::Calibrate(_) => {
                // Never held nor dropped. A client that calibrates anew keeps its place in its fates.
                if !self.text.clients.contains_key(&path.remote) {
                    self.counters.opened += 1;
                    let links =
                        self.settings.injection.links(self.started, self.session_seed(self.counters.opened));
                    self.text.insert(path.remote, TextClient { links, packets: 0, last_seen: now });
                }
                Some(put(CALIBRATED, incoming.buffer))
            }
            Request::Exit if self.settings.allow_stop => {
                self.stop_asked = true;
                Some(put(STOPPING, incoming.buffer))
            }
            Request::Exit | Request::Packet => {
                self.counters.text_packets += 1;
                let client = self.text.clients.get_mut(&path.remote)?;
                let fate = client.links.admit(received, client.packets, incoming.length);
                client.packets += 1;
                client.last_seen = now;
                incoming.length = put(ACKNOWLEDGED, incoming.buffer);
                self.answer_verbatim(incoming, fate, suspicious)
            }
        }
    }
}

fn put(reply: &[u8], buffer: &mut [u8]) -> usize {
    buffer[..reply.len()].copy_from_slice(reply);
    reply.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_replies_go_to_neighbours_only() {
        for (address, allowed) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.16.0.1", true),
            ("192.168.1.1", true),
            ("169.254.1.1", true),
            ("192.0.2.1", false),
            ("8.8.8.8", false),
            ("::1", true),
            ("fe80::1", true),
            ("fd00::1", true),
            ("2001:db8::1", false),
            ("::ffff:127.0.0.1", true),
            ("::ffff:8.8.8.8", false),
        ] {
            assert_eq!(TextFrom::Private.allows(address.parse().unwrap()), allowed, "{address}");
            assert!(TextFrom::Any.allows(address.parse().unwrap()));
        }
    }
}
