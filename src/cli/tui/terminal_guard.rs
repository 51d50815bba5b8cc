//! The terminal while it is a full screen: taken, drawn on, and given back as it was, once, by whoever
//! comes first: the one who drew, the one who had it drawn, or a panic.

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

    /// From now on nothing is drawn any more.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// To be held while something is drawn; none once it is closed.
    pub fn enter(&self) -> Option<MutexGuard<'_, ()>> {
        let drawing = self.drawing.lock().unwrap_or_else(PoisonError::into_inner);
        (!self.closed.load(Ordering::Acquire)).then_some(drawing)
    }

    /// Leaving a full screen moves the cursor: a second time it would go back over what was printed
    /// since.
    pub fn give_back(&self) {
        self.close();
        if !self.given_back.swap(true, Ordering::AcqRel) {
            // A terminal that is gone needs nothing.
            let _ = disable_raw_mode();
            let _ = execute!(stdout(), LeaveAlternateScreen, Show);
        }
    }

    /// Before the message is printed, whichever thread it is that panics.
    fn give_back_on_panic(self: &Arc<Self>) {
        let (guard, before) = (Arc::clone(self), take_hook());
        set_hook(Box::new(move |panic| {
            guard.close();
            guard.wait_for_the_last_stroke();
            guard.give_back();
            before(panic);
        }));
    }

    /// But not for long: the one who panics may be the one who draws, or the terminal stands still.
    fn wait_for_the_last_stroke(&self) {
        for _ in 0..20 {
            if !matches!(self.drawing.try_lock(), Err(TryLockError::WouldBlock)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5).to_std());
        }
    }
}
