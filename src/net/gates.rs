//! A client that comes in crowds gets a gate: a socket of its own, where it waits for its turn and keeps
//! nobody else waiting. Who that is, and who waits where; opens no socket.

use std::net::SocketAddr;

use crate::time::{Duration, Instant};

/// Gates are counted in the order in which they were opened, but that the last takes the place of one
/// that is closed.
#[derive(Default)]
pub struct Gates {
    gates: Vec<Gate>,
    /// Who may be about to come in crowds, and for how many batches.
    suspect: Option<(SocketAddr, u32)>,
}

struct Gate {
    remote: SocketAddr,
    /// The socket at which this client waited before.
    beside: usize,
    /// So many batches of that socket come first at most; none if all that came before is over.
    behind: u32,
    gave: Instant,
    /// Nobody is let in any more.
    since_shut: Option<Instant>,
}

impl Gates {
    pub const MOST: usize = 8;
    /// Received there at once: whoever waits elsewhere waits for so many, not for more.
    pub const BATCH: usize = 16;
    /// Whose part of a full batch is no less is a crowd.
    const PART: usize = 8;
    /// For so many full batches one after the other.
    const BATCHES: u32 = 8;
    /// So many batches that came before are waited for: of the smaller, too, more than a socket has room for.
    pub const BEFORE: u32 = 512;
    const IDLE: Duration = Duration::from_secs(10);

    pub fn len(&self) -> usize {
        self.gates.len()
    }

    /// The socket at which its client waited before, and still would if there were none.
    pub fn beside(&self, gate: usize) -> usize {
        self.gates[gate].beside
    }

    /// Who has come in a crowd for long enough, as a full batch of so many from these senders tells.
    pub fn crowd(&mut self, count: usize, sender: impl Fn(usize) -> SocketAddr) -> Option<SocketAddr> {
        let is_crowd = |remote| (0..count).filter(|at| sender(*at) == remote).count() * Self::PART >= count;
        let (remote, batches) = match self.suspect.take() {
            Some((remote, batches)) if is_crowd(remote) => (remote, batches + 1),
            // Whoever comes in crowds is likely to stand in the middle.
            _ => Some(sender(count / 2)).filter(|remote| is_crowd(*remote)).map(|remote| (remote, 1))?,
        };
        if self.gates.len() == Self::MOST || self.gates.iter().any(|gate| gate.remote == remote) {
            return None;
        }
        self.suspect = (batches < Self::BATCHES).then_some((remote, batches));
        (batches == Self::BATCHES).then_some(remote)
    }

    /// What this client sends from now on waits there, and until then at the socket of this index.
    pub fn opened(&mut self, remote: SocketAddr, beside: usize, now: Instant) {
        self.gates.push(Gate { remote, beside, behind: Self::BEFORE, gave: now, since_shut: None });
    }

    /// The socket at which something that came before has still to be received.
    pub fn behind(&self, gate: usize) -> Option<usize> {
        let Gate { beside, behind, .. } = self.gates[gate];
        (behind > 0).then_some(beside)
    }

    /// A batch was received at another socket; there is more of it, or not.
    pub fn elsewhere(&mut self, index: usize, more: bool) {
        for gate in self.gates.iter_mut().filter(|gate| gate.beside == index) {
            gate.behind = if more { gate.behind.saturating_sub(1) } else { 0 };
        }
    }

    pub fn gave(&mut self, gate: usize, now: Instant) {
        self.gates[gate].gave = now;
    }

    /// One that has been idle for long, and is to be shut.
    pub fn idle(&self, now: Instant) -> Option<usize> {
        self.gates.iter().position(|gate| gate.since_shut.is_none() && now - gate.gave > Self::IDLE)
    }

    pub fn shut(&mut self, gate: usize, now: Instant) {
        self.gates[gate].since_shut = Some(now);
    }

    /// One that was shut before, with nobody left in it.
    pub fn empty(&self, now: Instant) -> Option<usize> {
        self.gates.iter().position(|gate| gate.since_shut.is_some_and(|shut| shut < now && gate.gave < shut))
    }

    pub fn closed(&mut self, gate: usize) {
        self.gates.swap_remove(gate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: usize) -> SocketAddr {
        ([127, 0, 0, 1], 1000 + number as u16).into()
    }

    fn at(seconds: i64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    /// Who is told of in the first of so many batches, each of 64 datagrams, of which each of so many
    /// clients has sent an equal part.
    fn found(gates: &mut Gates, clients: usize, batches: usize) -> Option<(usize, SocketAddr)> {
        (1..=batches).find_map(|batch| {
            let remote = gates.crowd(64, |at| client((at + batch) % clients))?;
            Some((batch, remote))
        })
    }

    #[test]
    fn a_crowd_is_an_eighth_of_eight_full_batches_in_a_row() {
        let mut gates = Gates::default();
        for clients in [1, 2, 8] {
            let (batches, _) = found(&mut gates, clients, 100).unwrap();
            assert_eq!(batches, 8, "of {clients}");
        }
        assert_eq!(found(&mut gates, 9, 100), None);
        // One batch without it begins the count anew.
        assert_eq!(found(&mut gates, 1, 7), None);
        assert_eq!(found(&mut gates, 64, 1), None);
        assert_eq!(found(&mut gates, 1, 7), None);
        assert!(found(&mut gates, 1, 1).is_some());
    }

    #[test]
    fn nobody_gets_two_and_there_are_not_more_than_eight() {
        let mut gates = Gates::default();
        for number in 0..Gates::MOST {
            gates.opened(client(number), 0, at(0));
            let crowd = found(&mut gates, 1, 100);
            assert_eq!(crowd, None, "the first client has one, and nobody else is there");
            if number + 1 < Gates::MOST {
                let next = (0..8).find_map(|_| gates.crowd(64, |_| client(number + 1)));
                assert_eq!(next, Some(client(number + 1)));
            }
        }
        assert_eq!((0..100).find_map(|_| gates.crowd(64, |_| client(99))), None);
    }

    #[test]
    fn what_came_before_at_the_other_socket_comes_first_but_not_for_ever() {
        let mut gates = Gates::default();
        (0..2).for_each(|number| gates.opened(client(number), number, at(0)));
        gates.elsewhere(0, true);
        assert_eq!([gates.behind(0), gates.behind(1)], [Some(0), Some(1)]);
        gates.elsewhere(0, false);
        assert_eq!([gates.behind(0), gates.behind(1)], [None, Some(1)]);
        (1..Gates::BEFORE).for_each(|_| gates.elsewhere(1, true));
        assert_eq!(gates.behind(1), Some(1));
        gates.elsewhere(1, true);
        assert_eq!(gates.behind(1), None);
    }

    #[test]
    fn an_idle_one_is_shut_and_closed_once_nobody_is_left_in_it() {
        let mut gates = Gates::default();
        (0..3).for_each(|number| gates.opened(client(number), 0, at(0)));
        gates.gave(0, at(1));
        gates.gave(2, at(5));
        assert_eq!(gates.idle(at(10)), None);
        assert_eq!(gates.idle(at(11)), Some(1));
        gates.shut(1, at(11));
        assert_eq!((gates.empty(at(11)), gates.empty(at(12))), (None, Some(1)));
        gates.gave(1, at(11));
        assert_eq!(gates.empty(at(12)), None, "somebody was left in it");
        assert_eq!(gates.idle(at(12)), Some(0));
        gates.shut(1, at(12));
        gates.closed(gates.empty(at(13)).unwrap());
        assert_eq!((gates.len(), gates.gates[1].remote), (2, client(2)));
    }
}
