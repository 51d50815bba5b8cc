//! Whether a loss was a receive-buffer overflow: from the drop counters of that socket in the replies around it.

use crate::wire::native::SocketMark;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overflow {
    No,
    Yes,
    Unclear,
}

/// The two sockets that a reply came through, as they were then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub server: SocketMark,
    pub own: SocketMark,
}

/// The replies around a loss.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Around {
    /// The last reply before it, with the number of its probe.
    pub before: Option<(u64, Marks)>,
    /// The first reply after it, if one came, with the number of its probe.
    pub after: Option<(u64, Marks)>,
    /// Probes between the two that may have been lost on the way up, and on the way down.
    pub lost_up: u64,
    pub lost_down: u64,
    /// Some of them left as one GSO batch, which a socket may count as one drop.
    pub offloaded: bool,
}

/// Whether a socket dropped these datagrams, which were lost between two of its marks.
pub(super) fn overflow(before: SocketMark, after: SocketMark, lost: u64, offloaded: bool) -> Overflow {
    match before.drops_between(after) {
        0 => Overflow::No,
        drops if drops >= lost && !offloaded && before.turns == after.turns => Overflow::Yes,
        _ => Overflow::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overflow_is_the_cause_if_the_socket_dropped_enough_and_had_no_other_sender() {
        let mark = |drops, turns| SocketMark { drops, turns };
        let since = |after, lost, offloaded| overflow(mark(u16::MAX, 8), after, lost, offloaded);
        assert_eq!(since(mark(u16::MAX, 8), 3, false), Overflow::No);
        assert_eq!(since(mark(u16::MAX, 9), 3, true), Overflow::No);
        assert_eq!(since(mark(2, 8), 3, false), Overflow::Yes);
        assert_eq!(since(mark(2, 8), 2, false), Overflow::Yes);
        assert_eq!(since(mark(2, 8), 4, false), Overflow::Unclear);
        assert_eq!(since(mark(2, 9), 3, false), Overflow::Unclear);
        assert_eq!(since(mark(2, 8), 3, true), Overflow::Unclear);
        // Replies may overtake each other.
        assert_eq!(overflow(mark(2, 8), mark(u16::MAX, 8), 3, false), Overflow::Yes);
    }
}
