//! How orders go on: what everybody is shown, and what our own clients are to do.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::name::Name;
use super::orders::{OrderNumber, Task, Terms};
use super::ports::{PortCheck, PortSet, PortsFound};
use crate::time::Duration;

/// One piece of news about an order; in JSON its `news` names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum OrderEvent {
    /// It was ordered.
    Placed {
        /// Its number.
        order: OrderNumber,
        /// The member who ordered it.
        by: Name,
        /// The measuring host.
        from: Name,
        /// The answering host, or its address.
        to: Name,
        /// The terms of the measurement, or the ports.
        terms: OrderTask,
        /// Whether consent is still needed.
        state: Placed,
        /// The hosts that are asked.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        asked: Vec<Name>,
    },
    /// To the asked alone.
    Ask {
        /// Its number.
        order: OrderNumber,
    },
    /// The two hosts agree, and have looked for a way.
    Way {
        /// Its number.
        order: OrderNumber,
        /// The answering host, or its address.
        to: Name,
        /// The way, or none.
        way: FoundWay,
    },
    /// A host has measured.
    Result {
        /// Its number.
        order: OrderNumber,
        /// The measuring host.
        from: Name,
        /// To the room, for lack of a way.
        to_room: bool,
        /// Counts and round-trip times.
        figures: OrderFigures,
    },
    /// Ports were asked.
    Ports {
        /// Its number.
        order: OrderNumber,
        /// The host that knocked.
        from: Name,
        /// The host that listened.
        to: Name,
        /// The range and the protocol.
        check: PortCheck,
        /// Every port once.
        ports: PortsFound,
    },
    /// A host was busy meanwhile.
    Host {
        /// Its number.
        order: OrderNumber,
        /// The host.
        host: Name,
        /// Busy seconds.
        busy: u32,
        /// Seconds that were looked at.
        seconds: u32,
        /// Why it was busy.
        reasons: Vec<String>,
    },
    /// It is over.
    Done {
        /// Its number.
        order: OrderNumber,
    },
    /// It ended early, or was refused.
    Ended {
        /// Its number.
        order: OrderNumber,
        /// In words.
        why: String,
    },
    /// To the two hosts: open a UDP socket, and say where it may be reached.
    Prepare {
        /// Its number.
        order: OrderNumber,
        /// In hexadecimal digits.
        key: String,
        /// This host answers; the other measures.
        answers: bool,
        /// The terms of the measurement, or the ports.
        terms: OrderTask,
        /// Of the room, besides its own: it answers STUN as well.
        #[serde(default)]
        second_port: Option<u16>,
    },
    /// To the two hosts: send to these addresses of the other until one answers.
    FindWay {
        /// Its number.
        order: OrderNumber,
        /// Where the other may be reached.
        candidates: Vec<SocketAddr>,
    },
    /// To the measuring host: measure to this address.
    Measure {
        /// Its number.
        order: OrderNumber,
        /// The answering host, or its address.
        to: SocketAddr,
        /// Count, interval and size.
        terms: OrderTerms,
    },
    /// To the knocking host: knock at these ports.
    Knock {
        /// Its number.
        order: OrderNumber,
        /// The listening host.
        at: IpAddr,
        /// Where it listens.
        ports: PortSet,
    },
    /// To a host: measure to the room.
    MeasureRoom {
        /// Its number.
        order: OrderNumber,
        /// Count, interval and size.
        terms: OrderTerms,
    },
    /// To the measuring host: a second of the other host, as `run.json` has it.
    Second {
        /// Its number.
        order: OrderNumber,
        /// The host's figures.
        figures: serde_json::Value,
    },
    /// To the two hosts: close what belongs to this order.
    Close {
        /// Its number.
        order: OrderNumber,
    },
}

/// The work of an order, in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OrderTask {
    /// It measures the path.
    Ping(OrderTerms),
    /// It knocks at ports.
    Ports(PortCheck),
}

/// Count, interval and size of a measurement, in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderTerms {
    /// Probes.
    pub count: u64,
    /// Between two probes.
    pub interval_us: u64,
    /// Bytes of payload.
    pub size: u32,
}

