//! Lines for people: written by a thread of its own, so that a slow terminal holds nothing up.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

/// A line on stderr, for what is no result. That nobody may be reading is no reason to fail.
pub fn remark(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Prints lines to stdout in order. When nobody reads any more it says so once, and prints no more.
pub struct Printer {
    lines: Option<Sender<String>>,
    thread: Option<JoinHandle<()>>,
}

impl Printer {
    /// `on_closed` is called when stdout turns out to be closed.
    pub fn start(on_closed: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let (lines, printed) = channel::<String>();
        let thread = std::thread::Builder::new().name("printer".into()).spawn(move || {
            let mut out = io::stdout().lock();
            for line in printed {
                if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                    on_closed();
                    return;
                }
            }
        })?;
        Ok(Self { lines: Some(lines), thread: Some(thread) })
    }

    pub fn line(&self, line: impl Into<String>) {
        if let Some(lines) = &self.lines {
            // Its thread is gone when nobody reads.
            let _ = lines.send(line.into());
        }
    }
}

impl Drop for Printer {
    /// Everything is printed before the printer is gone.
    fn drop(&mut self) {
        self.lines = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
