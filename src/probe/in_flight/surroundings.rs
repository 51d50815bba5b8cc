//! The replies around a loss. Successive losses share them, so each probe is visited once.

use super::super::loss_attribution::{Around, Marks};
use super::InFlight;
use super::entry::State;
use crate::wire::native::ProbeStatus;

#[derive(Debug, Default)]
pub(super) struct Surroundings {
    around: Around,
    /// Probes below it have been visited.
    until: u64,
}

impl Surroundings {
    /// The probe that leaves the queue was answered.
    pub(super) fn pass(&mut self, seq: u64, marks: Marks) {
        *self = Self { around: Around { before: Some((seq, marks)), ..Around::default() }, until: seq + 1 };
    }
}

impl InFlight {
    /// The replies around the first probe, which is lost.
    pub(super) fn around(&mut self) -> Around {
        let Surroundings { mut around, until } = self.surroundings;
        let mut until = until.max(self.first);
        while around.after.is_none()
            && let Some(entry) = self.entry(until)
        {
            match entry.state {
                State::Failed | State::Skipped => {}
                State::Waiting => {
                    around.lost_up += u64::from(matches!(entry.status, None | Some(ProbeStatus::NotSeen)));
                    around.lost_down += u64::from(matches!(entry.status, None | Some(ProbeStatus::Answered)));
                    around.offloaded |= entry.sent_offloaded;
                }
                State::Answered { marks, .. } => around.after = Some((until, marks)),
            }
            until += 1;
        }
        self.surroundings = Surroundings { around, until };
        around
    }
}
