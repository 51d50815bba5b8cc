//! The run second by second, a row each, empty seconds included; or by intervals of several seconds.
//!
//! A probe belongs to the second in which it was sent. Probes are sent in the order of sequence, so a
//! row is complete when a later one begins, and only one is kept.

use std::num::NonZero;

use crate::probe::Resolved;
use crate::stats::{OutcomeCounts, Quantiles};
use crate::time::Duration;

/// One second of a run: the row of `seconds.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Second {
    /// From 1; of an interval its first.
    pub second: u64,
    /// How many seconds this is the row of.
    pub length: NonZero<u64>,
    /// Of the probes sent in this second.
    pub outcomes: OutcomeCounts,
    /// Payload of the replies on time.
    pub bytes: u64,
    /// Of the replies on time; a second without any has none.
    pub delay: Option<Delay>,
}

/// Delays of the replies on time of one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// Their arithmetic mean.
    pub mean: Duration,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) max: Duration,
}

impl Default for Second {
    fn default() -> Self {
        let length = NonZero::<u64>::MIN;
        Self { second: 0, length, outcomes: OutcomeCounts::default(), bytes: 0, delay: None }
    }
}

impl Second {
    /// There and back, so each byte that came back counts twice.
    pub fn throughput_bps(&self) -> u64 {
        self.bytes.saturating_mul(16) / self.length
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Seconds {
    open: Second,
    /// The newest second of the open row.
    newest: u64,
    delays: Quantiles,
}

impl Default for Seconds {
    fn default() -> Self {
        Self::new()
    }
}

impl Seconds {
    pub(crate) fn new() -> Self {
        Self::of_length(NonZero::<u64>::MIN)
    }

    /// A row for every `length` seconds.
    pub(crate) fn of_length(length: NonZero<u64>) -> Self {
        Self::starting(1, length)
    }

    /// Takes the next probe. Returns the rows that it completes, in order. A probe of a row
    /// already complete counts in the open one: this happens to a probe that never left, which has only
    /// its due time.
    pub(crate) fn record(&mut self, probe: &Resolved) -> Completed {
        let second = probe.second();
        let length = self.open.length;
        let completed = if second >= self.open.second + length.get() {
            let first = (second - 1) / length * length.get() + 1;
            let before = std::mem::replace(self, Self::starting(first, length));
            let empty = (before.open.second + length.get()..first).step_by(length.get() as usize);
            Completed { empty, length, first: Some(before.complete()) }
        } else {
            Completed { first: None, length, empty: (0..0).step_by(1) }
        };
        self.newest = self.newest.max(second);
        self.open.outcomes.record(probe);
        if let Some(rtt) = probe.on_time() {
            self.open.bytes += u64::from(probe.size);
            self.delays.record(rtt);
        }
        completed
    }

    /// The row that no probe has completed yet, as it stands and as long as there were probes.
    pub(crate) fn open(&self) -> Second {
        let length = NonZero::new(self.newest + 1 - self.open.second);
        Second { length: length.unwrap_or(NonZero::<u64>::MIN), ..self.complete() }
    }

    fn complete(&self) -> Second {
        Second { delay: delay(&self.delays), ..self.open }
    }

    fn starting(second: u64, length: NonZero<u64>) -> Self {
        let open = Second { second, length, ..Second::default() };
        Self { open, newest: second, delays: Quantiles::new() }
    }
}

/// The rows that a probe completed: one with probes in it, then those in which none was sent.
#[derive(Clone, Debug)]
#[must_use = "a row is handed out once"]
pub struct Completed {
    first: Option<Second>,
    length: NonZero<u64>,
    empty: std::iter::StepBy<std::ops::Range<u64>>,
}

impl Iterator for Completed {
    type Item = Second;

    fn next(&mut self) -> Option<Second> {
        let length = self.length;
        let empty = |second| Second { second, length, ..Second::default() };
        self.first.take().or_else(|| self.empty.next().map(empty))
    }
}

fn delay(delays: &Quantiles) -> Option<Delay> {
    Some(Delay {
        mean: delays.moments().mean()?,
        p50: delays.at(0.5)?,
        p99: delays.at(0.99)?,
        max: delays.max()?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::probe::Outcome;
    use crate::stats::fixtures::{answered, probe};

    /// Probes of 500 bytes, sent in these seconds.
    fn table(probes: &[(u64, Resolved)]) -> Vec<Second> {
        let mut seconds = Seconds::new();
        let sent_in = |(second, probe): &(u64, Resolved)| {
            let at = Duration::from_secs(*second as i64 - 1);
            Resolved { due: at, sent: probe.sent.map(|_| at), size: 500, ..*probe }
        };
        let mut rows: Vec<Second> = probes.iter().flat_map(|probe| seconds.record(&sent_in(probe))).collect();
        rows.push(seconds.open());
        rows
    }

    fn on_time(millis: i64) -> Resolved {
        answered(Duration::from_millis(millis))
    }

    fn with(outcome: Outcome) -> Resolved {
        let rtt = (outcome == Outcome::Late).then_some(Duration::from_secs(2));
        let sent = (outcome != Outcome::SendError).then_some(Duration::ZERO);
        Resolved { outcome, rtt, sent, ..probe() }
    }

    fn counts(row: &Second) -> [u64; 4] {
        let outcomes = row.outcomes;
        [outcomes.sent(), outcomes.on_time, outcomes.late(), outcomes.lost()]
    }

    #[test]
    fn two_probes_a_second_by_hand() {
        let rows = table(&[(1, on_time(10)), (1, probe()), (2, on_time(30)), (2, on_time(50))]);
        let [ten, thirty, forty, fifty] = [10, 30, 40, 50].map(Duration::from_millis);
        let delays = [
            Delay { mean: ten, p50: ten, p99: ten, max: ten },
            Delay { mean: forty, p50: thirty, p99: fifty, max: fifty },
        ];
        assert_eq!(rows.iter().map(counts).collect::<Vec<_>>(), [[2, 1, 0, 1], [2, 2, 0, 0]]);
        assert_eq!(rows.iter().filter_map(|row| row.delay).collect::<Vec<_>>(), delays);
        assert_eq!((rows[0].throughput_bps(), rows[1].throughput_bps()), (8_000, 16_000));
    }

    #[test]
    fn a_second_in_which_nothing_was_sent_has_a_row() {
        let rows = table(&[(1, on_time(10)), (4, with(Outcome::Late))]);
        let empty = |second| Second { second, ..Second::default() };
        assert_eq!(rows[1..3], [empty(2), empty(3)]);
        assert_eq!((rows[1].throughput_bps(), rows[1].delay), (0, None));
        assert_eq!((rows[3].second, counts(&rows[3])), (4, [1, 0, 1, 0]));
    }

    #[test]
    fn a_row_of_several_seconds_counts_all_their_probes_and_the_last_one_is_shorter() {
        let mut rows = Vec::new();
        let mut minutes = Seconds::of_length(NonZero::new(60).unwrap());
        for second in (1..=60).chain([181, 183]) {
            let at = Duration::from_secs(second - 1);
            rows.extend(minutes.record(&Resolved { due: at, sent: Some(at), size: 500, ..on_time(second) }));
        }
        rows.push(minutes.open());
        let lengths: Vec<_> =
            rows.iter().map(|row| (row.second, row.length.get(), row.outcomes.on_time)).collect();
        assert_eq!(lengths, [(1, 60, 60), (61, 60, 0), (121, 60, 0), (181, 3, 2)]);
        assert_eq!(rows[0].throughput_bps(), 8_000);
        assert_eq!(rows[0].delay.unwrap().p50, Duration::from_millis(30));
    }

    #[test]
    fn one_that_never_left_counts_nowhere_and_reopens_nothing() {
        let unsent = with(Outcome::SendError);
        let rows = table(&[(3, on_time(10)), (2, unsent), (5, unsent)]);
        assert_eq!(rows.iter().map(|row| row.second).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!(rows.iter().map(|row| row.outcomes.sent()).sum::<u64>(), 1);
    }

    proptest! {
        #[test]
        fn agrees_with_the_probes_of_each_second(probes in vec((0_u64..3, 0_i64..8), 1..200)) {
            let mut second = 1;
            let probes: Vec<(u64, Resolved)> = probes.into_iter().map(|(later, kind)| {
                second += later;
                let outcomes = [Outcome::Late, Outcome::Lost, Outcome::SendError];
                (second, outcomes.get(kind as usize).map_or_else(|| on_time(kind), |outcome| with(*outcome)))
            }).collect();
            let rows = table(&probes);
            prop_assert_eq!(rows.len() as u64, second);
            for (row, second) in rows.iter().zip(1..) {
                let inside = || probes.iter().filter(|(at, _)| *at == second).map(|(_, probe)| probe);
                let count = |outcome| inside().filter(|probe| probe.outcome == outcome).count() as u64;
                let (ok, late, lost) = (count(Outcome::Ok), count(Outcome::Late), count(Outcome::Lost));
                let max = inside().filter_map(Resolved::on_time).max();
                prop_assert_eq!((row.second, counts(row)), (second, [ok + late + lost, ok, late, lost]));
                prop_assert_eq!(row.bytes, ok * 500);
                prop_assert_eq!(row.delay.map(|delay| delay.max), max);
            }
        }
    }
}
