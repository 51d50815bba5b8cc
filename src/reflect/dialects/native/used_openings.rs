//! Opens that got their session, for as long as their cookies are valid: with a key, an eavesdropper's
//! copy of one opens no further session.

use std::collections::{HashSet, VecDeque};

use super::cookies::Cookies;
use super::sessions::OpeningId;
use crate::time::Instant;

/// The newest of them, at most `capacity`.
pub(super) struct UsedOpenings {
    openings: HashSet<OpeningId>,
    by_age: VecDeque<(Instant, OpeningId)>,
    capacity: usize,
}

impl UsedOpenings {
    pub(super) fn new(capacity: usize) -> Self {
        Self { openings: HashSet::new(), by_age: VecDeque::new(), capacity }
    }

    pub(super) fn insert(&mut self, now: Instant, opening: OpeningId) {
        if self.openings.insert(opening) {
            self.by_age.push_back((now, opening));
        }
        while self.by_age.len() > self.capacity {
            self.drop_oldest();
        }
    }

    pub(super) fn contains(&mut self, now: Instant, opening: &OpeningId) -> bool {
        while self.by_age.front().is_some_and(|(used, _)| now - *used > Cookies::LIFETIME) {
            self.drop_oldest();
        }
        self.openings.contains(opening)
    }

    fn drop_oldest(&mut self) {
        if let Some((_, opening)) = self.by_age.pop_front() {
            self.openings.remove(&opening);
        }
    }
}
