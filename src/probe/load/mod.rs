//! Loads a path without a socket: searches for the rate that it carries (`LoadTest`), or a steady load beside
//! other measurements (`SteadyLoad`). Deterministic.

mod differences;
mod lane;
mod pulls;
mod running;
mod search;
mod steady;
mod test;

pub(crate) use differences::Differences;
pub use search::{Found, LoadSettings, RateRow, Way};
pub use steady::{SteadyLoad, SteadyResult, SteadySettings};
pub use test::{CutShort, LoadTest};

use super::event::Failure;
use crate::time::Instant;

/// A load and its flows, which an engine drives with a socket for each flow.
pub trait LoadMachine {
    /// Sockets needed; the first is that of the load.
    const CHANNELS: usize;

    /// Whether it is over.
    fn is_done(&self) -> bool;
    /// Ends it with what is known.
    fn stop(&mut self, now: Instant);
    /// ICMP says that nobody listens, or the system that it cannot send.
    fn failed(&mut self, now: Instant, failure: Failure);
    /// A packet of the load could not be sent.
    fn send_failed(&mut self, transmit: &LoadTransmit);
    /// Takes the count of packets that the socket of the load has dropped so far because its buffer was full.
    fn note_drops(&mut self, drops: u64);
    /// Takes a datagram that was received on one of the sockets.
    fn handle(&mut self, received: Instant, channel: usize, datagram: &[u8]);
    /// When to call `handle_timeout` and `poll_transmit` next, unless a datagram comes first.
    fn poll_timeout(&self) -> Option<Instant>;
    /// Does what is due.
    fn handle_timeout(&mut self, now: Instant);
    /// The next datagram that is due.
    fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<LoadTransmit>;
}

/// A datagram to be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadTransmit {
    /// 0: the flow that loads the path; 1: the one beside it.
    pub channel: usize,
    /// Bytes in the buffer.
    pub length: usize,
}
