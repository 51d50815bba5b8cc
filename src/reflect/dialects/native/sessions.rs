//! The native sessions, found by token. Where there is no room for one more, the least active is evicted.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::{IpAddr, SocketAddr};

use super::outcomes::{MaxJump, Noted, OutcomeHistory};
use super::replay_window::ReplayWindow;
use crate::endpoints::Endpoints;
use crate::impair::SessionLinks;
use crate::meter::Meter;
use crate::reflect::admission::network;
use crate::reflect::incoming::Incoming;
use crate::reflect::injection::ImpairNotice;
use crate::reflect::slots::Slots;
use crate::rng::Seed;
use crate::time::{Duration, Instant};
use crate::wire::native::{Nonce, Token};

/// Identifies the open of one client. The nonce alone would not do: another client that learned it would
/// get the owner's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct OpeningId {
    pub nonce: Nonce,
    pub remote: SocketAddr,
    pub size: u32,
}

/// One client's measurement.
pub(super) struct Session {
    pub token: Token,
    pub links: SessionLinks,
    pub outcomes: OutcomeHistory,
    /// The length of each of its datagrams.
    pub size: u32,
    /// Whether a probe has arrived.
    pub used: bool,
    pub last_seen: Instant,
    /// When a handshake last proved the client's address.
    pub proven: Instant,
    /// The source of its newest probe.
    pub remote: SocketAddr,
    /// The address of this host to which its open came.
    pub local: Option<IpAddr>,
    pub meter: Meter,
    /// The numbers of answered queries.
    pub queries: ReplayWindow,
    /// Phase and number of its newest request for load.
    pub pulled: (u32, u32),
    /// How many stops arrived.
    pub stops: u8,
    pub opening: OpeningId,
    /// How many outcomes the handshake agreed on.
    pub history: u32,
    pub seed: Seed,
    /// The impairment that the client asked for.
    pub requested: Option<ImpairNotice>,
    pub idle: Duration,
}

impl Session {
    /// A client sends its first probe as soon as the session is open.
    const IDLE_UNUSED: Duration = Duration::from_secs(10);

    /// Faster than any client sends: 10 million probes per second, and a burst.
    const BETWEEN_PROBES: Duration = Duration::from_nanos(100);
    const BURST: u64 = 1024;

    /// A client repeats its stop this often until it is answered.
    pub(super) const STOP_TRIES: u8 = 4;

    /// Whether a message comes from the source of the newest probe. A client whose address changed sends a probe
    /// first, so a sealed query or stop from elsewhere is an eavesdropper's copy.
    pub(super) fn is_at(&self, packet: &Incoming) -> bool {
        self.remote == packet.path.remote
    }

    /// To the address that the handshake proved, at the port of the newest probe: a client has several, and a NAT
    /// changes them.
    pub(super) fn word_path(&self) -> Endpoints {
        let proven = self.opening.remote;
        let remote = if self.remote.ip() == proven.ip() { self.remote } else { proven };
        Endpoints { remote, local: self.local }
    }

    /// How many probes the client may have sent since its last one arrived.
    pub(super) fn probes_possible(&self, now: Instant) -> u64 {
        let elapsed = (now - self.last_seen).as_nanos().max(0);
        Self::BURST + (elapsed / Self::BETWEEN_PROBES.as_nanos()) as u64
    }

    fn is_silent(&self, now: Instant) -> bool {
        let idle = if self.used { self.idle } else { self.idle.min(Self::IDLE_UNUSED) };
        now - self.last_seen > idle
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct SessionLimits {
    pub sessions: usize,
    pub sessions_of_one_source: usize,
    /// Bytes of memory for outcomes.
    pub history_bytes: usize,
}

/// The sessions of one source, and their memory.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    sessions: usize,
    history_bytes: usize,
}

/// All sessions, in a slab. A token does not reveal the slot.
pub(super) struct Sessions {
    slots: Slots<Session>,
    by_token: HashMap<Token, u32, BuildHasherDefault<TokenHasher>>,
    by_opening: HashMap<OpeningId, u32>,
    by_source: HashMap<IpAddr, Usage>,
    history_bytes: usize,
    limits: SessionLimits,
    /// The slot at which the next search for silent sessions begins.
    next_expired: u32,
}

/// The slot of an open session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(pub u32);

/// Tokens are random already.
#[derive(Default)]
struct TokenHasher(u64);

impl Hasher for TokenHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = self.0.rotate_left(8) ^ value;
    }
}

