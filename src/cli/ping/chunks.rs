//! The way from the engine's thread to the one that shows and records: in chunks, for to wake that one
//! for each observation takes longer than what is measured.

use std::sync::mpsc::Sender;

use crate::net::{Observation, Observer};
use crate::probe::Event;

/// Passes observations on when there are many, or there is time.
pub struct InChunks {
    sender: Sender<Vec<Observation>>,
    chunk: Vec<Observation>,
    /// Somebody looks at each reply as it comes.
    watched: bool,
}

impl InChunks {
    const MOST: usize = 1024;

    pub fn new(sender: Sender<Vec<Observation>>, watched: bool) -> Self {
        Self { sender, chunk: Vec::new(), watched }
    }
}

impl Observer for InChunks {
    fn observe(&mut self, observation: Observation) {
        if !self.watched && matches!(observation, Observation::Event(Event::Reply { .. }, _)) {
            return;
        }
        self.chunk.push(observation);
        if self.chunk.len() >= Self::MOST {
            self.idle();
        }
    }

    fn idle(&mut self) {
        if !self.chunk.is_empty() {
            // The receiver lives until this sender is gone.
            let _ = self.sender.send(std::mem::take(&mut self.chunk));
        }
    }
}
