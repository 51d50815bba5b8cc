//! Bins for the median and its bands: the smallest round width that holds 20 probes on average,
//! and no more than `MOST` of them.

use super::axis::CLOCK_STEPS;
use crate::report::chart_data::{ChartData, Column, Point, XAxis};
use crate::report::format;
use crate::stats::joined;

/// Quantiles of fewer probes are noise.
const PROBES: f64 = 20.0;
const MOST: f64 = 150.0;
/// Quantiles of fewer replies would be the replies themselves.
const LEAST: u64 = 3;
/// A bin without replies for longer than this part of it has a gap.
const GAP: f64 = 5.0;

pub(super) struct Bins {
    width: f64,
    axis: XAxis,
    pub all: Vec<Bin>,
}

pub(super) struct Bin {
    pub from: f64,
    pub to: f64,
    pub column: Column,
    /// Its parts with replies on time: a line is broken where they are missing.
    pub covered: Vec<(f64, f64)>,
    /// Of the replies on time, if there are enough.
    pub quantiles: Option<Quantiles>,
}

/// In nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quantiles {
    pub p10: f64,
    pub p25: f64,
    pub p50: f64,
    pub p75: f64,
    pub p90: f64,
}

impl Quantiles {
    fn from(of: impl Fn(f64) -> Option<f64>) -> Option<Self> {
        Some(Self { p10: of(0.10)?, p25: of(0.25)?, p50: of(0.50)?, p75: of(0.75)?, p90: of(0.90)? })
    }
}

impl Bin {
    fn new(from: f64, to: f64, columns: &[Column], width: f64) -> Self {
        let gap = (to - from) / GAP;
        let mut covered: Vec<(f64, f64)> = Vec::new();
        for (k, part) in columns.iter().enumerate() {
            if part.on_time.count() == 0 {
                continue;
            }
            let (left, right) = (from + k as f64 * width, (from + (k + 1) as f64 * width).min(to));
            match covered.last_mut() {
                Some(last) if left - last.1 <= gap => last.1 = right,
                _ => covered.push((left, right)),
            }
        }
        if let Some(first) = covered.first_mut().filter(|first| first.0 - from <= gap) {
            first.0 = from;
        }
        if let Some(last) = covered.last_mut().filter(|last| to - last.1 <= gap) {
            last.1 = to;
        }
        Self { from, to, column: joined(columns), covered, quantiles: None }
    }

    /// From the replies themselves while they are kept, else from their histogram.
    fn measure(&mut self, points: Option<&[Point]>) {
        let replies = &self.column.on_time;
        if (self.column.outcomes.sent() as f64) < PROBES / 2.0 || replies.count() < LEAST {
            return;
        }
        self.quantiles = match points {
            None => Quantiles::from(|share| replies.quantile(share)),
            Some(points) => {
                let inside = |point: &&Point| {
                    !point.late && (point.x as f64) >= self.from && (point.x as f64) < self.to
                };
                let mut rtts: Vec<u64> = points.iter().filter(inside).map(|point| point.rtt).collect();
                rtts.sort_unstable();
                let rank = |share: f64| (share * rtts.len() as f64).ceil().max(1.0) as usize;
                Quantiles::from(|share| rtts.get(rank(share) - 1).map(|rtt| *rtt as f64))
            }
        };
    }

    /// The share of the probes sent that were lost or late.
    pub(super) fn loss(&self) -> Option<f64> {
        self.column.outcomes.loss().value()
    }
}

impl Bins {
    pub(super) fn of(data: &ChartData, end: f64) -> Self {
        let (columns, width) = (data.columns.cells(), data.columns.width());
        let least = (end / MOST).max(PROBES * end / data.statistics.outcomes.sent().max(1) as f64);
        let whole = |step: &f64| *step >= least * (1.0 - 1e-9) && step % width as f64 == 0.0;
        let step = match data.axis {
            XAxis::Time => CLOCK_STEPS.into_iter().find(whole),
            XAxis::Seq => (0..17).flat_map(|d| [1.0, 2.0, 5.0].map(|m| m * 10_f64.powi(d))).find(whole),
        };
        let step = step.unwrap_or(end).min((end / width as f64).ceil().max(1.0) * width as f64);
        let group = ((step / width as f64).round() as usize).max(1);
        let mut chunks: Vec<&[Column]> = columns.chunks(group).collect();
        let sent = |chunk: &[Column]| joined(chunk).outcomes.sent();
        // The remainder at the end joins the last bin.
        if chunks.len() > 1 && (sent(chunks[chunks.len() - 1]) as f64) < PROBES / 2.0 {
            chunks.pop();
            let start = (chunks.len() - 1) * group;
            chunks.pop();
            chunks.push(&columns[start..]);
        }
        let bin = |(k, chunk): (usize, &&[Column])| {
            let from = (k * group) as f64 * width as f64;
            let to = (from + (chunk.len().max(group) * width as usize) as f64).min(end);
            Bin::new(from, to, chunk, width as f64)
        };
        let mut all: Vec<Bin> = chunks.iter().enumerate().map(bin).collect();
        all.iter_mut().for_each(|bin| bin.measure(data.points.as_deref()));
        Self { width: step, axis: data.axis, all }
    }

    /// The width in words.
    pub(super) fn step(&self) -> String {
        match self.axis {
            XAxis::Time => format::step(self.width),
            XAxis::Seq => format!("{} probes", format::count(self.width as u64)),
        }
    }
}
