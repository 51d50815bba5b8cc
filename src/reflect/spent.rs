//! Openings that got their session, as long as their cookies are good: none of them opens another.

use std::collections::{HashSet, VecDeque};

use super::cookies::Cookies;
use super::sessions::Opening;
use crate::time::Instant;

/// The newest of them, at most so many.
pub struct Spent {
    openings: HashSet<Opening>,
    by_age: VecDeque<(Instant, Opening)>,
    capacity: usize,
}

impl Spent {
    pub fn new(capacity: usize) -> Self {
        Self { openings: HashSet::new(), by_age: VecDeque::new(), capacity }
    }

    pub fn insert(&mut self, now: Instant, opening: Opening) {
        if self.openings.insert(opening) {
            self.by_age.push_back((now, opening));
        }
        while self.by_age.len() > self.capacity {
            self.drop_oldest();
        }
    }

    pub fn contains(&mut self, now: Instant, opening: &Opening) -> bool {
        while self.by_age.front().is_some_and(|(spent, _)| now - *spent > Cookies::LIFETIME) {
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
