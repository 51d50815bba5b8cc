//! The sessions of a STAMP reflector. Nobody opens one: the first request of a sender does.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use ahash::RandomState;

use crate::impair::SessionLinks;
use crate::reflect::admission::seeded;
use crate::reflect::core::Core;
use crate::reflect::incoming::Incoming;
use crate::reflect::slots::Slots;
use crate::time::{Duration, Instant};
use crate::wire::stamp::Timestamp;

/// RFC 8762: the addresses and ports; RFC 8972 adds the sender's identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct SessionId {
    remote: SocketAddr,
    local: Option<IpAddr>,
    ssid: u16,
}

pub(super) struct Session {
    id: SessionId,
    pub links: SessionLinks,
    /// Requests offered to the injection, which is drawn by their number.
    pub seen: u64,
    /// Requests received and not dropped on the way up by injection, which all are reflected. The next reply has
    /// this number.
    pub received: u32,
    pub last_seen: Instant,
    /// The number of the reply before, and when it left.
    pub last_reply: Option<(u32, Timestamp)>,
}

impl Session {
    pub(super) fn remote(&self) -> SocketAddr {
        self.id.remote
    }
}

/// Anybody can forge the address that opens one, so there is a limit; beyond it replies copy the number of their
/// request, as those of a stateless reflector do.
pub(super) struct Sessions {
    slots: HashMap<SessionId, u32, RandomState>,
    sessions: Slots<Session>,
    capacity: usize,
    idle: Duration,
}

impl Sessions {
    const IDLE: Duration = Duration::from_secs(300);
    const IDLE_WHEN_FULL: Duration = Duration::from_secs(10);
    /// A sender that begins at 0 again after such a silence is another run: its numbers begin at 0, too.
    const PAUSE_BETWEEN_RUNS: Duration = Duration::from_secs(1);

    pub(super) fn new(core: &Core) -> Self {
        Self {
            slots: HashMap::with_hasher(seeded(core.secret.derive("stamp sessions", 0))),
            sessions: Slots::new(),
            capacity: core.settings.max_sessions,
            idle: Self::IDLE.min(core.settings.max_idle),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The session of a request, opened if there is room.
    pub(super) fn of_request(
        &mut self,
        core: &mut Core,
        packet: &Incoming,
        ssid: u16,
        seq: u32,
    ) -> Option<u32> {
        let id = SessionId { remote: packet.path.remote, local: packet.path.local, ssid };
        let slot = match self.slots.get(&id) {
            Some(slot) => *slot,
            None => self.open(core, packet, id)?,
        };
        let session = self.at_mut(slot)?;
        let silent = packet.now - session.last_seen;
        session.last_seen = packet.now;
        if seq == 0 && silent >= Self::PAUSE_BETWEEN_RUNS {
            (session.received, session.last_reply) = (0, None);
        }
        Some(slot)
    }

    fn open(&mut self, core: &mut Core, packet: &Incoming, id: SessionId) -> Option<u32> {
        if self.slots.len() >= self.capacity {
            return None;
        }
        let seed = core.count_opened();
        let session = Session {
            id,
            links: core.links(seed),
            seen: 0,
            received: 0,
            last_seen: packet.now,
            last_reply: None,
        };
        let slot = self.sessions.insert(session);
        self.slots.insert(id, slot);
        Some(slot)
    }

    pub(super) fn at_mut(&mut self, slot: u32) -> Option<&mut Session> {
        self.sessions.at_mut(slot)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter()
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.sessions.next_sweep()
    }

    /// Drops silent sessions; returns how many.
    pub(super) fn expire(&mut self, now: Instant) -> u64 {
        let is_full = self.slots.len() >= self.capacity;
        let idle = if is_full { Self::IDLE_WHEN_FULL.min(self.idle) } else { self.idle };
        let over = self.sessions.sweep(now, |session| now - session.last_seen > idle);
        for session in &over {
            self.slots.remove(&session.id);
        }
        over.len() as u64
    }
}
