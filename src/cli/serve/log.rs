//! What a running server says about errors: on stderr, by a thread of its own, so many lines a second.

use std::sync::{Arc, Mutex, PoisonError};

use crate::cli::line_cap::LineCap;
use crate::cli::printer::Printer;
use crate::net::{Clock, OnError, SocketErrorReport};

/// Shared by all threads that serve.
#[derive(Clone)]
pub struct Log {
    clock: Clock,
    lines: Arc<Mutex<Lines>>,
}

struct Lines {
    printer: Printer,
    cap: LineCap,
}

impl Log {
    /// On a full screen there is no place for lines.
    pub fn start(most: u32, full_screen: bool, clock: Clock) -> std::io::Result<Self> {
        let printer = if full_screen { Printer::silent() } else { Printer::stderr()? };
        let most = if full_screen { 0 } else { most };
        Ok(Self { clock, lines: Arc::new(Mutex::new(Lines { printer, cap: LineCap::new(most) })) })
    }

    pub fn complain(&self) -> OnError {
        let log = self.clone();
        Arc::new(move |report| log.error(report))
    }

    fn error(&self, report: &SocketErrorReport) {
        let now = self.clock.now();
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = lines.cap.tell(now);
        lines.tell_left_out(left_out);
        if lines.cap.admits(now) {
            lines.printer.line(in_words(report));
        }
    }

    /// Tells what was left out, if it was not told yet; nobody waits for it.
    pub fn pass(&self) {
        if let Ok(mut lines) = self.lines.try_lock() {
            let left_out = lines.cap.tell(self.clock.now());
            lines.tell_left_out(left_out);
        }
    }

    pub fn left_out(&self) -> u64 {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).cap.left_out_in_all()
    }
}

impl Lines {
    fn tell_left_out(&self, count: Option<u64>) {
        if let Some(count) = count {
            self.printer.line(format!("udpecho: {count} more errors within that second"));
        }
    }
}

fn in_words(report: &SocketErrorReport) -> String {
    match report.remote {
        Some(remote) => format!("udpecho: cannot send to {remote}: {}", report.error),
        None => format!("udpecho: while receiving: {}", report.error),
    }
}
