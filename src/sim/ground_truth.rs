//! What the network really did to each probe of a client: the oracle of the tests.

use std::collections::BTreeMap;

use crate::time::Instant;
use crate::wire::native::{Message, decode, is_native};

/// The true story of one probe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    pub sent: Option<Instant>,
    /// When copies of it reached the server.
    pub reached_server: Vec<Instant>,
    pub replies_sent: u32,
    /// When replies reached the client.
    pub replies: Vec<Instant>,
    /// Copies of it, and replies, that a full socket dropped.
    pub dropped_at_server: u32,
    pub dropped_at_client: u32,
}

/// The stories of all probes of a client.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    disabled: bool,
    stories: BTreeMap<u64, Story>,
}

impl Ledger {
    pub fn story(&self, seq: u64) -> Option<&Story> {
        self.stories.get(&seq)
    }

    pub fn stories(&self) -> impl Iterator<Item = (u64, &Story)> {
        self.stories.iter().map(|(seq, story)| (*seq, story))
    }

    pub(super) fn disable(&mut self) {
        self.disabled = true;
    }

    pub(super) fn probe_sent(&mut self, seq: Option<u64>, now: Instant) {
        if let Some(seq) = seq
            && !self.disabled
        {
            self.stories.entry(seq).or_default().sent = Some(now);
        }
    }

    pub(super) fn probe_delivered(&mut self, datagram: &[u8], now: Instant) {
        if let Some(Message::Probe(probe)) = self.decode(datagram) {
            self.stories.entry(probe.seq).or_default().reached_server.push(now);
        }
    }

    pub(super) fn probe_dropped(&mut self, datagram: &[u8]) {
        if let Some(Message::Probe(probe)) = self.decode(datagram) {
            self.stories.entry(probe.seq).or_default().dropped_at_server += 1;
        }
    }

    pub(super) fn reply_dropped(&mut self, datagram: &[u8]) {
        if let Some(Message::Reply(reply)) = self.decode(datagram) {
            self.stories.entry(reply.seq).or_default().dropped_at_client += 1;
        }
    }

    pub(super) fn reply_sent(&mut self, datagram: &[u8]) {
        if let Some(Message::Reply(reply)) = self.decode(datagram) {
            self.stories.entry(reply.seq).or_default().replies_sent += 1;
        }
    }

    pub(super) fn reply_delivered(&mut self, datagram: &[u8], now: Instant) {
        if let Some(Message::Reply(reply)) = self.decode(datagram) {
            self.stories.entry(reply.seq).or_default().replies.push(now);
        }
    }

    fn decode<'a>(&self, datagram: &'a [u8]) -> Option<Message<'a>> {
        if self.disabled || !is_native(datagram) { None } else { decode(datagram).ok() }
    }
}
