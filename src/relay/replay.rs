//! The fates of an earlier run, to have them again: by flow, direction and number, whatever the timing.

use std::collections::HashMap;

use super::counters::{DropCause, Fate};
use crate::impair::{Direction, Treatment};
use crate::time::Duration;

/// Of one mapping.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    fates: HashMap<(u64, usize, u64), Known>,
}

/// The fate of a datagram in the earlier run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Known {
    Dropped(DropCause),
    Passed(Treatment),
}

impl Replay {
    /// Takes a datagram of the earlier run. What a limit, a stop or a socket of that run decided passes now.
    pub fn take(
        &mut self,
        (flow, direction, seq): (u64, Direction, u64),
        fate: Fate,
        hold: Duration,
        extra_copies: u8,
        corrupted: Option<u32>,
    ) {
        let known = match fate {
            Fate::Dropped(DropCause::Limit | DropCause::Down) => Known::Passed(Treatment::default()),
            Fate::Dropped(cause) => Known::Dropped(cause),
            Fate::Passed | Fate::SendError => {
                Known::Passed(Treatment { hold, extra_copies, corrupted, ..Treatment::default() })
            }
        };
        self.fates.insert((flow, direction.index(), seq), known);
    }

    /// How many fates are known.
    pub fn len(&self) -> usize {
        self.fates.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.fates.is_empty()
    }

    pub(super) fn of(&self, flow: u64, direction: Direction, seq: u64) -> Option<Known> {
        self.fates.get(&(flow, direction.index(), seq)).copied()
    }
}
