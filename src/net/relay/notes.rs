//! Events of the relay besides datagrams, for its observer and for the readers of its journal.

use std::fmt::Display;

use super::{RelayEngine, RelayObservation, RelayObserver};
use crate::relay::{FlowId, Happening, JournalEntry, MappingId};

impl RelayEngine {
    /// Journal entries from this number on, `at_most` of them. The journal keeps only the latest.
    pub fn journal(&self, from: u64, at_most: usize) -> Vec<JournalEntry> {
        self.journal.since(from, at_most)
    }

    pub(super) fn note(&mut self, mapping: MappingId, what: Happening) {
        let name = &self.relay.settings(mapping).name;
        self.journal.note(self.clock.now(), self.began, name, what);
    }

    pub(super) fn note_flow(
        &mut self,
        flow: FlowId,
        mapping: MappingId,
        what: impl FnOnce(u64, u64) -> Happening,
    ) {
        self.note(mapping, what(flow.number(), flow.ordinal()));
    }

    pub(super) fn tell_error(
        &mut self,
        mapping: MappingId,
        flow: Option<FlowId>,
        error: &dyn Display,
        observer: &mut impl RelayObserver,
    ) {
        let why = error.to_string();
        let id = flow.map(FlowId::number);
        self.note(mapping, Happening::Error { id, why: why.clone(), left_out: 0 });
        let at = self.clock.now();
        observer.observe(RelayObservation::SocketError { mapping, flow, at, why }, &[]);
    }
}
