//! The run by the second: throughput, mean delay and loss, for the two plots that the tool was
//! first made for.
//!
//! A probe belongs to the second in which it was sent. Beyond `LIMIT` seconds neighbours are joined
//! into slots that remember their extremes, so that a short event survives in a long run.

use super::Miss;
use crate::probe::{Outcome, Resolved};

const LIMIT: u64 = 2048;

/// Seconds; each is a whole multiple of the one before.
const WIDTHS: [u64; 16] =
    [1, 2, 10, 30, 60, 120, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 172_800, 864_000, 8_640_000];

/// One second, or several joined.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slot {
    /// Seconds in which something was sent.
    pub busy: u64,
    pub sent: u64,
    pub misses: [u64; Miss::COUNT],
    /// Of on-time replies, both ways.
    pub bits: u64,
    /// The least and the most of a busy second.
    pub bits_range: Option<(f64, f64)>,
    pub replies: u64,
    pub rtt_sum: f64,
    /// The least and the greatest mean of a second, in nanoseconds.
    pub delay_range: Option<(f64, f64)>,
    /// The worst share of a second.
    pub worst_loss: Option<f64>,
}

impl Slot {
    /// The mean RTT in nanoseconds; none without a reply in time.
    pub fn delay(&self) -> Option<f64> {
        (self.replies > 0).then(|| self.rtt_sum / self.replies as f64)
    }

    /// Those not answered in time, of those that left.
    pub fn missed(&self) -> u64 {
        self.misses.iter().sum::<u64>() - self.misses[Miss::NotSent as usize]
    }

    /// The share of what left that was lost or late.
    pub fn loss(&self) -> Option<f64> {
        (self.sent > 0).then(|| self.missed() as f64 / self.sent as f64)
    }

    /// A single second's ranges are its values.
    fn seal(mut self) -> Self {
        self.busy = 1;
        self.bits_range = Some((self.bits as f64, self.bits as f64));
        self.delay_range = self.delay().map(|delay| (delay, delay));
        self.worst_loss = self.loss();
        self
    }

    pub fn join(&mut self, other: &Self) {
        self.busy += other.busy;
        self.sent += other.sent;
        for (count, more) in self.misses.iter_mut().zip(other.misses) {
            *count += more;
        }
        self.bits += other.bits;
        self.bits_range = wider(self.bits_range, other.bits_range);
        self.replies += other.replies;
        self.rtt_sum += other.rtt_sum;
        self.delay_range = wider(self.delay_range, other.delay_range);
        self.worst_loss = match (self.worst_loss, other.worst_loss) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
    }
}

#[derive(Clone, Debug, Default)]
pub struct Seconds {
    level: usize,
    slots: Vec<Slot>,
    /// The second being filled, counted from 0.
    second: u64,
    open: Slot,
    any: bool,
}

impl Seconds {
    pub fn push(&mut self, probe: &Resolved, miss: Option<Miss>) {
        let second = probe.second() - 1;
        if second != self.second {
            self.close();
            self.second = second;
        }
        self.any = true;
        let slot = &mut self.open;
        slot.sent += u64::from(probe.outcome != Outcome::SendError);
        if let Some(miss) = miss {
            slot.misses[miss as usize] += 1;
        }
        if let (Outcome::Ok, Some(rtt)) = (probe.outcome, probe.rtt) {
            slot.replies += 1;
            slot.bits += u64::from(probe.size) * 16;
            slot.rtt_sum += super::nanos(rtt) as f64;
        }
    }

    /// How many seconds a slot joins.
    pub fn width(&self) -> u64 {
        WIDTHS[self.level]
    }

    /// The slots from time zero on, those in which nothing was sent included.
    pub fn all(&self) -> Vec<Slot> {
        let mut copy = self.clone();
        if copy.any {
            copy.close();
        }
        copy.slots
    }

    /// Seconds from time zero to the end of the last in which something was sent.
    pub fn span(&self) -> u64 {
        if self.any { self.second + 1 } else { 0 }
    }

    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }

    fn close(&mut self) {
        while self.second / self.width() >= LIMIT && self.level + 1 < WIDTHS.len() {
            self.coarsen();
        }
        let index = (self.second / self.width()).min(LIMIT - 1) as usize;
        if self.slots.len() <= index {
            self.slots.resize(index + 1, Slot::default());
        }
        if self.any {
            let sealed = std::mem::take(&mut self.open).seal();
            self.slots[index].join(&sealed);
        }
    }

    fn coarsen(&mut self) {
        let before = self.width();
        self.level += 1;
        let group = (self.width() / before) as usize;
        let joined = self.slots.chunks(group).map(|chunk| {
            let mut sum = Slot::default();
            chunk.iter().for_each(|slot| sum.join(slot));
            sum
        });
        self.slots = joined.collect();
    }
}

fn wider(a: Option<(f64, f64)>, b: Option<(f64, f64)>) -> Option<(f64, f64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}
