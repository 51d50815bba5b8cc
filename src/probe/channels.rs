//! The text dialect's client: its replies carry no number, so each probe in flight has a socket of
//! its own.
//!
//! A lane is such a socket, calibrated by itself. It carries one probe at a time. When the reply has
//! come it is free again, but rests until its copies have had the time to come. When no reply is
//! expected any more one may come still, so the lane gets another socket and is calibrated anew. So
//! no reply is credited to another probe, although nothing in it says which probe it answers.

use super::retry::Retry;
use crate::time::Instant;
use crate::wire::text::{CALIBRATED, EXIT, STOPPING, emit_calibrate};

#[derive(Debug)]
pub struct Channels {
    size: u32,
    channels: Vec<Channel>,
}

#[derive(Debug)]
struct Channel {
    calibration: Option<Retry>,
    /// The last probe it carried.
    seq: Option<u64>,
    busy: bool,
    /// Until then copies of the last reply may come.
    rests_until: Instant,
    /// What is sent next leaves by another socket.
    renew: bool,
}

/// A lane to send by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub channel: usize,
    pub renew: bool,
}

/// What a datagram of a text server was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    Calibrated,
    /// A reply to the probe that this lane carried last.
    Reply(u64),
    Stopping,
    Junk,
}

impl Channels {
    const TRIES: u32 = 5;

    pub fn new(size: u32, count: usize, now: Instant) -> Self {
        Self { size, channels: std::iter::repeat_with(|| Channel::new(now)).take(count).collect() }
    }

    pub fn is_calibrated(&self) -> bool {
        self.calibrations().next().is_none()
    }

    /// How often and since when the most patient lane has asked, if it is to be given up.
    pub fn exhausted(&self, now: Instant) -> Option<(u32, Instant)> {
        self.calibrations()
            .find(|retry| retry.tries() >= Self::TRIES && retry.is_due(now))
            .map(|retry| (retry.tries(), retry.since()))
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.calibrations().map(Retry::next).min()
    }

    /// The next calibration to send, and its length.
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<(Taken, usize)> {
        let due = |channel: &Channel| channel.calibration.as_ref().is_some_and(|retry| retry.is_due(now));
        let index = self.channels.iter().position(due)?;
        let channel = &mut self.channels[index];
        channel.calibration.as_mut()?.tried(now);
        Some((channel.leave(index), emit_calibrate(self.size, buffer)))
    }

    pub fn handle(&mut self, channel: usize, datagram: &[u8]) -> Heard {
        let Some(channel) = self.channels.get_mut(channel) else { return Heard::Junk };
        if datagram == STOPPING {
            Heard::Stopping
        } else if datagram == CALIBRATED {
            channel.calibration = None;
            Heard::Calibrated
        } else {
            let Some(seq) = channel.seq else { return Heard::Junk };
            channel.busy = false;
            Heard::Reply(seq)
        }
    }

    /// A lane for this probe, if one is free: one that rests no longer and is calibrated, if possible.
    /// Replies to the probe may come until `settles`.
    pub fn take(&mut self, seq: u64, now: Instant, settles: Instant) -> Option<Taken> {
        let free = self.channels.iter_mut().enumerate().filter(|(_, channel)| !channel.busy);
        let merit =
            |channel: &Channel| (now < channel.rests_until, channel.calibration.is_some(), channel.seq);
        let (index, channel) = free.min_by_key(|(_, channel)| merit(channel))?;
        channel.seq = Some(seq);
        channel.busy = true;
        channel.rests_until = settles;
        Some(channel.leave(index))
    }

    /// A lane that the server knows.
    pub fn calibrated(&self) -> usize {
        self.channels.iter().position(|channel| channel.calibration.is_none()).unwrap_or(0)
    }

    /// No reply to this probe is expected any more.
    pub fn give_up(&mut self, seq: u64, now: Instant) {
        if let Some(channel) = self.carrier(seq) {
            *channel = Channel { renew: true, ..Channel::new(now) };
        }
    }

    /// This probe did not leave.
    pub fn release(&mut self, seq: u64) {
        if let Some(channel) = self.carrier(seq) {
            channel.busy = false;
        }
    }

    fn carrier(&mut self, seq: u64) -> Option<&mut Channel> {
        self.channels.iter_mut().find(|channel| channel.busy && channel.seq == Some(seq))
    }

    fn calibrations(&self) -> impl Iterator<Item = &Retry> {
        self.channels.iter().filter_map(|channel| channel.calibration.as_ref())
    }
}

impl Channel {
    fn new(now: Instant) -> Self {
        Self { calibration: Some(Retry::new(now)), seq: None, busy: false, rests_until: now, renew: false }
    }

    fn leave(&mut self, index: usize) -> Taken {
        Taken { channel: index, renew: std::mem::take(&mut self.renew) }
    }
}

/// The text of a probe, cut or filled to its size. It is neither a command nor empty.
pub fn fill(seq: u64, buffer: &mut [u8]) {
    use std::io::Write;
    buffer.fill(b'.');
    // What does not fit is cut.
    let _ = write!(&mut buffer[..], "Packet {seq} ");
}

pub fn emit_exit(buffer: &mut [u8]) -> usize {
    buffer[..EXIT.len()].copy_from_slice(EXIT);
    EXIT.len()
}
