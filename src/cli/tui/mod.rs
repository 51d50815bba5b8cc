//! The full screen: its own low-priority thread draws a view ten times a second and passes on the
//! keys. However it ends, the terminal is restored.

mod loss_lanes;
mod pausable;
mod ping;
mod proxy;
mod rtt;
mod serve;
mod terminal_guard;
mod widgets;

pub(super) use ping::{PingScreen, SharedView};
pub(super) use proxy::ProxyScreen;
pub(super) use serve::ServerScreen;

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

/// A view on the full screen.
pub(super) trait ScreenView: Send + 'static {
    fn draw(&mut self, frame: &mut Frame);

    /// A key other than those that every view has.
    fn press(&mut self, key: char);
}

/// A running full screen; dropping it restores the terminal.
pub(super) struct Tui {
    guard: Arc<TerminalGuard>,
    ended: Receiver<()>,
}

impl Tui {
    /// The time between two drawings.
    const PERIOD: Duration = Duration::from_millis(100);
    /// At the end, how long to wait for a terminal that takes no output.
    const PATIENCE: Duration = Duration::from_millis(500);

    /// The keys `q` and Ctrl-C stop `control`, as signals do.
    pub(super) fn start(view: impl ScreenView, control: Arc<Control>) -> anyhow::Result<Self> {
        if !on_a_terminal() {
            bail!("--tui needs a terminal, but stdout is not one");
        }
        let (guard, terminal) = TerminalGuard::take().context("cannot draw on this terminal")?;
        let (end, ended) = channel();
        let until = Arc::clone(&guard);
        let started = std::thread::Builder::new().name("screen".into()).spawn(move || {
            lower_priority();
            let shown = catch_unwind(AssertUnwindSafe(|| show(terminal, view, &control, &until)));
            until.restore();
            match shown {
                Ok(Ok(())) => {}
                // The terminal is gone.
                Ok(Err(_)) => control.stop(),
                Err(_) => stderr_line("the full screen failed; the work goes on, Ctrl-C ends it"),
            }
            let _ = end.send(());
        });
        if let Err(error) = started {
            guard.restore();
            return Err(error).context("cannot start a thread");
        }
        Ok(Self { guard, ended })
    }
}

impl Drop for Tui {
    /// Restores the terminal.
    fn drop(&mut self) {
        self.guard.close();
        let _ = self.ended.recv_timeout(Self::PATIENCE.to_std());
        self.guard.restore();
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
            // Closes the help.
            KeyCode::Esc => view.press('\x1b'),
            _ => {}
        }
    }
    Ok(())
}

/// The first time stops the work in order, the second time at once.
fn end(control: &Control) {
    if control.stop_asked() { control.abort() } else { control.stop() }
}

#[cfg(all(test, unix))]
mod panics;

#[cfg(test)]
mod tests {
    /// `UPDATE_DOCUMENTS=1` writes the file anew; look at it before committing.
    pub(super) fn assert_drawn(name: &str, drawn: &str) {
        let path = format!("{}/src/cli/tui/screens/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
            std::fs::write(&path, drawn).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap();
        assert!(kept == drawn, "{name} is drawn differently:\n{drawn}");
    }
}
