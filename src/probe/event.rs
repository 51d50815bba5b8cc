//! The events that a client reports while it runs.

use std::net::SocketAddr;

use super::flows::FlowChange;
use super::outcome::Resolved;
use super::settings::{Counters, Dialect};
use super::socket_error::SocketError;
use super::tlv_answers::TlvAnswers;
use crate::time::{Duration, Instant};
use crate::wire::native::HostNames;

/// In the order of time, but `Resolved` comes in the order of the probes.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The server accepted the size of the probes.
    Opened {
        /// When the acceptance arrived.
        at: Instant,
        /// The server's description of itself.
        server: ServerInfo,
    },
    /// Time zero: the first probe is due.
    Started {
        /// On the client's clock.
        zero: Instant,
    },
    /// A reply to a probe, the first or a further one.
    Reply {
        /// Of the probe.
        seq: u64,
        /// From sent to received.
        rtt: Duration,
        /// How long the server held it on purpose; `None` where the dialect does not tell.
        hold: Option<Duration>,
        /// Time after the deadline; `None` if it was on time.
        late_by: Option<Duration>,
        /// 1 for the first reply, 2 for its first duplicate.
        copy: u32,
    },
    /// A probe's deadline passed without a reply.
    Overdue {
        /// Of the probe.
        seq: u64,
    },
    /// A probe did not leave.
    NotSent {
        /// Of the probe.
        seq: u64,
        /// The cause.
        why: SendError,
    },
    /// The host was suspended or stalled, and these probes were skipped; `late` is how late the first of them was.
    Suspended {
        /// The first probe that was skipped.
        first_seq: u64,
        /// How many were skipped.
        probes: u64,
        /// After its due time.
        late: Duration,
    },
    /// From this probe on the interval is the minimum.
    AtFloor {
        /// The first probe with this interval.
        seq: u64,
        /// The minimum.
        interval: Duration,
    },
    /// Nothing more can happen to this probe.
    Resolved(Resolved),
    /// The server does not know the session (restarted?). The client opens another.
    Forgotten {
        /// When the server said so.
        at: Instant,
    },
    /// The session was silent for this long while the server answered a new handshake: the client goes on in a new
    /// session.
    SessionLost {
        /// When the answer to the handshake arrived.
        at: Instant,
        /// Since the last reply of the session.
        silent: Duration,
    },
    /// The server says that it ends: for a minute, or until a new session is open, no probe is sent.
    Ending {
        /// When it said so.
        at: Instant,
        /// Probes from this one on are sent later.
        next_seq: u64,
    },
    /// Probes were due, and not sent since the server had said that it ends.
    Withheld {
        /// How many.
        probes: u64,
    },
    /// A new session is open; probes from `first_seq` on belong to it.
    Reopened {
        /// When the acceptance arrived.
        at: Instant,
        /// The first probe of the new session.
        first_seq: u64,
    },
    /// The server of the new session names its host otherwise than the one before.
    Renamed(HostNames),
    /// ICMP port unreachable; the first since the last reply.
    Unreachable {
        /// When the error was read.
        at: Instant,
    },
    /// Datagrams do not reach the server; the first such error since the last reply.
    PathError {
        /// When the error was read.
        at: Instant,
        /// The error of the system.
        why: SocketError,
    },
    /// The server of this session sends from another address than the target's.
    ServerMoved {
        /// When the first such datagram arrived.
        at: Instant,
        /// The new address.
        remote: SocketAddr,
    },
    /// The server says that it injects nothing, but it dropped or held this probe on purpose; reported once.
    NotClean {
        /// When the server's word of it arrived.
        at: Instant,
        /// The first such probe.
        seq: u64,
    },
    /// The server's times in the reply to this probe are impossible and count in no figure; reported once.
    ImpossibleTimes {
        /// When the reply arrived.
        at: Instant,
        /// The first such probe.
        seq: u64,
    },
    /// The replies showed something of the server; each is reported once.
    Found {
        /// When the reply arrived.
        at: Instant,
        /// A property of the server.
        finding: Finding,
    },
    /// A flow became lossy or is so no more, or its port was compared with a fresh one.
    Flow {
        /// When a probe showed it.
        at: Instant,
        /// The change of the flow.
        change: FlowChange,
    },
    /// Datagrams came that count for no probe: the counts so far, at most once a second.
    Unexpected {
        /// When the last of them arrived.
        at: Instant,
        /// The counts since the start.
        counters: Counters,
    },
    /// All probes were sent, and the client asks the server what became of the last ones.
    /// `Client::stop` skips this if it was not called before.
    Asking {
        /// When the first query left.
        at: Instant,
        /// Probes without a reply so far.
        probes: u64,
        /// Whether `Client::stop` would end the wait.
        skippable: bool,
    },
    /// The answers in TLVs; once, at the end of a run that sent some.
    TlvAnswers(Box<TlvAnswers>),
    /// The server's answer to the request to stop.
    StopAnswered {
        /// Whether the server ends.
        obeyed: bool,
    },
    /// No server answers yet; the client keeps asking. Reported once.
    Waiting(Failure),
    /// The run could not begin.
    Failed(Failure),
    /// The run is over; nothing follows.
    Finished,
}

/// A property of a server that only its replies show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It numbers its replies.
    Stateful,
    /// Its replies copy the number of their request.
    Stateless,
    /// It began to number its replies anew.
    CountsAnew,
    /// Its replies do not tell when the request came.
    NoReceiveTime,
    /// Its replies have one time, or no time of their own leaving.
    NoServerTime,
    /// Its replies do not leave with the DSCP that was asked for.
    UnmarkedReplies,
    /// Its replies are shorter than their probes.
    ShortReplies,
    /// Its timestamps are not in the format that they claim.
    OtherFormat,
    /// The fractions of its NTP timestamps are nanoseconds.
    FractionInNanoseconds,
}

