//! What is ordered, by whom, and what the machine says of it.

use std::net::SocketAddr;

use crate::room::connection_id::ConnectionId;
use crate::time::Duration;

/// The number that members type.
pub type OrderNumber = u32;

/// What is to be measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    pub(crate) count: u64,
    pub(crate) interval: Duration,
    /// Bytes of payload.
    pub size: u32,
}

impl Terms {
    /// An order takes at most so long.
    pub const LONGEST: Duration = Duration::from_secs(60);

    pub(crate) fn length(&self) -> Duration {
        self.interval * i64::try_from(self.count).unwrap_or(i64::MAX / 1_000_000_000)
    }

    /// Both directions together, UDP and IPv4 headers included.
    pub fn bits_per_second(&self) -> f64 {
        const HEADERS: u32 = 28;
        f64::from(self.size + HEADERS) * 8.0 * 2.0 / self.interval.as_secs_f64()
    }
}

/// What a member allows without being asked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Accept {
    /// A person decides each time.
    #[default]
    Ask,
    /// What stays below both bounds.
    UpTo {
        /// Both directions together, headers included.
        bits_per_second: f64,
        /// Of the whole measurement.
        length: Duration,
    },
    /// Refuses every order.
    Nothing,
}

impl Accept {
    pub(super) fn decide(self, terms: &Terms) -> Option<bool> {
        match self {
            Self::Ask => None,
            Self::Nothing => Some(false),
            Self::UpTo { bits_per_second, length } => {
                (terms.bits_per_second() <= bits_per_second && terms.length() <= length).then_some(true)
            }
        }
    }
}

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parties {
    pub(crate) by: ConnectionId,
    /// Measures.
    pub from: ConnectionId,
    /// Answers.
    pub to: ConnectionId,
}

/// The way between two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Datagrams to this address arrive.
    Direct(SocketAddr),
    /// No datagram came through; `varies` names the host whose NAT changes ports, if one does.
    None {
        /// `None` if neither NAT does.
        varies: Option<ConnectionId>,
    },
}

/// What is to be done next, for one client or for all to see.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Ask this member whether it agrees.
    Ask {
        /// Its number.
        order: OrderNumber,
        /// The member to ask.
        whom: ConnectionId,
    },
    /// Open a UDP socket, send to the room's UDP port, and say which addresses the host has.
    Prepare {
        /// Its number.
        order: OrderNumber,
        /// The member to tell.
        whom: ConnectionId,
        /// Of this order alone: both hosts seal their datagrams with it.
        key: [u8; 32],
    },
    /// Send to these addresses of the other every 100 ms, and say which answers.
    FindWay {
        /// Its number.
        order: OrderNumber,
        /// The member to tell.
        whom: ConnectionId,
        /// Of the other host.
        candidates: Vec<SocketAddr>,
    },
    /// Measure to this address.
    Measure {
        /// Its number.
        order: OrderNumber,
        /// The member that measures.
        whom: ConnectionId,
        /// The other host.
        to: SocketAddr,
        /// How much, how fast, how large.
        terms: Terms,
    },
    /// Measure to the room's server instead.
    MeasureRoom {
        /// Its number.
        order: OrderNumber,
        /// The member that measures.
        whom: ConnectionId,
        /// How much, how fast, how large.
        terms: Terms,
    },
    /// The reflector and the sockets of this order are closed.
    End {
        /// Its number.
        order: OrderNumber,
        /// The member to tell.
        whom: ConnectionId,
    },
    /// For everybody.
    Announce {
        /// Its number.
        order: OrderNumber,
        /// What happened.
        news: News,
    },
}

/// How an order goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// One of its hosts is busy with another order.
    Queued,
    /// A member was asked whether it agrees.
    Asked,
    /// The member agreed.
    Agreed,
    /// There will be no measurement.
    Refused {
        /// The reason to tell.
        why: Refusal,
    },
    /// What the search for a direct way found.
    Way(Way),
    /// The measurement is complete.
    Done,
    /// It stopped before it was complete.
    Ended {
        /// The reason to tell.
        why: Ending,
    },
}

/// Why an order is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The member said no.
    ByTheAsked,
    /// No answer within a minute.
    NoAnswer,
    /// Longer than `Terms::LONGEST`.
    TooLong,
    /// Longer or faster than the asked member ever accepts.
    NotAccepted,
    /// Both names are of one host.
    SameHost,
}

/// Why an order stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A member asked for it.
    Stopped,
    /// One of the two left.
    Gone,
    /// One of the two did not do its part in time.
    Stalled,
}

/// Where a client may be reached: its own addresses and the one that the room saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    pub(crate) candidates: Vec<SocketAddr>,
    /// Another port of the room saw it at another port.
    pub varies: bool,
}
