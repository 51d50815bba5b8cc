//! Changes to the list of targets while an engine runs.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use super::target::Target;
use super::target_queue::TargetId;
use crate::net::stop_signal::Control;

pub(super) enum Change {
    Add(TargetId, Box<Target>),
    Remove(TargetId),
}

/// Adds and removes targets of a running engine. The engine runs until this is dropped or a stop is requested.
pub struct TargetChanges {
    /// None only while this is dropped.
    changes: Option<Sender<Change>>,
    control: Arc<Control>,
}

impl TargetChanges {
    pub(super) fn new(changes: Sender<Change>, control: Arc<Control>) -> Self {
        Self { changes: Some(changes), control }
    }

    /// The sockets are open already, so the running engine does not wait for that.
    pub fn add(&self, id: TargetId, target: Target) {
        self.send(Change::Add(id, Box::new(target)));
    }

    /// The target sends nothing new, waits for what is in flight, and ends; one that has ended is forgotten.
    pub fn remove(&self, id: TargetId) {
        self.send(Change::Remove(id));
    }

    fn send(&self, change: Change) {
        // An engine that has ended takes no changes.
        self.changes.as_ref().and_then(|changes| changes.send(change).ok());
        self.control.wake();
    }
}

impl Drop for TargetChanges {
    fn drop(&mut self) {
        self.changes = None;
        self.control.wake();
    }
}
