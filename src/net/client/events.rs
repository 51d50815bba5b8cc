//! What the client's engine reports.

use super::target_queue::TargetId;
use crate::probe::Event;
use crate::time::{Duration, Instant};

/// What the engine reports.
#[derive(Clone, Debug)]
pub enum Observation {
    /// An event of a target's client, with the TTL of the datagram that caused it.
    Event { target: TargetId, event: Event, ttl: Option<u8> },
    /// The wall clock was stepped during the run; each target notices it at its next datagram.
    ClockStep { target: TargetId, at: Instant, by: Duration },
    /// Datagrams whose control messages were truncated (MSG_CTRUNC). Once, at the target's end.
    TruncatedMetadata { target: TargetId, at: Instant, datagrams: u64 },
    /// How many probes were sent, and how many of them the kernel stamped. Once, at the target's end, if the kernel
    /// was asked for transmit timestamps.
    TxStamps { target: TargetId, sent: u64, stamped: u64 },
    /// The target's sockets are unusable; nothing of this target follows.
    SocketFailed { target: TargetId, at: Instant, why: String },
    /// The time, and the probes in flight to all targets; at most once every `ClientEngine::TICK`.
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
