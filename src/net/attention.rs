//! Where to look for datagrams without having waited: while some come at the sockets that gave them, and
//! in short turns at all, for a look in vain costs as much as a tenth of an answer.

use super::sys::Woken;
use crate::time::{Duration, Instant};

/// Sockets to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// A bit for each.
    pub at: u64,
    /// The others are known to be empty.
    pub is_whole: bool,
}

impl Look {
    pub const ALL: Self = Self::where_readable(Woken::LOOK.readable);

    /// At those of which waiting for all told that there is something.
    pub const fn where_readable(readable: u64) -> Self {
        Self { at: readable, is_whole: true }
    }
}

/// Sets of sockets are bits.
pub struct Attention {
    lately: u64,
    /// Since the last turn.
    since: u64,
    next_turn: Instant,
}

impl Attention {
    /// Nobody's datagram waits for longer while others come.
    const TURN: Duration = Duration::from_micros(20);

    pub fn begin(now: Instant) -> Self {
        Self { lately: 0, since: 0, next_turn: now }
    }

    pub fn look(&mut self, now: Instant) -> Look {
        if now < self.next_turn && self.since != 0 {
            return Look { at: self.lately, is_whole: false };
        }
        if self.since != 0 {
            self.lately = self.since;
            self.since = 0;
        }
        self.next_turn = now + Self::TURN;
        Look::ALL
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

    fn some(sockets: u64) -> Look {
        Look { at: sockets, is_whole: false }
    }

    fn at(micros: i64) -> Instant {
        Instant::ZERO + Duration::from_micros(micros)
    }

    #[test]
    fn while_some_give_those_are_looked_at_and_all_in_turns() {
        let mut attention = Attention::begin(at(0));
        assert_eq!(attention.look(at(0)), Look::ALL);
        attention.gave(0b10);
        assert_eq!([1, 19].map(|micros| attention.look(at(micros))), [some(0b10); 2]);
        assert_eq!(attention.look(at(20)), Look::ALL);
        attention.gave(0b100);
        assert_eq!(attention.look(at(21)), some(0b110));
        assert_eq!(attention.look(at(40)), Look::ALL);
        attention.gave(0b100);
        assert_eq!(attention.look(at(41)), some(0b100), "the other gave nothing in a turn");
    }

    #[test]
    fn while_nothing_comes_all_are_looked_at() {
        let mut attention = Attention::begin(at(0));
        attention.gave(0b1);
        assert_eq!(attention.look(at(0)), Look::ALL);
        assert!((1..50).all(|micros| attention.look(at(micros)) == Look::ALL));
        attention.gave(0b10);
        assert_eq!(attention.look(at(50)), some(0b11));
    }
}
