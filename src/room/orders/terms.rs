//! The data of orders: requests in, steps and news out.

use std::net::{IpAddr, SocketAddr};

use crate::room::connection_id::ConnectionId;
use crate::room::ports::PortCheck;
use crate::time::Duration;

/// The number that members type.
pub type OrderNumber = u32;

/// Count, interval and size of a measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    pub(crate) count: u64,
    pub(crate) interval: Duration,
    /// Bytes of payload.
    pub size: u32,
}

impl Terms {
    /// The longest time of an order.
    pub const LONGEST: Duration = Duration::from_secs(60);

    pub(crate) fn length(&self) -> Duration {
        self.interval * i64::try_from(self.count).unwrap_or(i64::MAX / 1_000_000_000)
    }

    /// Whether it is within the bounds of every order, besides its length.
    pub(crate) fn is_bounded(&self) -> bool {
        self.count > 0 && self.interval >= Duration::from_millis(1) && (80..=1_400).contains(&self.size)
    }

    /// Both directions together, UDP and IPv4 headers included.
    pub fn bits_per_second(&self) -> f64 {
        const HEADERS: u32 = 28;
        f64::from(self.size + HEADERS) * 8.0 * 2.0 / self.interval.as_secs_f64()
    }
}

/// The work of an order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Task {
    /// It measures the path.
    Ping(Terms),
    /// It knocks at ports on which the other listens.
    Ports(PortCheck),
}

impl Task {
    pub(crate) fn length(&self) -> Duration {
        match self {
            Self::Ping(terms) => terms.length(),
            Self::Ports(check) => check.length(),
        }
    }

    /// Whether a room may order it at all.
    pub fn is_allowed(&self) -> bool {
        let is_bounded = match self {
            Self::Ping(terms) => terms.is_bounded(),
            Self::Ports(check) => check.is_bounded(),
        };
        is_bounded && self.length() <= Terms::LONGEST
    }

    /// Both directions together, headers included.
    pub(crate) fn bits_per_second(&self) -> f64 {
        match self {
            Self::Ping(terms) => terms.bits_per_second(),
            Self::Ports(check) => check.bits_per_second(),
        }
    }
}

/// An order as it is placed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request {
    pub(crate) parties: Parties,
    /// The work.
    pub task: Task,
    pub(crate) accepts: Accepts,
    /// The address of the answering host as the room sees it, if it is one for the other host as well.
    pub seen: Option<IpAddr>,
}

/// The consent that each host gave in advance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Accepts {
    pub(crate) from: Accept,
    pub(crate) to: Accept,
}

/// The consent that a member gives in advance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Accept {
    /// A person decides each time.
    #[default]
    Ask,
    /// Accepts orders below both bounds.
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
    /// None if a person is to decide.
    pub(crate) fn decide(self, task: &Task) -> Option<bool> {
        match self {
            Self::Ask => None,
            Self::Nothing => Some(false),
            Self::UpTo { bits_per_second, length } => {
                (task.bits_per_second() <= bits_per_second && task.length() <= length).then_some(true)
            }
        }
    }
}

/// The members of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parties {
    pub(crate) by: ConnectionId,
    /// Measures.
    pub from: ConnectionId,
    /// Answers.
    pub to: ConnectionId,
}

impl Parties {
    /// The two hosts.
    pub(super) fn hosts(self) -> [ConnectionId; 2] {
        [self.from, self.to]
    }
}

impl Request {
    /// The hosts that did not order it themselves, and what each accepts.
    pub(super) fn consents(&self) -> impl Iterator<Item = (ConnectionId, Option<bool>)> + use<> {
        let Self { parties, task, accepts, .. } = *self;
        let hosts = [(parties.from, accepts.from), (parties.to, accepts.to)];
        let others = hosts.into_iter().filter(move |(host, _)| *host != parties.by);
        others.map(move |(host, accept)| (host, accept.decide(&task)))
    }
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
    /// No datagram came through; ports are asked at the address that the room sees.
    Seen(IpAddr),
}

/// An instruction for one client, or news for all.
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
    /// Knock at the ports of this address.
    Knock {
        /// Its number.
        order: OrderNumber,
        /// The member that knocks.
        whom: ConnectionId,
        /// Of the other host.
        at: IpAddr,
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
        /// The news.
        news: News,
    },
}

/// How an order goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// One of its hosts is busy with another order.
    Queued,
    /// Members were asked whether they agree.
    Asked {
        /// Hosts that do not accept it in advance.
        whom: Vec<ConnectionId>,
    },
    /// Both hosts agree.
    Agreed,
    /// There will be no measurement.
    Refused {
        /// The reason to tell.
        why: Refusal,
    },
    /// The search for a direct way is over.
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
    /// This member said no.
    ByTheAsked(ConnectionId),
    /// This member gave no answer within a minute.
    NoAnswer(ConnectionId),
    /// Longer than `Terms::LONGEST`.
    TooLong,
    /// More ports than `PortCheck::MOST`.
    TooManyPorts,
    /// This member accepts no order.
    NotAccepted(ConnectionId),
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
    /// One of the two, this one if it is known, did not do its part in time.
    Stalled(Option<ConnectionId>),
    /// The answering host says that it cannot.
    CannotAnswer,
    /// No way was found, and the room sees no address of the other host that would be its own elsewhere.
    NoAddress,
}

/// Where a client may be reached: its own addresses and the one that the room saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    pub(crate) candidates: Vec<SocketAddr>,
    /// Another port of the room saw it at another port.
    pub varies: bool,
}
