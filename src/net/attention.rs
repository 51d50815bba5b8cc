//! Where to look for datagrams without having waited: while some come at the sockets that gave them, and
//! in short turns at all, for a look in vain costs as much as a tenth of an answer.

use super::sys::Woken;
use crate::time::{Duration, Instant};

/// Sets of sockets are bits.
pub struct Attention {
    lately: u64,
    /// Since the last turn.
    since: u64,
    next_turn: Instant,
}

impl Attention {
    pub const ALL: u64 = Woken::LOOK.readable;
    /// Nobody's datagram waits for longer while others come.
    const TURN: Duration = Duration::from_micros(20);

    pub fn begin(now: Instant) -> Self {
        Self { lately: 0, since: 0, next_turn: now }
    }

    pub fn look(&mut self, now: Instant) -> u64 {
        if now < self.next_turn && self.since != 0 {
            return self.lately;
        }
        if self.since != 0 {
            self.lately = self.since;
            self.since = 0;
        }
        self.next_turn = now + Self::TURN;
        Self::ALL
    }

    /// These gave something.
    pub fn gave(&mut self, sockets: u64) {
        self.since |= sockets;
        self.lately |= sockets;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Instant {
        Instant::ZERO + Duration::from_micros(micros)
    }

    #[test]
    fn while_some_give_those_are_looked_at_and_all_in_turns() {
        let mut attention = Attention::begin(at(0));
        assert_eq!(attention.look(at(0)), Attention::ALL);
        attention.gave(0b10);
        assert_eq!([1, 19].map(|micros| attention.look(at(micros))), [0b10, 0b10]);
        assert_eq!(attention.look(at(20)), Attention::ALL);
        attention.gave(0b100);
        assert_eq!(attention.look(at(21)), 0b110);
        assert_eq!(attention.look(at(40)), Attention::ALL);
        attention.gave(0b100);
        assert_eq!(attention.look(at(41)), 0b100, "the other gave nothing in a turn");
    }

    #[test]
    fn while_nothing_comes_all_are_looked_at() {
        let mut attention = Attention::begin(at(0));
        attention.gave(0b1);
        assert_eq!(attention.look(at(0)), Attention::ALL);
        assert!((1..50).all(|micros| attention.look(at(micros)) == Attention::ALL));
        attention.gave(0b10);
        assert_eq!(attention.look(at(50)), 0b11);
    }
}
