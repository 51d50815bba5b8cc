//! What a search found out about one direction. Rates are bits a second.

use crate::time::Duration;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct RateResult {
    /// What arrives while the target queue stands.
    pub rate: f64,
    /// 95 % interval, from the spread of the windows.
    pub interval: (f64, f64),
    pub windows: Vec<f64>,
    pub base_delay: Duration,
    /// 90th less 10th percentile of the idle delay.
    pub noise: Duration,
    /// A queue stood before the search began.
    pub busy_before: bool,
    /// What the path loses without load.
    pub baseline_loss: f64,
    /// Loss set the rate where no queue stood: a policer, or a tiny buffer.
    pub loss_without_queue: bool,
    /// Share of reports in which the queue was empty: others come in bursts if it is large.
    pub idle_share: f64,
    /// From the end of the climb.
    pub settled: Option<Duration>,
    pub steps: Vec<Step>,
    pub pushed: Option<Pushed>,
    pub bytes: u64,
    /// The rate is a lower bound.
    pub limited_by: Option<LimitedBy>,
}

/// One rate of the curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    pub offered: f64,
    pub received: f64,
    pub loss: f64,
    pub queue_p50: Duration,
}

/// What pushing others aside gives, and what it does to the queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pushed {
    pub offered: f64,
    pub received: f64,
    pub loss: f64,
    pub queue_p50: Duration,
    pub queue_max: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitedBy {
    /// This host did not send what it was asked to.
    Client,
    MaxRate,
    MaxBytes,
}
