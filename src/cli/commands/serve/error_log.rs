//! The error log of a running server: on stderr, printed by a thread of its own, with limited lines per second.

use std::sync::{Arc, Mutex, PoisonError};

use crate::cli::log_limit::LogLimit;
use crate::cli::printer::Printer;
use crate::net::{Clock, OnError, SocketErrorReport};

/// Shared by all server threads.
#[derive(Clone)]
pub(super) struct ErrorLog {
    clock: Clock,
    lines: Arc<Mutex<Lines>>,
}

struct Lines {
    printer: Printer,
    limit: LogLimit,
}

impl ErrorLog {
    /// With a full screen errors are only counted.
    pub(super) fn start(max: u32, full_screen: bool, clock: Clock) -> std::io::Result<Self> {
        let printer = if full_screen { Printer::silent() } else { Printer::stderr()? };
        let max = if full_screen { 0 } else { max };
        Ok(Self { clock, lines: Arc::new(Mutex::new(Lines { printer, limit: LogLimit::new(max) })) })
    }

    pub(super) fn on_error(&self) -> OnError {
        let log = self.clone();
        Arc::new(move |report| log.error(report))
    }

    fn error(&self, report: &SocketErrorReport) {
        let now = self.clock.now();
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let suppressed = lines.limit.take_suppressed(now);
        lines.print_suppressed(suppressed);
        if lines.limit.admits(now) {
            lines.printer.line(describe(report));
        }
    }

    /// Prints the number of suppressed errors, if it is due and no other thread holds the lock.
    pub(super) fn tick(&self) {
        if let Ok(mut lines) = self.lines.try_lock() {
            let suppressed = lines.limit.take_suppressed(self.clock.now());
            lines.print_suppressed(suppressed);
        }
    }

    pub(super) fn suppressed(&self) -> u64 {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).limit.suppressed_in_total()
    }
}

impl Lines {
    fn print_suppressed(&self, count: Option<u64>) {
        if let Some(count) = count {
            self.printer.line(format!("udpecho: {count} more errors within that second"));
        }
    }
}

fn describe(report: &SocketErrorReport) -> String {
    match report.remote {
        Some(remote) => format!("udpecho: cannot send to {remote}: {}", report.error),
        None => format!("udpecho: while receiving: {}", report.error),
    }
}
