//! What a client reports while it runs.

use std::net::SocketAddr;

use super::outcome::Resolved;
use super::settings::{Counters, Dialect};
use crate::time::{Duration, Instant};

/// In the order of time, but `Resolved` comes in the order of the probes.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The server accepted the size of the probes.
    Opened { at: Instant, server: ServerInfo },
    /// Time zero: the first probe is due.
    Started { zero: Instant },
    /// A reply to a probe, the first or a further one.
    Reply { seq: u64, rtt: Duration, hold: Option<Duration>, late_by: Option<Duration>, copy: u32 },
    /// A probe's deadline passed without a reply.
    Overdue { seq: u64 },
    /// A probe did not leave.
    NotSent { seq: u64, why: SendError },
    /// The host was suspended or stalled, and these probes were skipped; `late` is how late the first of them was.
    Suspended { first_seq: u64, probes: u64, late: Duration },
    /// From this probe on the interval is the minimum.
    AtFloor { seq: u64, interval: Duration },
    /// Nothing more can happen to this probe.
    Resolved(Resolved),
    /// The server does not know the session (restarted?). The client opens another.
    Forgotten { at: Instant },
    /// The session was silent for this long while the server answered a new handshake: the client goes on in a new
    /// session.
    SessionLost { at: Instant, silent: Duration },
    /// A new session is open; probes from `first_seq` on belong to it.
    Reopened { at: Instant, first_seq: u64 },
    /// ICMP port unreachable; the first since the last reply.
    Unreachable { at: Instant },
    /// Datagrams do not reach the server; the first such error since the last reply.
    PathError { at: Instant, why: String },
    /// The server of this session sends from another address than the target's.
    ServerMoved { at: Instant, remote: SocketAddr },
    /// The server says that it injects nothing, but it dropped or held this probe on purpose; reported once.
    NotClean { at: Instant, seq: u64 },
    /// The server's times in the reply to this probe are impossible and count in no figure; reported once.
    ImpossibleTimes { at: Instant, seq: u64 },
    /// Datagrams came that count for no probe: the counts so far, at most once a second.
    Unexpected { at: Instant, counters: Counters },
    /// All probes were sent, and the client asks the server what became of the last ones.
    /// `Client::stop` skips this if it was not called before.
    Asking { at: Instant, probes: u64, skippable: bool },
    /// The server's answer to the request to stop.
    StopAnswered { obeyed: bool },
    /// No server answers yet; the client keeps asking. Reported once.
    Waiting(Failure),
    /// The run could not begin.
    Failed(Failure),
    /// The run is over; nothing follows.
    Finished,
}

/// What a server says of itself when the session begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    pub dialect: Dialect,
    /// Its impairments; none if the dialect does not say, as all below is then zero.
    pub injects: Option<String>,
    pub seed: u64,
    pub max_size: u32,
    pub longest_hold: Duration,
    pub kernel_stamps: bool,
    /// The probes a second that the server answers to one session, if it sets a limit.
    pub session_rate: Option<u32>,
}

impl ServerInfo {
    /// A server, or a forger, cannot keep a run waiting for longer.
    const HOLD_BELIEVED: Duration = Duration::from_secs(60);

    /// Of a dialect in which a server says nothing of itself.
    pub(super) fn silent(dialect: Dialect) -> Self {
        Self {
            dialect,
            injects: None,
            seed: 0,
            max_size: 0,
            longest_hold: Duration::ZERO,
            kernel_stamps: false,
            session_rate: None,
        }
    }

    pub fn is_clean(&self) -> bool {
        self.injects.as_deref() == Some("clean")
    }

    /// How long the client expects the server to hold a reply at most.
    pub(super) fn longest_hold(&self) -> Duration {
        if self.is_clean() { Duration::ZERO } else { self.longest_hold.min(Self::HOLD_BELIEVED) }
    }
}

/// Why a datagram did not leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError {
    /// Longer than the path or the socket takes.
    TooLong,
    /// The text dialect allows one probe in flight on each socket, and none was free.
    NoChannel,
    Other(String),
}

impl Failure {
    /// No server answered, so one that is started later may.
    pub const fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable | Self::Silent { .. })
    }
}

/// Why a run could not begin. The caller adds which server it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("ICMP port unreachable")]
    Unreachable,
    #[error("no answer after {tries} tries in {after}")]
    Silent { tries: u32, after: Duration },
    #[error("it answers, but a datagram of {size} bytes does not come through")]
    SizeLost { size: u32 },
    #[error("a datagram of {size} bytes is too long to be sent there")]
    SizeNotSent { size: u32 },
    #[error("the server takes {limit} bytes at most")]
    TooLarge { limit: u32 },
    #[error("the server takes {limit} bytes at least")]
    TooSmall { limit: u32 },
    #[error("the server has {sessions} sessions already and takes no more")]
    Full { sessions: u32 },
    #[error("the server does not inject what this client asks for: it would with --client-impair")]
    ImpairDenied,
    #[error("the server refused to open a session (reason {code})")]
    Denied { code: u8 },
    /// Its terminal would obey them.
    #[error("the server describes itself with control characters")]
    ControlCharacters,
    #[error("the socket failed: {why}")]
    Socket { why: String },
}
