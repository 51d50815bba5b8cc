//! The dialects of the server, one file or folder each. Static dispatch: a match, no table of functions.

mod echo;
mod irtt;
mod native;
mod stamp;
mod text;

use super::client_table::ClientFigures;
use super::core::Core;
use super::counters::{DIALECTS, DialectCounters};
use super::dialect::{Action, Dialect};
use super::held_replies::Held;
use super::incoming::Incoming;
use super::server_port::ServerPort;
use crate::endpoints::Endpoints;
use crate::time::Instant;
use crate::wire::native::ProbeStatus;
use echo::Echo;
use irtt::Irtt;
use native::Native;
use stamp::Stamp;
use text::Text;

pub(super) enum AnyDialect {
    Native(Box<Native>),
    Text(Text),
    Echo(Echo),
    Stamp(Box<Stamp>),
    Irtt(Box<Irtt>),
}

impl AnyDialect {
    /// One of each, in the order of `DIALECTS`.
    pub(super) fn all(core: &Core) -> [Self; DIALECTS.len()] {
        [
            Self::Native(Native::new(core).into()),
            Self::Text(Text::new(core)),
            Self::Echo(Echo::new(core)),
            Self::Stamp(Stamp::new(core).into()),
            Self::Irtt(Irtt::new(core).into()),
        ]
    }
}

/// Does something with the dialect, whichever it is.
macro_rules! each {
    ($any:expr, $dialect:ident => $do:expr) => {
        match $any {
            AnyDialect::Native($dialect) => $do,
            AnyDialect::Text($dialect) => $do,
            AnyDialect::Echo($dialect) => $do,
            AnyDialect::Stamp($dialect) => $do,
            AnyDialect::Irtt($dialect) => $do,
        }
    };
}

impl Dialect for AnyDialect {
    fn server_port(&self) -> ServerPort {
        each!(self, dialect => dialect.server_port())
    }

    fn has_sessions(&self) -> bool {
        each!(self, dialect => dialect.has_sessions())
    }

    fn claims(&self, packet: &Incoming) -> bool {
        each!(self, dialect => dialect.claims(packet))
    }

    fn handle(&mut self, core: &mut Core, packet: &mut Incoming) -> Action<'_> {
        each!(self, dialect => dialect.handle(core, packet))
    }

    fn set_status(&mut self, slot: u32, seq: u64, status: ProbeStatus) {
        each!(self, dialect => dialect.set_status(slot, seq, status));
    }

    fn finish(&mut self, core: &Core, held: &Held, now: Instant, buffer: &mut [u8], length: usize) -> usize {
        each!(self, dialect => dialect.finish(core, held, now, buffer, length))
    }

    fn next_send(&self) -> Option<Instant> {
        each!(self, dialect => dialect.next_send())
    }

    fn transmit(&mut self, core: &mut Core, now: Instant, buffer: &mut [u8]) -> Option<(Endpoints, usize)> {
        each!(self, dialect => dialect.transmit(core, now, buffer))
    }

    fn announce_end(&mut self, now: Instant) -> bool {
        each!(self, dialect => dialect.announce_end(now))
    }

    fn next_timeout(&self) -> Option<Instant> {
        each!(self, dialect => dialect.next_timeout())
    }

    fn expire(&mut self, now: Instant) -> u64 {
        each!(self, dialect => dialect.expire(now))
    }

    fn clients(&self, now: Instant) -> Vec<ClientFigures> {
        each!(self, dialect => dialect.clients(now))
    }

    fn counters(&self) -> DialectCounters {
        each!(self, dialect => dialect.counters())
    }
}
