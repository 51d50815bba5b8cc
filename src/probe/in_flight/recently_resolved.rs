//! Which of the last 65,536 resolved probes were answered: a bit each.

use super::Arrival;

#[derive(Debug)]
pub(super) struct RecentlyResolved {
    answered: Vec<u64>,
    next: u64,
}

impl RecentlyResolved {
    const REMEMBERED: u64 = 1 << 16;

    pub(super) fn add(&mut self, seq: u64, answered: bool) {
        let (word, bit) = Self::position(seq);
        self.answered[word] = self.answered[word] & !(1 << bit) | u64::from(answered) << bit;
        self.next = seq + 1;
    }

    pub(super) fn arrive(&mut self, seq: u64) -> Arrival {
        let (word, bit) = Self::position(seq);
        let remembered = seq < self.next && self.next - seq <= Self::REMEMBERED;
        if remembered && self.answered[word] >> bit & 1 == 0 {
            self.answered[word] |= 1 << bit;
            return Arrival::TooLate;
        }
        Arrival::CopyAfterClose
    }

    fn position(seq: u64) -> (usize, u64) {
        ((seq % Self::REMEMBERED / 64) as usize, seq % 64)
    }
}

impl Default for RecentlyResolved {
    fn default() -> Self {
        Self { answered: vec![0; (Self::REMEMBERED / 64) as usize], next: 0 }
    }
}
