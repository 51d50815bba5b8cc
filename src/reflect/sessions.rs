//! The native sessions, found by token. Where there is no room for one more, the least active gives way.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::{IpAddr, SocketAddr};

use super::Notice;
use super::fates::{Arrival, Fates, Trust};
use super::limits::{Meter, network};
use crate::impair::SessionLinks;
use crate::rng::Seed;
use crate::time::{Duration, Instant};
use crate::wire::native::{Nonce, Token};

/// What tells one client's opening from another's. A nonce alone would not do: whoever learned it
/// would be given the session of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Opening {
    pub nonce: Nonce,
    pub remote: SocketAddr,
    pub size: u32,
}

/// One client's measurement.
pub struct Session {
    pub token: Token,
    pub links: SessionLinks,
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

    /// Faster than any client sends: 10 million a second, and a burst.
    const BETWEEN_PROBES: Duration = Duration::from_nanos(100);
    const BURST: u64 = 1024;

    /// How many probes may have been sent since it was last heard of.
    pub fn reach(&self, now: Instant) -> u64 {
        let elapsed = (now - self.last_seen).as_nanos().max(0);
        Self::BURST + (elapsed / Self::BETWEEN_PROBES.as_nanos()) as u64
    }

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

/// What the sessions of one source take.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    sessions: usize,
    fates: usize,
}

/// All sessions, within their caps. They lie in a slab; a token says nothing of the place there.
pub struct Sessions {
    slots: Vec<Option<Session>>,
    free: Vec<u32>,
    by_token: HashMap<Token, u32, BuildHasherDefault<TokenHasher>>,
    by_opening: HashMap<Opening, u32>,
    by_source: HashMap<IpAddr, Share>,
    history_bytes: usize,
    caps: Caps,
    /// Where the next look at the silent ones begins.
    swept: usize,
    /// Where the next search for one that can give way begins.
    hand: usize,
}

/// The place of an open session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Index(u32);

impl Index {
    const fn get(self) -> usize {
        self.0 as usize
    }
}

