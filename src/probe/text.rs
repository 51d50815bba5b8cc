//! The text dialect's arm of the client: how many lanes it needs, and what comes back on them.

use super::lanes::Heard;
use super::settings::Settings;
use super::{Client, Dialect, Phase};
use crate::time::Instant;

const LANES_MOST: i64 = 64;

/// One lane for each probe that may be waiting at once.
pub fn lanes_needed(settings: &Settings) -> usize {
    (settings.schedule.most_within(settings.longest_wait()) + 1).clamp(1, LANES_MOST) as usize
}

impl Client {
    pub(super) fn handle_text(&mut self, received: Instant, lane: usize, datagram: &[u8]) {
        let Dialect::Text(lanes) = &mut self.dialect else { return };
        match lanes.handle(lane, datagram) {
            Heard::Calibrated => {
                if lanes.is_calibrated() && matches!(self.phase, Phase::Opening) {
                    self.start(received);
                }
            }
            Heard::Reply(seq) => {
                let arrival = self.flight.arrive(seq, received, None);
                self.note_arrival(seq, arrival, None);
            }
            Heard::Stopping => self.handle_stopped(true),
            Heard::Junk => self.counters.junk += 1,
        }
    }
}
