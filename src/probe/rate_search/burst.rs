//! The burst allowance of a token bucket: bytes that arrived above the rate before the first loss or queue.

use super::settings::Report;
use crate::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(super) struct BurstMeter {
    /// The bytes that the climb had received when it asked for each rate.
    climbed: Vec<Climbed>,
    bytes: u64,
    /// The end of the report that showed the first heavy loss or queue, and the bytes until then.
    spent: Option<(Instant, u64)>,
}

#[derive(Debug)]
struct Climbed {
    rate: f64,
    from: Instant,
    bytes: u64,
}

impl BurstMeter {
    /// A share that no path loses at random for long.
    const HEAVY_LOSS: f64 = 0.1;
    const JUDGED: u64 = 10;
    /// A smaller burst is not told from a small queue: in seconds of the rate, and in packets.
    const LEAST: f64 = 0.05;
    const LEAST_PACKETS: f64 = 10.0;

    pub(super) fn add(&mut self, asked: f64, report: &Report, queue_stands: bool) {
        if self.spent.is_some() || report.arrived == 0 {
            return;
        }
        if self.climbed.last().is_none_or(|last| last.rate < asked) {
            self.climbed.push(Climbed { rate: asked, from: report.first_arrival, bytes: self.bytes });
        }
        self.bytes += report.bytes;
        let lost = report.sent.saturating_sub(report.arrived) as f64;
        let lossy = report.sent >= Self::JUDGED && lost > Self::HEAVY_LOSS * report.sent as f64;
        if lossy || queue_stands {
            self.spent = Some((report.last_arrival, self.bytes));
        }
    }

    /// A bucket stays full until more than its rate arrives; when it is empty the rate alone passes.
    pub(super) fn size(&self, rate: f64, packet: u32) -> Option<f64> {
        let (spent_at, bytes) = self.spent?;
        let above = self.climbed.iter().find(|climbed| climbed.rate > rate)?;
        let span = (spent_at - above.from).max(Duration::ZERO);
        let burst = bytes.saturating_sub(above.bytes) as f64 - rate / 8.0 * span.as_secs_f64();
        let least = f64::max(Self::LEAST * rate / 8.0, Self::LEAST_PACKETS * f64::from(packet));
        (burst > least).then_some(burst)
    }
}
