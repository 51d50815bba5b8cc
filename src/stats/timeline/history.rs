//! The seconds of a run of any length: one by one while they are few, then joined into slots that
//! remember the extremes of their seconds, so that a short event survives in a long run.

use super::{Join, Second, Timeline};
use crate::stats::OutcomeCounts;

const LIMIT: usize = 2048;

/// Seconds in a slot.
const WIDTHS: [u64; 16] =
    [1, 2, 10, 30, 60, 120, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 172_800, 864_000, 8_640_000];

/// One second, or several joined.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slot {
    /// Seconds in which something was sent.
    pub busy: u64,
    pub(crate) outcomes: OutcomeCounts,
    /// Of replies on time, both ways.
    pub bits: u64,
    /// The least and the most of a busy second.
    pub bits_range: Option<(f64, f64)>,
    rtt_sum: f64,
    /// The least and the greatest mean of a second, in nanoseconds.
    pub delay_range: Option<(f64, f64)>,
    /// The greatest share of a second's probes that were lost or late.
    pub worst_loss: Option<f64>,
}

impl Slot {
    fn of(second: &Second) -> Self {
        let mean = second.delay.map(|delay| delay.mean.as_nanos() as f64);
        let bits = second.throughput_bps();
        Self {
            busy: 1,
            outcomes: second.outcomes,
            bits,
            bits_range: Some((bits as f64, bits as f64)),
            rtt_sum: mean.unwrap_or(0.0) * second.outcomes.on_time as f64,
            delay_range: mean.map(|mean| (mean, mean)),
            worst_loss: second.outcomes.loss().value(),
        }
    }

    /// The mean RTT in nanoseconds; none without a reply in time.
    pub fn delay(&self) -> Option<f64> {
        let replies = self.outcomes.on_time;
        (replies > 0).then(|| self.rtt_sum / replies as f64)
    }
}

impl Join for Slot {
    fn join(&mut self, later: &Self) {
        self.busy += later.busy;
        self.outcomes.join(&later.outcomes);
        self.bits += later.bits;
        self.bits_range = wider(self.bits_range, later.bits_range);
        self.rtt_sum += later.rtt_sum;
        self.delay_range = wider(self.delay_range, later.delay_range);
        self.worst_loss = match (self.worst_loss, later.worst_loss) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
    }
}

/// The seconds of a run in slots that get wider as the run gets longer, so that memory does not grow.
#[derive(Clone, Debug)]
pub struct SecondHistory {
    slots: Timeline<Slot>,
    span: u64,
}

impl Default for SecondHistory {
    fn default() -> Self {
        Self { slots: Timeline::new(&WIDTHS, LIMIT), span: 0 }
    }
}

impl SecondHistory {
    /// Takes the next second; empty ones may be left out.
    pub fn push(&mut self, second: &Second) {
        if second.outcomes.probes() > 0 {
            self.slots.at(second.second - 1).join(&Slot::of(second));
            self.span = second.second;
        }
    }

    /// Seconds in a slot.
    pub fn width(&self) -> u64 {
        self.slots.width()
    }

    /// From time zero on, those in which nothing was sent included.
    pub fn slots(&self) -> &[Slot] {
        self.slots.cells()
    }

    /// Seconds from time zero to the end of the last in which something was sent.
    pub fn span(&self) -> u64 {
        self.span
    }
}

fn wider(a: Option<(f64, f64)>, b: Option<(f64, f64)>) -> Option<(f64, f64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}
