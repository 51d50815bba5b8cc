//! The native sessions, found by token: a slab whose index is part of the token.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::ptr;

use super::Notice;
use super::fates::Fates;
use super::limits::{Meter, network};
use crate::impair::Pipeline;
use crate::rng::Seed;
use crate::time::{Duration, Instant};
use crate::wire::native::{Fate, Nonce, Token};

/// What tells one client's opening from another's. A nonce alone would not do: whoever learned it
/// would be given the session of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Opening {
    pub nonce: Nonce,
    pub remote: SocketAddr,
    pub size: u32,
}

/// One client's measurement. Where there are thousands, to fetch them takes longer than to handle a probe:
/// a reply that leaves needs the first line of the processor's cache, a probe that comes the second as well.
#[repr(C, align(64))]
pub struct Session {
    pub token: Token,
    pub pipeline: Pipeline,
    pub fates: Fates,
    /// How long each of its datagrams is.
    pub size: u32,
    /// A probe has come.
    pub used: bool,
    pub last_seen: Instant,
    /// Where its newest probe came from.
    pub remote: SocketAddr,
    pub meter: Meter,
    pub opening: Opening,
    pub remember: u32,
    pub seed: Seed,
    /// What is injected into this session, if it asked for its own.
    pub own: Option<Notice>,
    pub idle: Duration,
}

impl Session {
    /// A client's first probe follows its opening at once.
    const UNUSED: Duration = Duration::from_secs(10);

    fn is_silent(&self, now: Instant) -> bool {
        let patience = if self.used { self.idle } else { self.idle.min(Self::UNUSED) };
        now - self.last_seen > patience
    }
}

/// How many sessions there may be, and what they may take.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    pub sessions: usize,
    pub of_one_source: usize,
    /// Bytes to remember what became of probes.
    pub fates: usize,
}

/// All sessions, within their caps.
pub struct Sessions {
    slots: Vec<Option<Session>>,
    free: Vec<u32>,
    by_opening: HashMap<Opening, u32>,
    by_source: HashMap<IpAddr, usize>,
    fates_bytes: usize,
    caps: Caps,
    /// Where the next look at the silent ones begins.
    swept: usize,
}

const INDEX_BITS: u32 = 24;
const INDEX_MASK: u64 = (1 << INDEX_BITS) - 1;

const fn index_of(token: Token) -> usize {
    (token.0 & INDEX_MASK) as usize
}

impl Sessions {
    const SWEPT_AT_ONCE: usize = 128;

    pub fn new(caps: Caps) -> Self {
        Self {
            swept: 0,
            slots: Vec::new(),
            free: Vec::new(),
            by_opening: HashMap::new(),
            by_source: HashMap::new(),
            fates_bytes: 0,
            caps: Caps { sessions: caps.sessions.min(1 << INDEX_BITS), ..caps },
        }
    }

    pub fn len(&self) -> usize {
        self.by_opening.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.slots.iter().flatten()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is no room for one more of this source.
    pub fn is_full(&self, source: IpAddr) -> bool {
        let of_source = self.by_source.get(&network(source)).copied().unwrap_or(0);
        self.len() >= self.caps.sessions || of_source >= self.caps.of_one_source
    }

    /// Bytes that remember what became of probes.
    pub fn fates_bytes(&self) -> usize {
        self.fates_bytes
    }

    /// Notes that this probe of an open session arrived; none if it is too old.
    pub fn arrive(&mut self, token: Token, seq: u64) -> Option<Fate> {
        let room = self.caps.fates.saturating_sub(self.fates_bytes);
        let fates = &mut self.get_mut(token)?.fates;
        let before = fates.bytes();
        let known = fates.arrive(seq, room);
        let grown = fates.bytes() - before;
        self.fates_bytes += grown;
        known
    }

    /// Where the session of this token lies, if there is one.
    pub fn address(&self, token: Token) -> Option<*const u8> {
        self.slots.get(index_of(token)).map(|slot| ptr::from_ref(slot).cast())
    }

    pub fn get(&self, token: Token) -> Option<&Session> {
        self.slots.get(index_of(token))?.as_ref().filter(|session| session.token == token)
    }

    pub fn get_mut(&mut self, token: Token) -> Option<&mut Session> {
        self.slots.get_mut(index_of(token))?.as_mut().filter(|session| session.token == token)
    }

    /// The session that this opening already got: its accept was lost, or it was asked twice.
    pub fn opened_by(&self, opening: &Opening) -> Option<&Session> {
        let index = *self.by_opening.get(opening)? as usize;
        self.slots[index].as_ref()
    }

    /// Keeps a session under a token made of the given randomness. The caller has asked `is_full`.
    pub fn insert(&mut self, random: Token, build: impl FnOnce(Token) -> Session) -> &mut Session {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        let session = build(Token(random.0 & !INDEX_MASK | u64::from(index)));
        self.by_opening.insert(session.opening, index);
        *self.by_source.entry(network(session.opening.remote.ip())).or_default() += 1;
        self.slots[index as usize].insert(session)
    }

    pub fn remove(&mut self, token: Token) -> bool {
        if self.get(token).is_none() {
            return false;
        }
        self.remove_at(index_of(token));
        true
    }

    /// Looks at some of the sessions, in turn, and drops those that were silent for longer than they
    /// asked for; returns how many. To look at thousands at once would keep the others waiting.
    pub fn expire(&mut self, now: Instant) -> u64 {
        let end = (self.swept + Self::SWEPT_AT_ONCE).min(self.slots.len());
        let turn = self.swept..end;
        self.swept = if end == self.slots.len() { 0 } else { end };
        let silent: Vec<usize> = turn
            .filter(|&index| self.slots[index].as_ref().is_some_and(|session| session.is_silent(now)))
            .collect();
        for index in &silent {
            self.remove_at(*index);
        }
        silent.len() as u64
    }

    /// Whether all have been looked at, and the first are next.
    pub fn is_swept(&self) -> bool {
        self.swept == 0
    }

    /// How many turns it takes to look at all.
    pub fn sweep_turns(&self) -> usize {
        self.slots.len().div_ceil(Self::SWEPT_AT_ONCE).max(1)
    }

    fn remove_at(&mut self, index: usize) {
        if let Some(session) = self.slots[index].take() {
            self.by_opening.remove(&session.opening);
            let source = network(session.opening.remote.ip());
            if let Some(count) = self.by_source.get_mut(&source) {
                *count -= 1;
                if *count == 0 {
                    self.by_source.remove(&source);
                }
            }
            self.fates_bytes -= session.fates.bytes();
            self.free.push(index as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All sessions that there may be by default take less than 20 MB until they are used.
    #[test]
    fn a_session_is_small() {
        let bytes = size_of::<Option<Session>>() + size_of::<(Opening, u32)>() * 2;
        assert!(bytes <= 1200, "{bytes} bytes");
        let of_a_reply = std::mem::offset_of!(Session, fates) + Fates::LOOKED_AT;
        assert!(of_a_reply <= 64, "{of_a_reply} bytes");
        // An IPv4 address lies in the first half of its place.
        let of_a_probe = std::mem::offset_of!(Session, remote) + size_of::<SocketAddr>() / 2;
        assert!(of_a_probe <= 2 * 64, "{of_a_probe} bytes");
    }
}
