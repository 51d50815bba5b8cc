//! The intervals between due times, one file per kind of schedule.
//!
//! A due time is the sum of the intervals since time zero: it depends neither on replies nor on the actual send
//! times. A new kind is a file here and an arm of `Schedule`.

mod decay;
mod pacer;
mod poisson;

pub use decay::Decay;
pub use pacer::Pacer;
pub use poisson::Poisson;

use crate::time::Duration;
use crate::units::Interval;

/// The schedule of a run.
#[derive(Clone, Debug)]
pub enum Schedule {
    /// The same interval all the time.
    Fixed(Interval),
    /// Each interval is shorter than the one before by the same share, down to a floor.
    Decay(Decay),
    /// Random intervals: a minimum plus an exponential time.
    Poisson(Poisson),
}

impl Schedule {
    /// The interval after the next probe. To be called once per probe, in order.
    pub fn next_interval(&mut self) -> Duration {
        match self {
            Self::Fixed(interval) => interval.get(),
            Self::Decay(decay) => decay.next_interval(),
            Self::Poisson(poisson) => poisson.next_interval(),
        }
    }

    /// Whether the last interval was raised to the minimum.
    pub fn at_floor(&self) -> bool {
        match self {
            Self::Fixed(_) | Self::Poisson(_) => false,
            Self::Decay(decay) => decay.at_floor(),
        }
    }

    /// The interval at the highest rate that it keeps up: random ones count by their mean.
    pub fn busiest_interval(&self) -> Duration {
        match self {
            Self::Fixed(interval) => interval.get(),
            Self::Decay(decay) => decay.floor(),
            Self::Poisson(poisson) => poisson.mean(),
        }
    }

    /// The longest interval still to come.
    pub fn longest_interval(&self) -> Duration {
        match self {
            Self::Fixed(interval) => interval.get(),
            Self::Decay(decay) => decay.longest_interval(),
            Self::Poisson(poisson) => poisson.longest_interval(),
        }
    }

    /// The largest number of probes that are due within a span of this length.
    pub fn most_within(&self, span: Duration) -> i64 {
        let every = |interval: Duration| span.as_nanos() / interval.as_nanos().max(1) + 1;
        match self {
            Self::Fixed(interval) => every(interval.get()),
            Self::Decay(decay) => every(decay.floor()),
            Self::Poisson(poisson) => poisson.most_within(span),
        }
    }
}
