//! Which probes have no answer yet when the next one leaves (`-O`).

use std::collections::BTreeSet;

use crate::probe::Event;

#[derive(Debug, Default)]
pub struct Outstanding {
    /// Those below it have been told of.
    next: u64,
    /// From there on, those of which more is known.
    known: BTreeSet<u64>,
}

impl Outstanding {
    pub fn event(&mut self, event: &Event) {
        if let Event::Reply { seq, .. } | Event::Overdue { seq } | Event::NotSent { seq, .. } = event
            && *seq >= self.next
        {
            self.known.insert(*seq);
        }
    }

    /// So many have been launched: those before the last that wait.
    pub fn launched(&mut self, launched: u64) -> Vec<u64> {
        let before_last = self.next..launched.saturating_sub(1).max(self.next);
        self.next = before_last.end;
        before_last.filter(|seq| !self.known.remove(seq)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_of_once_when_the_next_has_left() {
        let mut outstanding = Outstanding::default();
        assert!(outstanding.launched(1).is_empty());
        outstanding.event(&Event::Overdue { seq: 1 });
        assert_eq!(outstanding.launched(4), [0, 2]);
        outstanding.event(&Event::Overdue { seq: 0 });
        assert_eq!(outstanding.launched(4), [0; 0]);
        assert_eq!(outstanding.launched(5), [3]);
    }
}
