//! The run second by second, a row each, empty seconds included.
//!
//! Fed in the order of sequence, with the second in which each probe was sent. Probes are sent in
//! that order, so a second is complete when a later one begins, and one is all that is kept.

use super::quantiles::Quantiles;
use crate::time::Duration;

/// What came of a probe, as far as its second is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondOutcome {
    /// Its reply was on time.
    OnTime {
        rtt: Duration,
    },
    Late,
    Lost,
    /// It never left: its second passes, but it counts nowhere.
    Unsent,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// From 1.
    pub second: u64,
    pub sent: u64,
    pub ok: u64,
    pub late: u64,
    pub lost: u64,
    /// Payload of the replies on time.
    pub bytes: u64,
    /// Of the replies on time; a second without any has none.
    pub delay: Option<Delay>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    pub mean: Duration,
    pub p50: Duration,
    pub p99: Duration,
    pub max: Duration,
}

impl Second {
    /// There and back, so each byte that came back counts twice.
    pub fn throughput_bps(&self) -> u64 {
        self.bytes.saturating_mul(16)
    }
}

#[derive(Clone, Debug)]
pub struct Seconds {
    open: Second,
    delays: Quantiles,
}

impl Default for Seconds {
    fn default() -> Self {
        Self::new()
    }
}

impl Seconds {
    pub fn new() -> Self {
        Self::starting(1)
    }

    /// The next probe, its second (from 1) and its payload. Returns the seconds that it completes,
    /// in order. A probe of a second already complete counts in the open one: this happens to one
    /// that never left, which has only its due time.
    pub fn record(&mut self, second: u64, size: u32, fate: SecondOutcome) -> Completed {
        let completed = if second > self.open.second {
            let after = std::mem::replace(self, Self::starting(second));
            Completed { empty: after.open.second + 1..second, first: Some(after.finish()) }
        } else {
            Completed { first: None, empty: 0..0 }
        };
        self.open.sent += u64::from(fate != SecondOutcome::Unsent);
        match fate {
            SecondOutcome::OnTime { rtt } => {
                self.open.ok += 1;
                self.open.bytes += u64::from(size);
                self.delays.record(rtt);
            }
            SecondOutcome::Late => self.open.late += 1,
            SecondOutcome::Lost => self.open.lost += 1,
            SecondOutcome::Unsent => {}
        }
        completed
    }

    /// The last second, once no more probes come.
    pub fn finish(self) -> Second {
        Second { delay: delay(&self.delays), ..self.open }
    }

    fn starting(second: u64) -> Self {
        Self { open: Second { second, ..Second::default() }, delays: Quantiles::new() }
    }
}

/// The seconds that a probe completed: one with probes in it, then those in which none was sent.
#[derive(Clone, Debug)]
#[must_use = "a row is handed out once"]
pub struct Completed {
    first: Option<Second>,
    empty: std::ops::Range<u64>,
}

impl Iterator for Completed {
    type Item = Second;

    fn next(&mut self) -> Option<Second> {
        let empty = |second| Second { second, ..Second::default() };
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

    fn on_time(millis: i64) -> SecondOutcome {
        SecondOutcome::OnTime { rtt: Duration::from_millis(millis) }
    }

    fn table(probes: &[(u64, SecondOutcome)]) -> Vec<Second> {
        let mut seconds = Seconds::new();
        let mut rows: Vec<Second> =
            probes.iter().flat_map(|(second, fate)| seconds.record(*second, 500, *fate)).collect();
        rows.push(seconds.finish());
        rows
    }

    #[test]
    fn two_probes_a_second_by_hand() {
        let rows = table(&[(1, on_time(10)), (1, SecondOutcome::Lost), (2, on_time(30)), (2, on_time(50))]);
        let [ten, thirty, forty, fifty] = [10, 30, 40, 50].map(Duration::from_millis);
        let first = Second {
            second: 1,
            sent: 2,
            ok: 1,
            late: 0,
            lost: 1,
            bytes: 500,
            delay: Some(Delay { mean: ten, p50: ten, p99: ten, max: ten }),
        };
        let second = Second {
            second: 2,
            sent: 2,
            ok: 2,
            late: 0,
            lost: 0,
            bytes: 1000,
            delay: Some(Delay { mean: forty, p50: thirty, p99: fifty, max: fifty }),
        };
        assert_eq!(rows, [first, second]);
        assert_eq!((rows[0].throughput_bps(), rows[1].throughput_bps()), (8_000, 16_000));
    }

    #[test]
    fn a_second_in_which_nothing_was_sent_has_a_row() {
        let rows = table(&[(1, on_time(10)), (4, SecondOutcome::Late)]);
        let empty = |second| Second { second, ..Second::default() };
        assert_eq!(rows[1..3], [empty(2), empty(3)]);
        assert_eq!((rows[1].throughput_bps(), rows[1].delay), (0, None));
        assert_eq!(rows[3], Second { sent: 1, late: 1, ..empty(4) });
    }

    #[test]
    fn one_that_never_left_counts_nowhere_and_reopens_nothing() {
        let rows = table(&[(3, on_time(10)), (2, SecondOutcome::Unsent), (5, SecondOutcome::Unsent)]);
        assert_eq!(rows.iter().map(|row| row.second).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!(rows.iter().map(|row| row.sent).sum::<u64>(), 1);
    }

    proptest! {
        #[test]
        fn agrees_with_the_probes_of_each_second(probes in vec((0_u64..3, 0_i64..8), 1..200)) {
            let mut second = 1;
            let probes: Vec<(u64, SecondOutcome)> = probes.into_iter().map(|(later, fate)| {
                second += later;
                let fate = match fate { 0 => SecondOutcome::Late, 1 => SecondOutcome::Lost, 2 => SecondOutcome::Unsent, rtt => on_time(rtt) };
                (second, fate)
            }).collect();
            let rows = table(&probes);
            prop_assert_eq!(rows.len() as u64, second);
            for (row, second) in rows.iter().zip(1..) {
                let count = |wanted: &dyn Fn(SecondOutcome) -> bool| {
                    probes.iter().filter(|(at, fate)| *at == second && wanted(*fate)).count() as u64
                };
                let ok = count(&|fate| matches!(fate, SecondOutcome::OnTime { .. }));
                let (late, lost) = (count(&|fate| fate == SecondOutcome::Late), count(&|fate| fate == SecondOutcome::Lost));
                let max = probes.iter().filter(|(at, _)| *at == second).filter_map(|(_, fate)| match fate {
                    SecondOutcome::OnTime { rtt } => Some(*rtt),
                    _ => None,
                }).max();
                prop_assert_eq!((row.second, row.sent), (second, ok + late + lost));
                prop_assert_eq!((row.ok, row.late, row.lost, row.bytes), (ok, late, lost, ok * 500));
                prop_assert_eq!(row.delay.map(|delay| delay.max), max);
            }
        }
    }
}
