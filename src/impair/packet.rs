//! A packet as a link sees it.

use crate::rng::Seed;
use crate::time::Instant;

/// A packet as it arrives at a link.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// When it arrives.
    pub now: Instant,
    /// In its flow and direction: the number of its draws.
    pub seq: u64,
    /// The number by which `nth`, `bursts` and `trace` count.
    pub scheduled: u64,
    /// The size that a rate counts.
    pub bytes: usize,
    /// Its length as an IP packet.
    pub ip_bytes: usize,
    /// Of the datagram; empty where a caller knows its length alone.
    pub payload: &'a [u8],
    /// Of the datagram.
    pub length: usize,
    /// The TOS byte or traffic class, if it is known.
    pub tos: Option<u8>,
    /// The state that the flows of this link share; none if it has one flow.
    pub shared: Option<Shared>,
}

/// Of all flows that cross one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// When the first packet came.
    pub began: Instant,
    /// Of the outages.
    pub seed: Seed,
}

impl Packet<'_> {
    /// IPv4 and UDP.
    const HEADERS: usize = 28;

    /// One of a single flow, of which only its length is known.
    pub fn new(now: Instant, seq: u64, length: usize) -> Self {
        Self {
            now,
            seq,
            scheduled: seq,
            bytes: length,
            ip_bytes: length + Self::HEADERS,
            payload: &[],
            length,
            tos: None,
            shared: None,
        }
    }
}
