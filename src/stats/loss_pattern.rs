//! How losses follow one another (RFC 3357): distances, periods, and the longest outage in time.
//!
//! Fed in the order of sequence. A period is a run of consecutive losses; an unfinished one counts with its
//! length so far.

use super::lengths::Lengths;
use crate::time::Duration;

/// Losses in a row, and the longest outage.
#[derive(Clone, Debug, Default)]
pub struct LossPattern {
    probes: u64,
    losses: u64,
    periods: u64,
    last_loss: Option<u64>,
    open: Option<Outage>,
    longest: Option<Outage>,
    longest_period: u64,
    lengths: Lengths,
    distances: Lengths,
}

/// Where a loss stands among the losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// From the loss before it, in probes; 0 for the first.
    pub distance: u64,
    /// The number of its period, from 1.
    pub period: u64,
}

/// A time without an answer: from the sending of the first probe lost to the due time of the probe
/// after the last one lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    pub(crate) from: Duration,
    pub(crate) until: Duration,
    pub(crate) probes: u64,
}

impl Outage {
    pub(crate) fn length(self) -> Duration {
        self.until - self.from
    }
}

impl LossPattern {
    /// Of a run without probes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next probe, when it was sent and when the one after it was due.
    pub fn record(&mut self, lost: bool, sent: Duration, next_due: Duration) -> Option<Loss> {
        let index = self.probes;
        self.probes += 1;
        if !lost {
            self.open = None;
            return None;
        }
        self.losses += 1;
        let distance = self.last_loss.replace(index).map_or(0, |last| index - last);
        if distance > 0 {
            self.distances.add(distance);
        }
        self.extend_period(sent, next_due);
        Some(Loss { distance, period: self.periods })
    }

    fn extend_period(&mut self, sent: Duration, next_due: Duration) {
        // A probe may leave so late that the next was due before it.
        let next_due = next_due.max(sent);
        let outage = match self.open {
            Some(open) => {
                self.lengths.grow(open.probes + 1);
                Outage { until: next_due, probes: open.probes + 1, ..open }
            }
            None => {
                self.periods += 1;
                self.lengths.add(1);
                Outage { from: sent, until: next_due, probes: 1 }
            }
        };
        self.open = Some(outage);
        self.longest_period = self.longest_period.max(outage.probes);
        if self.longest.is_none_or(|longest| outage.length() > longest.length()) {
            self.longest = Some(outage);
        }
    }

    /// Lost probes so far.
    pub fn losses(&self) -> u64 {
        self.losses
    }

    pub(crate) fn periods(&self) -> u64 {
        self.periods
    }

    /// In probes.
    pub fn longest_period(&self) -> u64 {
        self.longest_period
    }

    /// By time: with a changing interval it need not be the longest by probes.
    pub fn longest_outage(&self) -> Option<Outage> {
        self.longest
    }

    /// How long the periods are, in probes.
    pub fn lengths(&self) -> &Lengths {
        &self.lengths
    }

    /// How far apart the losses are, in probes; the first has no distance.
    pub fn distances(&self) -> &Lengths {
        &self.distances
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_outage_of_probes_that_left_late_is_never_shorter_than_nothing() {
        let mut pattern = LossPattern::new();
        let seconds = Duration::from_secs;
        pattern.record(true, seconds(5), seconds(1));
        assert_eq!(pattern.longest_outage().unwrap().length(), Duration::ZERO);
        pattern.record(true, seconds(7), seconds(2));
        assert_eq!(pattern.longest_outage().unwrap().length(), seconds(2));
    }

    /// A probe a second.
    fn of(lost: &[bool]) -> (Vec<Loss>, LossPattern) {
        let mut pattern = LossPattern::new();
        let losses = lost.iter().enumerate().filter_map(|(k, lost)| {
            let sent = Duration::from_secs(k as i64);
            pattern.record(*lost, sent, sent + Duration::from_secs(1))
        });
        (losses.collect(), pattern)
    }

    fn counts(lengths: &Lengths) -> BTreeMap<u64, u64> {
        lengths.iter().map(|(range, count)| (*range.end(), count)).collect()
    }

    #[test]
    fn rfc_3357() {
        let lost: Vec<bool> = (1..=10).map(|seq| [2, 5, 7, 9, 10].contains(&seq)).collect();
        let (losses, pattern) = of(&lost);
        assert_eq!(losses.iter().map(|loss| loss.distance).collect::<Vec<_>>(), [0, 3, 2, 2, 1]);
        assert_eq!(losses.iter().map(|loss| loss.period).collect::<Vec<_>>(), [1, 2, 3, 4, 4]);
        assert_eq!(counts(pattern.lengths()), [(1, 3), (2, 1)].into());
        assert_eq!(counts(pattern.distances()), [(1, 1), (2, 2), (3, 1)].into());
        assert_eq!((pattern.losses(), pattern.periods(), pattern.longest_period()), (5, 4, 2));
        let outage = Outage { from: Duration::from_secs(8), until: Duration::from_secs(10), probes: 2 };
        assert_eq!(pattern.longest_outage(), Some(outage));
    }

    #[test]
    fn the_longest_in_time_need_not_be_the_longest_in_probes() {
        let mut pattern = LossPattern::new();
        for (lost, sent, next) in [(true, 0, 9), (false, 9, 10), (true, 10, 11), (true, 11, 12)] {
            pattern.record(lost, Duration::from_secs(sent), Duration::from_secs(next));
        }
        assert_eq!(pattern.longest_period(), 2);
        assert_eq!(pattern.longest_outage().unwrap().length(), Duration::from_secs(9));
        assert_eq!(LossPattern::new().longest_outage(), None);
    }

    proptest! {
        #[test]
        fn agrees_with_the_runs(lost in vec(prop::bool::weighted(0.4), 0..200)) {
            let mut runs = BTreeMap::new();
            let mut longest = 0;
            for run in lost.chunk_by(|a, b| a == b).filter(|run| run[0]) {
                longest = longest.max(run.len());
                *runs.entry(run.len() as u64).or_insert(0) += 1;
            }
            let (losses, pattern) = of(&lost);
            prop_assert_eq!(pattern.periods(), runs.values().sum::<u64>());
            prop_assert_eq!(pattern.longest_period(), longest as u64);
            let outage = pattern.longest_outage().map_or(Duration::ZERO, Outage::length);
            prop_assert_eq!(outage, Duration::from_secs(longest as i64));
            if longest <= 16 {
                prop_assert_eq!(counts(pattern.lengths()), runs);
            }
            let places: Vec<u64> = (0..).zip(&lost).filter(|(_, lost)| **lost).map(|(k, _)| k).collect();
            let distances: Vec<u64> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let got: Vec<u64> = losses.iter().skip(1).map(|loss| loss.distance).collect();
            prop_assert_eq!(got, distances);
        }
    }
}
