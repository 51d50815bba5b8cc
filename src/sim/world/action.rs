//! Actions of a test, and when they happen.

use crate::reflect;
use crate::time::{Duration, Instant};

/// The server's host does nothing for a part of each period, counted from the start; datagrams
/// wait in its socket.
#[derive(Clone, Copy)]
pub(super) struct Freeze {
    pub(super) period: Duration,
    pub(super) length: Duration,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scheduled {
    pub(super) at: Instant,
    pub(super) order: u64,
    pub(super) action: Action,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    /// `arrived` is the kernel's timestamp, however late the server or client reads the datagram.
    ToServer {
        host: usize,
        port: u16,
        arrived: Instant,
        datagram: Vec<u8>,
    },
    ToClient {
        host: usize,
        port: u16,
        arrived: Instant,
        datagram: Vec<u8>,
    },
    WakeServer,
    WakeRelay,
    WakeClient(usize),
    StopClient(usize),
    RebindNat(usize),
    StepServerClock(Duration),
    StepClientClock(usize, Duration),
    /// The server tells its clients that it ends.
    AnnounceEnd,
    KillServer,
    StartServer(Box<NewServer>),
}

/// Never compared, since no two scheduled actions have the same order.
pub(super) struct NewServer(pub(super) reflect::Settings, pub(super) [u8; 32]);

impl PartialEq for NewServer {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for NewServer {}

impl PartialOrd for NewServer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for NewServer {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}