impl Sessions {
    /// How many slots one call of `expire` examines.
    const EXPIRED_AT_ONCE: u32 = 128;
    /// One source gets at most a quarter of the memory for outcomes.
    const SOURCES_SHARE: usize = 4;
    /// The most that one probe adds: the largest window's next block and table.
    const LARGEST_GROWTH: usize = 32 << 10;
    /// A session may be evicted after this silence: before its first probe, and after it.
    const QUIET_UNUSED: Duration = Duration::from_secs(1);
    const QUIET: Duration = Duration::from_secs(10);
    /// A source with this many times the sessions of another one loses one to it.
    const CROWDING: usize = 8;

    pub(super) fn new(limits: SessionLimits) -> Self {
        Self {
            next_expired: 0,
            slots: Slots::new(),
            by_token: HashMap::default(),
            by_opening: HashMap::new(),
            by_source: HashMap::new(),
            history_bytes: 0,
            limits,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_opening.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.slots.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory for outcomes.
    pub(super) fn history_bytes(&self) -> usize {
        self.history_bytes
    }

    /// Notes that this probe of an open session arrived.
    pub(super) fn arrive(&mut self, at: Slot, seq: u64, max_jump: MaxJump, now: Instant) -> Noted {
        let outcomes = &self.at(at).outcomes;
        let before = outcomes.bytes();
        let room = if outcomes.may_grow(seq) { self.room_for(at, now) } else { 0 };
        let session = self.at_mut(at);
        let noted = session.outcomes.arrive(seq, max_jump, room);
        let (after, source) = (session.outcomes.bytes(), session.opening.remote.ip());
        if after != before {
            self.account(source, before, after);
        }
        noted
    }

    pub(super) fn find(&self, token: Token) -> Option<Slot> {
        self.by_token.get(&token).map(|slot| Slot(*slot))
    }

    pub(super) fn at(&self, at: Slot) -> &Session {
        self.slots.at(at.0).expect("the slot of an open session")
    }

    pub(super) fn at_mut(&mut self, at: Slot) -> &mut Session {
        self.slots.at_mut(at.0).expect("the slot of an open session")
    }

    /// The session of this token, if it is still in this slot.
    pub(super) fn get_mut(&mut self, at: Slot, token: Token) -> Option<&mut Session> {
        self.slots.at_mut(at.0).filter(|session| session.token == token)
    }

    /// The session that this open already got: its accept was lost, or the open arrived twice.
    pub(super) fn opened_by(&self, opening: &OpeningId) -> Option<Slot> {
        self.by_opening.get(opening).map(|slot| Slot(*slot))
    }

    /// Makes room for one more session of this source; returns how many sessions were evicted for it,
    /// or none if there is no room.
    pub(super) fn make_room(&mut self, source: IpAddr, now: Instant) -> Option<u64> {
        if self.usage(source).sessions >= self.limits.sessions_of_one_source {
            return None;
        }
        if self.len() < self.limits.sessions {
            return Some(0);
        }
        let least_active = self.least_active(source, now)?;
        self.remove_at(least_active);
        Some(1)
    }

    /// Adds a session. The caller has called `make_room` and chosen an unused token.
    pub(super) fn insert(&mut self, session: Session) -> Slot {
        let (token, opening) = (session.token, session.opening);
        let slot = self.slots.insert(session);
        self.by_token.insert(token, slot);
        self.by_opening.insert(opening, slot);
        self.usage_mut(opening.remote.ip()).sessions += 1;
        Slot(slot)
    }

    pub(super) fn remove(&mut self, token: Token) {
        if let Some(at) = self.find(token) {
            self.remove_at(at.0);
        }
    }

    /// Examines the next 128 slots and drops sessions that were silent for longer than agreed; returns how
    /// many. Thousands at once would delay replies.
    pub(super) fn expire(&mut self, now: Instant) -> u64 {
        let count = self.slots.len();
        let end = (self.next_expired + Self::EXPIRED_AT_ONCE).min(count);
        let turn = self.next_expired..end;
        self.next_expired = if end == count { 0 } else { end };
        let is_silent = |slot: &u32| self.slots.at(*slot).is_some_and(|session| session.is_silent(now));
        let silent: Vec<u32> = turn.filter(is_silent).collect();
        for slot in &silent {
            self.remove_at(*slot);
        }
        silent.len() as u64
    }

    /// How many calls of `expire` examine all slots.
    pub(super) fn expire_calls(&self) -> usize {
        self.slots.len().div_ceil(Self::EXPIRED_AT_ONCE).max(1) as usize
    }

    /// The session that was silent longest of the next 64, if that is long enough, those without
    /// probes first; else one of a source with 8 times the sessions of this one.
    fn least_active(&mut self, source: IpAddr, now: Instant) -> Option<u32> {
        let own = self.usage(source).sessions + 1;
        let searched = self.slots.search();
        let session = |slot: u32| self.slots.at(slot);
        let silence = |slot: u32| session(slot).map(|session| (!session.used, now - session.last_seen));
        let quiet = searched.iter().copied().filter(|&slot| {
            silence(slot).is_some_and(|(unused, silent)| {
                silent >= if unused { Self::QUIET_UNUSED } else { Self::QUIET }
            })
        });
        let of_source =
            |slot: u32| session(slot).map_or(0, |session| self.usage(session.opening.remote.ip()).sessions);
        quiet.max_by_key(|&slot| silence(slot)).or_else(|| {
            let crowding = searched.iter().copied().filter(|&slot| of_source(slot) > Self::CROWDING * own);
            crowding.max_by_key(|&slot| (of_source(slot), silence(slot)))
        })
    }

    /// How many more bytes the outcomes of this session may take.
    fn room_for(&mut self, at: Slot, now: Instant) -> usize {
        let source = self.at(at).opening.remote.ip();
        let limit = self.limits.history_bytes;
        let own = (limit / Self::SOURCES_SHARE).saturating_sub(self.usage(source).history_bytes);
        if limit.saturating_sub(self.history_bytes) < Self::LARGEST_GROWTH.min(own) {
            self.free_history(at, now);
        }
        limit.saturating_sub(self.history_bytes).min(own)
    }

    /// Frees the outcomes of another session: of those whose sources use more memory than this one's, the
    /// one that was silent longest.
    fn free_history(&mut self, at: Slot, now: Instant) {
        let own = self.usage(self.at(at).opening.remote.ip()).history_bytes;
        let searched = self.slots.search();
        let least_active = searched.into_iter().filter(|&slot| slot != at.0).filter_map(|slot| {
            let session = self.slots.at(slot)?;
            let uses_more = self.usage(session.opening.remote.ip()).history_bytes > own;
            (uses_more && session.outcomes.bytes() > 0).then_some((now - session.last_seen, slot))
        });
        let Some((_, slot)) = least_active.max() else { return };
        let session = self.at_mut(Slot(slot));
        let (before, source) = (session.outcomes.bytes(), session.opening.remote.ip());
        session.outcomes.forget();
        self.account(source, before, 0);
    }

    fn usage(&self, source: IpAddr) -> Usage {
        self.by_source.get(&network(source)).copied().unwrap_or_default()
    }

    fn usage_mut(&mut self, source: IpAddr) -> &mut Usage {
        self.by_source.entry(network(source)).or_default()
    }

    /// The outcomes of a session of this source took `before` bytes and now take `after`.
    fn account(&mut self, source: IpAddr, before: usize, after: usize) {
        self.history_bytes = self.history_bytes - before + after;
        let usage = self.usage_mut(source);
        usage.history_bytes = usage.history_bytes - before + after;
    }

    fn remove_at(&mut self, slot: u32) {
        let Some(session) = self.slots.remove(slot) else { return };
        self.by_token.remove(&session.token);
        self.by_opening.remove(&session.opening);
        let source = session.opening.remote.ip();
        self.account(source, session.outcomes.bytes(), 0);
        let usage = self.usage_mut(source);
        usage.sessions -= 1;
        if usage.sessions == 0 {
            self.by_source.remove(&network(source));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The 16,384 sessions of the default take less than 20 MB until they are used.
    #[test]
    fn a_session_takes_at_most_1200_bytes() {
        let tables = size_of::<(OpeningId, u32)>() * 2 + size_of::<(Token, u32)>() * 2;
        let bytes = size_of::<Option<Session>>() + tables;
        assert!(bytes <= 1200, "{bytes} bytes");
    }
}
