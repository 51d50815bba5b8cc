//! The data behind the pictures of a run, taken in one pass, in memory that does not grow with the run.
//!
//! Of small runs every reply and every loss is kept, to be drawn one by one. Beyond `POINTS` and `MARKS`
//! only the columns remain: the run cut into 400 to 2048 equal parts, each with a histogram.

mod columns;

pub(super) use columns::{Column, Columns};

use crate::probe::{NotOnTime, Resolved};
use crate::record::Run;
use crate::stats::{RunStatistics, Second, SecondHistory};
use crate::time::Duration;

/// Replies drawn one by one; more of them become a density.
const POINTS: usize = 5_000;
/// Losses drawn one by one; more of them become shares of a column.
const MARKS: usize = 2_000;

/// What the horizontal axis of the probes shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum XAxis {
    /// Nanoseconds from time zero.
    Time,
    /// Sequence numbers, for runs whose interval decays: on a time axis half of their probes would
    /// share the last hundredth of the picture.
    Seq,
}

/// A reply, where its probe was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub x: u64,
    pub rtt: u64,
    pub late: bool,
}

/// A probe without a reply in time, where it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossMark {
    pub x: u64,
    pub reason: NotOnTime,
}

/// The data of a run's picture, in memory that does not grow with the run.
#[derive(Debug)]
pub struct ChartData {
    pub(crate) axis: XAxis,
    /// Of all probes pushed so far.
    pub statistics: RunStatistics,
    pub(crate) columns: Columns,
    history: SecondHistory,
    /// Every reply, while there are few.
    pub points: Option<Vec<Point>>,
    /// Every loss, while there are few.
    pub marks: Option<Vec<LossMark>>,
    /// Where the last probe's interval ends on the horizontal axis.
    pub end: u64,
}

impl ChartData {
    /// For the probes of this run, which are to be pushed.
    pub fn new(run: &Run) -> Self {
        Self::over(x_axis(run))
    }

    fn over(axis: XAxis) -> Self {
        Self {
            axis,
            statistics: RunStatistics::new(),
            columns: columns::columns(axis),
            history: SecondHistory::default(),
            points: Some(Vec::new()),
            marks: Some(Vec::new()),
            end: 0,
        }
    }

    /// Takes the next probe, in the order of sequence; passes on each second that it completes.
    pub fn push(&mut self, probe: &Resolved, mut second: impl FnMut(&Second)) {
        self.statistics.push(probe, |done| {
            self.history.push(done);
            second(done);
        });
        let x = self.place(probe);
        self.columns.at(x).push(x, probe);
        if let Some(reason) = probe.not_on_time() {
            keep(&mut self.marks, LossMark { x, reason }, MARKS);
        }
        if let Some(rtt) = probe.rtt.map(nanos) {
            keep(&mut self.points, Point { x, rtt, late: probe.on_time().is_none() }, POINTS);
        }
    }

    /// The seconds, the last one included.
    pub fn seconds(&self) -> SecondHistory {
        let mut history = self.history.clone();
        self.statistics.last_second().iter().for_each(|second| history.push(second));
        history
    }

    fn place(&mut self, probe: &Resolved) -> u64 {
        let at = nanos(probe.sent.unwrap_or(probe.due));
        let (x, end) = match self.axis {
            XAxis::Time => (at, at.saturating_add(nanos(probe.interval))),
            XAxis::Seq => (probe.seq, probe.seq + 1),
        };
        self.end = self.end.max(end);
        x
    }
}

/// By number when the interval decays, unless the floor is reached so early that most of the run
/// is steady.
fn x_axis(run: &Run) -> XAxis {
    let Some(decay) = run.config.decay.filter(|decay| *decay > 0.0) else { return XAxis::Time };
    let total = run.summary.as_ref().map(|summary| summary.sent).or(run.config.count);
    let floor = run.config.min_interval_us.unwrap_or(100.0);
    let decaying = (floor / run.config.interval_us).ln() / (1.0 - decay).ln();
    match total {
        Some(total) if total as f64 > 3.0 * decaying.max(100.0) => XAxis::Time,
        _ => XAxis::Seq,
    }
}

/// Clocks may make a short time negative; a picture has no place for that.
fn nanos(time: Duration) -> u64 {
    time.as_nanos().max(0) as u64
}

