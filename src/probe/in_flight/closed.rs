//! Which of the newest probes whose story is over had been answered: a bit each.

use super::Arrival;

#[derive(Debug)]
pub struct Closed {
    answered: Vec<u64>,
    next: u64,
}

impl Closed {
    const MEMORY: u64 = 1 << 16;

    pub fn close(&mut self, seq: u64, answered: bool) {
        let (word, bit) = Self::place(seq);
        self.answered[word] = self.answered[word] & !(1 << bit) | u64::from(answered) << bit;
        self.next = seq + 1;
    }

    pub fn arrive(&mut self, seq: u64) -> Arrival {
        let (word, bit) = Self::place(seq);
        let remembered = seq < self.next && self.next - seq <= Self::MEMORY;
        if remembered && self.answered[word] >> bit & 1 == 0 {
            self.answered[word] |= 1 << bit;
            return Arrival::Straggler;
        }
        Arrival::CopyAfterClose
    }

    fn place(seq: u64) -> (usize, u64) {
        ((seq % Self::MEMORY / 64) as usize, seq % 64)
    }
}

impl Default for Closed {
    fn default() -> Self {
        Self { answered: vec![0; (Self::MEMORY / 64) as usize], next: 0 }
    }
}