/// Tokens are random as they are.
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
    const SWEPT_AT_ONCE: usize = 128;
    /// One source takes no more than this part of the memory for outcomes.
    const SOURCES_SHARE: usize = 4;
    /// So many sessions are looked at to find one that gives way to another.
    const SEARCHED: usize = 64;
    /// What the largest window's next block and table may take together.
    const LARGEST_GROWTH: usize = 32 << 10;
    /// A session that was silent for so long gives way where there is no room: one without probes, and any.
    const QUIET_UNUSED: Duration = Duration::from_secs(1);
    const QUIET: Duration = Duration::from_secs(10);
    /// A source with so many times the sessions of another gives way to it.
    const CROWD: usize = 8;

    pub fn new(caps: Caps) -> Self {
        Self {
            swept: 0,
            hand: 0,
            slots: Vec::new(),
            free: Vec::new(),
            by_token: HashMap::default(),
            by_opening: HashMap::new(),
            by_source: HashMap::new(),
            history_bytes: 0,
            caps,
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

    /// Bytes that remember what became of probes.
    pub fn history_bytes(&self) -> usize {
        self.history_bytes
    }

    /// Notes that this probe of an open session arrived.
    pub fn arrive(&mut self, at: Index, seq: u64, trust: Trust, now: Instant) -> Arrival {
        let fates = &self.at(at).fates;
        let before = fates.bytes();
        let room = if fates.may_grow(seq) { self.room_for(at, now) } else { 0 };
        let session = self.at_mut(at);
        let arrival = session.fates.arrive(seq, trust, room);
        let (after, source) = (session.fates.bytes(), session.opening.remote.ip());
        if after != before {
            self.account(source, before, after);
        }
        arrival
    }

    pub fn find(&self, token: Token) -> Option<Index> {
        self.by_token.get(&token).map(|index| Index(*index))
    }

    pub fn at(&self, at: Index) -> &Session {
        self.slots[at.get()].as_ref().expect("the index of an open session")
    }

    pub fn at_mut(&mut self, at: Index) -> &mut Session {
        self.slots[at.get()].as_mut().expect("the index of an open session")
    }

    pub fn get(&self, token: Token) -> Option<&Session> {
        self.find(token).map(|at| self.at(at))
    }

    pub fn get_mut(&mut self, token: Token) -> Option<&mut Session> {
        self.find(token).map(|at| self.at_mut(at))
    }

    /// The session that this opening already got: its accept was lost, or it was asked twice.
    pub fn opened_by(&self, opening: &Opening) -> Option<&Session> {
        let index = *self.by_opening.get(opening)? as usize;
        self.slots[index].as_ref()
    }

    /// Makes room for one more session of this source, if there is none: how many gave way. None if
    /// there is no room.
    pub fn make_room(&mut self, source: IpAddr, now: Instant) -> Option<u64> {
        if self.share(source).sessions >= self.caps.of_one_source {
            return None;
        }
        if self.len() < self.caps.sessions {
            return Some(0);
        }
        let least_active = self.least_active(source, now)?;
        self.remove_at(least_active);
        Some(1)
    }

    /// Keeps a session. The caller has asked `make_room`, and for a token that no other has.
    pub fn insert(&mut self, session: Session) -> &mut Session {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        self.by_token.insert(session.token, index);
        self.by_opening.insert(session.opening, index);
        self.share_mut(session.opening.remote.ip()).sessions += 1;
        self.slots[index as usize].insert(session)
    }

    pub fn remove(&mut self, token: Token) -> bool {
        let found = self.find(token);
        if let Some(at) = found {
            self.remove_at(at.get());
        }
        found.is_some()
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

    /// Of the next few sessions the one that has been silent longest, if that is long enough, those
    /// without probes first; else one of a source that has many more than this one.
    fn least_active(&mut self, source: IpAddr, now: Instant) -> Option<usize> {
        let own = self.share(source).sessions + 1;
        let searched = self.search();
        let session = |index: usize| self.slots[index].as_ref();
        let silence = |index: usize| session(index).map(|session| (!session.used, now - session.last_seen));
        let quiet = searched.iter().copied().filter(|&index| {
            silence(index).is_some_and(|(unused, silent)| {
                silent >= if unused { Self::QUIET_UNUSED } else { Self::QUIET }
            })
        });
        let crowd = |index: usize| {
            session(index).map_or(0, |session| self.share(session.opening.remote.ip()).sessions)
        };
        quiet.max_by_key(|&index| silence(index)).or_else(|| {
            let crowded = searched.iter().copied().filter(|&index| crowd(index) > Self::CROWD * own);
            crowded.max_by_key(|&index| (crowd(index), silence(index)))
        })
    }

    /// The next few places, in turn: constant work, whoever asks and however often.
    fn search(&mut self) -> Vec<usize> {
        let count = self.slots.len().min(Self::SEARCHED);
        let searched = (self.hand..self.hand + count).map(|at| at % self.slots.len()).collect();
        self.hand = (self.hand + count) % self.slots.len().max(1);
        searched
    }

    /// Bytes that the outcomes of this session may take more.
    fn room_for(&mut self, at: Index, now: Instant) -> usize {
        let source = self.at(at).opening.remote.ip();
        let share = self.caps.fates / Self::SOURCES_SHARE;
        let own = share.saturating_sub(self.share(source).fates);
        if self.caps.fates.saturating_sub(self.history_bytes) < Self::LARGEST_GROWTH.min(own) {
            self.forget_outcomes(at, now);
        }
        self.caps.fates.saturating_sub(self.history_bytes).min(own)
    }

    /// Takes the outcomes of another session: of those whose sources take more than this one's, the
    /// one that has been silent longest.
    fn forget_outcomes(&mut self, at: Index, now: Instant) {
        let own = self.share(self.at(at).opening.remote.ip()).fates;
        let searched = self.search();
        let least_active = searched.into_iter().filter(|&index| index != at.get()).filter_map(|index| {
            let session = self.slots[index].as_ref()?;
            let takes_more = self.share(session.opening.remote.ip()).fates > own;
            (takes_more && session.fates.bytes() > 0).then_some((now - session.last_seen, index))
        });
        let Some((_, index)) = least_active.max() else { return };
        let Some(session) = &mut self.slots[index] else { return };
        let (before, source) = (session.fates.bytes(), session.opening.remote.ip());
        session.fates.forget();
        self.account(source, before, 0);
    }

    fn share(&self, source: IpAddr) -> Share {
        self.by_source.get(&network(source)).copied().unwrap_or_default()
    }

    fn share_mut(&mut self, source: IpAddr) -> &mut Share {
        self.by_source.entry(network(source)).or_default()
    }

    /// The outcomes of a session of this source took so many bytes and now take so many.
    fn account(&mut self, source: IpAddr, before: usize, after: usize) {
        self.history_bytes = self.history_bytes - before + after;
        let share = self.share_mut(source);
        share.fates = share.fates - before + after;
    }

    fn remove_at(&mut self, index: usize) {
        let Some(session) = self.slots[index].take() else { return };
        self.by_token.remove(&session.token);
        self.by_opening.remove(&session.opening);
        let source = session.opening.remote.ip();
        self.account(source, session.fates.bytes(), 0);
        let share = self.share_mut(source);
        share.sessions -= 1;
        if share.sessions == 0 {
            self.by_source.remove(&network(source));
        }
        self.free.push(index as u32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All sessions that there may be by default take less than 20 MB until they are used.
    #[test]
    fn a_session_is_small() {
        let tables = size_of::<(Opening, u32)>() * 2 + size_of::<(Token, u32)>() * 2;
        let bytes = size_of::<Option<Session>>() + tables;
        assert!(bytes <= 1200, "{bytes} bytes");
    }
}
