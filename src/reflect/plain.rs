//! Plain echo (RFC 862): what comes from an address that never calibrated goes back as it is.

use super::held::{Held, HeldKind};
use super::{Path, Server};
use crate::impair::Fate;
use crate::time::{Duration, Instant};

impl Server {
    pub(super) fn handle_plain(
        &mut self,
        now: Instant,
        path: Path,
        hops: Option<u8>,
        buffer: &mut [u8],
        length: usize,
    ) -> Option<usize> {
        if hops.is_none() && self.strangers.goes_in_circles(path.remote, &buffer[..length]) {
            self.counters.ignored += 1;
            return None;
        }
        self.counters.plain_packets += 1;
        let mut fate = self.plain.fate(now, self.plain_seen, length);
        self.plain_seen += 1;
        fate.extra_copies = self.strangers.copies(path.remote, &fate, length);
        self.answer_verbatim(now, path, fate, buffer, length)
    }

    /// Answers with `buffer[..length]`, as the fate has it: dropped, held, or at once.
    pub(super) fn answer_verbatim(
        &mut self,
        now: Instant,
        path: Path,
        fate: Fate,
        buffer: &mut [u8],
        length: usize,
    ) -> Option<usize> {
        if fate.dropped.is_some() {
            self.counters.dropped += 1;
            return None;
        }
        fate.corrupt(&mut buffer[..length]);
        if fate.hold == Duration::ZERO && fate.extra_copies == 0 {
            return Some(length);
        }
        self.hold(Held {
            path,
            received: now,
            hold: fate.hold,
            kind: HeldKind::Verbatim,
            extra_copies: fate.extra_copies,
            is_copy: false,
            datagram: buffer[..length].into(),
        });
        None
    }
}
