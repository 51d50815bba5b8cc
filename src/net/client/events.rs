//! What a client's engine reports, and to which observer.

use crate::probe::Event;
use crate::time::{Duration, Instant};

/// What the engine reports.
#[derive(Clone, Debug)]
pub enum Observation {
    /// An event of the machine, with the TTL of the datagram that caused it.
    Event(Event, Option<u8>),
    /// The wall clock was set by so much during the run.
    ClockStep { at: Instant, by: Duration },
    /// Control messages of so many datagrams were truncated (MSG_CTRUNC). Once, at the end.
    TruncatedMetadata { at: Instant, datagrams: u64 },
    /// How many probes left, and how many of them the kernel stamped. Once, at the end, where it was asked to.
    TxStamps { sent: u64, stamped: u64 },
    /// The sockets are unusable; nothing follows.
    SocketFailed { at: Instant, why: String },
    /// The state of things, at most once every `ClientEngine::TICK`.
    Tick { now: Instant, in_flight: usize },
}

/// Takes observations. It must be quick: the measurement waits for it.
pub trait Observer {
    fn observe(&mut self, observation: Observation);
    /// The engine has time now: pass on what was observed.
    fn idle(&mut self) {}
    /// Whether each reply is shown as it comes.
    fn is_watched(&self) -> bool {
        true
    }
}

impl<F: FnMut(Observation)> Observer for F {
    fn observe(&mut self, observation: Observation) {
        self(observation);
    }
}
