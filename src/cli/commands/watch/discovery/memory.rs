//! The last results of discovery, and when to look again. An error keeps the last results.

use std::collections::HashMap;

use crate::time::{Duration, Instant};

/// The last findings of one kind, by what they were found at.
pub(super) struct Memory<T> {
    found: HashMap<String, T>,
    due: HashMap<String, Instant>,
}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self { found: HashMap::new(), due: HashMap::new() }
    }
}

impl<T> Memory<T> {
    pub(super) fn get(&self, at: &str) -> Option<&T> {
        self.found.get(at)
    }

    /// Whether it is time to look, and notes the next time.
    pub(super) fn take_due(&mut self, at: &str, now: Instant, refresh: Duration) -> bool {
        let is_due = self.due.get(at).is_none_or(|due| now >= *due);
        if is_due {
            self.due.insert(at.to_owned(), now + refresh);
        }
        is_due
    }

    pub(super) fn set(&mut self, at: &str, found: T) {
        self.found.insert(at.to_owned(), found);
    }

    /// Forgets what is not in use any more.
    pub(super) fn retain(&mut self, is_used: impl Fn(&str) -> bool) {
        self.found.retain(|at, _| is_used(at));
        self.due.retain(|at, _| is_used(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_due_at_once_and_then_after_each_refresh_and_what_is_unused_is_forgotten() {
        let (mut memory, minute) = (Memory::default(), Duration::from_secs(60));
        let at = |seconds| Instant::ZERO + Duration::from_secs(seconds);
        let due = [0, 1, 59, 60, 61].map(|second| memory.take_due("a", at(second), minute));
        assert_eq!(due, [true, false, false, true, false]);
        memory.set("a", 1);
        memory.set("b", 2);
        memory.retain(|name| name == "b");
        assert_eq!((memory.get("a"), memory.get("b")), (None, Some(&2)));
        assert!(memory.take_due("a", at(61), minute));
    }
}
