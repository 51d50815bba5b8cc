//! A heavy sender gets a socket of its own, connected to it, where its datagrams wait without keeping those of
//! other clients waiting: p99 of another client falls from 33-41 ms to 0.3-4.6 ms (see results/server-profile.md).
//! Finds the heavy sender and counts the use of its socket; the listeners open and close it.

use std::net::{IpAddr, SocketAddr};

use crate::endpoints::Endpoints;
use crate::time::{Duration, Instant};

/// Finds the sender that fills the batches of a socket.
#[derive(Default)]
pub(super) struct HeavySenders {
    /// A sender, and how many full batches in a row it had its part of.
    suspect: Option<(Endpoints, u32)>,
}

impl HeavySenders {
    /// A sender of at least 1/8 of a full batch counts as heavy,
    const SHARE: usize = 8;
    /// after this number of full batches in a row.
    const BATCHES: u32 = 8;

    /// The sender that has been heavy for long enough, as a full batch of `count` datagrams from these senders
    /// tells. Those that `have_one` are looked for no more.
    pub(super) fn note_batch(
        &mut self,
        count: usize,
        sender: impl Fn(usize) -> Endpoints,
        have_one: impl Fn(SocketAddr) -> bool,
    ) -> Option<Endpoints> {
        let is_heavy = |path| (0..count).filter(|at| sender(*at) == path).count() * Self::SHARE >= count;
        let (path, batches) = match self.suspect.take() {
            Some((path, batches)) if is_heavy(path) => (path, batches + 1),
            // A heavy sender is likely to stand in the middle of the batch.
            _ => Some(sender(count / 2)).filter(|path| is_heavy(*path)).map(|path| (path, 1))?,
        };
        if have_one(path.remote) {
            return None;
        }
        self.suspect = (batches < Self::BATCHES).then_some((path, batches));
        (batches == Self::BATCHES).then_some(path)
    }
}

/// The sender that a socket is connected to.
pub(super) struct Peer {
    pub remote: SocketAddr,
    /// The address of this host that it sends to, where its parent has several.
    pub local: Option<IpAddr>,
    /// The listening socket that received its datagrams before.
    pub parent: usize,
    /// Batches of the parent to receive before this socket, so that no datagram is overtaken.
    drain: u32,
    pub last_batch: Instant,
    /// Since when the socket takes in nothing more.
    pub stopped: Option<Instant>,
}

impl Peer {
    /// Datagrams per receive call: another client waits for no more than these.
    pub(super) const MAX_BATCH: usize = 16;
    /// More batches than a receive buffer has room for.
    pub(super) const MAX_DRAIN: u32 = 512;
    const IDLE: Duration = Duration::from_secs(10);

    pub(super) fn new(remote: SocketAddr, local: Option<IpAddr>, parent: usize, now: Instant) -> Self {
        Self { remote, local, parent, drain: Self::MAX_DRAIN, last_batch: now, stopped: None }
    }

    /// Whether something that came before is still to be received at the parent.
    pub(super) fn must_drain(&self) -> bool {
        self.drain > 0
    }

    /// A batch was received at a socket; more of it waits there, or not.
    pub(super) fn note_parent_batch(&mut self, index: usize, more: bool) {
        if index == self.parent {
            self.drain = if more { self.drain.saturating_sub(1) } else { 0 };
        }
    }

    pub(super) fn is_idle(&self, now: Instant) -> bool {
        self.stopped.is_none() && now - self.last_batch > Self::IDLE
    }

    /// Whether it was stopped before, and nothing was left in it.
    pub(super) fn is_empty(&self, now: Instant) -> bool {
        self.stopped.is_some_and(|stopped| stopped < now && self.last_batch < stopped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: usize) -> Endpoints {
        Endpoints {
            remote: ([127, 0, 0, 1], 1000 + number as u16).into(),
            local: Some([127, 0, 0, 9].into()),
        }
    }

    fn at(seconds: i64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn peer() -> Peer {
        Peer::new(client(0).remote, None, 0, at(0))
    }

    /// The first sender found in so many batches of 64 datagrams, of which each client has sent an equal part,
    /// and in which batch.
    fn found(senders: &mut HeavySenders, clients: usize, batches: usize) -> Option<(usize, Endpoints)> {
        (1..=batches).find_map(|batch| {
            let path = senders.note_batch(64, |at| client((at + batch) % clients), |_| false)?;
            Some((batch, path))
        })
    }

    #[test]
    fn a_sender_is_heavy_after_an_eighth_of_eight_full_batches_in_a_row() {
        let mut senders = HeavySenders::default();
        for clients in [1, 2, 8] {
            let (batches, _) = found(&mut senders, clients, 100).unwrap();
            assert_eq!(batches, 8, "of {clients}");
        }
        assert_eq!(found(&mut senders, 9, 100), None);
        // One batch without it begins the count anew.
        assert_eq!(found(&mut senders, 1, 7), None);
        assert_eq!(found(&mut senders, 64, 1), None);
        assert_eq!(found(&mut senders, 1, 7), None);
        assert!(found(&mut senders, 1, 1).is_some());
    }

    #[test]
    fn a_sender_that_has_a_socket_gets_no_second_one_and_keeps_nobody_else_from_one() {
        let mut senders = HeavySenders::default();
        let has_one = |remote| remote == client(0).remote;
        assert_eq!((0..100).find_map(|_| senders.note_batch(64, |_| client(0), has_one)), None);
        let next = (0..8).find_map(|_| senders.note_batch(64, |_| client(1), has_one));
        assert_eq!(next, Some(client(1)));
    }

    #[test]
    fn one_sender_to_two_addresses_of_the_host_counts_for_each() {
        let other = |at: usize| Endpoints { local: Some([127, 0, 0, at as u8].into()), ..client(0) };
        let mut senders = HeavySenders::default();
        assert_eq!((0..100).find_map(|_| senders.note_batch(64, |at| other(at % 9), |_| false)), None);
    }

    #[test]
    fn what_came_before_at_the_parent_comes_first_but_not_for_ever() {
        let mut peer = peer();
        assert!(peer.must_drain());
        peer.note_parent_batch(1, false);
        assert!(peer.must_drain(), "another socket says nothing");
        (1..Peer::MAX_DRAIN).for_each(|_| peer.note_parent_batch(0, true));
        assert!(peer.must_drain());
        peer.note_parent_batch(0, true);
        assert!(!peer.must_drain());
        let mut peer = self::peer();
        peer.note_parent_batch(0, false);
        assert!(!peer.must_drain());
    }

    #[test]
    fn an_idle_peer_socket_is_stopped_and_closed_once_nothing_is_left_in_it() {
        let mut peer = peer();
        assert_eq!([10, 11].map(|now| peer.is_idle(at(now))), [false, true]);
        peer.stopped = Some(at(11));
        assert!(!peer.is_idle(at(30)));
        assert_eq!([11, 12].map(|now| peer.is_empty(at(now))), [false, true]);
        peer.last_batch = at(11);
        assert!(!peer.is_empty(at(12)), "something was left in it");
    }
}
