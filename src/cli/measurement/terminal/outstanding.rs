//! Finds the probes without an answer when the next one leaves (`-O`).

use std::collections::BTreeSet;

use crate::probe::Event;

#[derive(Debug, Default)]
pub(super) struct Outstanding {
    /// Probes below it have been reported.
    next: u64,
    /// Probes from there on that are answered, overdue or not sent.
    known: BTreeSet<u64>,
}

impl Outstanding {
    pub(super) fn event(&mut self, event: &Event) {
        if let Event::Reply { seq, .. } | Event::Overdue { seq } | Event::NotSent { seq, .. } = event
            && *seq >= self.next
        {
            self.known.insert(*seq);
        }
    }

    /// The probes that wait, but for the last of those launched so far.
    pub(super) fn launched(&mut self, launched: u64) -> Vec<u64> {
        let before_last = self.next..launched.saturating_sub(1).max(self.next);
        self.next = before_last.end;
        before_last.filter(|seq| !self.known.remove(seq)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_reported_once_when_the_next_has_left() {
        let mut outstanding = Outstanding::default();
        assert!(outstanding.launched(1).is_empty());
        outstanding.event(&Event::Overdue { seq: 1 });
        assert_eq!(outstanding.launched(4), [0, 2]);
        outstanding.event(&Event::Overdue { seq: 0 });
        assert_eq!(outstanding.launched(4), [0; 0]);
        assert_eq!(outstanding.launched(5), [3]);
    }
}
