//! The newest probes in the order of their numbers, in bins of equally many: one each while they
//! are few, more as they come faster, so that a bin never stands for less than a moment.

use std::collections::VecDeque;

use crate::stats::{Join, OutcomeCounts};
use crate::time::Duration;

/// What became of the probes of a bin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bin {
    /// When the first of them was due, from time zero; until that is known, when it was heard of.
    pub at: Duration,
    pub outcomes: OutcomeCounts,
    /// Of the RTTs of replies in time.
    total: Duration,
    pub slowest: Duration,
    /// Past their deadline; the cause is not known yet.
    pub open: u32,
}

impl Bin {
    /// A reply in time.
    pub fn answer(&mut self, rtt: Duration) {
        self.outcomes.on_time += 1;
        self.total += rtt;
        self.slowest = self.slowest.max(rtt);
    }

    /// Of the answers in time; without one there is no value.
    pub fn mean(&self) -> Option<Duration> {
        let replies = self.outcomes.on_time as i64;
        (replies > 0).then(|| self.total / replies)
    }

    /// Those of which something is known.
    pub fn probes(&self) -> u64 {
        self.outcomes.probes() + u64::from(self.open)
    }
}

impl Join for Bin {
    fn join(&mut self, later: &Self) {
        self.outcomes.join(&later.outcomes);
        self.total += later.total;
        self.slowest = self.slowest.max(later.slowest);
        self.open += later.open;
    }
}

#[derive(Clone, Debug)]
pub struct Bins {
    bins: VecDeque<Bin>,
    /// The number of the first bin: that of its first probe, over `stride`.
    first: u64,
    /// Probes in each.
    stride: u64,
}

impl Bins {
    pub const MOST: usize = 1200;
    /// A bin stands for at least so much time.
    const MOMENT: Duration = Duration::from_millis(50);

    pub fn starting(seq: u64) -> Self {
        Self { bins: VecDeque::new(), first: seq, stride: 1 }
    }

    /// The bin of this probe; none if it has passed out of sight.
    pub fn of(&mut self, seq: u64, now: Duration) -> Option<&mut Bin> {
        let place = usize::try_from((seq / self.stride).checked_sub(self.first)?).ok()?;
        // A gap larger than all that is kept leaves nothing of it.
        if place >= self.bins.len() + Self::MOST {
            *self = Self { bins: VecDeque::new(), first: seq / self.stride, stride: self.stride };
            return self.of(seq, now);
        }
        while self.bins.len() <= place {
            self.bins.push_back(Bin { at: now, ..Bin::default() });
        }
        let gone = self.bins.len().saturating_sub(Self::MOST);
        self.bins.drain(..gone);
        self.first += gone as u64;
        self.bins.get_mut(place.checked_sub(gone)?)
    }

    /// So many probes were sent in this time: is a bin still long enough?
    pub fn suit(&mut self, sent: u64, within: Duration) {
        while within.as_nanos() > 0
            && self.stride * (within.as_nanos() as u64) < sent * Self::MOMENT.as_nanos() as u64
        {
            self.widen();
        }
    }

    pub fn stride(&self) -> u64 {
        self.stride
    }

    /// The last of them, at most so many, each with the number of its first probe.
    pub fn last(&self, most: usize) -> impl Iterator<Item = (u64, &Bin)> {
        let from = self.bins.len().saturating_sub(most);
        let numbers = (self.first + from as u64)..;
        numbers.map(|number| number * self.stride).zip(self.bins.iter().skip(from))
    }

    fn widen(&mut self) {
        let mut wide: VecDeque<Bin> = VecDeque::new();
        for (number, bin) in (self.first..).zip(self.bins.drain(..)) {
            match wide.back_mut() {
                Some(before) if number % 2 == 1 => before.join(&bin),
                _ => wide.push_back(bin),
            }
        }
        self.bins = wide;
        self.first /= 2;
        self.stride *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{Cause, NotOnTime};

    fn numbers(bins: &Bins) -> Vec<(u64, u64)> {
        bins.last(usize::MAX).map(|(seq, bin)| (seq, bin.outcomes.on_time)).collect()
    }

    #[test]
    fn bins_widen_as_probes_come_faster() {
        let mut bins = Bins::starting(3);
        for seq in 3..8 {
            bins.of(seq, Duration::ZERO).unwrap().answer(Duration::from_millis(seq as i64));
        }
        assert_eq!(numbers(&bins), [(3, 1), (4, 1), (5, 1), (6, 1), (7, 1)]);
        // 20 a second are told apart, 21 are not.
        bins.suit(20, Duration::from_secs(1));
        assert_eq!(bins.stride(), 1);
        bins.suit(21, Duration::from_secs(1));
        assert_eq!(numbers(&bins), [(2, 1), (4, 2), (6, 2)]);
        let (_, last) = bins.last(1).next().unwrap();
        assert_eq!(last.mean(), Some(Duration::from_micros(6_500)));
        assert_eq!(last.slowest, Duration::from_millis(7));
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_has_passed_is_gone() {
        let mut bins = Bins::starting(0);
        for seq in 0..Bins::MOST as u64 + 10 {
            bins.of(seq, Duration::ZERO).unwrap().outcomes.add(NotOnTime::Lost(Cause::Up));
        }
        assert_eq!(bins.last(usize::MAX).count(), Bins::MOST);
        assert!(bins.of(9, Duration::ZERO).is_none() && bins.of(10, Duration::ZERO).is_some());
        bins.of(1 << 40, Duration::ZERO).unwrap().open = 1;
        assert_eq!(bins.last(usize::MAX).map(|(seq, _)| seq).collect::<Vec<_>>(), [1 << 40]);
    }
}
