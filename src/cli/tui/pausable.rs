//! Pausing and help, shared by the screens of a server and of a proxy.

use std::sync::{Arc, Mutex, PoisonError};

/// A model of which snapshots are shown.
pub(super) trait Model: Send + 'static {
    /// Its state at one moment.
    type Snapshot: Clone + Send;

    /// As it is now.
    fn snapshot(&self) -> Self::Snapshot;
}

/// Shows the newest snapshot, or the one at which the display was paused.
pub(super) struct Pausable<M: Model> {
    model: Arc<Mutex<M>>,
    paused: Option<Box<M::Snapshot>>,
    /// Whether help is shown.
    pub(super) help: bool,
}

impl<M: Model> Pausable<M> {
    pub(super) fn new(model: Arc<Mutex<M>>) -> Self {
        Self { model, paused: None, help: false }
    }

    /// The state to draw.
    pub(super) fn shown(&self) -> Box<M::Snapshot> {
        self.paused.clone().unwrap_or_else(|| self.now())
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// The keys of `KEYS` but for `q`.
    pub(super) fn press(&mut self, key: char) {
        match key {
            ' ' => self.paused = if self.is_paused() { None } else { Some(self.now()) },
            '?' => self.help = !self.help,
            '\x1b' => self.help = false,
            _ => {}
        }
    }

    fn now(&self) -> Box<M::Snapshot> {
        Box::new(self.model.lock().unwrap_or_else(PoisonError::into_inner).snapshot())
    }
}
