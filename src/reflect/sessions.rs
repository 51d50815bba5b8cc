//! The native sessions, found by token: a slab whose index is part of the token.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::Notice;
use super::fates::Fates;
use crate::impair::Pipeline;
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
    pub opening: Opening,
    pub remember: u32,
    pub seed: Seed,
    pub pipeline: Pipeline,
    /// What is injected into this session, if it asked for its own.
    pub own: Option<Notice>,
    pub fates: Fates,
    pub last_seen: Instant,
    pub idle: Duration,
}

/// All sessions, at most so many at once.
pub struct Sessions {
    slots: Vec<Option<Session>>,
    free: Vec<u32>,
    by_opening: HashMap<Opening, u32>,
    capacity: usize,
}

const INDEX_BITS: u32 = 24;
const INDEX_MASK: u64 = (1 << INDEX_BITS) - 1;

impl Sessions {
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.min(1 << INDEX_BITS);
        Self { slots: Vec::new(), free: Vec::new(), by_opening: HashMap::new(), capacity }
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

    pub fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    pub fn get(&self, token: Token) -> Option<&Session> {
        let index = (token.0 & INDEX_MASK) as usize;
        self.slots.get(index)?.as_ref().filter(|session| session.token == token)
    }

    pub fn get_mut(&mut self, token: Token) -> Option<&mut Session> {
        let index = (token.0 & INDEX_MASK) as usize;
        self.slots.get_mut(index)?.as_mut().filter(|session| session.token == token)
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
        self.slots[index as usize].insert(session)
    }

    pub fn remove(&mut self, token: Token) -> bool {
        if self.get(token).is_none() {
            return false;
        }
        self.remove_at((token.0 & INDEX_MASK) as usize);
        true
    }

    /// Drops the sessions that were silent for longer than they asked for; returns how many.
    pub fn expire(&mut self, now: Instant) -> u64 {
        let silent: Vec<usize> = (0..self.slots.len())
            .filter(|&index| {
                self.slots[index].as_ref().is_some_and(|session| now - session.last_seen > session.idle)
            })
            .collect();
        for index in &silent {
            self.remove_at(*index);
        }
        silent.len() as u64
    }

    fn remove_at(&mut self, index: usize) {
        if let Some(session) = self.slots[index].take() {
            self.by_opening.remove(&session.opening);
            self.free.push(index as u32);
        }
    }
}
