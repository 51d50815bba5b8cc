//! One bit for each of the last resolved probes: whether it was answered.

use super::Arrival;

#[derive(Debug)]
pub(super) struct RecentlyResolved {
    /// A power of two of words.
    answered: Vec<u64>,
    next: u64,
}

impl RecentlyResolved {
    /// Probes remembered for each that is expected in flight: a duplicate comes within that many times their wait.
    const TIMES: usize = 64;
    /// A run with few in flight needs little memory: a monitor has thousands of them.
    const LEAST: usize = 1 << 10;
    const MOST: usize = 1 << 16;

    /// Sized for a run with this many probes in flight.
    pub(super) fn new(expected: usize) -> Self {
        let remembered =
            expected.saturating_mul(Self::TIMES).clamp(Self::LEAST, Self::MOST).next_power_of_two();
        Self { answered: vec![0; remembered / 64], next: 0 }
    }

    pub(super) fn add(&mut self, seq: u64, answered: bool) {
        let (word, bit) = self.position(seq);
        self.answered[word] = self.answered[word] & !(1 << bit) | u64::from(answered) << bit;
        self.next = seq + 1;
    }

    pub(super) fn arrive(&mut self, seq: u64) -> Arrival {
        let (word, bit) = self.position(seq);
        let remembered = seq < self.next && self.next - seq <= self.remembered();
        if remembered && self.answered[word] >> bit & 1 == 0 {
            self.answered[word] |= 1 << bit;
            return Arrival::TooLate;
        }
        Arrival::CopyAfterClose
    }

    fn remembered(&self) -> u64 {
        self.answered.len() as u64 * 64
    }

    fn position(&self, seq: u64) -> (usize, u64) {
        ((seq % self.remembered() / 64) as usize, seq % 64)
    }
}
