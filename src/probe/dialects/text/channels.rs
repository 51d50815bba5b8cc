//! The sockets of a text client. A channel is a socket with a calibration of its own; it carries one probe at
//! a time.
//!
//! After the reply the channel is free, but in quarantine until copies of that reply have had time to arrive.
//! A channel whose probe was given up reopens with another socket and calibrates it, since the reply may still
//! come. So no reply counts for another probe, although replies bear no number.

use super::super::super::event::Failure;
use super::super::super::retry::Retry;
use crate::time::Instant;
use crate::wire::text::{CALIBRATED, STOPPING};

#[derive(Debug)]
pub(super) struct Channels(Vec<Channel>);

#[derive(Debug)]
struct Channel {
    calibration: Option<Retry>,
    /// The last probe it carried.
    seq: Option<u64>,
    busy: bool,
    /// Until then copies of the last reply may come.
    quarantine_until: Instant,
    /// The next datagram leaves by another socket.
    reopen: bool,
}

/// A channel to send by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Assigned {
    pub channel: usize,
    pub renew: bool,
}

/// A datagram of a text server, as its channel reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    Calibrated,
    /// A reply to the last probe of this channel.
    Reply(u64),
    Stopping,
    Junk,
}

impl Channels {
    const TRIES: u32 = 5;

    pub(super) fn new(count: usize, now: Instant) -> Self {
        Self(std::iter::repeat_with(|| Channel::new(now)).take(count).collect())
    }

    pub(super) fn are_calibrated(&self) -> bool {
        self.calibrations().next().is_none()
    }

    /// The silence on a channel whose calibration is given up.
    pub(super) fn failure(&self, now: Instant) -> Option<Failure> {
        self.calibrations().find_map(|retry| retry.failure(Self::TRIES, now))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.calibrations().map(Retry::next).min()
    }

    /// The next channel to calibrate now.
    pub(super) fn poll_calibration(&mut self, now: Instant) -> Option<Assigned> {
        let due = |channel: &Channel| channel.calibration.as_ref().is_some_and(|retry| retry.is_due(now));
        let index = self.0.iter().position(due)?;
        let channel = &mut self.0[index];
        channel.calibration.as_mut()?.tried(now);
        Some(channel.assigned(index))
    }

    pub(super) fn hear(&mut self, channel: usize, datagram: &[u8]) -> Received {
        let Some(channel) = self.0.get_mut(channel) else { return Received::Junk };
        if datagram == STOPPING {
            Received::Stopping
        } else if datagram == CALIBRATED {
            channel.calibration = None;
            Received::Calibrated
        } else {
            let Some(seq) = channel.seq else { return Received::Junk };
            channel.busy = false;
            Received::Reply(seq)
        }
    }

    /// A free channel for this probe: out of quarantine and calibrated, if possible.
    pub(super) fn assign(&mut self, seq: u64, now: Instant, give_up_at: Instant) -> Option<Assigned> {
        let free = self.0.iter_mut().enumerate().filter(|(_, channel)| !channel.busy);
        let merit =
            |channel: &Channel| (now < channel.quarantine_until, channel.calibration.is_some(), channel.seq);
        let (index, channel) = free.min_by_key(|(_, channel)| merit(channel))?;
        channel.seq = Some(seq);
        channel.busy = true;
        channel.quarantine_until = give_up_at;
        Some(channel.assigned(index))
    }

    /// A channel that the server knows.
    pub(super) fn first_calibrated(&self) -> usize {
        self.0.iter().position(|channel| channel.calibration.is_none()).unwrap_or(0)
    }

    /// No reply to this probe counts any more.
    pub(super) fn give_up(&mut self, seq: u64, now: Instant) {
        if let Some(channel) = self.carrier(seq) {
            *channel = Channel { reopen: true, ..Channel::new(now) };
        }
    }

    /// This probe did not leave.
    pub(super) fn release(&mut self, seq: u64) {
        if let Some(channel) = self.carrier(seq) {
            channel.busy = false;
        }
    }

    fn carrier(&mut self, seq: u64) -> Option<&mut Channel> {
        self.0.iter_mut().find(|channel| channel.busy && channel.seq == Some(seq))
    }

    fn calibrations(&self) -> impl Iterator<Item = &Retry> {
        self.0.iter().filter_map(|channel| channel.calibration.as_ref())
    }
}

impl Channel {
    fn new(now: Instant) -> Self {
        Self {
            calibration: Some(Retry::new(now)),
            seq: None,
            busy: false,
            quarantine_until: now,
            reopen: false,
        }
    }

    fn assigned(&mut self, index: usize) -> Assigned {
        Assigned { channel: index, renew: std::mem::take(&mut self.reopen) }
    }
}
