//! Events on their way to the members: each connection has a queue of its own, and one that does not read is
//! closed.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Room;
use crate::room::connection_id::ConnectionId;
use crate::room::event::{Event, LeftReason};
use crate::room::shown::shown;

impl Room {
    pub(super) fn refuse(&mut self, id: ConnectionId, why: String) {
        self.tell(id, Event::Refused { why: shown(&why) });
    }

    pub(super) fn tell_all(&mut self, event: Event) {
        let event = Arc::new(event);
        self.log(&event);
        self.named_ids().into_iter().for_each(|id| self.queue(id, &event));
    }

    pub(super) fn tell(&mut self, id: ConnectionId, event: Event) {
        self.queue(id, &Arc::new(event));
    }

    pub(super) fn tell_others(&mut self, id: ConnectionId, event: Event) {
        let event = Arc::new(event);
        self.log(&event);
        let others = self.named_ids().into_iter().filter(|other| *other != id);
        others.for_each(|other| self.queue(other, &event));
    }

    /// From now on `take_log` has everything that happens.
    pub fn keep_log(&mut self) {
        self.log = Some(VecDeque::new());
    }

    /// The events since the last time; those beyond the bound are lost.
    pub fn take_log(&mut self) -> Vec<Arc<Event>> {
        self.log.iter_mut().flat_map(|log| log.drain(..)).collect()
    }

    pub(super) fn log(&mut self, event: &Arc<Event>) {
        const MOST: usize = 10_000;
        if let Some(log) = self.log.as_mut().filter(|log| log.len() < MOST) {
            log.push_back(Arc::clone(event));
        }
    }

    pub(super) fn queue(&mut self, id: ConnectionId, event: &Arc<Event>) {
        let Some(connection) = self.connections.get_mut(&id).filter(|one| !one.closed) else { return };
        connection.queued += event.weight();
        connection.queue.push_back(Arc::clone(event));
        if connection.queue.len() > Self::QUEUED_EVENTS || connection.queued > Self::QUEUED_BYTES {
            return self.close(id, Some(LeftReason::SlowReader));
        }
        self.touch(id);
    }

    /// There is something to show to this connection.
    pub(super) fn touch(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if !std::mem::replace(&mut connection.touched, true) {
            self.touched.push(id);
        }
    }

    /// The connections that got an event since the last time: only they are woken.
    pub fn take_touched(&mut self) -> Vec<ConnectionId> {
        let touched = std::mem::take(&mut self.touched);
        for id in &touched {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.touched = false;
            }
        }
        touched
    }
}
