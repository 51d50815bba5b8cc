//! What the pictures need of a run's probes, taken in one pass, in memory bounded whatever the
//! run's length.
//!
//! Small runs keep every reply and every loss, to be drawn one by one. Beyond `POINTS` and `MARKS`
//! only the [`Columns`] remain: the run cut into 400 to 2048 equal parts, each with a histogram.

mod columns;
mod miss;
mod seconds;
mod tally;

pub use columns::{Column, Columns};
pub use miss::Miss;
pub use seconds::{Seconds, Slot};
pub use tally::Tally;

use crate::probe::{Outcome, Resolved};
use crate::record::Run;
use crate::time::Duration;

/// Replies drawn one by one; more of them become a density.
const POINTS: usize = 5_000;
/// Losses drawn one by one; more of them become shares of a column.
const MARKS: usize = 2_000;

/// What runs along the horizontal axis of the probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abscissa {
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

/// A probe that was not answered in time, where it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub x: u64,
    pub miss: Miss,
}

/// What the pictures need of a run's probes.
#[derive(Clone, Debug)]
pub struct Digest {
    pub abscissa: Abscissa,
    pub columns: Columns,
    pub seconds: Seconds,
    /// On-time replies.
    pub rtt: Tally,
    /// The same without the time at the server, where it is known.
    pub net: Tally,
    /// How many were not answered in time, by `Miss`.
    pub misses: [u64; Miss::COUNT],
    /// Every reply, while there are few.
    pub points: Option<Vec<Point>>,
    /// Every loss, while there are few.
    pub marks: Option<Vec<Mark>>,
    /// Where the last probe's interval ends on the horizontal axis.
    pub end: u64,
    /// When the last probe's story ended, at the least: the end of its interval or its reply.
    pub last: u64,
    delta_sum: f64,
    deltas: u64,
    previous: Option<(u64, u64)>,
}

impl Digest {
    pub fn new(run: &Run) -> Self {
        Self::over(abscissa(run))
    }

    fn over(abscissa: Abscissa) -> Self {
        Self {
            abscissa,
            columns: match abscissa {
                Abscissa::Time => Columns::of_time(),
                Abscissa::Seq => Columns::of_seq(),
            },
            seconds: Seconds::default(),
            rtt: Tally::new(),
            net: Tally::new(),
            misses: [0; Miss::COUNT],
            points: Some(Vec::new()),
            marks: Some(Vec::new()),
            end: 0,
            last: 0,
            delta_sum: 0.0,
            deltas: 0,
            previous: None,
        }
    }

    /// Takes the next probe; they come in the order of their numbers.
    pub fn push(&mut self, probe: &Resolved) {
        let x = self.place(probe);
        let rtt = probe.rtt.map(nanos);
        let miss = Miss::of(probe);
        self.columns.push(x, probe, miss, rtt);
        self.seconds.push(probe, miss);
        if let Some(miss) = miss {
            self.misses[miss as usize] += 1;
            keep(&mut self.marks, Mark { x, miss }, MARKS);
        }
        if let Some(rtt) = rtt {
            keep(&mut self.points, Point { x, rtt, late: probe.outcome == Outcome::Late }, POINTS);
        }
        if let (Outcome::Ok, Some(rtt)) = (probe.outcome, rtt) {
            self.answered(probe, rtt, x);
        }
    }

    /// Probes that left.
    pub fn sent(&self) -> u64 {
        self.rtt.count() + self.misses.iter().sum::<u64>() - self.misses[Miss::NotSent as usize]
    }

    /// The mean distance of the RTTs of neighbours by number, where both were answered in time.
    pub fn mean_delta(&self) -> Option<f64> {
        (self.deltas > 0).then(|| self.delta_sum / self.deltas as f64)
    }

    fn place(&mut self, probe: &Resolved) -> u64 {
        let at = nanos(probe.sent.unwrap_or(probe.due));
        let story = nanos(probe.interval.max(probe.rtt.unwrap_or_default()));
        self.last = self.last.max(at.saturating_add(story));
        match self.abscissa {
            Abscissa::Time => {
                self.end = self.end.max(at.saturating_add(nanos(probe.interval)));
                at
            }
            Abscissa::Seq => {
                self.end = self.end.max(probe.seq + 1);
                probe.seq
            }
        }
    }

    fn answered(&mut self, probe: &Resolved, rtt: u64, x: u64) {
        self.rtt.push(rtt, probe.seq, x);
        if let Some(net) = probe.net_rtt() {
            self.net.push(nanos(net), probe.seq, x);
        }
        if let Some((seq, before)) = self.previous
            && seq + 1 == probe.seq
        {
            self.delta_sum += rtt.abs_diff(before) as f64;
            self.deltas += 1;
        }
        self.previous = Some((probe.seq, rtt));
    }
}

