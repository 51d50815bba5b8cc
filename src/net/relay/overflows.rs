//! Datagrams that the kernel dropped because a receive buffer was full: they never arrived, and are counted apart.

use super::{Place, RelayEngine};
use crate::impair::Direction;

impl RelayEngine {
    /// Counts the drops of one socket since the last time: those that the kernel has told with later datagrams, or, if
    /// it is to `ask`, all.
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

    /// Before a listening socket is closed or replaced by another.
    pub(super) fn close_listener(&mut self, mapping: usize) {
        self.count_overflows(Place::Listener(mapping), true);
        let listener = &mut self.listeners[mapping];
        (listener.socket, listener.overflows) = (None, 0);
    }

    pub(super) fn count_all_overflows(&mut self) {
        let listeners = (0..self.listeners.len()).map(Place::Listener);
        let upstreams = self.upstreams.all_numbers().into_iter().map(Place::Upstream);
        let places: Vec<Place> = listeners.chain(upstreams).collect();
        places.into_iter().for_each(|place| self.count_overflows(place, true));
    }
}
