//! The sessions of an irtt server, found by token. An opening costs its sender one datagram from any address that it
//! forges, so their number is limited, and one that was never used goes first.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use ahash::RandomState;

use super::params::longest_silence;
use super::received::Received;
use crate::impair::SessionLinks;
use crate::meter::Meter;
use crate::reflect::admission::{network, seeded};
use crate::reflect::core::Core;
use crate::reflect::incoming::Incoming;
use crate::reflect::slots::Slots;
use crate::time::{Duration, Instant};
use crate::wire::irtt::Params;

pub(super) struct Session {
    pub token: u64,
    /// The address that asked for it.
    pub remote: SocketAddr,
    /// That of its last probe.
    pub last_remote: SocketAddr,
    pub params: Params,
    pub received: Received,
    before: Received,
    pub links: SessionLinks,
    /// Probes offered to the injection, which is drawn by their number.
    pub seen: u64,
    pub meter: Meter,
    pub first_seen: Option<Instant>,
    pub last_seen: Instant,
    longest_silence: Duration,
    /// Its replies may still be held.
    pub is_closed: bool,
}

impl Session {
    /// A client sends its first probe as soon as the session is open.
    const UNUSED: Duration = Duration::from_secs(10);
    /// It may be evicted after this silence.
    const QUIET: Duration = Duration::from_secs(10);

    pub(super) fn is_used(&self) -> bool {
        self.first_seen.is_some() && !self.is_closed
    }

    pub(super) fn note(&mut self, seq: u32) {
        self.before = self.received;
        self.received.note(seq);
    }

    /// The probe noted last never came.
    pub(super) fn forget_last(&mut self) {
        self.received = self.before;
    }

    fn is_over(&self, now: Instant, longest_hold: Duration) -> bool {
        let silent = now - self.last_seen;
        match (self.is_closed, self.first_seen) {
            (true, _) => silent > longest_hold,
            (false, None) => silent > Self::UNUSED,
            (false, Some(_)) => silent > self.longest_silence,
        }
    }
}

/// The tokens of sessions that were opened, the oldest first: one that is not used when there is no room is evicted.
type Opened = VecDeque<u64>;
type ByToken = HashMap<u64, u32, RandomState>;

/// The sessions of an IPv4 address, or of an IPv6 /64 network.
#[derive(Default)]
struct Source {
    sessions: usize,
    opened: Opened,
}

pub(super) struct Sessions {
    slots: Slots<Session>,
    by_token: ByToken,
    by_source: HashMap<IpAddr, Source, RandomState>,
    opened: Opened,
    limit: usize,
    limit_of_source: usize,
    longest_hold: Duration,
    denied: u64,
}

impl Sessions {
    /// How many openings are searched for the same one.
    const SEARCHED: usize = 64;

