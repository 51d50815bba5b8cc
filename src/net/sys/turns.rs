//! How often the sender of a socket's datagrams changed, and how many it dropped: what replies report of it. Pure.

use std::net::SocketAddr;

use crate::reflect::SocketMark;

#[derive(Clone, Copy, Debug)]
pub(super) struct Turns {
    last: Option<SocketAddr>,
    turns: u16,
    /// Both counts start here, so that two sockets are told apart.
    start: u16,
}

impl Turns {
    pub(super) fn new(number: u32) -> Self {
        // An odd factor: no two of 65,536 sockets start alike.
        let start = number.wrapping_mul(40_503) as u16;
        Self { last: None, turns: start, start }
    }

    /// A datagram or a GRO train came from this address; `drops` is the socket's drop count then.
    pub(super) fn note(&mut self, remote: SocketAddr, train: bool, drops: u32) -> SocketMark {
        let other = self.last.is_some_and(|last| last != remote);
        self.last = Some(remote);
        self.turns = self.turns.wrapping_add(u16::from(other || train));
        self.mark(drops)
    }

    /// The mark now.
    pub(super) fn mark(&self, drops: u32) -> SocketMark {
        SocketMark { drops: self.start.wrapping_add(drops as u16), turns: self.turns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_another_sender_or_a_train() {
        let [one, other] = [1, 2].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let mut turns = Turns::new(3);
        let first = turns.note(one, false, 0);
        let since = |mark: SocketMark| (first.drops_between(mark), mark.turns.wrapping_sub(first.turns));
        let told =
            [(one, false, 0), (one, false, 5), (other, false, 5), (one, false, 70_000), (one, true, 7)];
        let told = told.map(|(remote, train, drops)| since(turns.note(remote, train, drops)));
        assert_eq!(told, [(0, 0), (5, 0), (5, 1), (70_000 - 65_536, 2), (7, 3)]);
        assert_eq!(since(turns.mark(9)), (9, 3));
    }

    #[test]
    fn two_sockets_begin_differently() {
        let [one, other] = [7, 8].map(|number| Turns::new(number).mark(0));
        assert!(one.turns != other.turns && one.drops != other.drops);
    }
}
