//! Talk, to everybody or to some.

use std::sync::Arc;

use super::{ConnectionId, Room};
use crate::room::event::Event;
use crate::room::name::Name;
use crate::room::shown::shown;

impl Room {
    pub(super) fn say(&mut self, id: ConnectionId, to: &[String], text: &str) {
        let Some(from) = self.name(id).cloned() else { return };
        if text.trim().is_empty() {
            return;
        }
        self.counters.lines += 1;
        let text = shown(text);
        if to.is_empty() {
            let said = Arc::new(Event::Said { from, to: Vec::new(), text });
            self.log(&said);
            return self.named_ids().into_iter().for_each(|id| self.queue(id, &said));
        }
        let mut found: Vec<(ConnectionId, Name)> = Vec::new();
        let mut missing: Vec<String> = Vec::new();
        for name in to.iter().take(Self::MEMBERS) {
            match self.find(name) {
                Some(one) if !found.contains(&one) => found.push(one),
                Some(_) => {}
                None => missing.push(shown(name)),
            }
        }
        if !missing.is_empty() {
            let verb = if missing.len() == 1 { "is" } else { "are" };
            let why = format!("{} {verb} not here; /who lists who is", missing.join(", "));
            self.tell(id, Event::Refused { why });
        }
        if found.is_empty() {
            return;
        }
        let names = found.iter().map(|(_, name)| name.clone()).collect();
        let said = Arc::new(Event::Said { from, to: names, text });
        self.log(&said);
        let own = std::iter::once(id).filter(|own| found.iter().all(|(id, _)| id != own));
        let all: Vec<ConnectionId> = found.iter().map(|(id, _)| *id).chain(own).collect();
        all.into_iter().for_each(|id| self.queue(id, &said));
    }
}

/// The line, cut at `LONGEST_LINE` bytes with a mark.
pub(super) fn cut(line: &str) -> String {
    if line.len() <= Room::LONGEST_LINE {
        return line.to_owned();
    }
    let end = (0..=Room::LONGEST_LINE).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    format!("{}...[cut]", &line[..end])
}
