//! A connection to a room: its name and rights, and the events that wait for it.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use crate::room::event::{Event, Role, Via};
use crate::room::flood::FloodLimit;
use crate::room::name::Name;
use crate::room::orders::Accept;
use crate::time::Instant;

/// A connection that asks to come in.
#[derive(Clone, Copy, Debug)]
pub struct Connecting {
    /// Its address, for the limit per source.
    pub source: IpAddr,
    /// By its key, or the lack of one.
    pub role: Role,
    /// The program at the other end.
    pub via: Via,
    /// Whether nobody on the way can read it.
    pub encrypted: bool,
}

/// Why a connection is turned away, in one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// `Room::MEMBERS` are here.
    #[error("the room is full: {most} members are here")]
    Members {
        /// That limit.
        most: usize,
    },
    /// `Room::PER_SOURCE` connections come from this address.
    #[error("too many connections from your address: {most}")]
    Source {
        /// That limit.
        most: usize,
    },
    /// `Room::UNNAMED` connections have given no name yet.
    #[error("too many connections without a name; try again")]
    Unnamed,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) as_connected: Connecting,
    pub(super) since: Instant,
    pub(super) name: Option<Name>,
    pub(super) flood: FloodLimit,
    pub(super) queue: VecDeque<Arc<Event>>,
    pub(super) queued: usize,
    pub(super) load: Option<String>,
    pub(super) accept: Accept,
    pub(super) closed: bool,
    /// Stands in the room's list of connections with something new.
    pub(super) touched: bool,
}

impl Connection {
    pub(super) fn new(now: Instant, connecting: Connecting) -> Self {
        Self {
            as_connected: connecting,
            since: now,
            name: None,
            flood: FloodLimit::default(),
            queue: VecDeque::new(),
            queued: 0,
            load: None,
            accept: Accept::default(),
            closed: false,
            touched: false,
        }
    }
}
