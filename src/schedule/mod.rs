//! When the next probe is due: a sequence of intervals fixed in advance, one file a kind.
//!
//! Due times never depend on replies nor on when a probe really left; they are sums of intervals
//! from time zero. A new kind is a file here and an arm of `Schedule`.

mod decay;

pub use decay::Decay;

use crate::time::Duration;
use crate::units::Interval;

/// The plan of a run.
#[derive(Clone, Debug)]
pub enum Schedule {
    Fixed(Interval),
    Decay(Decay),
}

impl Schedule {
    /// The interval that follows the next probe. Call it once a probe, in order.
    pub fn next_interval(&mut self) -> Duration {
        match self {
            Self::Fixed(interval) => interval.get(),
            Self::Decay(decay) => decay.next_interval(),
        }
    }

    /// Whether the last interval was the shortest allowed and the plan asked for a shorter one.
    pub fn at_floor(&self) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Decay(decay) => decay.at_floor(),
        }
    }

    /// The longest interval still to come.
    pub fn longest_interval(&self) -> Duration {
        match self {
            Self::Fixed(interval) => interval.get(),
            Self::Decay(decay) => decay.longest_interval(),
        }
    }

    /// The shortest interval that can come.
    pub fn shortest_interval(&self) -> Duration {
        match self {
            Self::Fixed(interval) => interval.get(),
            Self::Decay(decay) => decay.floor(),
        }
    }
}
