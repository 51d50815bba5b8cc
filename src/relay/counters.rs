//! The fates of datagrams, counted for each mapping and direction.

use crate::impair;

/// The fate of a datagram that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was sent on.
    Passed,
    /// It was dropped on purpose, or for want of room.
    Dropped(DropCause),
    /// The socket refused it.
    SendError,
}

/// Why a datagram went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropCause {
    /// By the loss model.
    Lost,
    /// The queue before the limited rate was full.
    Queue,
    /// It was longer than the MTU of the link.
    Mtu,
    /// It arrived during an outage.
    Outage,
    /// It came from the server to a flow, or a port, that is no more.
    Nat,
    /// The mapping is down, or the relay stopped while it was held.
    Down,
    /// A limit of the relay itself: flows, bytes held, bytes to an unverified client.
    Limit,
}

impl DropCause {
    pub(crate) const ALL: [Self; 7] =
        [Self::Lost, Self::Queue, Self::Mtu, Self::Outage, Self::Nat, Self::Down, Self::Limit];

    /// As files, metrics and expectations name it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Queue => "queue",
            Self::Mtu => "mtu",
            Self::Outage => "outage",
            Self::Nat => "nat",
            Self::Down => "down",
            Self::Limit => "limit",
        }
    }
}

impl From<impair::DropCause> for DropCause {
    fn from(cause: impair::DropCause) -> Self {
        match cause {
            impair::DropCause::Lost => Self::Lost,
            impair::DropCause::QueueFull => Self::Queue,
            impair::DropCause::Mtu => Self::Mtu,
            impair::DropCause::Outage => Self::Outage,
        }
    }
}

/// One direction. Arrived = passed + dropped + send errors + held, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub(crate) arrived: u64,
    pub(crate) arrived_bytes: u64,
    pub(crate) passed: u64,
    pub(crate) passed_bytes: u64,
    /// In the order of `DropCause::ALL`.
    pub dropped: [u64; DropCause::ALL.len()],
    pub(crate) send_errors: u64,
    /// Not sent yet.
    pub held: u64,
    /// Sent beyond the first, by `duplicate`.
    pub copies: u64,
    /// Of those that passed: their ECN field or DSCP was changed.
    pub marked: u64,
    /// How often a NAT gave a flow another port; counted toward the server.
    pub rebound: u64,
    /// Of those that passed: ICMP port unreachable came back, as far as the kernel told.
    pub refused: u64,
    /// Dropped by the kernel because a receive buffer of the proxy was full; not in `arrived`.
    pub(crate) overflows: u64,
}

impl Tally {
    pub(super) fn count_drop(&mut self, cause: DropCause) {
        self.dropped[cause as usize] += 1;
    }

    pub(crate) fn dropped(&self, cause: DropCause) -> u64 {
        self.dropped[cause as usize]
    }

    pub(crate) fn dropped_in_all(&self) -> u64 {
        self.dropped.iter().sum()
    }
}

/// A mapping, or several together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Toward the server.
    pub up: Tally,
    /// Toward the clients.
    pub down: Tally,
    /// Open now.
    pub flows: u64,
    pub(crate) flows_opened: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.arrived += other.arrived;
        self.arrived_bytes += other.arrived_bytes;
        self.passed += other.passed;
        self.passed_bytes += other.passed_bytes;
        for (sum, dropped) in self.dropped.iter_mut().zip(other.dropped) {
            *sum += dropped;
        }
        self.send_errors += other.send_errors;
        self.held += other.held;
        self.copies += other.copies;
        self.marked += other.marked;
        self.rebound += other.rebound;
        self.refused += other.refused;
        self.overflows += other.overflows;
    }
}

impl std::iter::Sum for Counters {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, counters| {
            sum.up += counters.up;
            sum.down += counters.down;
            sum.flows += counters.flows;
            sum.flows_opened += counters.flows_opened;
            sum
        })
    }
}