fn keep<T>(list: &mut Option<Vec<T>>, item: T, limit: usize) {
    if let Some(items) = list {
        if items.len() < limit {
            items.push(item);
        } else {
            *list = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{Cause, Outcome};
    use crate::rng::Stream;
    use crate::stats::{Slot, joined};

    fn probe(seq: u64, sent: f64, outcome: Result<f64, Cause>) -> Resolved {
        let at = Duration::from_secs_f64(sent);
        Resolved {
            due: at,
            sent: Some(at),
            interval: Duration::from_millis(1),
            size: 100,
            outcome: if outcome.is_ok() { Outcome::Ok } else { Outcome::Lost },
            cause: outcome.err(),
            rtt: outcome.ok().map(Duration::from_secs_f64),
            copies: 1,
            ..Resolved::unanswered(seq)
        }
    }

    fn bytes(data: &ChartData) -> usize {
        let columns = data.columns.cells().iter();
        let histograms: usize = columns.map(|column| column.on_time.bytes() + column.late.bytes()).sum();
        let points = data.points.as_ref().map_or(0, |points| points.capacity() * size_of::<Point>());
        let marks = data.marks.as_ref().map_or(0, |marks| marks.capacity() * size_of::<LossMark>());
        size_of_val(data.columns.cells()) + histograms + points + marks
    }

    /// Round trips from a microsecond up over `octaves` octaves, a probe in ten lost.
    fn push_many(data: &mut ChartData, from: u64, to: u64, octaves: f64) {
        let stream = Stream::new(1, "digest");
        for seq in from..to {
            let mut draws = stream.at(seq);
            let lost = draws.unit() < 0.1;
            let rtt = 1e-6 * (draws.unit() * octaves).exp2();
            data.push(&probe(seq, seq as f64 * 1e-2, if lost { Err(Cause::Down) } else { Ok(rtt) }), |_| {});
        }
    }

    /// Once every column has every bucket that the path uses, more probes cost nothing more.
    #[test]
    fn memory_does_not_grow_with_the_run() {
        let mut data = ChartData::over(XAxis::Time);
        push_many(&mut data, 0, 200_000, 1.0);
        let full = columns::LIMIT * (size_of::<Column>() + 512 * size_of::<(u16, u32)>());
        assert!(bytes(&data) < full, "{} bytes", bytes(&data));
    }

    #[test]
    fn nothing_is_lost_when_columns_and_seconds_are_joined() {
        let mut data = ChartData::over(XAxis::Time);
        push_many(&mut data, 0, 20_000, 20.0);
        // Hours later: every column so far becomes a part of one.
        data.push(&probe(20_000, 50_000.5, Ok(0.25)), |_| {});
        let (columns, seconds) = (data.columns.cells(), data.seconds());
        assert!(columns.len() <= columns::LIMIT && seconds.slots().len() <= 2048);
        let on_time: u64 = columns.iter().map(|column| column.on_time.count()).sum();
        let (whole, slots) = (joined(columns), joined(seconds.slots()));
        assert_eq!((whole.outcomes, slots.outcomes), (data.statistics.outcomes, data.statistics.outcomes));
        assert_eq!((on_time, whole.outcomes.sent()), (whole.outcomes.on_time, 20_001));
        assert_eq!((slots.bits, slots.busy), (on_time * 1600, 201));
        let peak = whole.peak.map(|peak| peak.rtt);
        assert_eq!(peak, data.statistics.rtt.max().map(nanos));
    }

    #[test]
    fn a_second_is_the_sum_of_its_probes() {
        let mut data = ChartData::over(XAxis::Time);
        data.push(&probe(0, 0.1, Ok(0.010)), |_| {});
        data.push(&probe(1, 0.9, Ok(0.030)), |_| {});
        data.push(&probe(2, 3.0, Err(Cause::Up)), |_| {});
        let values = |slot: &Slot| (slot.bits, slot.delay(), slot.outcomes.loss().value());
        let rows: Vec<_> = data.seconds().slots().iter().map(values).collect();
        assert_eq!(
            rows,
            [(3200, Some(20e6), Some(0.0)), (0, None, None), (0, None, None), (0, None, Some(1.0))]
        );
    }

    #[test]
    fn quantiles_are_close_to_the_exact_ones() {
        let mut data = ChartData::over(XAxis::Time);
        push_many(&mut data, 0, 3_000, 20.0);
        let points = data.points.as_ref().expect("few enough to be kept");
        let mut exact: Vec<u64> = points.iter().map(|point| point.rtt).collect();
        exact.sort_unstable();
        let whole = joined(data.columns.cells());
        for share in [0.01, 0.1, 0.5, 0.9, 0.99] {
            let rank = (share * exact.len() as f64).ceil() as usize - 1;
            let (is, should) = (whole.on_time.quantile(share).unwrap(), exact[rank] as f64);
            assert!((is / should - 1.0).abs() < 0.004, "{share}: {is} for {should}");
        }
    }
}
