//! Datagrams that sockets dropped for want of room, until a lost probe accounts for each.

#[derive(Clone, Copy, Debug)]
pub struct Drops {
    unaccounted: u64,
    /// The longest train that went this way.
    train: u64,
    /// The sockets' own count, which only grows: a lesser one is an older one.
    seen: u64,
}

impl Default for Drops {
    fn default() -> Self {
        Self { unaccounted: 0, train: 1, seen: 0 }
    }
}

impl Drops {
    /// So many datagrams went as one.
    pub fn note_train(&mut self, datagrams: u64) {
        self.train = self.train.max(datagrams);
    }

    /// The sockets have counted so many in all. They count a train as one, unless they take it apart; it
    /// may have been as long as the longest. More than there were is better than fewer: no drop is called
    /// the network's.
    pub fn note(&mut self, total: u64) {
        // Whatever a server says, or who forges its words.
        let more = total.saturating_sub(self.seen).saturating_mul(self.train);
        self.unaccounted = self.unaccounted.saturating_add(more);
        self.seen = self.seen.max(total);
    }

    /// What was counted up to here dropped nothing of ours. The count may be another one from now on.
    pub fn start_at(&mut self, total: u64) {
        self.seen = total;
    }

    /// Accounts for one, if one is left.
    pub fn take(&mut self) -> bool {
        let any = self.unaccounted > 0;
        self.unaccounted = self.unaccounted.saturating_sub(1);
        any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(mut drops: Drops) -> usize {
        std::iter::from_fn(|| drops.take().then_some(())).count()
    }

    #[test]
    fn each_drop_is_accounted_for_once() {
        let mut drops = Drops::default();
        assert!(!drops.take());
        drops.note(2);
        drops.note(2);
        drops.note(3);
        assert_eq!(left(drops), 3);
        assert!(drops.take());
        assert_eq!(left(drops), 2);
    }

    #[test]
    fn an_older_count_that_comes_late_changes_nothing() {
        let mut drops = Drops::default();
        drops.note(5);
        drops.note(3);
        drops.note(6);
        assert_eq!(left(drops), 6);
    }

    #[test]
    fn a_dropped_train_may_have_been_as_long_as_the_longest_that_went() {
        let mut drops = Drops::default();
        drops.note(1);
        drops.note_train(9);
        drops.note_train(4);
        drops.note(3);
        assert_eq!(left(drops), 1 + 2 * 9);
    }

    #[test]
    fn another_count_starts_where_it_stands_and_what_is_open_stays_open() {
        let mut drops = Drops::default();
        drops.note(4);
        drops.start_at(1);
        assert_eq!(left(drops), 4);
        drops.note(2);
        assert_eq!(left(drops), 5);
    }
}