    pub(super) fn new(core: &Core) -> Self {
        let seed = core.secret.derive("irtt sessions", 0);
        Self {
            slots: Slots::new(),
            by_token: HashMap::with_hasher(seeded(seed)),
            by_source: HashMap::with_hasher(seeded(seed)),
            opened: Opened::new(),
            limit: core.settings.max_sessions,
            limit_of_source: core.settings.max_source_sessions,
            longest_hold: core.notice.longest_hold,
            denied: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_token.len()
    }

    pub(super) fn denied(&self) -> u64 {
        self.denied
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.slots.iter()
    }

    pub(super) fn at_mut(&mut self, slot: u32) -> Option<&mut Session> {
        self.slots.at_mut(slot)
    }

    /// The open session with this token, and its slot.
    pub(super) fn of_token(&mut self, token: u64) -> Option<(u32, &mut Session)> {
        let slot = *self.by_token.get(&token)?;
        let session = self.at_mut(slot).filter(|session| !session.is_closed)?;
        Some((slot, session))
    }

    pub(super) fn close(&mut self, token: u64) {
        if let Some((_, session)) = self.of_token(token) {
            session.is_closed = true;
            let source = network(session.remote.ip());
            self.by_source.entry(source).or_default().opened.push_front(token);
            self.opened.push_front(token);
        }
    }

    /// The token of the session that a request opens; none if there is no room for it. A request that is repeated
    /// before the session is used opens no other.
    pub(super) fn open(&mut self, core: &mut Core, packet: &Incoming, params: &Params) -> Option<u64> {
        let (remote, now) = (packet.path.remote, packet.now);
        if let Some(token) = self.repeated(remote, params) {
            return Some(token);
        }
        if !self.make_room(core, network(remote.ip()), now) {
            self.denied += 1;
            return None;
        }
        let seed = core.count_opened();
        let token = self.unused_token(core);
        let session = Session {
            token,
            remote,
            last_remote: remote,
            params: params.clone(),
            received: Received::default(),
            before: Received::default(),
            links: core.links(seed),
            seen: 0,
            meter: Meter::default(),
            first_seen: None,
            last_seen: now,
            longest_silence: longest_silence(core, params),
            is_closed: false,
        };
        self.insert(session);
        Some(token)
    }

    fn insert(&mut self, session: Session) {
        let source = self.by_source.entry(network(session.remote.ip())).or_default();
        source.sessions += 1;
        source.opened.push_back(session.token);
        self.opened.push_back(session.token);
        self.by_token.insert(session.token, self.slots.insert(session));
    }

    /// The token of an unused session that this address has asked for with the same parameters.
    fn repeated(&self, remote: SocketAddr, params: &Params) -> Option<u64> {
        let session = |token: &u64| self.slots.at(*self.by_token.get(token)?);
        let recent = self.opened.iter().rev().take(Self::SEARCHED).filter_map(session);
        let mut same = recent.filter(|session| session.remote == remote && session.params == *params);
        same.find(|session| session.first_seen.is_none() && !session.is_closed).map(|session| session.token)
    }

    fn unused_token(&self, core: &Core) -> u64 {
        let first = core.counters.opened << 8;
        let mut tokens = (first..).map(|count| core.secret.derive("irtt token", count));
        tokens.find(|token| *token != 0 && !self.by_token.contains_key(token)).expect("one of many")
    }

    /// Evicts a session if there are too many: the oldest that was never used or is closed, else one that was silent
    /// for long. A source that has as many as it may loses one of its own.
    fn make_room(&mut self, core: &mut Core, source: IpAddr, now: Instant) -> bool {
        let Self { opened, by_source, by_token, slots, .. } = self;
        let own = by_source.get_mut(&source).filter(|own| own.sessions >= self.limit_of_source);
        let evicted = match own {
            Some(own) => oldest_unused(&mut own.opened, by_token, slots),
            None if by_token.len() < self.limit => return true,
            None => oldest_unused(opened, by_token, slots).or_else(|| self.quiet(now)),
        };
        let evicted = evicted.and_then(|slot| self.slots.remove(slot));
        core.counters.evicted += u64::from(evicted.is_some());
        evicted.map(|session| self.forget(&session)).is_some()
    }

    /// The session that was silent longest of the next 64, if that is long enough.
    fn quiet(&mut self, now: Instant) -> Option<u32> {
        let searched = self.slots.search().into_iter();
        let silence = |slot: u32| Some((now - self.slots.at(slot)?.last_seen, slot));
        let (silent, slot) = searched.filter_map(silence).max()?;
        (silent >= Session::QUIET).then_some(slot)
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.slots.next_sweep()
    }

    /// Drops silent sessions; returns how many.
    pub(super) fn expire(&mut self, now: Instant) -> u64 {
        let over = self.slots.sweep(now, |session| session.is_over(now, self.longest_hold));
        over.iter().for_each(|session| self.forget(session));
        self.forget_used();
        over.len() as u64
    }

    /// Used ones and those that are gone need no place in the queues.
    fn forget_used(&mut self) {
        let Self { opened, by_source, by_token, slots, .. } = self;
        let is_unused = |token: &u64| unused(*token, by_token, slots).is_some();
        opened.retain(is_unused);
        by_source.values_mut().for_each(|own| own.opened.retain(is_unused));
    }

    /// It has no slot any more.
    fn forget(&mut self, session: &Session) {
        self.by_token.remove(&session.token);
        let source = network(session.remote.ip());
        if let Some(own) = self.by_source.get_mut(&source) {
            own.sessions -= 1;
            if own.sessions == 0 {
                self.by_source.remove(&source);
            }
        }
    }
}

/// The slot of the session with this token, if that is not used.
fn unused(token: u64, by_token: &ByToken, slots: &Slots<Session>) -> Option<u32> {
    let slot = *by_token.get(&token)?;
    slots.at(slot).filter(|session| !session.is_used()).map(|_| slot)
}

fn oldest_unused(opened: &mut Opened, by_token: &ByToken, slots: &Slots<Session>) -> Option<u32> {
    while let Some(token) = opened.pop_front() {
        if let Some(slot) = unused(token, by_token, slots) {
            return Some(slot);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The 16,384 sessions of the default take less than 20 MB, and as much again as their injection needs.
    #[test]
    fn a_session_takes_at_most_600_bytes() {
        let tables = size_of::<(u64, u32)>() * 2
            + size_of::<u64>() * 2
            + size_of::<(IpAddr, Source)>() * 2
            + size_of::<u64>() * 2;
        let bytes = size_of::<Option<Session>>() + tables;
        assert!(bytes <= 600, "{bytes} bytes");
    }
}
