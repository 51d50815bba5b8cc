//! The result of a search in one direction. Rates are bits a second.

use crate::time::Duration;

/// The answer of a search, and how sure it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RateResult {
    /// The rate of arrivals while the target queue stands.
    pub rate: f64,
    /// 95 % interval, from the spread of the windows.
    pub interval: (f64, f64),
    /// The rate of each window.
    pub windows: Vec<f64>,
    /// How long the windows lasted together.
    pub seconds: Duration,
    /// The least idle delay, with the same unknown offset as in the reports.
    pub base_delay: Duration,
    /// 90th less 10th percentile of the idle delay, without what changes slowly.
    pub noise: Duration,
    /// The median of the idle delay above the base.
    pub idle_p50: Duration,
    /// A queue stood before the search began.
    pub busy_before: bool,
    /// The share that the path loses without load.
    pub baseline_loss: f64,
    /// Loss set the rate where no queue stood: a policer, or a tiny buffer.
    pub loss_without_queue: bool,
    /// Bytes that pass at once before loss sets the rate.
    pub burst: Option<f64>,
    /// Share of reports in which the queue was empty: others come in bursts if it is large.
    pub idle_share: f64,
    /// From the end of the climb.
    pub settled: Option<Duration>,
    /// The curve of delay over rate, from the lowest rate.
    pub steps: Vec<Step>,
    /// The push: the rate that others leave when they give way, and the queue that it builds. None if the search ended
    /// before it.
    pub pushed: Option<Step>,
    /// From the end of the push until both flows were idle again.
    pub recovery: Option<Duration>,
    /// UDP payload and headers sent for all of it.
    pub bytes: u64,
    /// No report came for long, so the search ended early.
    pub silent: bool,
    /// All bytes that it may spend were spent, so the search ended early.
    pub out_of_bytes: bool,
    /// The rate is a lower bound.
    pub limited_by: Option<LimitedBy>,
}

impl RateResult {
    /// A larger share of empty queues says that others come in bursts.
    const BURSTY: f64 = 0.15;

    /// Sure if the interval is narrow, and nothing says that the rate is another at another time.
    pub fn confidence(&self) -> Confidence {
        let (low, high) = self.interval;
        let half = if self.rate > 0.0 { (high - low) / 2.0 / self.rate } else { f64::INFINITY };
        match half {
            half if half <= 0.0101 && !self.others_in_bursts() => Confidence::High,
            half if half <= 0.05 => Confidence::Medium,
            _ => Confidence::Low,
        }
    }

    /// The queue was empty often although neither loss nor a limit set the rate.
    pub fn others_in_bursts(&self) -> bool {
        self.kind() == Kind::Queue && self.limited_by.is_none() && self.idle_share > Self::BURSTY
    }

    /// The cause that set the rate.
    pub fn kind(&self) -> Kind {
        match self.limited_by {
            Some(limit) if limit.is_host() => Kind::Host,
            _ if self.loss_without_queue => Kind::Loss,
            _ => Kind::Queue,
        }
    }
}

/// One rate of the curve, or the push.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The rate sent.
    pub offered: f64,
    /// The rate received.
    pub received: f64,
    /// Share of the packets that did not arrive.
    pub loss: f64,
    /// Of the loaded flow.
    pub own: Option<Delays>,
    /// Of probes beside it; `None` if none arrived.
    pub other: Option<Delays>,
}

/// Delays above those of the idle path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    /// The mean.
    pub mean: Duration,
    /// The median.
    pub p50: Duration,
    /// The 95th percentile.
    pub p95: Duration,
    /// The largest.
    pub max: Duration,
}

/// The cause that set the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A queue that grows above the rate.
    Queue,
    /// Loss without a queue.
    Loss,
    /// One of the two hosts.
    Host,
}

/// By the width of the interval: within 1 %, within 5 %, wider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    /// Within 1 %, and others do not come in bursts.
    High,
    /// Within 5 %.
    Medium,
    /// Wider.
    Low,
}

/// Why the rate is a lower bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitedBy {
    /// This host did not send what it was asked to.
    Client,
    /// The server did not, or its socket overflowed.
    Server,
    /// The sender was not to go faster.
    MaxRate,
    /// No more bytes were to be spent.
    MaxBytes,
    /// The server grants no more.
    Grant,
}

impl LimitedBy {
    /// Whether one of the two hosts was too slow to fill the path.
    pub fn is_host(self) -> bool {
        matches!(self, Self::Client | Self::Server)
    }
}
