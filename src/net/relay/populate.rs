//! A list of mappings at once: all of it takes effect, or nothing where an address cannot be bound.

use std::io;
use std::net::SocketAddr;

use super::{Listener, Place, RelayEngine, RelayMapping, Socket};
use crate::relay::MappingId;

/// A mapping of a list.
#[derive(Clone, Debug)]
pub struct WantedMapping {
    /// Its name says which mapping it replaces, if there is one.
    pub mapping: RelayMapping,
    /// `None`: a mapping that stays keeps its state, another one is up.
    pub is_down: Option<bool>,
}

/// One entry of the list: its socket is bound where it needs one.
enum Step {
    Keep(MappingId, Option<Socket>),
    /// Closes the mapping that it replaces.
    Add(Option<MappingId>, Socket),
    /// Replaces a mapping and takes over its socket, whose port nobody else can bind meanwhile.
    TakeOver(MappingId),
}

impl RelayEngine {
    /// The mapping that has this name and these addresses already; a wanted port 0 is any port.
    pub fn mapping_like(&self, wanted: &RelayMapping) -> Option<MappingId> {
        let number = self.mapping_named(&wanted.settings.name)?;
        let Listener { address, upstream, .. } = self.listeners[number];
        let port = if wanted.listen.port() == 0 { address.port() } else { wanted.listen.port() };
        let same_listen = address.ip() == wanted.listen.ip() && address.port() == port;
        (same_listen && upstream == wanted.upstream).then_some(number)
    }

    /// Adds the mappings of the list and replaces those of the same names; one that has the wanted addresses goes on
    /// with its flows. Binds every new address before anything changes: an error names the one that failed.
    pub fn populate(&mut self, list: Vec<WantedMapping>) -> Result<Vec<MappingId>, (SocketAddr, io::Error)> {
        let mut steps = Vec::new();
        let mut number = self.listeners.len();
        for wanted in &list {
            let step = self.prepare(wanted, number).map_err(|error| (wanted.mapping.listen, error))?;
            number += usize::from(!matches!(step, Step::Keep(..)));
            steps.push(step);
        }
        let each = list.into_iter().zip(steps);
        each.map(|(wanted, step)| {
            let listen = wanted.mapping.listen;
            self.carry_out(wanted, step).map_err(|error| (listen, error))
        })
        .collect()
    }

    /// `number` is that of the mapping if it is added.
    fn prepare(&self, wanted: &WantedMapping, number: MappingId) -> io::Result<Step> {
        let listen = wanted.mapping.listen;
        if let Some(kept) = self.mapping_like(&wanted.mapping) {
            let Listener { address, socket, .. } = &self.listeners[kept];
            let opens = wanted.is_down == Some(false) && socket.is_none();
            return Ok(Step::Keep(kept, opens.then(|| self.listen(*address, kept)).transpose()?));
        }
        let replaced = self.mapping_named(&wanted.mapping.settings.name);
        let listens_there = |replaced: &MappingId| {
            let Listener { address, socket, .. } = &self.listeners[*replaced];
            *address == listen && socket.is_some()
        };
        match replaced.filter(listens_there) {
            Some(replaced) => Ok(Step::TakeOver(replaced)),
            None => Ok(Step::Add(replaced, self.listen(listen, number)?)),
        }
    }

    fn carry_out(&mut self, wanted: WantedMapping, step: Step) -> io::Result<MappingId> {
        let WantedMapping { mapping, is_down } = wanted;
        let number = match step {
            Step::Keep(number, socket) => {
                let listener = &mut self.listeners[number];
                listener.socket = socket.or(listener.socket.take());
                number
            }
            Step::Add(replaced, socket) => {
                replaced.into_iter().for_each(|replaced| self.remove_mapping(replaced));
                let address = socket.local_addr()?;
                self.add_listener(mapping, Some(socket), address)
            }
            Step::TakeOver(replaced) => {
                let (socket, place) = (self.take_listener(replaced), Place::Listener(self.listeners.len()));
                socket.iter().try_for_each(|socket| self.ready_set.renumber(socket, place.number()))?;
                self.remove_mapping(replaced);
                self.add_listener(mapping, socket, self.listeners[replaced].address)
            }
        };
        if let Some(is_down) = is_down {
            self.set_down(number, is_down)?;
        }
        Ok(number)
    }
}
