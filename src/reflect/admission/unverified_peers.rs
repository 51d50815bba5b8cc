//! Peers of dialects without sessions, which never prove their address: the bytes that injected copies
//! may use, and the search for echo loops. A keyed table of fixed size: a new peer evicts the one in its
//! bucket.

use std::net::SocketAddr;

use ahash::RandomState;

use super::loop_guard::{Fingerprints, Laps};
use super::rate_limits::seeded;
use crate::impair::Treatment;
use crate::reflect::held_replies::Held;
use crate::time::Instant;

pub(crate) struct UnverifiedPeers {
    /// Keyed, so that no peer can choose which one it evicts.
    hasher: RandomState,
    peers: Vec<Peer>,
    fingerprints: Fingerprints,
    suspended: Vec<Suspended>,
}

#[derive(Clone, Copy, Default)]
struct Peer {
    address_hash: u64,
    laps: Laps,
    /// Bytes that it sent and that nothing was sent for.
    credit: u32,
}

/// A reply that may keep an echo loop going.
struct Suspended {
    until: Instant,
    held: Held,
    reply: Vec<u8>,
}

impl UnverifiedPeers {
    /// A fuzzer makes a table for each input, so its table is small.
    const PEERS: usize = if cfg!(fuzzing) { 64 } else { 4096 };
    const MAX_SUSPENDED: usize = 64;

    pub(crate) fn new(secret: u64) -> Self {
        let hasher = seeded(secret);
        Self {
            fingerprints: Fingerprints::new(hasher.clone()),
            hasher,
            peers: vec![Peer::default(); Self::PEERS],
            suspended: Vec::new(),
        }
    }

    /// How many of the injected copies the peer is sent. They are paid for by bytes of it that were
    /// dropped before, so that a forged source never gets more than was sent in its name.
    pub(crate) fn copies(&mut self, remote: SocketAddr, treatment: &Treatment, length: usize) -> u8 {
        if treatment.dropped.is_none() && treatment.extra_copies == 0 {
            return 0;
        }
        let length = length as u32;
        let bucket = self.bucket(remote);
        let peer = &mut self.peers[bucket];
        if treatment.dropped.is_some() {
            peer.credit = peer.credit.saturating_add(length);
            return 0;
        }
        let affordable = peer.credit.checked_div(length).unwrap_or(0);
        let copies = affordable.min(u32::from(treatment.extra_copies));
        peer.credit -= copies * length;
        copies as u8
    }

    /// Whether the peer has sent as many bytes without a reply as this reply has; if not, this datagram counts for a
    /// later one.
    pub(crate) fn pays_for(&mut self, remote: SocketAddr, length: usize, reply: usize) -> bool {
        let bucket = self.bucket(remote);
        let credit = &mut self.peers[bucket].credit;
        *credit = credit.saturating_add(length as u32);
        let left = credit.checked_sub(reply as u32);
        *credit = left.unwrap_or(*credit);
        left.is_some()
    }

    /// A datagram arrived; true if its reply is to be suspended.
    pub(crate) fn received(&mut self, remote: SocketAddr, received: Instant, datagram: &[u8]) -> bool {
        let bucket = self.bucket(remote);
        self.peers[bucket].laps.datagram(received, datagram, &mut self.fingerprints)
    }

    /// A reply leaves.
    pub(crate) fn replied(&mut self, remote: SocketAddr, now: Instant, reply: &[u8]) {
        let bucket = self.bucket(remote);
        self.peers[bucket].laps.reply(now, reply, &mut self.fingerprints);
    }

    /// Suspends a reply; false if there is no room, so that it is withheld at once.
    pub(crate) fn suspend(&mut self, now: Instant, held: Held, reply: &[u8]) -> bool {
        let bucket = self.bucket(held.path.remote);
        let laps = &mut self.peers[bucket].laps;
        let until = now + laps.suspend();
        let has_room = self.suspended.len() < Self::MAX_SUSPENDED;
        if has_room {
            self.suspended.push(Suspended { until, held, reply: reply.to_vec() });
        } else {
            laps.resume();
        }
        has_room
    }

    /// The reply that is suspended for this address, which sent another datagram.
    pub(crate) fn release(&mut self, remote: SocketAddr) -> Option<(Held, Vec<u8>)> {
        let at = self.suspended.iter().position(|suspended| suspended.held.path.remote == remote)?;
        let Suspended { held, reply, .. } = self.remove(at);
        Some((held, reply))
    }

    /// Withholds the replies whose suspension is over; returns how many.
    pub(crate) fn withhold(&mut self, now: Instant) -> u64 {
        let mut withheld = 0;
        while let Some(at) = self.suspended.iter().position(|suspended| suspended.until <= now) {
            self.remove(at);
            withheld += 1;
        }
        withheld
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.suspended.iter().map(|suspended| suspended.until).min()
    }

    fn remove(&mut self, at: usize) -> Suspended {
        let suspended = self.suspended.swap_remove(at);
        let bucket = self.bucket(suspended.held.path.remote);
        self.peers[bucket].laps.resume();
        suspended
    }

    /// The bucket of this peer, emptied if it had another one.
    fn bucket(&mut self, remote: SocketAddr) -> usize {
        let address_hash = self.hasher.hash_one(remote);
        let at = address_hash as usize % Self::PEERS;
        if self.peers[at].address_hash != address_hash {
            self.peers[at] = Peer { address_hash, ..Peer::default() };
        }
        at
    }
}
