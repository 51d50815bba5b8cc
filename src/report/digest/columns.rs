//! The run cut into equal columns along its horizontal axis, each with a histogram of its replies.
//!
//! There are never more than `LIMIT` columns: when a probe lies beyond the last one, neighbours are
//! joined until it does not. Widths are round, so that bins of round widths are whole columns.

use super::Miss;
use crate::probe::{Outcome, Resolved};

const LIMIT: u64 = 2048;

/// Buckets in each octave, so a value is known to 0.2 %.
const FINE: u16 = 256;
const BUCKETS: usize = (64 - FINE.ilog2() as usize + 1) * FINE as usize;

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;

/// Nanoseconds; each is a whole multiple of the one before.
const TIME_WIDTHS: [u64; 28] = [
    1_000,
    2_000,
    10_000,
    20_000,
    100_000,
    200_000,
    1_000_000,
    2_000_000,
    10_000_000,
    20_000_000,
    100_000_000,
    200_000_000,
    SECOND,
    2 * SECOND,
    10 * SECOND,
    30 * SECOND,
    60 * SECOND,
    120 * SECOND,
    600 * SECOND,
    1_800 * SECOND,
    3_600 * SECOND,
    7_200 * SECOND,
    21_600 * SECOND,
    43_200 * SECOND,
    DAY,
    2 * DAY,
    10 * DAY,
    100 * DAY,
];

/// Numbers of probes.
const SEQ_WIDTHS: [u64; 28] = {
    let mut widths = [1; 28];
    let mut k = 1;
    while k < widths.len() {
        widths[k] = widths[k - 1] * if k % 2 == 1 { 2 } else { 5 };
        k += 1;
    }
    widths
};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Column {
    /// Probes that left.
    pub sent: u64,
    pub on_time: Spread,
    pub late: Spread,
    pub misses: [u32; Miss::COUNT],
    /// The slowest reply, late or not.
    pub peak: Option<Peak>,
    /// The interval after the first probe, in nanoseconds.
    pub interval: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peak {
    pub x: u64,
    pub rtt: u64,
    pub late: bool,
}

impl Column {
    /// Those not answered in time, of those that left.
    pub fn missed(&self) -> u64 {
        let all: u64 = self.misses.iter().map(|count| u64::from(*count)).sum();
        all - u64::from(self.misses[Miss::NotSent as usize])
    }

    pub fn join(&mut self, other: &Self) {
        self.sent += other.sent;
        self.on_time.join(&other.on_time);
        self.late.join(&other.late);
        for (count, more) in self.misses.iter_mut().zip(other.misses) {
            *count += more;
        }
        self.peak = match (self.peak, other.peak) {
            (Some(mine), Some(theirs)) if theirs.rtt <= mine.rtt => Some(mine),
            (mine, theirs) => theirs.or(mine),
        };
        self.interval = self.interval.or(other.interval);
    }
}

/// A histogram that stores its occupied buckets only, in the order of their values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spread(Vec<(u16, u32)>);

impl Spread {
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// The nearest-rank quantile, in nanoseconds, as if a bucket's values were spread evenly in it.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let rank = ((share * self.count() as f64).ceil() as u64).max(1);
        let mut below = 0;
        self.buckets().find_map(|(floor, width, count)| {
            let part = (rank - below) as f64 - 0.5;
            below += count;
            (below >= rank).then(|| floor as f64 + (width - 1) as f64 * part / count as f64)
        })
    }

    /// The occupied buckets: lower bound, width, count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        self.0.iter().map(|(bucket, count)| (floor(*bucket), width(*bucket), u64::from(*count)))
    }

    fn join(&mut self, other: &Self) {
        if other.0.is_empty() {
            return;
        }
        let mut joined: Vec<(u16, u32)> = Vec::with_capacity(self.0.len() + other.0.len());
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let Some(entry) = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if a.0 > b.0 => right.next(),
            (None, _) => right.next(),
            _ => left.next(),
        } {
            match joined.last_mut() {
                Some((bucket, count)) if *bucket == entry.0 => *count = count.saturating_add(entry.1),
                _ => joined.push(*entry),
            }
        }
        joined.shrink_to_fit();
        self.0 = joined;
    }
}

#[derive(Clone, Debug)]
pub struct Columns {
    widths: &'static [u64],
    level: usize,
    closed: Vec<Column>,
    /// The column being filled and its place; probes come in order, so there is one at a time.
    open: Column,
    index: usize,
    on_time: Dense,
    late: Dense,
}

impl Columns {
    pub fn of_time() -> Self {
        Self::new(&TIME_WIDTHS)
    }

    pub fn of_seq() -> Self {
        Self::new(&SEQ_WIDTHS)
    }

    fn new(widths: &'static [u64]) -> Self {
        Self {
            widths,
            level: 0,
            closed: Vec::new(),
            open: Column::default(),
            index: 0,
            on_time: Dense::default(),
            late: Dense::default(),
        }
    }

