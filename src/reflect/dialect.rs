//! The trait of a server's wire dialects: they read requests and write replies. The centre does the
//! rest: admission, injection, holding, counting, sealing.

use super::client_table::ClientFigures;
use super::core::Core;
use super::counters::DialectCounters;
use super::held_replies::Held;
use super::incoming::Incoming;
use super::server_port::ServerPort;
use crate::endpoints::Endpoints;
use crate::impair::SessionLinks;
use crate::time::Instant;
use crate::wire::native::ProbeStatus;

pub(super) trait Dialect {
    /// The port at which it is spoken.
    fn server_port(&self) -> ServerPort {
        ServerPort::Main
    }

    /// Whether clients open sessions: a handshake proves their addresses, and their messages can be
    /// sealed with a key. The centre limits and watches the peers of all other dialects.
    fn has_sessions(&self) -> bool {
        false
    }

    /// Whether the datagram is in this dialect.
    fn claims(&self, packet: &Incoming) -> bool;

    /// Reads a datagram; an immediate reply is written over it.
    fn handle(&mut self, core: &mut Core, packet: &mut Incoming) -> Action<'_>;

    /// The centre dropped, held or refused the probe that `handle` returned.
    fn set_status(&mut self, _slot: u32, _seq: u64, _status: ProbeStatus) {}

    /// Turns the probe in `buffer[..length]` into its reply, which leaves now; returns its length.
    fn finish(
        &mut self,
        _core: &Core,
        _held: &Held,
        _now: Instant,
        _buffer: &mut [u8],
        length: usize,
    ) -> usize {
        length
    }

    /// When `transmit` next has something to send.
    fn next_send(&self) -> Option<Instant> {
        None
    }

    /// Writes the next datagram that is due and no reply, of a load or at the server's end; returns its path and its length.
    fn transmit(
        &mut self,
        _core: &mut Core,
        _now: Instant,
        _buffer: &mut [u8],
    ) -> Option<(Endpoints, usize)> {
        None
    }

    /// Opens no session any more; `transmit` tells the clients that the server ends. Returns whether there are clients.
    fn announce_end(&mut self, _now: Instant) -> bool {
        false
    }

    /// When `expire` next has something to do.
    fn next_timeout(&self) -> Option<Instant> {
        None
    }

    /// Drops silent clients; returns how many.
    fn expire(&mut self, _now: Instant) -> u64 {
        0
    }

    fn clients(&self, _now: Instant) -> Vec<ClientFigures> {
        Vec::new()
    }

    /// All but `probes`, which the centre counts.
    fn counters(&self) -> DialectCounters {
        DialectCounters::default()
    }
}

/// How the centre goes on with a datagram that a dialect has read.
pub(super) enum Action<'a> {
    /// Offers it to the next dialect.
    Decline,
    /// Nothing; the dialect has counted why.
    Drop,
    /// Sends the reply of this length, which no injection concerns.
    Reply(usize),
    /// Treats it as a probe, by the injection of its client.
    Probe(&'a mut SessionLinks, Probe),
}

/// A probe in the buffer that it was received into.
#[derive(Clone, Copy)]
pub(super) struct Probe {
    /// Where the dialect keeps its client.
    pub slot: u32,
    pub seq: u64,
    /// This many bytes in front are never corrupted.
    pub header: usize,
    pub copies: Copies,
}

/// The share of injected copies that is sent.
#[derive(Clone, Copy)]
pub(super) enum Copies {
    All,
    /// The address is not the one that the handshake proved.
    None,
    /// As many bytes as the address sent without a reply, so that a forged source gets no more than was
    /// sent in its name.
    FromCredit,
}
