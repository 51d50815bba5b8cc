//! The counters of one target, which only grow: `/metrics` shows them, and a record has their differences.

use crate::probe::{Cause, NotOnTime};
use crate::stats::{Join, OutcomeCounts, RTT_COUNTS, RttBuckets};
use crate::time::Duration;

/// The counters of one target since it was added, or of a part of that time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Resolved probes.
    pub outcomes: OutcomeCounts,
    /// Replies beyond the first to a probe.
    pub duplicates: u64,
    /// Probes that were due while the host was suspended.
    pub skipped: u64,
    /// Probes that were due while the server was away, as it had said.
    pub withheld: u64,
    /// RTT of all replies, late ones included.
    pub rtt: RttBuckets,
}

impl Counters {
    const CAUSES: usize = Cause::ALL.len();
    pub(super) const RTT_SUM: &str = "rtt_sum_ns";
    /// After the outcomes: send errors, skipped and withheld probes, duplicates and the sum of RTTs.
    const OTHERS: usize = 5;
    /// All numbers of a record's row.
    pub(super) const NUMBERS: usize = 2 + Self::CAUSES + Self::OTHERS + RTT_COUNTS;

    /// Replies, on time or late.
    pub fn replies(&self) -> u64 {
        self.outcomes.on_time + self.outcomes.late()
    }

    /// Probes without a reply, with this cause.
    pub fn lost_by(&self, cause: Cause) -> u64 {
        self.outcomes.of(NotOnTime::Lost(cause))
    }

    /// Probes that the socket refused.
    pub fn send_errors(&self) -> u64 {
        self.outcomes.not_sent()
    }

    /// The counts since an earlier moment. If one is below the earlier one, all counters were reset in between.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let (now, before) = (self.numbers(), earlier.numbers());
        if now.iter().zip(&before).any(|(now, before)| now < before) {
            return self.clone();
        }
        Self::of(&std::array::from_fn(|at| now[at] - before[at]))
    }

    /// The names of the numbers, in their order.
    pub(super) fn names() -> Vec<String> {
        let causes = Cause::ALL.map(Cause::label);
        let others = ["send_errors", "skipped", "withheld", "duplicates", Self::RTT_SUM];
        let names = ["ok", "late"].into_iter().chain(causes).chain(others).map(str::to_owned);
        let buckets = RttBuckets::bounds().map(|bound| format!("rtt_to_{}us", bound.as_nanos() / 1_000));
        names.chain(buckets).chain(["rtt_above".to_owned()]).collect()
    }

    /// The number of a cause among all.
    pub(super) fn place(cause: Cause) -> usize {
        2 + Cause::ALL.iter().position(|known| *known == cause).expect("ALL has each")
    }

    pub(super) fn numbers(&self) -> [u64; Self::NUMBERS] {
        let sum = u64::try_from(self.rtt.total().as_nanos()).unwrap_or(0);
        let others = [self.send_errors(), self.skipped, self.withheld, self.duplicates, sum];
        let outcomes = [self.outcomes.on_time, self.outcomes.late()];
        let causes = Cause::ALL.map(|cause| self.lost_by(cause));
        let mut all = outcomes.into_iter().chain(causes).chain(others).chain(self.rtt.counts());
        std::array::from_fn(|_| all.next().expect("as many as there are"))
    }

    pub(super) fn of(numbers: &[u64; Self::NUMBERS]) -> Self {
        let mut rest = numbers.iter().copied();
        let mut next = || rest.next().expect("as many as there are");
        let mut outcomes = OutcomeCounts::default();
        outcomes.on_time = next();
        outcomes.add_many(NotOnTime::Late, next());
        Cause::ALL.into_iter().for_each(|cause| outcomes.add_many(NotOnTime::Lost(cause), next()));
        outcomes.add_many(NotOnTime::NotSent, next());
        let (skipped, withheld, duplicates) = (next(), next(), next());
        let sum = Duration::from_nanos(i64::try_from(next()).unwrap_or(i64::MAX));
        Self {
            outcomes,
            duplicates,
            skipped,
            withheld,
            rtt: RttBuckets::of(std::array::from_fn(|_| next()), sum),
        }
    }
}

impl Join for Counters {
    fn join(&mut self, later: &Self) {
        self.outcomes.join(&later.outcomes);
        self.duplicates += later.duplicates;
        self.skipped += later.skipped;
        self.withheld += later.withheld;
        self.rtt.join(&later.rtt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(first: u64) -> Counters {
        Counters::of(&std::array::from_fn(|at| first + at as u64))
    }

    #[test]
    fn every_number_has_its_own_place_and_name() {
        let counters = numbered(100);
        assert_eq!(counters.numbers().to_vec(), (100..100 + Counters::NUMBERS as u64).collect::<Vec<_>>());
        let value = |name: &str| {
            let at = Counters::names().iter().position(|known| known == name);
            counters.numbers()[at.unwrap_or_else(|| panic!("no {name}"))]
        };
        assert_eq!(Counters::names().len(), Counters::NUMBERS);
        assert_eq!((value("ok"), value("late")), (counters.outcomes.on_time, counters.outcomes.late()));
        for cause in Cause::ALL {
            assert_eq!(value(cause.label()), counters.lost_by(cause));
            assert_eq!(Counters::names()[Counters::place(cause)], cause.label());
        }
        let others = [counters.skipped, counters.withheld, counters.duplicates];
        assert_eq!(["skipped", "withheld", "duplicates"].map(value), others);
        assert_eq!(value("send_errors"), counters.send_errors());
        assert_eq!(value("rtt_sum_ns") as i64, counters.rtt.total().as_nanos());
        assert_eq!(
            (value("rtt_to_50us"), value("rtt_above")),
            (counters.rtt.counts()[0], counters.rtt.counts()[20])
        );
    }

    #[test]
    fn differences_add_up_and_counters_that_began_anew_count_whole() {
        let (earlier, later) = (numbered(3), numbered(50));
        let mut sum = earlier.clone();
        sum.join(&later.since(&earlier));
        assert_eq!(sum, later);
        assert_eq!(earlier.since(&later), earlier);
    }
}