impl Finding {
    /// In a line of its own.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Stateful => "this reflector numbers its replies: losses are told by direction",
            Self::Stateless => {
                "this reflector does not number its replies: where a probe was lost is unknown"
            }
            Self::CountsAnew => {
                "this reflector began to number its replies anew: where probes were lost meanwhile is unknown"
            }
            Self::NoReceiveTime => {
                "this reflector does not tell when a request came: the server's time and one-way delays are unknown"
            }
            Self::NoServerTime => "this server tells one time of each reply: how long it took is unknown",
            Self::UnmarkedReplies => "this server does not mark its replies with the DSCP that was asked for",
            Self::ShortReplies => "this server's replies are shorter than their probes",
            Self::OtherFormat => {
                "this reflector's timestamps are not in the format that they claim; they are read in the other"
            }
            Self::FractionInNanoseconds => {
                "this reflector's NTP timestamps count nanoseconds within a second; they are read so"
            }
        }
    }
}

/// A server's description of itself when the session begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    /// The dialect in which it answered.
    pub dialect: Dialect,
    /// Its impairments; none if the dialect does not say, as all below is then zero.
    pub injects: Option<String>,
    /// Of its impairments; 0 if it does not tell.
    pub seed: u64,
    /// The largest probe that it takes, in bytes.
    pub max_size: u32,
    /// The longest time for which it may hold a reply on purpose.
    pub longest_hold: Duration,
    /// Whether its receive times are the kernel's.
    pub kernel_stamps: bool,
    /// The probes a second that the server answers to one session, if it sets a limit.
    pub session_rate: Option<u32>,
    /// Whether it lets this client load the path, each direction by itself.
    pub grants_load: bool,
    /// The names that it tells of its host.
    pub host: HostNames,
}

impl ServerInfo {
    /// A server, or a forger, cannot keep a run waiting for longer.
    const HOLD_BELIEVED: Duration = Duration::from_secs(60);

    /// Of a dialect in which a server says nothing of itself.
    pub(crate) fn silent(dialect: Dialect) -> Self {
        Self {
            dialect,
            injects: None,
            seed: 0,
            max_size: 0,
            longest_hold: Duration::ZERO,
            kernel_stamps: false,
            session_rate: None,
            grants_load: false,
            host: HostNames::default(),
        }
    }

    /// Whether it says that it injects nothing.
    pub fn is_clean(&self) -> bool {
        self.injects.as_deref() == Some("clean")
    }

    /// How long the client expects the server to hold a reply at most.
    pub(super) fn longest_hold(&self) -> Duration {
        if self.is_clean() { Duration::ZERO } else { self.longest_hold.min(Self::HOLD_BELIEVED) }
    }
}

/// Why a datagram did not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// Longer than the path or the socket takes.
    TooLong,
    /// The text dialect allows one probe in flight on each socket, and none was free.
    NoChannel,
    /// The system refused it.
    Socket(SocketError),
}

impl Failure {
    /// No server answered, so one that is started later may.
    pub const fn is_silence(&self) -> bool {
        match self {
            Self::Unreachable | Self::Silent { .. } => true,
            Self::Socket(error) => error.is_of_path(),
            _ => false,
        }
    }
}

/// Why a run could not begin. The caller adds which server it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nothing listens at the server's port.
    #[error("ICMP port unreachable")]
    Unreachable,
    /// Nothing came back at all.
    #[error("no answer after {tries} tries in {after}")]
    Silent {
        /// Handshakes sent.
        tries: u32,
        /// From the first of them on.
        after: Duration,
    },
    /// Handshakes come through, datagrams of the probes' size do not.
    #[error("it answers, but a datagram of {size} bytes does not come through")]
    SizeLost {
        /// Of the probes, in bytes.
        size: u32,
    },
    /// The local system refuses datagrams of the probes' size.
    #[error("a datagram of {size} bytes is too long to be sent there")]
    SizeNotSent {
        /// Of the probes, in bytes.
        size: u32,
    },
    /// The probes are longer than the server takes.
    #[error("the server takes {limit} bytes at most")]
    TooLarge {
        /// The server's, in bytes.
        limit: u32,
    },
    /// The probes are shorter than the server takes.
    #[error("the server takes {limit} bytes at least")]
    TooSmall {
        /// The server's, in bytes.
        limit: u32,
    },
    /// The server grants less than the run needs.
    #[error("the server {what}")]
    Restricted {
        /// The server's limit, and the option that fits.
        what: String,
    },
    /// The server's limit of sessions is reached.
    #[error("the server has {sessions} sessions already and takes no more")]
    Full {
        /// That are open there.
        sessions: u32,
    },
    /// The server took none of several cookies: each was another server's, or made for another address of this host.
    #[error("the server takes none of the cookies that it gave")]
    CookiesRefused,
    /// The server does not let clients choose impairments.
    #[error("the server does not inject what this client asks for: it would with --client-impair")]
    ImpairDenied,
    /// The server does not let this address load the path, or its release knows nothing of it.
    #[error("the server sends and counts no load for this client")]
    LoadRefused,
    /// Another client has the load.
    #[error("the server has sent load to another client for {after}")]
    LoadBusy {
        /// How long this client has waited.
        after: Duration,
    },
    /// For a reason that this version does not know.
    #[error("the server refused to open a session (reason {code})")]
    Denied {
        /// As it was received.
        code: u8,
    },
    /// Its terminal would obey them.
    #[error("the server describes itself with control characters")]
    ControlCharacters,
    /// The path or the local socket.
    #[error("the system does not send or receive")]
    Socket(SocketError),
}