/// By number when the interval decays, unless the floor is reached so early that most of the run
/// is steady.
fn abscissa(run: &Run) -> Abscissa {
    let Some(decay) = run.config.decay.filter(|decay| *decay > 0.0) else { return Abscissa::Time };
    let total = run.summary.as_ref().map(|summary| summary.sent).or(run.config.count);
    let floor = run.config.min_interval_us.unwrap_or(100.0);
    let decaying = (floor / run.config.interval_us).ln() / (1.0 - decay).ln();
    match total {
        Some(total) if total as f64 > 3.0 * decaying.max(100.0) => Abscissa::Time,
        _ => Abscissa::Seq,
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
    use crate::probe::Cause;
    use crate::rng::Stream;

    pub(super) fn probe(seq: u64, sent: f64, fate: Result<f64, Cause>) -> Resolved {
        let at = Duration::from_secs_f64(sent);
        Resolved {
            seq,
            due: at,
            sent: Some(at),
            interval: Duration::from_millis(1),
            size: 100,
            outcome: if fate.is_ok() { Outcome::Ok } else { Outcome::Lost },
            cause: fate.err(),
            rtt: fate.ok().map(Duration::from_secs_f64),
            hold: None,
            server: None,
            owd_up: None,
            owd_down: None,
            copies: 1,
            injected_copies: 0,
            probe_copies: None,
            corrupted: None,
            impossible_times: false,
        }
    }

    impl Digest {
        fn bytes(&self) -> usize {
            let points = self.points.as_ref().map_or(0, |points| points.capacity() * size_of::<Point>());
            let marks = self.marks.as_ref().map_or(0, |marks| marks.capacity() * size_of::<Mark>());
            self.columns.bytes() + self.seconds.bytes() + self.rtt.bytes() + self.net.bytes() + points + marks
        }
    }

    /// Round trips from a microsecond up over so many octaves, a probe in ten lost.
    fn push_many(digest: &mut Digest, from: u64, to: u64, octaves: f64) {
        let stream = Stream::new(1, "digest");
        for seq in from..to {
            let mut draws = stream.at(seq);
            let lost = draws.unit() < 0.1;
            let rtt = 1e-6 * (draws.unit() * octaves).exp2();
            digest.push(&probe(seq, seq as f64 * 1e-2, if lost { Err(Cause::Down) } else { Ok(rtt) }));
        }
    }

    /// Once every column has every bucket that the path uses, more probes cost nothing more.
    #[test]
    fn memory_does_not_grow_with_the_run() {
        let mut digest = Digest::over(Abscissa::Time);
        push_many(&mut digest, 0, 1_000_000, 1.0);
        let full = 2048 * (size_of::<Column>() + 257 * size_of::<(u16, u32)>());
        let fixed = 2 * Columns::of_time().bytes();
        assert!(digest.columns.bytes() < full + fixed, "{} bytes", digest.columns.bytes());
        assert!(digest.bytes() < 16 << 20, "{} bytes", digest.bytes());
    }

    #[test]
    fn nothing_is_lost_when_columns_and_seconds_are_joined() {
        let mut digest = Digest::over(Abscissa::Time);
        push_many(&mut digest, 0, 20_000, 20.0);
        // Hours later: every column so far becomes a part of one.
        digest.push(&probe(20_000, 50_000.5, Ok(0.25)));
        let (columns, seconds) = (digest.columns.all(), digest.seconds.all());
        assert!(columns.len() <= 2048 && seconds.len() <= 2048);
        let on_time: u64 = columns.iter().map(|column| column.on_time.count()).sum();
        let missed: u64 = columns.iter().map(Column::missed).sum();
        assert_eq!((on_time, missed), (digest.rtt.count(), digest.misses[Miss::Down as usize]));
        assert_eq!(on_time + missed, 20_001);
        assert_eq!(seconds.iter().map(|slot| slot.sent).sum::<u64>(), 20_001);
        assert_eq!(seconds.iter().map(|slot| slot.bits).sum::<u64>(), on_time * 1600);
        assert_eq!(seconds.iter().map(|slot| slot.busy).sum::<u64>(), 201);
        let peak = columns.iter().filter_map(|column| column.peak).map(|peak| peak.rtt).max();
        assert_eq!(peak.map(|nanos| nanos as f64 / 1e3), digest.rtt.distribution().map(|rtt| rtt.max));
    }

    #[test]
    fn a_second_is_the_sum_of_its_probes() {
        let mut digest = Digest::over(Abscissa::Time);
        digest.push(&probe(0, 0.1, Ok(0.010)));
        digest.push(&probe(1, 0.9, Ok(0.030)));
        digest.push(&probe(2, 3.0, Err(Cause::Up)));
        let seconds = digest.seconds.all();
        let rows: Vec<_> = seconds.iter().map(|slot| (slot.bits, slot.delay(), slot.loss())).collect();
        assert_eq!(
            rows,
            [(3200, Some(20e6), Some(0.0)), (0, None, None), (0, None, None), (0, None, Some(1.0))]
        );
    }

    #[test]
    fn quantiles_are_close_to_the_exact_ones() {
        let mut digest = Digest::over(Abscissa::Time);
        push_many(&mut digest, 0, 3_000, 20.0);
        let points = digest.points.as_ref().expect("few enough to be kept");
        let mut exact: Vec<u64> = points.iter().map(|point| point.rtt).collect();
        exact.sort_unstable();
        let mut whole = Column::default();
        digest.columns.all().iter().for_each(|column| whole.join(column));
        for share in [0.01, 0.1, 0.5, 0.9, 0.99] {
            let rank = (share * exact.len() as f64).ceil() as usize - 1;
            let (is, should) = (whole.on_time.quantile(share).unwrap(), exact[rank] as f64);
            assert!((is / should - 1.0).abs() < 0.004, "{share}: {is} for {should}");
        }
    }

    /// METRICS: sample deviation of 10 and 20 is 7.0711; the mean distance of neighbours skips gaps.
    #[test]
    fn moments_and_distances() {
        let mut digest = Digest::over(Abscissa::Time);
        digest.push(&probe(0, 0.0, Ok(0.010)));
        assert_eq!(digest.rtt.distribution().unwrap().stddev, None);
        digest.push(&probe(1, 0.1, Ok(0.020)));
        digest.push(&probe(2, 0.2, Err(Cause::Unknown)));
        assert!((digest.rtt.distribution().unwrap().stddev.unwrap() - 7071.07).abs() < 0.01);
        digest.push(&probe(3, 0.3, Ok(0.090)));
        assert_eq!(digest.mean_delta(), Some(10e6));
        assert_eq!(digest.rtt.max_seq(), Some(3));
    }
}
