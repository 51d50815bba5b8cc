//! A datagram on its way through a relay: where it came from, what was decided, and what else the caller
//! has to do.

use super::counters::DropCause;
use super::flow::FlowId;
use super::mapping::MappingId;
use super::nat::Sender;
use crate::endpoints::Endpoints;
use crate::impair::Direction;
use crate::time::{Duration, Instant};

/// Where a datagram came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client with these endpoints.
    Client(Endpoints),
    /// Toward the client, at a port of this flow.
    Server {
        /// The flow whose port it is.
        flow: FlowId,
        /// The ordinal of the port among those that the flow has had.
        port: u32,
        /// Where it came from.
        sender: Sender,
    },
}

/// TOS byte and TTL of the IP header, where the socket tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    pub(crate) tos: Option<u8>,
    pub(crate) ttl: Option<u8>,
}

/// A datagram that is to be sent now, and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaving {
    pub(crate) mapping: MappingId,
    pub(crate) flow: FlowId,
    /// Up to the server through the flow's own socket, or down to `client` along its path.
    pub direction: Direction,
    pub(crate) client: Endpoints,
    pub(crate) length: usize,
    pub(crate) header: Header,
    /// In its flow and direction, from 0.
    pub seq: u64,
    pub(crate) arrived: Instant,
    /// When it was meant to leave.
    pub due: Instant,
    /// The part of the hold spent at the bottleneck; `None` without one.
    pub queued: Option<Duration>,
    pub(crate) corrupted: Option<u32>,
    /// The TOS byte as it leaves.
    pub(crate) tos: Option<u8>,
    /// Made by the impairment; the first one decides the fate.
    pub is_copy: bool,
    pub(crate) copies: u8,
    /// How long after the first they leave.
    pub(crate) copy_after: Duration,
}

/// The decision of `handle` on a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Send the buffer now, and call `sent`.
    Forward(Leaving),
    /// It comes out of `poll_transmit`.
    Held(Leaving),
    /// It goes no further.
    Dropped(Dropped),
}

/// A datagram that goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    pub(crate) mapping: MappingId,
    /// `None`: it opened none.
    pub flow: Option<FlowId>,
    /// Up is toward the server.
    pub direction: Direction,
    pub(crate) seq: Option<u64>,
    pub(crate) cause: DropCause,
}

/// A flow or a port changed: the caller opens or closes sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An upstream socket is needed before its first datagram can be sent.
    FlowOpened {
        /// The new flow.
        flow: FlowId,
        /// Its mapping, from whose settings the server's address follows.
        mapping: MappingId,
        /// The client, and the address that it sent to.
        client: Endpoints,
    },
    /// A scenario has the listening socket closed, or opened again.
    StateChanged {
        /// Of this mapping.
        mapping: MappingId,
        /// Closed.
        down: bool,
    },
    /// A flow ended; its upstream socket can be closed.
    FlowClosed {
        /// The flow that ended.
        flow: FlowId,
        /// Its mapping.
        mapping: MappingId,
    },
    /// Another upstream socket is needed before the next datagram is sent; the old ones stay open.
    Rebound {
        /// The flow that goes on.
        flow: FlowId,
        /// Its mapping.
        mapping: MappingId,
        /// The ordinal of the port among those that the flow has had.
        port: u32,
    },
}

impl Side {
    /// The same datagram from the server itself, at the first port of a flow.
    pub fn server(flow: FlowId) -> Self {
        Self::Server { flow, port: 0, sender: Sender::Server }
    }

    pub(super) fn direction(self) -> Direction {
        match self {
            Self::Client(_) => Direction::Up,
            Self::Server { .. } => Direction::Down,
        }
    }
}