/// Whether the asked member is still to agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placed {
    /// One of the hosts is busy with another order.
    Queued,
    /// It was asked.
    Asked,
    /// It accepts without being asked.
    Accepted,
}

/// How datagrams go between the two hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FoundWay {
    /// With the address for members, without it for guests.
    Direct(Option<SocketAddr>),
    /// With the host whose NAT changes ports, if one does.
    None(Option<Name>),
    /// No datagram came through: ports are asked at the address that the room sees, which guests are not told.
    Seen(Option<IpAddr>),
}

/// The result of one host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrderFigures {
    /// Probes that left.
    pub sent: u64,
    /// Replies within the deadline.
    pub on_time: u64,
    /// Lost on the way to the answering host.
    pub lost_up: u64,
    /// Lost on the way back.
    pub lost_down: u64,
    /// Lost for another cause, or nobody knows where.
    pub lost_other: u64,
    /// Median of the round-trip times.
    pub rtt_p50_us: Option<f64>,
    /// Their 99th percentile.
    pub rtt_p99_us: Option<f64>,
    /// Why nothing was measured.
    pub failed: Option<String>,
}

impl From<Task> for OrderTask {
    fn from(task: Task) -> Self {
        match task {
            Task::Ping(terms) => Self::Ping(terms.into()),
            Task::Ports(check) => Self::Ports(check),
        }
    }
}

impl From<OrderTask> for Task {
    fn from(task: OrderTask) -> Self {
        match task {
            OrderTask::Ping(terms) => Self::Ping(terms.into()),
            OrderTask::Ports(check) => Self::Ports(check),
        }
    }
}

impl From<Terms> for OrderTerms {
    fn from(terms: Terms) -> Self {
        let interval_us = u64::try_from(terms.interval.as_nanos() / 1_000).unwrap_or(0);
        Self { count: terms.count, interval_us, size: terms.size }
    }
}

impl From<OrderTerms> for Terms {
    fn from(terms: OrderTerms) -> Self {
        let micros = i64::try_from(terms.interval_us).unwrap_or(i64::MAX / 1_000);
        Self { count: terms.count, interval: Duration::from_micros(micros), size: terms.size }
    }
}

impl OrderFigures {
    /// Nothing was measured.
    pub fn failed(why: &str) -> Self {
        Self { failed: Some(why.to_owned()), ..Self::default() }
    }

    /// Without times that no path has: a program may send any number.
    pub(super) fn plausible(self) -> Self {
        const LONGEST_US: f64 = 3.6e9;
        let time = |us: Option<f64>| us.filter(|us| (0.0..LONGEST_US).contains(us));
        Self { rtt_p50_us: time(self.rtt_p50_us), rtt_p99_us: time(self.rtt_p99_us), ..self }
    }
}

impl OrderEvent {
    /// The number of its order.
    pub fn number(&self) -> OrderNumber {
        match self {
            Self::Placed { order, .. }
            | Self::Ask { order }
            | Self::Way { order, .. }
            | Self::Result { order, .. }
            | Self::Ports { order, .. }
            | Self::Host { order, .. }
            | Self::Done { order }
            | Self::Ended { order, .. }
            | Self::Prepare { order, .. }
            | Self::FindWay { order, .. }
            | Self::Measure { order, .. }
            | Self::Knock { order, .. }
            | Self::MeasureRoom { order, .. }
            | Self::Second { order, .. }
            | Self::Close { order } => *order,
        }
    }

    /// Whether everybody is told this.
    pub fn is_for_all(&self) -> bool {
        matches!(
            self,
            Self::Placed { .. }
                | Self::Way { .. }
                | Self::Result { .. }
                | Self::Ports { .. }
                | Self::Host { .. }
                | Self::Done { .. }
                | Self::Ended { .. }
        )
    }

    /// Whether it is for our own client alone, which carries it out.
    pub fn is_instruction(&self) -> bool {
        !self.is_for_all() && !matches!(self, Self::Ask { .. })
    }
}
