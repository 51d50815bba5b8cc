//! The true fate of each probe of a client, against which tests compare.

use std::collections::BTreeMap;

use crate::reflect::ServerPort;
use crate::time::Instant;
use crate::wire::irtt::Packet;
use crate::wire::native::{Message, decode, is_native};
use crate::wire::stamp::{self, Mode, Request};

/// The true fate of one probe and of its replies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeTruth {
    /// When the client sent it; `None` if it never did.
    pub sent: Option<Instant>,
    /// When copies of the probe reached the server.
    pub reached_server: Vec<Instant>,
    /// Copies that the server sent on purpose included.
    pub replies_sent: u32,
    /// When replies reached the client.
    pub replies: Vec<Instant>,
    /// Copies of the probe dropped by the server's full receive buffer.
    pub dropped_at_server: u32,
    /// Replies dropped by the client's full receive buffer.
    pub dropped_at_client: u32,
}

/// The truth of all probes of a client.
#[derive(Clone, Debug, Default)]
pub struct GroundTruth {
    disabled: bool,
    server_port: ServerPort,
    probes: BTreeMap<u64, ProbeTruth>,
}

impl GroundTruth {
    /// Of a client that sends to this port of the server.
    pub(super) fn at(server_port: ServerPort) -> Self {
        Self { server_port, ..Self::default() }
    }

    /// `None` if no probe with this number was sent or forged.
    pub fn probe(&self, seq: u64) -> Option<&ProbeTruth> {
        self.probes.get(&seq)
    }

    /// In the order of their numbers.
    pub fn probes(&self) -> impl Iterator<Item = (u64, &ProbeTruth)> {
        self.probes.iter().map(|(seq, truth)| (*seq, truth))
    }

    pub(super) fn disable(&mut self) {
        self.disabled = true;
    }

    pub(super) fn probe_sent(&mut self, seq: Option<u64>, now: Instant) {
        if let Some(seq) = seq
            && !self.disabled
        {
            self.probes.entry(seq).or_default().sent = Some(now);
        }
    }

    pub(super) fn probe_delivered(&mut self, datagram: &[u8], now: Instant) {
        self.note_probe(datagram, |truth| truth.reached_server.push(now));
    }

    pub(super) fn probe_dropped(&mut self, datagram: &[u8]) {
        self.note_probe(datagram, |truth| truth.dropped_at_server += 1);
    }

    pub(super) fn reply_dropped(&mut self, datagram: &[u8]) {
        self.note_reply(datagram, |truth| truth.dropped_at_client += 1);
    }

    pub(super) fn reply_sent(&mut self, datagram: &[u8]) {
        self.note_reply(datagram, |truth| truth.replies_sent += 1);
    }

    pub(super) fn reply_delivered(&mut self, datagram: &[u8], now: Instant) {
        self.note_reply(datagram, |truth| truth.replies.push(now));
    }

    fn note_probe(&mut self, datagram: &[u8], note: impl FnOnce(&mut ProbeTruth)) {
        let seq = match (self.server_port, self.decode(datagram)) {
            (ServerPort::Main, Some(Message::Probe(probe))) => Some(probe.seq),
            (ServerPort::Stamp, _) => {
                Request::parse(Mode::Open, datagram).and_then(|asked| stamp_seq(asked.seq))
            }
            (ServerPort::Irtt, _) => irtt_seq(datagram),
            _ => None,
        };
        if let Some(seq) = seq {
            note(self.probes.entry(seq).or_default());
        }
    }

    fn note_reply(&mut self, datagram: &[u8], note: impl FnOnce(&mut ProbeTruth)) {
        let seq = match (self.server_port, self.decode(datagram)) {
            (ServerPort::Main, Some(Message::Reply(reply))) => Some(reply.seq),
            (ServerPort::Stamp, _) => {
                stamp::Reply::parse(Mode::Open, datagram).and_then(|reply| stamp_seq(reply.echoed?.seq))
            }
            (ServerPort::Irtt, _) => irtt_seq(datagram),
            _ => None,
        };
        if let Some(seq) = seq {
            note(self.probes.entry(seq).or_default());
        }
    }

    fn decode<'a>(&self, datagram: &'a [u8]) -> Option<Message<'a>> {
        if self.disabled || !is_native(datagram) { None } else { decode(datagram).ok() }
    }
}

fn irtt_seq(datagram: &[u8]) -> Option<u64> {
    Packet::number_in(datagram).map(|(_, seq)| seq.into())
}

/// The probe with this number on the wire: the opening has 0, and 1 is skipped.
fn stamp_seq(number: u32) -> Option<u64> {
    number.checked_sub(2).map(u64::from)
}
