//! The text dialect: its replies carry no number, so each probe in flight has a socket of its own.

mod channels;

use super::super::dialect::{DialectClient, Heard};
use super::super::event::{Failure, SendError, ServerInfo};
use super::super::in_flight::{InFlight, ReplyFacts};
use super::super::settings::{Dialect, Settings, Transmit};
use crate::time::Instant;
use crate::wire::text::{EXIT, emit_calibrate};
use channels::{Assigned, Channels, Received};

const MAX_CHANNELS: i64 = 64;

/// One socket for each probe that may be in flight at once.
pub(super) fn channels_needed(settings: &Settings) -> usize {
    (settings.schedule.most_within(settings.longest_wait()) + 1).clamp(1, MAX_CHANNELS) as usize
}

#[derive(Debug)]
pub(crate) struct Text {
    size: u32,
    channels: Channels,
    set_up: bool,
}

impl Text {
    pub(crate) fn new(settings: &Settings, now: Instant) -> Self {
        let channels = Channels::new(channels_needed(settings), now);
        Self { size: settings.size, channels, set_up: false }
    }
}

impl DialectClient for Text {
    fn setup(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        let Assigned { channel, renew } = self.channels.poll_calibration(now)?;
        Some(Transmit { channel, renew, length: emit_calibrate(self.size, buffer), seq: None })
    }

    fn setup_timeout(&self) -> Option<Instant> {
        self.channels.poll_timeout()
    }

    fn setup_failure(&self, now: Instant) -> Option<Failure> {
        self.channels.failure(now)
    }

    fn build(
        &mut self,
        seq: u64,
        now: Instant,
        give_up_at: Instant,
        buffer: &mut [u8],
    ) -> Result<Transmit, SendError> {
        let assigned = self.channels.assign(seq, now, give_up_at);
        let Assigned { channel, renew } = assigned.ok_or(SendError::NoChannel)?;
        let length = self.size as usize;
        fill(seq, &mut buffer[..length]);
        Ok(Transmit { channel, renew, length, seq: Some(seq) })
    }

    fn hear(&mut self, _: Instant, channel: usize, datagram: &[u8], _: &mut InFlight) -> Heard {
        match self.channels.hear(channel, datagram) {
            Received::Calibrated if self.channels.are_calibrated() && !self.set_up => {
                self.set_up = true;
                Heard::SetUp { server: ServerInfo::silent(Dialect::Text), silent: None }
            }
            Received::Calibrated => Heard::Understood,
            Received::Reply(seq) => Heard::Reply { seq, facts: ReplyFacts::default() },
            Received::Stopping => Heard::Stopped { obeyed: true },
            Received::Junk => Heard::Junk,
        }
    }

    fn not_sent(&mut self, seq: u64) {
        self.channels.release(seq);
    }

    fn resolved(&mut self, seq: u64, now: Instant) {
        self.channels.give_up(seq, now);
    }

    fn stop_server(&mut self, buffer: &mut [u8]) -> Option<Transmit> {
        buffer[..EXIT.len()].copy_from_slice(EXIT);
        let channel = self.channels.first_calibrated();
        Some(Transmit { channel, renew: false, length: EXIT.len(), seq: None })
    }
}

/// The text of a probe, cut or filled to its size. It is neither a command nor empty.
fn fill(seq: u64, buffer: &mut [u8]) {
    use std::io::Write;
    buffer.fill(b'.');
    // A text longer than the buffer is cut.
    let _ = write!(&mut buffer[..], "Packet {seq} ");
}
