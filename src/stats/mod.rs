//! Pure statistics of a run, fed probe by probe: no clock, no sockets, nothing printed.
//!
//! [`RunStatistics`] holds them all. Memory does not grow with the length of the run: a statistic that
//! needs a window has a bounded one and says what the bound means. A value that cannot be known is
//! `None`.

mod arrival;
mod blocks;
mod buckets;
mod bursts;
mod clock_offset;
mod confidence;
mod duplication;
#[cfg(test)]
mod fixtures;
mod gilbert;
mod hull;
mod ipdv;
mod knee;
mod lengths;
mod loss_pattern;
mod moments;
mod normal;
mod outcome_counts;
mod pdv;
pub mod percentile;
mod proportion;
mod quantile_shift;
mod quantiles;
mod reordering;
mod reply_numbers;
mod rtp_jitter;
mod rtt_buckets;
mod run_statistics;
mod runs;
mod schedule_error;
mod timeline;

pub use crate::wilson::Bounds;
pub(crate) use arrival::ArrivalOrder;
pub use blocks::{Average, Blocks, Counts, Mean, Scatter, Spread, design_beyond, design_effect};
pub(crate) use bursts::Bursts;
pub use bursts::GMIN;
pub(crate) use clock_offset::ClockOffset;
pub use clock_offset::{ClockStep, Exchange, MAX_SKEW, Offset, Skew};
pub use confidence::{Confidence, Level};
pub(crate) use duplication::Duplication;
pub(crate) use gilbert::Gilbert;
pub(crate) use ipdv::Ipdv;
pub(crate) use knee::KneeFinder;
pub use lengths::Lengths;
pub use loss_pattern::{Loss, LossPattern, Outage};
pub use moments::Moments;
pub use outcome_counts::OutcomeCounts;
pub(crate) use pdv::Pdv;
pub use proportion::{Difference, Proportion};
pub use quantile_shift::quantile_shift;
pub use quantiles::{EXACT, Quantiles, Step};
pub use reordering::{DEPTH, LEADERS, Reordered, Reordering};
pub use reply_numbers::ReplyNumbers;
pub use rtp_jitter::RtpJitter;
pub(crate) use rtt_buckets::RTT_COUNTS;
pub use rtt_buckets::RttBuckets;
pub use run_statistics::RunStatistics;
pub use runs::{Contrast, Runs};
pub(crate) use schedule_error::ScheduleError;
pub(crate) use timeline::Seconds;
#[cfg(feature = "report")]
pub(crate) use timeline::Timeline;
pub use timeline::{Completed, Delay, Join, Second, SecondHistory, Slot, joined};
