//! What the server keeps of peers that have no session and so never showed that they receive what
//! they are sent. A keyed table of fixed size: a new peer evicts the one at its place.

use std::net::SocketAddr;

use ahash::RandomState;

use super::limits::seeded;
use super::loop_guard::{Fingerprints, Laps};
use crate::impair::Treatment;
use crate::time::Instant;

pub struct Unverified {
    /// Keyed, so that no peer can choose which one it evicts.
    hasher: RandomState,
    peers: Vec<Peer>,
    fingerprints: Fingerprints,
}

#[derive(Clone, Copy, Default)]
struct Peer {
    /// A hash of its address.
    name: u64,
    laps: Laps,
    /// Bytes that it sent and that were never sent back.
    credit: u32,
}

impl Unverified {
    /// A fuzzer makes a table for each of its inputs, and gets a small one.
    const PEERS: usize = if cfg!(fuzzing) { 64 } else { 4096 };

    pub fn new(secret: u64) -> Self {
        let hasher = seeded(secret);
        let fingerprints = Fingerprints::new(hasher.clone());
        Self { hasher, peers: vec![Peer::default(); Self::PEERS], fingerprints }
    }

    /// How many of the injected copies the peer is sent. The copies are made of bytes that it sent
    /// before and that were dropped, so that a forged source is never sent more than was sent for it.
    pub fn copies(&mut self, remote: SocketAddr, fate: &Treatment, length: usize) -> u8 {
        if fate.dropped.is_none() && fate.extra_copies == 0 {
            return 0;
        }
        let length = length as u32;
        let peer = self.find(remote);
        if fate.dropped.is_some() {
            peer.credit = peer.credit.saturating_add(length);
            return 0;
        }
        let affordable = peer.credit.checked_div(length).unwrap_or(0);
        let copies = affordable.min(u32::from(fate.extra_copies));
        peer.credit -= copies * length;
        copies as u8
    }

    /// Takes note of a datagram; true if its answer is to be put to the test of `loop_guard`.
    pub fn received(&mut self, remote: SocketAddr, received: Instant, datagram: &[u8]) -> bool {
        let at = self.place(remote);
        self.peers[at].laps.datagram(received, datagram, &mut self.fingerprints)
    }

    /// Takes note of an answer that leaves.
    pub fn answered(&mut self, remote: SocketAddr, now: Instant, answer: &[u8]) {
        let at = self.place(remote);
        self.peers[at].laps.answer(now, answer, &mut self.fingerprints);
    }

    /// The exchange with this address.
    pub fn laps(&mut self, remote: SocketAddr) -> &mut Laps {
        &mut self.find(remote).laps
    }

    fn find(&mut self, remote: SocketAddr) -> &mut Peer {
        let at = self.place(remote);
        &mut self.peers[at]
    }

    fn place(&mut self, remote: SocketAddr) -> usize {
        let name = self.hasher.hash_one(remote);
        let at = name as usize % Self::PEERS;
        if self.peers[at].name != name {
            self.peers[at] = Peer { name, ..Peer::default() };
        }
        at
    }
}