    pub fn width(&self) -> u64 {
        self.widths[self.level]
    }

    pub fn push(&mut self, x: u64, probe: &Resolved, miss: Option<Miss>, rtt: Option<u64>) {
        self.go_to(x);
        let column = &mut self.open;
        column.sent += u64::from(probe.outcome != Outcome::SendError);
        if let Some(miss) = miss {
            column.misses[miss as usize] += 1;
        }
        if column.interval.is_none() {
            column.interval = Some(super::nanos(probe.interval));
        }
        if let Some(rtt) = rtt {
            let late = probe.outcome == Outcome::Late;
            let dense = if late { &mut self.late } else { &mut self.on_time };
            dense.push(rtt);
            if column.peak.is_none_or(|peak| peak.rtt < rtt) {
                column.peak = Some(Peak { x, rtt, late });
            }
        }
    }

    /// Every column from the first on, the one being filled included.
    pub fn all(&self) -> Vec<Column> {
        let mut copy = self.clone();
        copy.close();
        copy.closed
    }

    fn go_to(&mut self, x: u64) {
        let mut index = x / self.width();
        while index >= LIMIT && self.level + 1 < self.widths.len() {
            self.coarsen();
            index = x / self.width();
        }
        let index = index.min(LIMIT - 1) as usize;
        if index != self.index {
            self.close();
            self.index = index;
        }
    }

    fn close(&mut self) {
        let mut column = std::mem::take(&mut self.open);
        column.on_time = self.on_time.take();
        column.late = self.late.take();
        if self.closed.len() <= self.index {
            self.closed.resize(self.index + 1, Column::default());
        }
        self.closed[self.index].join(&column);
    }

    fn coarsen(&mut self) {
        self.close();
        let before = self.width();
        self.level += 1;
        let group = (self.width() / before) as usize;
        for start in 0..self.closed.len().div_ceil(group) {
            let mut joined = std::mem::take(&mut self.closed[start * group]);
            for k in start * group + 1..(start * group + group).min(self.closed.len()) {
                joined.join(&std::mem::take(&mut self.closed[k]));
            }
            self.closed[start] = joined;
        }
        self.closed.truncate(self.closed.len().div_ceil(group));
        self.index /= group;
    }

    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        let spreads: usize =
            self.closed.iter().map(|column| column.on_time.0.capacity() + column.late.0.capacity()).sum();
        self.closed.capacity() * size_of::<Column>()
            + spreads * size_of::<(u16, u32)>()
            + 2 * BUCKETS * size_of::<u32>()
    }
}

/// A histogram that is filled at the cost of an addition.
#[derive(Clone, Debug)]
struct Dense {
    counts: Vec<u32>,
    used: Option<(usize, usize)>,
}

impl Default for Dense {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], used: None }
    }
}

impl Dense {
    fn push(&mut self, value: u64) {
        let bucket = usize::from(bucket(value));
        self.counts[bucket] = self.counts[bucket].saturating_add(1);
        let (low, high) = self.used.unwrap_or((bucket, bucket));
        self.used = Some((low.min(bucket), high.max(bucket)));
    }

    fn take(&mut self) -> Spread {
        let Some((low, high)) = self.used.take() else { return Spread::default() };
        let occupied = self.counts[low..=high].iter().filter(|count| **count > 0).count();
        let mut entries = Vec::with_capacity(occupied);
        for (offset, count) in self.counts[low..=high].iter_mut().enumerate() {
            if *count > 0 {
                entries.push(((low + offset) as u16, std::mem::take(count)));
            }
        }
        Spread(entries)
    }
}

fn bucket(value: u64) -> u16 {
    if value < 2 * u64::from(FINE) {
        return value as u16;
    }
    let shift = value.ilog2() - FINE.ilog2();
    shift as u16 * FINE + (value >> shift) as u16
}

fn floor(bucket: u16) -> u64 {
    if bucket < 2 * FINE {
        return u64::from(bucket);
    }
    let shift = bucket / FINE - 1;
    u64::from(bucket - shift * FINE) << shift
}

fn width(bucket: u16) -> u64 {
    1 << (bucket / FINE).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_their_values_and_touch_each_other() {
        for value in [0, 1, 127, 255, 256, 257, 1_000, 999_999, u64::MAX / 3, u64::MAX] {
            let bucket = bucket(value);
            assert!(floor(bucket) <= value && value - floor(bucket) < width(bucket), "{value}");
            assert!(usize::from(bucket) < BUCKETS);
        }
        for bucket in 0..BUCKETS as u16 - 1 {
            assert_eq!(floor(bucket).checked_add(width(bucket)), Some(floor(bucket + 1)));
        }
    }

    #[test]
    fn each_width_is_a_multiple_of_the_one_before() {
        for widths in [TIME_WIDTHS, SEQ_WIDTHS] {
            assert!(widths.windows(2).all(|pair| pair[1] % pair[0] == 0 && pair[1] > pair[0]));
        }
    }
}
