//! The text dialect's client: its replies carry no number, so each probe in flight has a socket of
//! its own.
//!
//! A lane is such a socket, calibrated by itself. It carries one probe at a time and is free again
//! when the reply came or when none is expected any more; of those that are free the one whose probe
//! is the oldest is taken, so that copies of its reply have had the time to come. So no reply is
//! credited to another probe, although nothing in it says which probe it answers.

use std::collections::BTreeSet;

use super::retry::Retry;
use crate::time::Instant;
use crate::wire::text::{CALIBRATED, EXIT, STOPPING, emit_calibrate};

#[derive(Debug)]
pub struct Lanes {
    size: u32,
    lanes: Vec<Lane>,
    /// Free lanes, each with the last probe it carried, the oldest first.
    free: BTreeSet<(Option<u64>, usize)>,
    uncalibrated: usize,
}

#[derive(Debug)]
struct Lane {
    calibration: Option<Retry>,
    /// The last probe it carried.
    seq: Option<u64>,
    busy: bool,
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

impl Lanes {
    const TRIES: u32 = 5;

    pub fn new(size: u32, count: usize, now: Instant) -> Self {
        let lane = |_| Lane { calibration: Some(Retry::new(now)), seq: None, busy: false };
        Self { size, lanes: (0..count).map(lane).collect(), free: BTreeSet::new(), uncalibrated: count }
    }

    pub fn is_calibrated(&self) -> bool {
        self.uncalibrated == 0
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

    /// The next calibration to send: its lane and its length.
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<(usize, usize)> {
        let due = |lane: &Lane| lane.calibration.as_ref().is_some_and(|retry| retry.is_due(now));
        let index = self.lanes.iter().position(due)?;
        self.lanes[index].calibration.as_mut()?.tried(now);
        Some((index, emit_calibrate(self.size, buffer)))
    }

    pub fn handle(&mut self, lane: usize, datagram: &[u8]) -> Heard {
        let Some(state) = self.lanes.get_mut(lane) else { return Heard::Junk };
        if datagram == STOPPING {
            Heard::Stopping
        } else if datagram == CALIBRATED {
            if state.calibration.take().is_some() {
                self.uncalibrated -= 1;
                self.free.insert((state.seq, lane));
            }
            Heard::Calibrated
        } else {
            let Some(seq) = state.seq else { return Heard::Junk };
            self.release(lane);
            Heard::Reply(seq)
        }
    }

    /// A lane for this probe, if one is free.
    pub fn take(&mut self, seq: u64) -> Option<usize> {
        let (_, index) = self.free.pop_first()?;
        self.lanes[index].seq = Some(seq);
        self.lanes[index].busy = true;
        Some(index)
    }

    /// No reply to this probe is expected any more.
    pub fn give_up(&mut self, seq: u64) {
        if let Some(index) = self.lanes.iter().position(|lane| lane.busy && lane.seq == Some(seq)) {
            self.release(index);
        }
    }

    fn release(&mut self, index: usize) {
        if std::mem::take(&mut self.lanes[index].busy) {
            self.free.insert((self.lanes[index].seq, index));
        }
    }

    fn calibrations(&self) -> impl Iterator<Item = &Retry> {
        self.lanes.iter().filter_map(|lane| lane.calibration.as_ref())
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
