//! What a client has to tell while it runs.

use std::net::SocketAddr;

use super::outcome::Resolved;
use super::settings::Counters;
use crate::time::{Duration, Instant};

/// In the order in which it happened, but for `Resolved`, which comes in the order of the probes.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Calibrated: the server agreed to the size, and this is what it said of itself.
    Opened { at: Instant, server: Option<ServerInfo> },
    /// Time zero: the first probe is due.
    Started { zero: Instant },
    /// A reply to a probe, the first or a further one.
    Reply { seq: u64, rtt: Duration, hold: Option<Duration>, late_by: Option<Duration>, copy: u32 },
    /// A probe's deadline passed without a reply.
    Overdue { seq: u64 },
    /// A probe did not leave.
    NotSent { seq: u64, why: SendError },
    /// So many probes from this one on were not sent: the host stood still until that of them which
    /// was due first was so late.
    Suspended { first_seq: u64, probes: u64, late: Duration },
    /// From this probe on the interval is the shortest allowed.
    AtFloor { seq: u64, interval: Duration },
    /// A probe's story is over.
    Resolved(Resolved),
    /// The server does not know the session: it was restarted. The client opens another.
    Forgotten { at: Instant },
    /// The session was silent for so long while the server took a new handshake: the client goes on in
    /// the session that it just opened.
    SessionLost { at: Instant, silent: Duration },
    /// The session is open again; the first since `Forgotten` or `SessionLost`.
    Reopened { at: Instant, first_seq: u64 },
    /// An ICMP message said that nobody listens; the first since the last reply.
    Unreachable { at: Instant },
    /// Datagrams do not get as far as the server, and this is why; the first since the last reply.
    PathError { at: Instant, why: String },
    /// The server of this session sends from another address than the one that was asked.
    ServerMoved { at: Instant, remote: SocketAddr },
    /// The server says that it injects nothing, and it dropped or held this probe on purpose; told once.
    NotClean { at: Instant, seq: u64 },
    /// The server's times in the reply to this probe are impossible and count in no figure; told once.
    ImpossibleTimes { at: Instant, seq: u64 },
    /// Datagrams came that were none of ours: how many so far, at most once a second.
    Unexpected { at: Instant, counters: Counters },
    /// All is sent and waited for; the server is asked once more what became of so many probes.
    /// `Client::stop` skips this if it was not called before.
    Asking { at: Instant, probes: u64, skippable: bool },
    /// The server's answer to the request that it stop.
    StopAnswered { obeyed: bool },
    /// No server answers yet, and this is why; the client asks on. Told once.
    Waiting(Failure),
    /// The run could not begin.
    Failed(Failure),
    /// The run is over; nothing follows.
    Finished,
}

/// What a server says of itself at calibration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    pub injects: String,
    pub seed: u64,
    pub max_size: u32,
    pub longest_hold: Duration,
    pub kernel_stamps: bool,
    /// Probes a second that the server answers to one session, if it sets a limit.
    pub session_rate: Option<u32>,
}

impl ServerInfo {
    pub fn is_clean(&self) -> bool {
        self.injects == "clean"
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
    /// No server was heard, so that one that is started later may answer.
    pub const fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable | Self::Silent { .. })
    }

    /// As the user counts sizes: with so many bytes more than the message has.
    pub(super) fn with_tag(self, tag: u32) -> Self {
        match self {
            Self::SizeLost { size } => Self::SizeLost { size: size + tag },
            Self::TooLarge { limit } => Self::TooLarge { limit: limit + tag },
            Self::TooSmall { limit } => Self::TooSmall { limit: limit + tag },
            other => other,
        }
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
    #[error("the socket failed: {why}")]
    Socket { why: String },
}
