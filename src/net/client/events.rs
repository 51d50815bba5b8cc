//! The reports of the client's engine.

use super::target_queue::TargetId;
use crate::probe::Event;
use crate::time::{Duration, Instant};

/// A report of the engine.
#[derive(Clone, Debug)]
pub enum Observation {
    /// An event of a target's client, with the TTL of the datagram that caused it.
    Event {
        /// The target that it is about.
        target: TargetId,
        /// As the client of that target reported it.
        event: Event,
        /// TTL of the datagram behind it, where the system tells.
        ttl: Option<u8>,
    },
    /// The wall clock was stepped during the run; each target notices it at its next datagram.
    ClockStep {
        /// The target whose stamps showed it.
        target: TargetId,
        /// When it was noticed.
        at: Instant,
        /// How much later the clock reads than before; negative if it was set back.
        by: Duration,
    },
    /// Datagrams whose control messages were truncated (MSG_CTRUNC). Once, at the target's end.
    TruncatedMetadata {
        /// The target whose socket it was.
        target: TargetId,
        /// When the last of them was read.
        at: Instant,
        /// Since the last report.
        datagrams: u64,
    },
    /// How many probes were sent, and how many of them the kernel stamped. Once, at the target's end, if the kernel
    /// was asked for transmit timestamps.
    TxStamps {
        /// The target that they are about.
        target: TargetId,
        /// Probes sent.
        sent: u64,
        /// Probes that the kernel stamped.
        stamped: u64,
    },
    /// The target's sockets are unusable; nothing of this target follows.
    SocketFailed {
        /// The target whose socket it was.
        target: TargetId,
        /// When the error was read.
        at: Instant,
        /// In the words of the system.
        why: String,
    },
    /// The source ports of a target's flows, after an event about a flow.
    FlowPorts {
        /// The target whose flows they are.
        target: TargetId,
        /// Of flow 0 and so on.
        ports: Vec<u16>,
    },
    /// Datagrams that shared sockets have dropped or ignored, with each `Tick`, if targets share sockets.
    SharedSockets {
        /// Datagrams that came while a receive buffer was full.
        overflows: u64,
        /// Datagrams from addresses that are no target's.
        foreign: u64,
    },
    /// The time, and the probes in flight to all targets; at most once every `ClientEngine::TICK`.
    Tick {
        /// The time of the engine's clock.
        now: Instant,
        /// Unresolved probes of all targets.
        in_flight: usize,
    },
}

/// Takes observations. It must be quick: the measurement waits for it.
pub trait Observer {
    /// Called on the thread that measures.
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
