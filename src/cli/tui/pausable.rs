//! A screen whose display can be paused, and over which help can lie: that of a server and that of a proxy.

use std::sync::{Arc, Mutex, PoisonError};

use ratatui::Frame;

use super::ScreenView;
use super::widgets::{Palette, help};

/// A model whose snapshots are drawn.
pub(crate) trait Model: Send + 'static {
    /// Its state at one moment.
    type Snapshot: Clone + Send;

    /// The lines of the help.
    const HELP: &[&str];
    /// The note while the display is paused.
    const PAUSED: &str;

    /// As it is now.
    fn snapshot(&self) -> Self::Snapshot;

    /// Draws a snapshot with a note, which may be empty.
    fn draw(frame: &mut Frame, now: &Self::Snapshot, note: &str, palette: &Palette);
}

/// Shows the newest snapshot, or the one at which the display was paused.
pub(crate) struct PausableScreen<M: Model> {
    model: Arc<Mutex<M>>,
    palette: Palette,
    paused: Option<Box<M::Snapshot>>,
    shows_help: bool,
}

impl<M: Model> PausableScreen<M> {
    pub(crate) fn new(model: Arc<Mutex<M>>) -> Self {
        Self { model, palette: Palette::of_environment(), paused: None, shows_help: false }
    }

    fn now(&self) -> Box<M::Snapshot> {
        Box::new(self.model.lock().unwrap_or_else(PoisonError::into_inner).snapshot())
    }
}

impl<M: Model> ScreenView for PausableScreen<M> {
    fn draw(&mut self, frame: &mut Frame) {
        match &self.paused {
            Some(paused) => M::draw(frame, paused, M::PAUSED, &self.palette),
            None => M::draw(frame, &self.now(), "", &self.palette),
        }
        if self.shows_help {
            help(frame, M::HELP);
        }
    }

    /// The keys but for `q`.
    fn press(&mut self, key: char) {
        match key {
            ' ' => self.paused = if self.paused.is_some() { None } else { Some(self.now()) },
            '?' => self.shows_help = !self.shows_help,
            '\x1b' => self.shows_help = false,
            _ => {}
        }
    }
}
