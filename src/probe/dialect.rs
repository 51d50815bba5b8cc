//! The trait of a client's wire dialects. The client does everything else: the send plan, the probes in
//! flight, deadlines, causes of loss, events.

use super::event::{Failure, Finding, SendError, ServerInfo};
use super::in_flight::{InFlight, ReplyFacts};
use super::settings::Transmit;
use super::tlv_answers::TlvAnswers;
use crate::time::{Duration, Instant};
use crate::wire::native::SocketMark;

/// A dialect only speaks. Lengths that it returns include its tag, which `finalize` writes.
pub(super) trait DialectClient {
    /// The next datagram of the handshake, at the start or in the middle of a run.
    fn setup(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit>;

    /// When `setup` is to be called next, while a handshake is under way.
    fn setup_timeout(&self) -> Option<Instant>;

    /// Why the first handshake is given up, if it is.
    fn setup_failure(&self, now: Instant) -> Option<Failure>;

    /// The server does not know the session: opens another, from this probe on.
    fn set_up_again(&mut self, _next_seq: u64, _now: Instant) {}

    /// Ends a handshake in the middle of a run.
    fn end_setup(&mut self) {}

    /// Writes a probe but for what `finalize` adds. Its reply may come until `give_up_at`.
    fn build(
        &mut self,
        seq: u64,
        now: Instant,
        give_up_at: Instant,
        buffer: &mut [u8],
    ) -> Result<Transmit, SendError>;

    /// The last change of a datagram before it leaves: a probe's send time, the tag.
    fn finalize(&self, _transmit: &Transmit, _now: Instant, _datagram: &mut [u8]) {}

    /// Reads a datagram of the server. Statuses that the server tells are set in `probes` directly.
    fn hear(&mut self, received: Instant, channel: usize, datagram: &[u8], probes: &mut InFlight) -> Heard;

    /// Something that the replies showed of the server, each once.
    fn finding(&mut self) -> Option<Finding> {
        None
    }

    /// The traffic class with which the next datagram came.
    fn note_traffic_class(&mut self, _class: Option<u8>) {}

    /// The answers to TLVs, at the end of the run.
    fn tlv_answers(&mut self) -> Option<TlvAnswers> {
        None
    }

    /// Whether a datagram from another address belongs to the session.
    fn claims(&self, _datagram: &[u8]) -> bool {
        false
    }

    /// The probe in a frame that the kernel stamped when it left; headers of other layers come first.
    fn probe_in(&self, _frame: &[u8]) -> Option<u64> {
        None
    }

    fn not_sent(&mut self, _seq: u64) {}

    /// No reply to this probe counts any more.
    fn resolved(&mut self, _seq: u64, _now: Instant) {}

    /// Finds out what became of probes that got no reply, or asks.
    fn query(&mut self, _now: Instant, _probes: &mut InFlight, _buffer: &mut [u8]) -> Option<Transmit> {
        None
    }

    fn query_timeout(&self, _now: Instant, _probes: &InFlight) -> Option<Instant> {
        None
    }

    /// How long a probe without a reply waits for the server's word on it.
    fn longest_query(&self) -> Duration {
        Duration::ZERO
    }

    /// The server's socket when the session began and when it last told of probes.
    fn server_socket(&self) -> Option<[SocketMark; 2]> {
        None
    }

    /// Asks the server to stop, where the dialect has a word for it.
    fn stop_server(&mut self, _buffer: &mut [u8]) -> Option<Transmit> {
        None
    }

    /// Ends the session.
    fn close(&mut self, _buffer: &mut [u8]) -> Option<Transmit> {
        None
    }
}

/// A datagram of the server, as the dialect reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Probes may be sent: the first session, or another. `silent`: for how long the session before was.
    SetUp {
        server: ServerInfo,
        silent: Option<Duration>,
    },
    Reply {
        seq: u64,
        facts: ReplyFacts,
    },
    /// A reply that contradicts its probe.
    Forged,
    /// The server does not know the session any more.
    UnknownSession,
    Stopped {
        obeyed: bool,
    },
    /// The server ends soon.
    Ending,
    /// The server refuses the session.
    Failed(Failure),
    /// Understood, and the client has nothing to do.
    Understood,
    /// Without our key.
    Unauthentic,
    Junk,
}
