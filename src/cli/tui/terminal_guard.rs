//! Switches the terminal to the full screen and restores it exactly once: at the end of the drawing
//! thread, when the full screen is dropped, or when any thread panics.

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
pub(super) struct TerminalGuard {
    closed: AtomicBool,
    restored: AtomicBool,
    drawing: Mutex<()>,
}

impl TerminalGuard {
    pub(super) fn take() -> io::Result<(Arc<Self>, DefaultTerminal)> {
        let guard = Arc::new(Self::default());
        let terminal = enable_raw_mode()
            .and_then(|()| execute!(stdout(), EnterAlternateScreen))
            .and_then(|()| Terminal::new(CrosstermBackend::new(stdout())))
            .inspect_err(|_| guard.restore())?;
        guard.restore_on_panic();
        Ok((guard, terminal))
    }

    /// Nothing is drawn from now on.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Held while drawing; none after `close`.
    pub(super) fn enter(&self) -> Option<MutexGuard<'_, ()>> {
        let drawing = self.drawing.lock().unwrap_or_else(PoisonError::into_inner);
        (!self.closed.load(Ordering::Acquire)).then_some(drawing)
    }

    /// Leaving the full screen moves the cursor: a second time would overwrite what was printed since.
    pub(super) fn restore(&self) {
        self.close();
        if !self.restored.swap(true, Ordering::AcqRel) {
            // Fails if the terminal is gone.
            let _ = disable_raw_mode();
            let _ = execute!(stdout(), LeaveAlternateScreen, Show);
        }
    }

    /// Restores the terminal before the panic message of any thread is printed.
    fn restore_on_panic(self: &Arc<Self>) {
        let (guard, before) = (Arc::clone(self), take_hook());
        set_hook(Box::new(move |panic| {
            guard.close();
            guard.wait_for_last_drawing();
            guard.restore();
            before(panic);
        }));
    }

    /// At most 100 ms: the drawing thread itself may have panicked, or the terminal may be stuck.
    fn wait_for_last_drawing(&self) {
        for _ in 0..20 {
            if !matches!(self.drawing.try_lock(), Err(TryLockError::WouldBlock)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5).to_std());
        }
    }
}
