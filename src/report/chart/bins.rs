//! Bins for the median and its bands: the smallest round width that holds 20 probes on average,
//! and no more than `MOST` of them.

use super::axis::CLOCK_STEPS;
use crate::report::digest::{Abscissa, Column, Digest, Spread};

/// Fewer probes make a quantile that says nothing.
const PROBES: f64 = 20.0;
const MOST: f64 = 150.0;

pub struct Bins {
    pub width: f64,
    pub all: Vec<Bin>,
}

pub struct Bin {
    pub from: f64,
    pub to: f64,
    pub column: Column,
}

impl Bin {
    pub fn replies(&self) -> &Spread {
        &self.column.on_time
    }

    /// The share of what left that was lost or late.
    pub fn loss(&self) -> Option<f64> {
        (self.column.sent > 0).then(|| self.column.missed() as f64 / self.column.sent as f64)
    }
}

impl Bins {
    pub fn of(digest: &Digest, end: f64) -> Self {
        let (width, columns) = (digest.columns.width(), digest.columns.all());
        let least = (end / MOST).max(PROBES * end / digest.sent().max(1) as f64);
        let whole = |step: &f64| *step >= least * (1.0 - 1e-9) && step % width as f64 == 0.0;
        let step = match digest.abscissa {
            Abscissa::Time => CLOCK_STEPS.into_iter().find(whole),
            Abscissa::Seq => (0..17).flat_map(|d| [1.0, 2.0, 5.0].map(|m| m * 10_f64.powi(d))).find(whole),
        };
        let step = step.unwrap_or(end).min((end / width as f64).ceil().max(1.0) * width as f64);
        let group = ((step / width as f64).round() as usize).max(1);
        let mut all: Vec<Bin> = Vec::new();
        for (k, chunk) in columns.chunks(group).enumerate() {
            let mut column = Column::default();
            chunk.iter().for_each(|part| column.join(part));
            let from = k as f64 * step;
            let to = (from + step).min(end);
            match all.last_mut() {
                // What is left over at the end is no bin of its own.
                Some(last) if to >= end && (column.sent as f64) < PROBES / 2.0 => {
                    last.column.join(&column);
                    last.to = to;
                }
                _ => all.push(Bin { from, to, column }),
            }
        }
        Self { width: step, all }
    }

    /// The bins cut where one has no reply in time: lines must not cross a gap.
    pub fn stretches(&self) -> Vec<Vec<&Bin>> {
        let stretches = self.all.split(|bin| bin.replies().count() == 0);
        stretches.filter(|stretch| !stretch.is_empty()).map(|stretch| stretch.iter().collect()).collect()
    }
}
