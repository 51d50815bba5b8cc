//! Members come in with a name, change it, and are found by it.

use std::sync::Arc;

use super::{Connecting, ConnectionId, Room};
use crate::room::event::{Event, Presence};
use crate::room::name::Name;

impl Room {
    pub(super) fn introduce(&mut self, id: ConnectionId, line: &str) {
        match (Name::nearest(line), self.has_place_for_a_name()) {
            (Ok(wanted), Ok(())) => self.enter(id, wanted),
            (Err(error), _) => self.tell(id, Event::Refused { why: error.to_string() }),
            (Ok(_), Err(full)) => {
                self.counters.refused += 1;
                self.tell(id, Event::Refused { why: full.to_string() });
                self.close(id, None);
            }
        }
    }

    pub(super) fn enter(&mut self, id: ConnectionId, wanted: Name) {
        let name = wanted.made_unique(|name| self.find(name.as_str()).is_some());
        let here = self.here();
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.name = Some(name.clone());
        let Connecting { role, encrypted, .. } = connection.as_connected;
        self.counters.joined += 1;
        self.tell(id, Event::Welcome { name: name.clone(), role, encrypted, here });
        self.tell_others(id, Event::Joined { name });
    }

    pub(super) fn rename(&mut self, id: ConnectionId, wanted: &str) {
        let Some(from) = self.name(id).cloned() else { return };
        match Name::new(wanted) {
            Err(error) => self.tell(id, Event::Refused { why: error.to_string() }),
            Ok(to) if self.find(to.as_str()).is_some_and(|(other, _)| other != id) => {
                self.tell(id, Event::Refused { why: format!("{to} is here already") });
            }
            Ok(to) => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.name = Some(to.clone());
                }
                let renamed = Arc::new(Event::Renamed { from, to });
                self.log(&renamed);
                self.named_ids().into_iter().for_each(|id| self.queue(id, &renamed));
            }
        }
    }

    pub(super) fn named(&self) -> impl Iterator<Item = (ConnectionId, Presence)> {
        self.connections.iter().filter(|(_, one)| !one.closed).filter_map(|(id, one)| {
            let Connecting { role, via, .. } = one.as_connected;
            Some((*id, Presence { name: one.name.clone()?, role, via }))
        })
    }

    pub(super) fn find(&self, name: &str) -> Option<(ConnectionId, Name)> {
        let mut open = self.connections.iter().filter(|(_, one)| !one.closed);
        open.find_map(|(id, one)| Some((*id, one.name.as_ref().filter(|own| own.is(name))?.clone())))
    }

    pub(super) fn named_ids(&self) -> Vec<ConnectionId> {
        let named = self.connections.iter().filter(|(_, one)| !one.closed && one.name.is_some());
        named.map(|(id, _)| *id).collect()
    }
}
