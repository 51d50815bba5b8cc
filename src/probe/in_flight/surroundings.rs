//! The answers around a loss. Losses in a row share theirs, so each probe is looked at once.

use super::super::overflow::{Around, Marks};
use super::{Flight, State};
use crate::wire::native::ProbeStatus;

#[derive(Debug, Default)]
pub struct Surroundings {
    around: Around,
    /// Probes below it have been looked at.
    until: u64,
}

impl Surroundings {
    /// This probe was answered, and is the last one before what follows.
    pub fn pass(&mut self, seq: u64, marks: Marks) {
        *self = Self { around: Around { before: Some((seq, marks)), ..Around::default() }, until: seq + 1 };
    }
}

impl Flight {
    /// What stands around the probe at the front, which is lost.
    pub(super) fn around(&mut self) -> Around {
        let Surroundings { mut around, until } = self.surroundings;
        let mut until = until.max(self.first);
        while around.after.is_none()
            && let Some(slot) = self.slot(until)
        {
            match slot.state {
                State::Failed => {}
                State::Waiting => {
                    around.lost_up += u64::from(matches!(slot.fate, None | Some(ProbeStatus::NotSeen)));
                    around.lost_down += u64::from(matches!(slot.fate, None | Some(ProbeStatus::Answered)));
                    around.trains |= slot.sent_offloaded;
                }
                State::Answered { marks, .. } => around.after = Some((until, marks)),
            }
            until += 1;
        }
        self.surroundings = Surroundings { around, until };
        around
    }
}
