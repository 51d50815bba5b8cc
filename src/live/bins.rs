//! The newest probes by sequence number in bins of equally many: one probe each at up to 20 a second,
//! more at higher rates, so that a bin stands for at least 50 ms.

use std::collections::VecDeque;

use crate::stats::{Join, OutcomeCounts};
use crate::time::Duration;

/// The outcomes of the probes of one bin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bin {
    /// When its first probe was due, from time zero; until that is resolved, when the first event came.
    pub at: Duration,
    pub(crate) outcomes: OutcomeCounts,
    /// Sum of the RTTs on time.
    total: Duration,
    pub(crate) slowest: Duration,
    /// Past their deadline; the cause is not known yet.
    pub open: u32,
}

impl Bin {
    /// A reply on time.
    pub fn answer(&mut self, rtt: Duration) {
        self.outcomes.on_time += 1;
        self.total += rtt;
        self.slowest = self.slowest.max(rtt);
    }

    /// The mean RTT on time; none without a reply on time.
    pub fn mean(&self) -> Option<Duration> {
        let replies = self.outcomes.on_time as i64;
        (replies > 0).then(|| self.total / replies)
    }

    /// Probes with a known outcome or past their deadline.
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
    /// Sequence number of the first bin's first probe, divided by `stride`.
    first: u64,
    /// Probes per bin.
    stride: u64,
}

impl Bins {
    pub const MAX_BINS: usize = 1200;
    /// The least time that a bin stands for.
    const SHORTEST: Duration = Duration::from_millis(50);

    pub fn starting(seq: u64) -> Self {
        Self { bins: VecDeque::new(), first: seq, stride: 1 }
    }

    /// The bin of this probe; none if it is older than all that are kept.
    pub fn of(&mut self, seq: u64, now: Duration) -> Option<&mut Bin> {
        let place = usize::try_from((seq / self.stride).checked_sub(self.first)?).ok()?;
        // The gap is longer than what is kept, so nothing of it remains.
        if place >= self.bins.len() + Self::MAX_BINS {
            *self = Self { bins: VecDeque::new(), first: seq / self.stride, stride: self.stride };
            return self.of(seq, now);
        }
        while self.bins.len() <= place {
            self.bins.push_back(Bin { at: now, ..Bin::default() });
        }
        let gone = self.bins.len().saturating_sub(Self::MAX_BINS);
        self.bins.drain(..gone);
        self.first += gone as u64;
        self.bins.get_mut(place.checked_sub(gone)?)
    }

    /// Widens the bins until, at this rate, each stands for `SHORTEST` or more.
    pub fn fit_rate(&mut self, sent: u64, within: Duration) {
        while within.as_nanos() > 0
            && self.stride * (within.as_nanos() as u64) < sent * Self::SHORTEST.as_nanos() as u64
        {
            self.widen();
        }
    }

    pub fn stride(&self) -> u64 {
        self.stride
    }

    /// The newest bins, at most `most`, each with the sequence number of its first probe.
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
        // At 20 a second each probe has a bin, at 21 it has not.
        bins.fit_rate(20, Duration::from_secs(1));
        assert_eq!(bins.stride(), 1);
        bins.fit_rate(21, Duration::from_secs(1));
        assert_eq!(numbers(&bins), [(2, 1), (4, 2), (6, 2)]);
        let (_, last) = bins.last(1).next().unwrap();
        assert_eq!(last.mean(), Some(Duration::from_micros(6_500)));
        assert_eq!(last.slowest, Duration::from_millis(7));
    }

    #[test]
    fn old_bins_are_dropped_and_their_probes_have_none() {
        let mut bins = Bins::starting(0);
        for seq in 0..Bins::MAX_BINS as u64 + 10 {
            bins.of(seq, Duration::ZERO).unwrap().outcomes.add(NotOnTime::Lost(Cause::Up));
        }
        assert_eq!(bins.last(usize::MAX).count(), Bins::MAX_BINS);
        assert!(bins.of(9, Duration::ZERO).is_none() && bins.of(10, Duration::ZERO).is_some());
        bins.of(1 << 40, Duration::ZERO).unwrap().open = 1;
        assert_eq!(bins.last(usize::MAX).map(|(seq, _)| seq).collect::<Vec<_>>(), [1 << 40]);
    }
}
