//! Windows of 250 ms of received rate, and the interval of their mean.

use super::settings::Report;
use crate::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Windows {
    rates: Vec<f64>,
    span: Duration,
    /// The last arrival of the window before: bytes are counted from there.
    from: Option<Instant>,
    bytes: u64,
}

impl Windows {
    const LENGTH: Duration = Duration::from_millis(250);

    pub(super) fn new() -> Self {
        Self { rates: Vec::new(), span: Duration::ZERO, from: None, bytes: 0 }
    }

    pub(super) fn add(&mut self, report: &Report) {
        if report.arrived == 0 {
            return;
        }
        let Some(from) = self.from else {
            // The first report only gives the moment to count from.
            self.from = Some(report.last_arrival);
            return;
        };
        self.bytes += report.bytes;
        let span = report.last_arrival - from;
        if span >= Self::LENGTH {
            self.rates.push(self.bytes as f64 * 8.0 / span.as_secs_f64());
            self.span += span;
            self.from = Some(report.last_arrival);
            self.bytes = 0;
        }
    }

    /// Nothing was sent for a time: the window under way does not count.
    pub(super) fn skip(&mut self) {
        self.from = None;
        self.bytes = 0;
    }

    /// The time that the windows cover.
    pub(super) fn span(&self) -> Duration {
        self.span
    }

    pub(super) fn rates(&self) -> &[f64] {
        &self.rates
    }

    /// Of all windows so far.
    pub(super) fn mean(&self) -> Option<f64> {
        (!self.rates.is_empty()).then(|| self.rates.iter().sum::<f64>() / self.rates.len() as f64)
    }

    /// Low, mean, high: at 95 %, never narrower than half a percent to each side.
    pub(super) fn interval(&self) -> Option<(f64, f64, f64)> {
        /// Student's t at 95 % for so many degrees of freedom, from 3 on; 1.96 beyond the last.
        const T: [f64; 13] =
            [3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131];
        let n = self.rates.len();
        let t = T.get(n.checked_sub(4)?).copied().unwrap_or(1.96);
        let mean = self.mean()?;
        let variance = self.rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
        let half = (t * (variance / n as f64).sqrt()).max(0.005 * mean);
        Some((mean - half, mean, mean + half))
    }
}
