//! What goes to the standard streams: written by a thread of its own, so that a slow terminal or a
//! slow reader holds nothing up. On a terminal a status line may stay under what is printed.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ratatui::crossterm::terminal::size;

use crate::net::lower_priority;
use crate::printable::printable;
use crate::report::folded;
use crate::time::Duration;

/// A line on stderr, for what is no result. That nobody may be reading is no reason to fail.
pub fn remark(line: impl Display) {
    let _ = writeln!(io::stderr(), "{}", printable(&line.to_string()));
}

/// Whether a person looks at standard output, on a screen whose cursor can be moved.
pub fn on_a_terminal() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// The columns of the terminal that standard output is; `None` where it is none.
pub fn terminal_width() -> Option<usize> {
    let columns = || size().map_or(80, |(columns, _)| usize::from(columns));
    io::stdout().is_terminal().then(columns)
}

/// Prints to a standard stream, in order.
pub struct Printer {
    thread: Option<Thread>,
}

struct Thread {
    chunks: Sender<Chunk>,
    /// A status line is on its way: another would only queue up behind a terminal that stands still.
    status_waits: Arc<AtomicBool>,
    printed: Receiver<io::Result<()>>,
}

enum Chunk {
    Bytes(Vec<u8>),
    /// What the status line says from now on: the first of these for which there is room.
    Status(Vec<String>),
    /// What comes behind it is not printed.
    End,
}

impl Printer {
    /// Prints to stdout. `on_closed` is called when nobody reads it any more: nothing is printed then.
    pub fn start(on_closed: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        Self::to(io::stdout(), ProgressBar::hidden(), on_closed)
    }

    /// The same, with a status line under it while it is a terminal.
    pub fn with_status(on_closed: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
        // Cut at the edge of the terminal.
        line.set_style(ProgressStyle::with_template("{wide_msg}").map_err(io::Error::other)?);
        Self::to(io::stdout(), line, on_closed)
    }

    /// Prints to stderr.
    pub fn stderr() -> io::Result<Self> {
        Self::to(io::stderr(), ProgressBar::hidden(), || {})
    }

    /// Prints nothing.
    pub fn silent() -> Self {
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

    /// A line, whatever is in it: what a terminal would obey is escaped.
    pub fn line(&self, line: impl AsRef<str>) {
        let mut line = printable(line.as_ref()).into_owned();
        line.push('\n');
        self.text(line);
    }

    /// A line that may be long: on a terminal in several, as wide as it is; elsewhere as one.
    pub fn paragraph(&self, line: &str) {
        match terminal_width() {
            Some(width) => folded(line, width).into_iter().for_each(|line| self.line(line)),
            None => self.line(line),
        }
    }

    /// What moves the cursor, and ours alone.
    pub fn text(&self, text: String) {
        if let Some(thread) = &self.thread
            && !text.is_empty()
        {
            // Its thread is gone when nobody reads.
            let _ = thread.chunks.send(Chunk::Bytes(text.into_bytes()));
        }
    }

    /// The first of these that the terminal is wide enough for, or else the last. Without a status line,
    /// and where there is no terminal, it says nothing.
    pub fn status(&self, texts: Vec<String>) {
        if let Some(thread) = &self.thread
            && !thread.status_waits.swap(true, Ordering::AcqRel)
        {
            let texts = texts.iter().map(|text| printable(text).into_owned()).collect();
            let _ = thread.chunks.send(Chunk::Status(texts));
        }
    }

    /// For what is no line.
    pub fn writer(&self) -> impl Write + 'static {
        Chunks(self.thread.as_ref().map(|thread| thread.chunks.clone()))
    }

    /// Everything is printed by then. A reader that left is no error, a full disk is.
    pub fn finish(mut self) -> io::Result<()> {
        self.end().map_or(Ok(()), |printed| printed.recv().unwrap_or(Ok(())))
    }

    /// As `finish`, but waits no longer than this for a reader that has stopped reading.
    pub fn leave(mut self, patience: Duration) {
        if let Some(printed) = self.end() {
            let _ = printed.recv_timeout(patience.to_std());
        }
    }

    fn end(&mut self) -> Option<Receiver<io::Result<()>>> {
        let thread = self.thread.take()?;
        let _ = thread.chunks.send(Chunk::End);
        Some(thread.printed)
    }
}

impl Drop for Printer {
    /// Everything is printed before the printer is gone.
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
                let width = size().map_or(80, |(columns, _)| usize::from(columns));
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
