//! How many probes had a reply in time, and why the others had none.

use super::proportion::Proportion;
use super::timeline::Join;
use crate::probe::{Cause, NotOnTime, Resolved};

/// Probes by outcome and cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutcomeCounts {
    /// With a reply within the deadline.
    pub on_time: u64,
    /// In the order of `NotOnTime::ALL`.
    reasons: [u64; NotOnTime::ALL.len()],
}

impl OutcomeCounts {
    pub(crate) fn record(&mut self, probe: &Resolved) {
        match probe.not_on_time() {
            None => self.on_time += 1,
            Some(reason) => self.add(reason),
        }
    }

    pub(crate) fn add(&mut self, reason: NotOnTime) {
        self.add_many(reason, 1);
    }

    pub(crate) fn add_many(&mut self, reason: NotOnTime, count: u64) {
        self.reasons[place(reason)] += count;
    }

    pub(crate) fn of(&self, reason: NotOnTime) -> u64 {
        self.reasons[place(reason)]
    }

    /// The reasons that occurred, in the order of the path.
    pub fn reasons(&self) -> impl Iterator<Item = (NotOnTime, u64)> {
        NotOnTime::ALL.into_iter().zip(self.reasons).filter(|(_, count)| *count > 0)
    }

    /// With a reply after the deadline.
    pub fn late(&self) -> u64 {
        self.of(NotOnTime::Late)
    }

    pub(crate) fn not_sent(&self) -> u64 {
        self.of(NotOnTime::NotSent)
    }

    /// Without a reply, early or late.
    pub fn lost(&self) -> u64 {
        Cause::ALL.into_iter().map(|cause| self.of(NotOnTime::Lost(cause))).sum()
    }

    pub(crate) fn lost_or_late(&self) -> u64 {
        self.lost() + self.late()
    }

    /// Probes that were sent.
    pub fn sent(&self) -> u64 {
        self.on_time + self.lost_or_late()
    }

    /// Lost or late, of those sent.
    pub fn loss(&self) -> Proportion {
        Proportion::new(self.lost_or_late(), self.sent())
    }

    /// All probes, those that were never sent included.
    pub fn probes(&self) -> u64 {
        self.sent() + self.not_sent()
    }
}

impl Join for OutcomeCounts {
    fn join(&mut self, later: &Self) {
        self.on_time += later.on_time;
        self.reasons.iter_mut().zip(later.reasons).for_each(|(sum, more)| *sum += more);
    }
}

fn place(reason: NotOnTime) -> usize {
    NotOnTime::ALL.iter().position(|known| *known == reason).expect("ALL has each")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_left_is_neither_sent_nor_lost() {
        let mut counts = OutcomeCounts { on_time: 3, ..OutcomeCounts::default() };
        NotOnTime::ALL.into_iter().for_each(|reason| counts.add(reason));
        assert_eq!((counts.sent(), counts.lost(), counts.late(), counts.probes()), (12, 8, 1, 13));
        assert_eq!(counts.loss().value(), Some(0.75));
        counts.join(&counts.clone());
        assert_eq!((counts.on_time, counts.reasons().count(), counts.not_sent()), (6, 10, 2));
    }
}
