//! Plain echo (RFC 862): what comes from an address that never calibrated goes back as it is.

use super::held_replies::{Held, HeldKind};
use super::{Incoming, Server};
use crate::impair::Treatment;
use crate::time::Duration;

impl Server {
    pub(super) fn handle_plain(&mut self, incoming: &mut Incoming, suspicious: bool) -> Option<usize> {
        let &mut Incoming { received, ref path, length, .. } = incoming;
        self.counters.plain_packets += 1;
        let mut fate = self.plain.admit(received, self.plain_seen, length);
        self.plain_seen += 1;
        fate.extra_copies = self.unverified.copies(path.remote, &fate, length);
        self.answer_verbatim(incoming, fate, suspicious)
    }

    /// Answers with the bytes as they stand there, as the fate has it: dropped, held, or at once. An
    /// answer that may be a loop's is suspended first.
    pub(super) fn answer_verbatim(
        &mut self,
        incoming: &mut Incoming,
        fate: Treatment,
        suspicious: bool,
    ) -> Option<usize> {
        if fate.dropped.is_some() {
            self.counters.dropped += 1;
            return None;
        }
        fate.corrupt(&mut incoming.buffer[..incoming.length]);
        if fate.hold == Duration::ZERO && fate.extra_copies == 0 && !suspicious {
            return Some(incoming.length);
        }
        let held = Held {
            path: incoming.path,
            received: incoming.received,
            hold: fate.hold,
            kind: HeldKind::Verbatim,
            extra_copies: fate.extra_copies,
            is_copy: false,
        };
        if !suspicious {
            self.hold(held, incoming.bytes());
        } else {
            let laps = self.unverified.laps(incoming.path.remote);
            let suspended = self.suspects.suspend(laps, incoming.now, held, incoming.bytes());
            self.counters.loop_guard += u64::from(!suspended);
        }
        None
    }
}
