//! Datagrams that the kernel dropped because a receive buffer was full: they never arrived, and are counted apart.

use super::upstreams::Upstream;
use super::{Place, RelayEngine, Socket};
use crate::impair::Direction;

impl RelayEngine {
    /// Counts the drops of one socket since the last call. `ask` reads the kernel's count, otherwise that of the latest
    /// datagram stands.
    pub(super) fn count_overflows(&mut self, place: Place, ask: bool) {
        let (socket, counted, mapping, direction) = match place {
            Place::Listener(mapping) => {
                let listener = &mut self.listeners[mapping];
                let Some(socket) = &mut listener.socket else { return };
                (socket, &mut listener.overflows, mapping, Direction::Up)
            }
            Place::Upstream(number) => {
                let Some(upstream) = self.upstreams.get_mut(number) else { return };
                (&mut upstream.socket, &mut upstream.overflows, upstream.mapping, Direction::Down)
            }
        };
        if ask {
            socket.count_drops();
        }
        let drops = socket.overflows();
        let new = drops - std::mem::replace(counted, drops);
        self.relay.note_overflows(mapping, direction, new);
    }

    /// Closes a listening socket after counting its last drops.
    pub(super) fn close_listener(&mut self, mapping: usize) {
        drop(self.take_listener(mapping));
    }

    /// Takes a listening socket out after counting its last drops.
    pub(super) fn take_listener(&mut self, mapping: usize) -> Option<Socket> {
        self.count_overflows(Place::Listener(mapping), true);
        let listener = &mut self.listeners[mapping];
        listener.overflows = 0;
        listener.socket.take()
    }

    /// Closes the socket of a flow's port after counting its last drops.
    pub(super) fn close_upstream(&mut self, mut upstream: Upstream) {
        upstream.socket.count_drops();
        let new = upstream.socket.overflows() - upstream.overflows;
        self.relay.note_overflows(upstream.mapping, Direction::Down, new);
    }

    pub(super) fn count_all_overflows(&mut self) {
        let listeners = (0..self.listeners.len()).map(Place::Listener);
        let upstreams = self.upstreams.all_numbers().into_iter().map(Place::Upstream);
        let places: Vec<Place> = listeners.chain(upstreams).collect();
        places.into_iter().for_each(|place| self.count_overflows(place, true));
    }
}
