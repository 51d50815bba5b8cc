//! The text dialect's arm of the client: how many lanes it needs, and what comes back on them.

use super::channels::Heard;
use super::in_flight::ReplyFacts;
use super::settings::Settings;
use super::{AnyDialect, Client, Phase};
use crate::time::Instant;

const MAX_CHANNELS: i64 = 64;

/// One lane for each probe that may be waiting at once.
pub fn channels_needed(settings: &Settings) -> usize {
    (settings.schedule.most_within(settings.longest_wait()) + 1).clamp(1, MAX_CHANNELS) as usize
}

impl Client {
    pub(super) fn handle_text(&mut self, received: Instant, channel: usize, datagram: &[u8]) {
        let AnyDialect::Text(channels) = &mut self.dialect else { return };
        match channels.handle(channel, datagram) {
            Heard::Calibrated => {
                if channels.is_calibrated() && matches!(self.phase, Phase::Opening) {
                    self.start(received);
                }
            }
            Heard::Reply(seq) => {
                let arrival = self.flight.arrive(seq, received, ReplyFacts::default());
                self.note_arrival(seq, arrival, None);
            }
            Heard::Stopping => self.handle_stopped(true),
            Heard::Junk => self.counters.junk += 1,
        }
    }
}
