//! What the pictures need of a run's probes, taken in one pass, in memory bounded whatever the
//! run's length.
//!
//! Small runs keep every reply and every loss, to be drawn one by one. Beyond `POINTS` and `MARKS`
//! only the [`Columns`] remain: the run cut into 400 to 2048 equal parts, each with a histogram.

mod columns;
mod knee;
mod miss;
mod seconds;
mod tally;

pub use columns::{Column, Columns};
pub use knee::Knee;
pub use miss::Miss;
pub use seconds::{Seconds, Slot};
pub use tally::Tally;

use crate::probe::{Outcome, Resolved};
use crate::record::Run;
use crate::time::Duration;
use knee::KneeFinder;

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
    /// How many were not answered in time, by [`Miss`].
    pub misses: [u64; Miss::COUNT],
    /// Every reply, while there are few.
    pub points: Option<Vec<Point>>,
    /// Every loss, while there are few.
    pub marks: Option<Vec<Mark>>,
    /// Where the last probe's interval ends on the horizontal axis.
    pub end: u64,
    /// When the last probe's story ended, at the least: the end of its interval or its reply.
    pub last: u64,
    /// The interval at which a decaying run leaves its plateau.
    pub knee: Option<Knee>,
    finder: Option<KneeFinder>,
    delta_sum: f64,
    deltas: u64,
    previous: Option<(u64, u64)>,
}

impl Digest {
    pub fn new(run: &Run) -> Self {
        let abscissa = abscissa(run);
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
            knee: None,
            finder: run.config.decay.map(|_| KneeFinder::default()),
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
        if let Some(finder) = &mut self.finder
            && self.knee.is_none()
        {
            self.knee = finder.push(probe, x);
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
