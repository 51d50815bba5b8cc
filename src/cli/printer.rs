//! Prints to the standard streams from a thread of its own, so that a slow terminal or reader delays nothing. On a
//! terminal a status line may stay below the text.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::Context;
use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::net::lower_priority;
use crate::printable::printable;
use crate::report::folded;
use crate::time::Duration;

static STDERR_LINES: AtomicUsize = AtomicUsize::new(0);

/// A line on stderr, for what is no result. A closed stderr is no error.
pub(super) fn stderr_line(line: impl Display) {
    STDERR_LINES.fetch_add(1, Ordering::Relaxed);
    let _ = writeln!(io::stderr(), "{}", printable(&line.to_string()));
}

/// The lines on stderr so far, if it is a terminal: a table that is redrawn begins anew below them.
#[cfg(feature = "control")]
pub(super) fn lines_on_the_terminal() -> usize {
    if io::stderr().is_terminal() { STDERR_LINES.load(Ordering::Relaxed) } else { 0 }
}

/// Prints the path of a file on stderr, since it is no result.
pub(super) fn print_path(path: &Path) {
    stderr_line(path.display());
}

/// Whether standard output is a terminal whose cursor can be moved.
pub(super) fn on_a_terminal() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// The width of the terminal; `None` if standard output is none.
pub(super) fn terminal_width() -> Option<usize> {
    io::stdout().is_terminal().then(columns)
}

fn columns() -> usize {
    Term::stdout().size_checked().map_or(80, |(_, columns)| usize::from(columns))
}

/// Prints to a standard stream, in order.
pub(super) struct Printer {
    thread: Option<Thread>,
}

struct Thread {
    chunks: Sender<Chunk>,
    /// A status line is queued: another one would only wait behind it where the terminal takes no text.
    status_waits: Arc<AtomicBool>,
    printed: Receiver<io::Result<()>>,
}

enum Chunk {
    Bytes(Vec<u8>),
    /// The new status line: the first of these that fits.
    Status(Vec<String>),
    /// Nothing behind it is printed.
    End,
}

impl Printer {
    /// Prints to stdout. `on_closed` is called when the reader closes it; nothing is printed after that.
    pub(super) fn start(on_closed: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        Self::to(io::stdout(), ProgressBar::hidden(), on_closed)
    }

    /// The same, with a status line below the text.
    pub(super) fn with_status(on_closed: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        // Each draw may delay a probe by the time that the terminal takes.
        const DRAWS_PER_SECOND: u8 = 5;
        let target = ProgressDrawTarget::stdout_with_hz(DRAWS_PER_SECOND);
        let line = ProgressBar::with_draw_target(None, target);
        // Truncated at the width of the terminal.
        line.set_style(ProgressStyle::with_template("{wide_msg}").map_err(io::Error::other)?);
        Self::to(io::stdout(), line, on_closed)
    }

    /// Prints to stderr.
    pub(super) fn stderr() -> io::Result<Self> {
        Self::to(io::stderr(), ProgressBar::hidden(), || {})
    }

    /// Prints nothing.
    pub(super) fn silent() -> Self {
        Self { thread: None }
    }

    fn to(
        out: impl Write + Send + 'static,
        status: ProgressBar,
        on_closed: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let (chunks, to_print) = channel();
        let (tell, printed) = channel();
        let status_waits = Arc::new(AtomicBool::new(false));
        let shown = Arc::clone(&status_waits);
        std::thread::Builder::new().name("printer".into()).spawn(move || {
            lower_priority();
            let _ = tell.send(print(&to_print, out, &status, &shown, on_closed));
        })?;
        Ok(Self { thread: Some(Thread { chunks, status_waits, printed }) })
    }

    /// A line; control characters in it are escaped.
    pub(super) fn line(&self, line: impl AsRef<str>) {
        let mut line = printable(line.as_ref()).into_owned();
        line.push('\n');
        self.text(line);
    }

    /// A line that is wrapped at the width of a terminal, and only there.
    pub(super) fn paragraph(&self, line: &str) {
        match terminal_width() {
            Some(width) => folded(line, width).into_iter().for_each(|line| self.line(line)),
            None => self.line(line),
        }
    }

    /// Text with our own control characters.
    pub(super) fn text(&self, text: String) {
        if let Some(thread) = &self.thread
            && !text.is_empty()
        {
            // The thread is gone once the reader has closed the stream.
            let _ = thread.chunks.send(Chunk::Bytes(text.into_bytes()));
        }
    }

    /// The first of these that fits the terminal, or else the last. Does nothing without a status line.
    pub(super) fn status(&self, texts: Vec<String>) {
        if let Some(thread) = &self.thread
            && !thread.status_waits.swap(true, Ordering::AcqRel)
        {
            let texts = texts.iter().map(|text| printable(text).into_owned()).collect();
            let _ = thread.chunks.send(Chunk::Status(texts));
        }
    }

    /// For data.
    pub(super) fn writer(&self) -> impl Write + 'static {
        Chunks(self.thread.as_ref().map(|thread| thread.chunks.clone()))
    }

    /// `finish` with a message for the user.
    pub(super) fn finish_checked(self) -> anyhow::Result<()> {
        self.finish().context("cannot write to standard output")
    }

    /// Waits until everything is printed. A closed stream is no error, a full disk is.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.end().map_or(Ok(()), |printed| printed.recv().unwrap_or(Ok(())))
    }

    /// As `finish`, but waits at most this long for a reader that has stopped reading.
    pub(super) fn leave(mut self, timeout: Duration) {
        if let Some(printed) = self.end() {
            let _ = printed.recv_timeout(timeout.to_std());
        }
    }

    fn end(&mut self) -> Option<Receiver<io::Result<()>>> {
        let thread = self.thread.take()?;
        let _ = thread.chunks.send(Chunk::End);
        Some(thread.printed)
    }
}

impl Drop for Printer {
    /// Waits until everything is printed.
    fn drop(&mut self) {
        if let Some(printed) = self.end() {
            let _ = printed.recv();
        }
    }
}

fn print(
    chunks: &Receiver<Chunk>,
    mut out: impl Write,
    status: &ProgressBar,
    status_waits: &AtomicBool,
    on_closed: impl FnOnce(),
) -> io::Result<()> {
    let printed = loop {
        match chunks.recv() {
            Ok(Chunk::Bytes(bytes)) => {
                let printed = status.suspend(|| out.write_all(&bytes).and_then(|()| out.flush()));
                if printed.is_err() {
                    break printed;
                }
            }
            Ok(Chunk::Status(texts)) => {
                let width = columns();
                let fitting = texts.iter().find(|text| text.chars().count() <= width).or(texts.last());
                status.set_message(fitting.cloned().unwrap_or_default());
                status_waits.store(false, Ordering::Release);
            }
            Ok(Chunk::End) | Err(_) => break Ok(()),
        }
    };
    status.finish_and_clear();
    match printed {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            on_closed();
            Ok(())
        }
        printed => printed,
    }
}

struct Chunks(Option<Sender<Chunk>>);

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(chunks) = &self.0 {
            let _ = chunks.send(Chunk::Bytes(bytes.to_vec()));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
