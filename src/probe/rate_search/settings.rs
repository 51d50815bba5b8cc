//! The settings of a search, the reports that it takes, and the commands that it gives.

use crate::time::{Duration, Instant};

/// The settings of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The queue to hold.
    pub target_queue: Duration,
    /// Bits a second.
    pub max_rate: f64,
    /// A longer queue ends the push at once.
    pub max_queue: Duration,
    /// The search ends with what it has when it has sent so many.
    pub max_bytes: u64,
    /// Bytes of a packet, as they are counted.
    pub packet: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            target_queue: Duration::from_millis(10),
            max_rate: 1e9,
            max_queue: Duration::from_secs(1),
            max_bytes: 2_000_000_000,
            packet: 1_228,
        }
    }
}

/// The packets that arrived since the last report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// Packets that left up to the newest that arrived: their difference between reports is what was sent.
    pub sent: u64,
    /// Packets.
    pub arrived: u64,
    /// Of these packets.
    pub bytes: u64,
    /// On the receiver's clock.
    pub first_arrival: Instant,
    /// On the receiver's clock.
    pub last_arrival: Instant,
    /// One-way delays of an unknown constant offset.
    pub delay_p10: Duration,
    /// The median.
    pub delay_p50: Duration,
    /// The 90th percentile.
    pub delay_p90: Duration,
    /// The largest.
    pub delay_max: Duration,
}

impl Report {
    /// Bits a second between the first and the last arrival: the first packet only begins the time.
    pub fn rate(&self) -> Option<f64> {
        let span = (self.last_arrival - self.first_arrival).as_secs_f64();
        let counted = self.bytes as f64 * (self.arrived.checked_sub(1)? as f64 / self.arrived as f64);
        (span > 0.0 && self.arrived >= 4).then(|| counted * 8.0 / span)
    }
}

/// To be done until the next report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command {
    /// Small probes, one each `interval`.
    Idle {
        /// Between two probes.
        interval: Duration,
    },
    /// Load at this rate, in bits a second.
    Load {
        /// Bits a second.
        rate: f64,
    },
    /// The result is known: send nothing more.
    Done,
}

/// Where a search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseName {
    /// Measures the delay without load.
    Idle,
    /// Raises the rate until a queue stands.
    Climb,
    /// Keeps the queue at its target and measures what arrives.
    Hold,
    /// The rate is known.
    Settled,
    /// Measures the delay at shares of the rate.
    Steps,
    /// Sends more than the path carries.
    Push,
    /// Waits until the queue is empty again.
    Recover,
    /// The result is known.
    Done,
}

impl PhaseName {
    /// As `rate.csv` and the picture name it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Climb => "climb",
            Self::Hold => "hold",
            Self::Settled => "settled",
            Self::Steps => "steps",
            Self::Push => "push",
            Self::Recover => "recover",
            Self::Done => "done",
        }
    }
}
