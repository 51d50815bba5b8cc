//! The dialects that the client speaks. A new one is a file here, a variant of each enum and an arm.

mod gaps;
mod irtt;
mod native;
mod plain;
mod stamp;
mod text;

use super::dialect::{DialectClient, Heard};
use super::event::{Failure, Finding, SendError};
use super::in_flight::InFlight;
use super::settings::{Dialect, Settings, Transmit};
use super::tlv_answers::TlvAnswers;
use crate::time::{Duration, Instant};
use crate::wire::native::SocketMark;
use irtt::Irtt;
use native::Native;
pub(super) use native::{Accepted, Handshake, Requested};
use plain::Plain;
use stamp::Stamp;
use text::Text;

#[derive(Debug)]
pub(super) enum AnyDialect {
    Native(Box<Native>),
    Text(Text),
    Plain(Plain),
    Stamp(Box<Stamp>),
    Irtt(Box<Irtt>),
}

/// The same call on the dialect in use.
macro_rules! each {
    ($any:expr, $dialect:ident => $call:expr) => {
        match $any {
            AnyDialect::Native($dialect) => $call,
            AnyDialect::Text($dialect) => $call,
            AnyDialect::Plain($dialect) => $call,
            AnyDialect::Stamp($dialect) => $call,
            AnyDialect::Irtt($dialect) => $call,
        }
    };
}

impl AnyDialect {
    pub(super) fn new(settings: &Settings, now: Instant) -> Self {
        match settings.dialect {
            Dialect::Native => Self::Native(Box::new(Native::new(settings, now))),
            Dialect::Text => Self::Text(Text::new(settings, now)),
            Dialect::Plain => Self::Plain(Plain::new(settings, now)),
            Dialect::Stamp => Self::Stamp(Box::new(Stamp::new(settings, now))),
            Dialect::Irtt => Self::Irtt(Box::new(Irtt::new(settings, now))),
        }
    }

    /// Sockets needed.
    pub(super) fn channels(settings: &Settings) -> usize {
        if settings.dialect.numbers_probes() { 1 } else { text::channels_needed(settings) }
    }
}

impl DialectClient for AnyDialect {
    fn setup(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        each!(self, dialect => dialect.setup(now, buffer))
    }

    fn setup_timeout(&self) -> Option<Instant> {
        each!(self, dialect => dialect.setup_timeout())
    }

    fn setup_failure(&self, now: Instant) -> Option<Failure> {
        each!(self, dialect => dialect.setup_failure(now))
    }

    fn set_up_again(&mut self, next_seq: u64, now: Instant) {
        each!(self, dialect => dialect.set_up_again(next_seq, now));
    }

    fn end_setup(&mut self) {
        each!(self, dialect => dialect.end_setup());
    }

    fn build(
        &mut self,
        seq: u64,
        now: Instant,
        give_up_at: Instant,
        buffer: &mut [u8],
    ) -> Result<Transmit, SendError> {
        each!(self, dialect => dialect.build(seq, now, give_up_at, buffer))
    }

    fn finalize(&self, transmit: &Transmit, now: Instant, datagram: &mut [u8]) {
        each!(self, dialect => dialect.finalize(transmit, now, datagram));
    }

    fn hear(&mut self, received: Instant, channel: usize, datagram: &[u8], probes: &mut InFlight) -> Heard {
        each!(self, dialect => dialect.hear(received, channel, datagram, probes))
    }

    fn finding(&mut self) -> Option<Finding> {
        each!(self, dialect => dialect.finding())
    }

    fn note_traffic_class(&mut self, class: Option<u8>) {
        each!(self, dialect => dialect.note_traffic_class(class));
    }

    fn tlv_answers(&mut self) -> Option<TlvAnswers> {
        each!(self, dialect => dialect.tlv_answers())
    }

    fn claims(&self, datagram: &[u8]) -> bool {
        each!(self, dialect => dialect.claims(datagram))
    }

    fn probe_in(&self, frame: &[u8]) -> Option<u64> {
        each!(self, dialect => dialect.probe_in(frame))
    }

    fn not_sent(&mut self, seq: u64) {
        each!(self, dialect => dialect.not_sent(seq));
    }

    fn resolved(&mut self, seq: u64, now: Instant) {
        each!(self, dialect => dialect.resolved(seq, now));
    }

    fn query(&mut self, now: Instant, probes: &mut InFlight, buffer: &mut [u8]) -> Option<Transmit> {
        each!(self, dialect => dialect.query(now, probes, buffer))
    }

    fn query_timeout(&self, now: Instant, probes: &InFlight) -> Option<Instant> {
        each!(self, dialect => dialect.query_timeout(now, probes))
    }

    fn longest_query(&self) -> Duration {
        each!(self, dialect => dialect.longest_query())
    }

    fn server_socket(&self) -> Option<[SocketMark; 2]> {
        each!(self, dialect => dialect.server_socket())
    }

    fn stop_server(&mut self, buffer: &mut [u8]) -> Option<Transmit> {
        each!(self, dialect => dialect.stop_server(buffer))
    }

    fn close(&mut self, buffer: &mut [u8]) -> Option<Transmit> {
        each!(self, dialect => dialect.close(buffer))
    }
}
