//! What a relay did with the probes of a client, and what the client must conclude of each.

use std::collections::BTreeMap;

use udpecho::impair::Direction;
use udpecho::probe::{Cause, Outcome, Resolved};
use udpecho::wire::native::{Message, decode};

/// Datagrams to send through a profile before the client's own: `interop-handshake` loses the second to the seventh,
/// and those are as many as a client tries to open its session with.
pub fn sent_before(profile: &str) -> usize {
    if profile == "interop-handshake" { 4 } else { 0 }
}

/// What the relay did with a probe and its replies.
#[derive(Clone, Copy, Debug, Default)]
pub struct Truth {
    dropped_up: bool,
    corrupted_up: bool,
    answered: bool,
    passed_down: bool,
    corrupted_down: bool,
}

/// Of one client, by the numbers of its probes.
#[derive(Debug, Default)]
pub struct Truths(BTreeMap<u64, Truth>);

impl Truths {
    /// A datagram that arrived at the relay with this payload.
    pub fn note(&mut self, direction: Direction, payload: &[u8], dropped: bool, corrupted: bool) {
        match (direction, decode(payload)) {
            (Direction::Up, Ok(Message::Probe(probe))) => {
                let truth = self.0.entry(probe.seq).or_default();
                (truth.dropped_up, truth.corrupted_up) = (dropped, corrupted);
            }
            (Direction::Down, Ok(Message::Reply(reply))) => {
                let truth = self.0.entry(reply.seq).or_default();
                truth.answered = true;
                truth.passed_down |= !dropped && !corrupted;
                truth.corrupted_down |= !dropped && corrupted;
            }
            _ => {}
        }
    }

    /// The client must have concluded what happened.
    pub fn check(&self, name: &str, row: &Resolved) {
        let Some(truth) = self.0.get(&row.seq).copied() else {
            // A busy host skips probes.
            return assert_eq!(row.outcome, Outcome::SendError, "{name}: the relay did not see {row:?}");
        };
        // The server answers whatever reaches it unchanged.
        assert!(truth.corrupted_up || truth.answered != truth.dropped_up, "{name}: {row:?} {truth:?}");
        let cause = match truth {
            Truth { answered: false, .. } => Some(Cause::Up),
            // A client may take what was changed on the way, or not.
            Truth { corrupted_up: true, .. } => return,
            Truth { passed_down: true, .. } => None,
            Truth { corrupted_down: true, .. } => return,
            _ => Some(Cause::Down),
        };
        assert_eq!(row.cause, cause, "{name}: {row:?} {truth:?}");
        assert_eq!(row.outcome == Outcome::Lost, cause.is_some(), "{name}: {row:?} {truth:?}");
    }
}
