//! Plain echo (RFC 862): a server returns each datagram as it is and knows nothing of probes, so number and send
//! time travel in the payload.
//!
//! ```text
//! | run (8) | number (8) | send time, ns (8) | number (8) | filler |
//! ```
//!
//! The client knows every byte that it sent, so it recognises a reply with a few changed bytes and counts it as
//! corrupted. The number stands there twice: if one is changed, the other finds the probe.

use super::super::dialect::{DialectClient, Heard};
use super::super::event::{Failure, SendError, ServerInfo};
use super::super::in_flight::{InFlight, ReplyFacts};
use super::super::outcome::Corruption;
use super::super::retry::Retry;
use super::super::settings::{Dialect, Settings, Transmit};
use crate::rng::Stream;
use crate::time::Instant;

#[derive(Debug)]
pub(crate) struct Plain {
    /// Unguessable, so that no other datagram is taken for a reply. It begins as no message of another dialect does.
    run: [u8; 8],
    filler: Vec<u8>,
    /// Until the server has echoed a first datagram, which is no probe.
    setup: Option<Retry>,
}

impl Plain {
    const HEADER: usize = Dialect::Plain.min_size() as usize;
    const TRIES: u32 = 5;
    /// The number of the datagrams before the first probe.
    const SETUP: u64 = u64::MAX;
    /// A reply with more changed bytes in its header is none.
    const MAX_CHANGED: usize = 4;

    pub(crate) fn new(settings: &Settings, now: Instant) -> Self {
        let mut draws = Stream::new(settings.seed, "plain echo").at(0);
        let run = (rand::Rng::next_u64(&mut draws) >> 8 | 0xEC << 56).to_be_bytes();
        let mut filler = vec![0; (settings.size as usize).saturating_sub(Self::HEADER)];
        rand::Rng::fill_bytes(&mut draws, &mut filler);
        Self { run, filler, setup: Some(Retry::new(now)) }
    }

    fn header(&self, seq: u64, sent: Instant) -> [u8; Self::HEADER] {
        let mut header = [0; Self::HEADER];
        let [seq, sent] = [seq, sent.as_nanos() as u64].map(u64::to_be_bytes);
        for (place, word) in header.chunks_exact_mut(8).zip([self.run, seq, sent, seq]) {
            place.copy_from_slice(&word);
        }
        header
    }

    fn emit(&self, seq: u64, sent: Instant, buffer: &mut [u8]) -> Transmit {
        let length = Self::HEADER + self.filler.len();
        buffer[..Self::HEADER].copy_from_slice(&self.header(seq, sent));
        buffer[Self::HEADER..length].copy_from_slice(&self.filler);
        let seq = (seq != Self::SETUP).then_some(seq);
        Transmit { channel: 0, renew: false, length, seq }
    }

    /// The probe in flight whose header differs least, and in how many bytes.
    fn closest(&self, datagram: &[u8], probes: &InFlight) -> Option<(u64, usize)> {
        let differing = |seq| {
            let expected = self.header(seq, probes.sent_at(seq)?);
            let changed = expected.iter().zip(datagram).filter(|(sent, came)| sent != came).count();
            Some((seq, changed))
        };
        let closest = numbers(datagram).into_iter().filter_map(differing).min_by_key(|(_, changed)| *changed);
        closest.filter(|(_, changed)| *changed <= Self::MAX_CHANGED)
    }
}

impl DialectClient for Plain {
    fn setup(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        self.setup.as_mut().filter(|retry| retry.is_due(now))?.tried(now);
        Some(self.emit(Self::SETUP, now, buffer))
    }

    fn setup_timeout(&self) -> Option<Instant> {
        self.setup.as_ref().map(Retry::next)
    }

    fn setup_failure(&self, now: Instant) -> Option<Failure> {
        self.setup.as_ref()?.failure(Self::TRIES, now)
    }

    fn build(
        &mut self,
        seq: u64,
        now: Instant,
        _: Instant,
        buffer: &mut [u8],
    ) -> Result<Transmit, SendError> {
        Ok(self.emit(seq, now, buffer))
    }

    fn finalize(&self, transmit: &Transmit, now: Instant, datagram: &mut [u8]) {
        if let Some(seq) = transmit.seq {
            datagram[..Self::HEADER].copy_from_slice(&self.header(seq, now));
        }
    }

    fn hear(&mut self, _: Instant, _: usize, datagram: &[u8], probes: &mut InFlight) -> Heard {
        if datagram.len() != Self::HEADER + self.filler.len() {
            return Heard::Junk;
        }
        let (header, filler) = datagram.split_at(Self::HEADER);
        if let Some((seq, changed)) = self.closest(header, probes) {
            let corrupted = (changed > 0 || filler != self.filler).then_some(Corruption::Network);
            return Heard::Reply { seq, facts: ReplyFacts { corrupted, ..ReplyFacts::default() } };
        }
        match (numbers(header), header.starts_with(&self.run)) {
            ([Self::SETUP, _] | [_, Self::SETUP], true) => match self.setup.take() {
                Some(_) => Heard::SetUp { server: ServerInfo::silent(Dialect::Plain), silent: None },
                None => Heard::Understood,
            },
            ([seq, again], true) if seq == again => Heard::Reply { seq, facts: ReplyFacts::default() },
            _ => Heard::Junk,
        }
    }

    fn claims(&self, datagram: &[u8]) -> bool {
        datagram.starts_with(&self.run)
    }

    fn probe_in(&self, frame: &[u8]) -> Option<u64> {
        let start = frame.windows(self.run.len()).position(|window| window == self.run)?;
        let [seq, _] = numbers(frame.get(start..start + Self::HEADER)?);
        (seq != Self::SETUP).then_some(seq)
    }
}

/// The number of the probe, and the number again.
fn numbers(header: &[u8]) -> [u64; 2] {
    [8, 24].map(|at| u64::from_be_bytes(std::array::from_fn(|index| header[at + index])))
}
