//! The full screen: a thread of its own draws a view ten times per second and passes on the keys. It restores the
//! terminal however it ends.

mod loss_lanes;
mod ping;
mod rtt;
mod serve;
mod terminal_guard;
mod widgets;

pub use ping::{PingScreen, SharedView};
pub use serve::ServerScreen;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use anyhow::{Context, bail};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::{DefaultTerminal, Frame};

use crate::cli::printer::{on_a_terminal, stderr_line};
use crate::net::{Control, lower_priority};
use crate::time::Duration;
use terminal_guard::TerminalGuard;

/// The content of a full screen.
pub trait ScreenView: Send + 'static {
    fn draw(&mut self, frame: &mut Frame);

    /// A key that the full screen does not handle itself.
    fn press(&mut self, key: char);
}

/// A full screen, until it is dropped.
pub struct Tui {
    guard: Arc<TerminalGuard>,
    gone: Receiver<()>,
}

impl Tui {
    /// Redrawn this often.
    const PERIOD: Duration = Duration::from_millis(100);
    /// How long the end waits for a terminal that takes no text.
    const PATIENCE: Duration = Duration::from_millis(500);

    /// `q` and Ctrl-C stop and abort the work of this control, as signals do.
    pub fn start(view: impl ScreenView, control: Arc<Control>) -> anyhow::Result<Self> {
        if !on_a_terminal() {
            bail!("--tui needs a terminal, but stdout is not one");
        }
        let (guard, terminal) = TerminalGuard::take().context("cannot draw on this terminal")?;
        let (leave, gone) = channel();
        let until = Arc::clone(&guard);
        let started = std::thread::Builder::new().name("screen".into()).spawn(move || {
            lower_priority();
            let shown = catch_unwind(AssertUnwindSafe(|| show(terminal, view, &control, &until)));
            until.give_back();
            match shown {
                Ok(Ok(())) => {}
                // The terminal is gone.
                Ok(Err(_)) => control.stop(),
                Err(_) => stderr_line("the full screen failed; the run goes on, and Ctrl-C ends it"),
            }
            let _ = leave.send(());
        });
        if let Err(error) = started {
            guard.give_back();
            return Err(error).context("cannot start a thread");
        }
        Ok(Self { guard, gone })
    }
}

impl Drop for Tui {
    /// Restores the terminal.
    fn drop(&mut self) {
        self.guard.close();
        let _ = self.gone.recv_timeout(Self::PATIENCE.to_std());
        self.guard.give_back();
    }
}

fn show(
    mut terminal: DefaultTerminal,
    mut view: impl ScreenView,
    control: &Control,
    guard: &TerminalGuard,
) -> io::Result<()> {
    while let Some(drawing) = guard.enter() {
        terminal.draw(|frame| view.draw(frame))?;
        drop(drawing);
        if !event::poll(Tui::PERIOD.to_std())? {
            continue;
        }
        let Event::Key(key) = event::read()? else { continue };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => end(control),
            KeyCode::Char('q') => end(control),
            KeyCode::Char(key) => view.press(key),
            // What closes the help in other programs.
            KeyCode::Esc => view.press('\x1b'),
            _ => {}
        }
    }
    Ok(())
}

/// Stops at the first time, aborts at the second.
fn end(control: &Control) {
    if control.stop_asked() { control.abort() } else { control.stop() }
}

#[cfg(all(test, unix))]
mod panics;

#[cfg(test)]
mod tests {
    /// `UPDATE_DOCUMENTS=1` keeps what is drawn today; look at it before it is committed.
    pub fn assert_drawn(name: &str, drawn: &str) {
        let path = format!("{}/src/cli/tui/screens/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
            std::fs::write(&path, drawn).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap();
        assert!(kept == drawn, "{name} is drawn otherwise today:\n{drawn}");
    }
}
