//! What a client's engine passes on, and to whom.

use crate::probe::Event;
use crate::time::{Duration, Instant};

/// What the engine passes on.
#[derive(Clone, Debug)]
pub enum Observation {
    /// Something happened; with the time to live of the datagram that told it.
    Event(Event, Option<u8>),
    /// The time of day was set by so much while the run went on.
    ClockStep { at: Instant, by: Duration },
    /// Of so many datagrams the kernel told less than it was asked to. At the end, if at all.
    ToldLess { at: Instant, datagrams: u64 },
    /// How many probes left, and of how many the kernel told when. At the end, where it was asked to.
    TxStamps { sent: u64, stamped: u64 },
    /// The sockets can be used no longer; nothing follows.
    SocketFailed { at: Instant, why: String },
    /// The state of things, at most once every `ClientEngine::TICK`.
    Tick { now: Instant, in_flight: usize },
}

/// Takes observations, quickly: the measurement waits for it.
pub trait Observer {
    fn observe(&mut self, observation: Observation);
    /// There is time now to pass on what was observed.
    fn idle(&mut self) {}
    /// Whether somebody looks at each reply as it comes.
    fn is_watched(&self) -> bool {
        true
    }
}

impl<F: FnMut(Observation)> Observer for F {
    fn observe(&mut self, observation: Observation) {
        self(observation);
    }
}
