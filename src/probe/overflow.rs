//! Whether a loss was an overflow of a socket: from what the answers around it tell of that socket.

use crate::wire::native::SocketMark;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    No,
    Yes,
    Unclear,
}

/// What an answer told of the two sockets that it came through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    pub server: SocketMark,
    pub own: SocketMark,
}

/// What stands around a loss.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around {
    /// The last answer before it, to which probe.
    pub before: Option<(u64, Marks)>,
    /// The first answer after it, if there is one by now, to which probe.
    pub after: Option<(u64, Marks)>,
    /// Probes between the two that may have been lost on the way up, and those on the way down.
    pub lost_up: u64,
    pub lost_down: u64,
    /// Some of them left as one train, which a socket may count as one.
    pub trains: bool,
}

/// Whether so many datagrams that were lost between two marks of a socket were dropped by it.
pub fn overflow(before: SocketMark, after: SocketMark, lost: u64, trains: bool) -> Overflow {
    match before.drops_between(after) {
        0 => Overflow::No,
        drops if drops >= lost && !trains && before.turns == after.turns => Overflow::Yes,
        _ => Overflow::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_drops_that_can_be_nobody_elses_and_are_enough_are_the_cause() {
        let mark = |drops, turns| SocketMark { drops, turns };
        let since = |after, lost, trains| overflow(mark(u16::MAX, 8), after, lost, trains);
        assert_eq!(since(mark(u16::MAX, 8), 3, false), Overflow::No);
        assert_eq!(since(mark(u16::MAX, 9), 3, true), Overflow::No);
        assert_eq!(since(mark(2, 8), 3, false), Overflow::Yes);
        assert_eq!(since(mark(2, 8), 2, false), Overflow::Yes);
        assert_eq!(since(mark(2, 8), 4, false), Overflow::Unclear);
        assert_eq!(since(mark(2, 9), 3, false), Overflow::Unclear);
        assert_eq!(since(mark(2, 8), 3, true), Overflow::Unclear);
        // Of two answers that overtook each other either may be the earlier.
        assert_eq!(overflow(mark(2, 8), mark(u16::MAX, 8), 3, false), Overflow::Yes);
    }
}
