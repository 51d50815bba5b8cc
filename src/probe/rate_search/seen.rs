//! Sums of the reports of a phase.

use super::result::{Delays, Step};
use super::settings::Report;
use crate::time::{Duration, Instant};
use crate::wilson::{Z95, wilson};

#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub sent: u64,
    pub arrived: u64,
    pub bytes: u64,
    first: Option<Instant>,
    last: Option<Instant>,
    /// Of the last report: its median above the base.
    pub queue: Duration,
    medians: Vec<Duration>,
    p90s: Vec<Duration>,
    max: Duration,
    /// Queues that the probes of the other flow met.
    pub other: Vec<Duration>,
}

impl Seen {
    pub(super) fn add(&mut self, report: &Report, base: Duration) {
        self.sent += report.sent;
        self.arrived += report.arrived;
        self.bytes += report.bytes;
        if report.arrived > 0 {
            self.first =
                Some(self.first.map_or(report.first_arrival, |first| first.min(report.first_arrival)));
            self.last = Some(self.last.map_or(report.last_arrival, |last| last.max(report.last_arrival)));
            self.queue = (report.delay_p50 - base).max(Duration::ZERO);
            self.medians.push(self.queue);
            self.p90s.push((report.delay_p90 - base).max(Duration::ZERO));
            self.max = self.max.max(report.delay_max - base);
        }
    }

    pub(super) fn loss(&self) -> f64 {
        if self.sent == 0 { 0.0 } else { 1.0 - (self.arrived as f64 / self.sent as f64).min(1.0) }
    }

    /// At 95 %, if the losses are independent.
    pub(super) fn loses_more_than(&self, share: f64) -> bool {
        self.sent > 0 && wilson(self.loss(), self.sent as f64, Z95).low > share
    }

    /// Bits a second between the first and the last arrival: the first packet only begins the time.
    pub(super) fn rate(&self) -> Option<f64> {
        let span = (self.last? - self.first?).as_secs_f64();
        let counted = self.bytes as f64 * (self.arrived.checked_sub(1)? as f64 / self.arrived as f64);
        (span > 0.0 && self.arrived >= 4).then(|| counted * 8.0 / span)
    }

    /// All of it, at this rate.
    pub(super) fn step(&self, offered: f64) -> Step {
        Step {
            offered,
            received: self.rate().unwrap_or(0.0),
            loss: self.loss(),
            own: self.own_delays(),
            other: self.other_delays(),
        }
    }

    /// Of the loaded flow: mean and median of the reports' medians, 95th percentile of their 90th percentiles, maximum.
    fn own_delays(&self) -> Option<Delays> {
        let (p50, p95) = (percentile(&self.medians, 0.5)?, percentile(&self.p90s, 0.95)?);
        Some(Delays { mean: mean(&self.medians)?, p50, p95: p95.max(p50), max: self.max })
    }

    fn other_delays(&self) -> Option<Delays> {
        let at = |share| percentile(&self.other, share);
        Some(Delays { mean: mean(&self.other)?, p50: at(0.5)?, p95: at(0.95)?, max: at(1.0)? })
    }
}

fn mean(of: &[Duration]) -> Option<Duration> {
    let count = i64::try_from(of.len()).ok().filter(|count| *count > 0)?;
    Some(of.iter().copied().sum::<Duration>() / count)
}

fn percentile(of: &[Duration], share: f64) -> Option<Duration> {
    let mut sorted = of.to_vec();
    sorted.sort_unstable();
    let rank = ((sorted.len() as f64 * share).ceil() as usize).max(1);
    sorted.get(rank - 1).copied()
}
