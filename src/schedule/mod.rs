//! When the next probe is due: a sequence of intervals fixed in advance, one file a kind.
//!
//! Due times never depend on replies nor on when a probe really left; they are sums of intervals
//! from time zero. A new kind is a file here and an arm of `Schedule`.

mod decay;
mod poisson;

pub use decay::Decay;
pub use poisson::Poisson;

use crate::time::Duration;
use crate::units::Interval;

/// The plan of a run.
#[derive(Clone, Debug)]
pub enum Schedule {
    Fixed(Interval),
    Decay(Decay),
    Poisson(Poisson),
}

impl Schedule {
    /// The interval that follows the next probe. Call it once a probe, in order.
    pub fn next_interval(&mut self) -> Duration {
        match self {
            Self::Fixed(interval) => interval.get(),
            Self::Decay(decay) => decay.next_interval(),
            Self::Poisson(poisson) => poisson.next_interval(),
        }
    }

    /// Whether the last interval was the shortest allowed and the plan asked for a shorter one.
    pub fn at_floor(&self) -> bool {
        match self {
            Self::Fixed(_) | Self::Poisson(_) => false,
            Self::Decay(decay) => decay.at_floor(),
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

    /// No more probes than this are due within a span of this length.
    pub fn most_within(&self, span: Duration) -> i64 {
        let every = |interval: Duration| span.as_nanos() / interval.as_nanos().max(1) + 1;
        match self {
            Self::Fixed(interval) => every(interval.get()),
            Self::Decay(decay) => every(decay.floor()),
            Self::Poisson(poisson) => poisson.most_within(span),
        }
    }
}
