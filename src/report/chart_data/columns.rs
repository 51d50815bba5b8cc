//! The run cut into at most `LIMIT` equal columns along its horizontal axis, each with a histogram of
//! its replies. Widths are round, so that bins of round widths are whole columns.

use super::{XAxis, nanos};
use crate::probe::Resolved;
use crate::stats::{Join, OutcomeCounts, Timeline};

pub(super) const LIMIT: usize = 2048;

/// Buckets in each octave, so a value is known to 0.2 %.
const FINE: u16 = 256;

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

pub(crate) type Columns = Timeline<Column>;

pub(super) fn columns(axis: XAxis) -> Columns {
    match axis {
        XAxis::Time => Timeline::new(&TIME_WIDTHS, LIMIT),
        XAxis::Seq => Timeline::new(&SEQ_WIDTHS, LIMIT),
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Column {
    pub outcomes: OutcomeCounts,
    pub on_time: SparseHistogram,
    pub late: SparseHistogram,
    /// The slowest reply, late or not.
    pub peak: Option<Peak>,
    /// The interval after the first probe, in nanoseconds.
    pub interval: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peak {
    pub x: u64,
    pub rtt: u64,
    pub late: bool,
}

impl Column {
    pub(crate) fn push(&mut self, x: u64, probe: &Resolved) {
        self.outcomes.record(probe);
        self.interval = self.interval.or(Some(nanos(probe.interval)));
        if let Some(rtt) = probe.rtt.map(nanos) {
            let late = probe.on_time().is_none();
            let histogram = if late { &mut self.late } else { &mut self.on_time };
            histogram.record(rtt);
            if self.peak.is_none_or(|peak| peak.rtt < rtt) {
                self.peak = Some(Peak { x, rtt, late });
            }
        }
    }
}

impl Join for Column {
    fn join(&mut self, later: &Self) {
        self.outcomes.join(&later.outcomes);
        self.on_time.join(&later.on_time);
        self.late.join(&later.late);
        self.peak = match (self.peak, later.peak) {
            (Some(mine), Some(theirs)) if theirs.rtt <= mine.rtt => Some(mine),
            (mine, theirs) => theirs.or(mine),
        };
        self.interval = self.interval.or(later.interval);
    }
}

/// A histogram of its occupied buckets alone, in the order of their values.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SparseHistogram(Vec<(u16, u32)>);

impl SparseHistogram {
    pub(crate) fn record(&mut self, value: u64) {
        let bucket = bucket(value);
        match self.0.binary_search_by_key(&bucket, |(known, _)| *known) {
            Ok(place) => self.0[place].1 = self.0[place].1.saturating_add(1),
            Err(place) => self.0.insert(place, (bucket, 1)),
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// The nearest-rank quantile, in nanoseconds, as if a bucket's values were spread evenly in it.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let rank = ((share * self.count() as f64).ceil() as u64).max(1);
        let mut below = 0;
        self.buckets().find_map(|(floor, width, count)| {
            let part = (rank - below) as f64 - 0.5;
            below += count;
            (below >= rank).then(|| floor as f64 + (width - 1) as f64 * part / count as f64)
        })
    }

    /// The occupied buckets: lower bound, width, count.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
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

#[cfg(test)]
impl SparseHistogram {
    pub(crate) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(u16, u32)>()
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
        }
        for bucket in 0..super::bucket(u64::MAX) {
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
