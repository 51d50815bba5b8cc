//! Requests to a running engine from another thread: stop, or stop at once.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by the engines and the threads that control them. A request wakes each engine from its wait.
#[derive(Debug)]
pub struct Control {
    stop: AtomicBool,
    gently: AtomicBool,
    abort: AtomicBool,
    wake: PipeWriter,
    woken: PipeReader,
}

impl Control {
    /// Fails if no pipe can be made.
    pub fn new() -> io::Result<Self> {
        let (woken, wake) = io::pipe()?;
        Ok(Self {
            stop: AtomicBool::new(false),
            gently: AtomicBool::new(false),
            abort: AtomicBool::new(false),
            wake,
            woken,
        })
    }

    /// Send nothing new, wait for what is in flight, end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake();
    }

    /// The same; a server first tells its clients that it ends.
    pub fn stop_gently(&self) {
        self.gently.store(true, Ordering::Release);
        self.stop();
    }

    /// End now.
    pub fn abort(&self) {
        self.abort.store(true, Ordering::Release);
        self.stop();
    }

    pub(crate) fn stop_asked(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    pub(crate) fn is_gentle(&self) -> bool {
        self.gently.load(Ordering::Acquire)
    }

    pub(crate) fn abort_asked(&self) -> bool {
        self.abort.load(Ordering::Acquire)
    }

    /// Readable when there is a request.
    pub(super) fn pipe(&self) -> &PipeReader {
        &self.woken
    }

    /// Takes one request from the pipe; until then it ends every wait at once.
    pub(super) fn clear(&self) {
        let _ = (&self.woken).read(&mut [0; 16]);
    }

    /// Ends the wait of an engine, which then looks at what it is asked.
    pub(super) fn wake(&self) {
        // A full pipe wakes as well.
        let _ = (&self.wake).write(&[1]);
    }
}
