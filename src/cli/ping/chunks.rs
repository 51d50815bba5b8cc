//! The way from the engine's thread to the one that shows and records: in chunks, for to wake that one
//! for each observation takes longer than what is measured.

use std::sync::mpsc::Sender;

use crate::net::{Observation, Observer};
use crate::probe::Event;
use crate::time::{Duration, Instant};

/// Passes observations on when there are many, or there is time, or nobody looks and a second is over.
pub struct InChunks {
    sender: Sender<Vec<Observation>>,
    chunk: Vec<Observation>,
    /// Somebody looks at each reply as it comes.
    watched: bool,
    now: Instant,
    /// Without anybody who looks what happened may wait until then.
    next_pass: Instant,
}

impl InChunks {
    const MOST: usize = 1024;
    const UNSEEN: Duration = Duration::from_secs(1);

    pub fn new(sender: Sender<Vec<Observation>>, watched: bool) -> Self {
        Self { sender, chunk: Vec::new(), watched, now: Instant::ZERO, next_pass: Instant::ZERO }
    }

    fn pass(&mut self) {
        if !self.chunk.is_empty() {
            self.next_pass = self.now + Self::UNSEEN;
            // The receiver lives until this sender is gone.
            let _ = self.sender.send(std::mem::take(&mut self.chunk));
        }
    }
}

impl Drop for InChunks {
    fn drop(&mut self) {
        self.pass();
    }
}

impl Observer for InChunks {
    fn observe(&mut self, observation: Observation) {
        if !self.watched && matches!(observation, Observation::Event(Event::Reply { .. }, _)) {
            return;
        }
        if let Observation::Tick { now, .. } = observation {
            self.now = now;
        }
        self.chunk.push(observation);
        if self.chunk.len() >= Self::MOST {
            self.pass();
        }
    }

    fn idle(&mut self) {
        if self.watched || self.now >= self.next_pass {
            self.pass();
        }
    }

    fn is_watched(&self) -> bool {
        self.watched
    }
}
