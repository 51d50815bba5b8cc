//! Holds the terminal while it is a full screen, and restores it once: by the drawing thread, by the owner of the
//! screen, or in a panic, whichever comes first.

use std::io::{self, stdout};
use std::panic::{set_hook, take_hook};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use ratatui::DefaultTerminal;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use crate::time::Duration;

#[derive(Debug, Default)]
pub struct TerminalGuard {
    closed: AtomicBool,
    given_back: AtomicBool,
    drawing: Mutex<()>,
}

impl TerminalGuard {
    pub fn take() -> io::Result<(Arc<Self>, DefaultTerminal)> {
        let guard = Arc::new(Self::default());
        let terminal = enable_raw_mode()
            .and_then(|()| execute!(stdout(), EnterAlternateScreen))
            .and_then(|()| Terminal::new(CrosstermBackend::new(stdout())))
            .inspect_err(|_| guard.give_back())?;
        guard.give_back_on_panic();
        Ok((guard, terminal))
    }

    /// Ends all drawing.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Held while drawing; none once the screen is closed.
    pub fn enter(&self) -> Option<MutexGuard<'_, ()>> {
        let drawing = self.drawing.lock().unwrap_or_else(PoisonError::into_inner);
        (!self.closed.load(Ordering::Acquire)).then_some(drawing)
    }

    /// Once only: leaving the full screen moves the cursor, and would later overwrite printed lines.
    pub fn give_back(&self) {
        self.close();
        if !self.given_back.swap(true, Ordering::AcqRel) {
            // Errors: the terminal is gone.
            let _ = disable_raw_mode();
            let _ = execute!(stdout(), LeaveAlternateScreen, Show);
        }
    }

    /// Before the message of a panic in any thread is printed.
    fn give_back_on_panic(self: &Arc<Self>) {
        let (guard, before) = (Arc::clone(self), take_hook());
        set_hook(Box::new(move |panic| {
            guard.close();
            guard.wait_for_the_last_stroke();
            guard.give_back();
            before(panic);
        }));
    }

    /// For 100 ms at most: the drawing thread may be the one that panics, or the terminal may take no text.
    fn wait_for_the_last_stroke(&self) {
        for _ in 0..20 {
            if !matches!(self.drawing.try_lock(), Err(TryLockError::WouldBlock)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5).to_std());
        }
    }
}
