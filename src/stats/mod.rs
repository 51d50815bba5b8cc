//! Pure statistics of a run, fed probe by probe: no clock, no sockets, nothing printed.
//!
//! Memory does not grow with the length of the run: what needs a window has a bounded one and says
//! what the bound means. A value that cannot be known is `None`. Losses enter as "no delay": what
//! counts as a loss, and when, is the caller's decision.

mod arrival;
mod blocks;
mod buckets;
mod bursts;
mod clock_offset;
mod confidence;
mod duplication;
mod gilbert;
mod hull;
mod ipdv;
mod knee;
mod lengths;
mod loss_pattern;
mod moments;
mod pdv;
pub mod percentile;
mod proportion;
mod quantile_shift;
mod quantiles;
mod reordering;
mod rtp_jitter;
mod runs;
mod schedule_error;
mod seconds;

pub use arrival::ArrivalOrder;
pub use blocks::{Blocks, Counts, Join, Mean, Scatter, Spread, design_beyond, design_effect};
pub use bursts::{Bursts, GMIN};
pub use clock_offset::{ClockOffset, ClockStep, Exchange, MAX_SKEW, Offset, Skew};
pub use confidence::{Confidence, Level};
pub use duplication::Duplication;
pub use gilbert::Gilbert;
pub use ipdv::Ipdv;
pub use knee::{Knee, KneeFinder};
pub use lengths::Lengths;
pub use loss_pattern::{Loss, LossPattern, Outage};
pub use moments::Moments;
pub use pdv::Pdv;
pub use proportion::{Bounds, Difference, Proportion, Z95};
pub use quantile_shift::quantile_shift;
pub use quantiles::{EXACT, Quantiles, Step};
pub use reordering::{DEPTH, LEADERS, Reordered, Reordering};
pub use rtp_jitter::RtpJitter;
pub use runs::{Contrast, Runs};
pub use schedule_error::ScheduleError;
pub use seconds::{Completed, Delay, Second, SecondOutcome, Seconds};
