//! Writes the relay's events to files, on a thread of its own.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use anyhow::{Context, anyhow, bail};

use crate::net::{RelayObservation, use_batch_class};
use crate::record::files;
use crate::relay::FlowId;
use crate::time::Duration;

/// The local address of each open flow's upstream socket.
pub(super) type Upstreams = HashMap<FlowId, SocketAddr>;

/// A file that is written as the relay runs.
pub(super) trait Sink: Send {
    fn path(&self) -> &Path;

    fn write(
        &mut self,
        observation: &RelayObservation,
        payload: &[u8],
        upstreams: &Upstreams,
    ) -> io::Result<()>;

    /// So that a reader sees what was written so far.
    fn flush(&mut self) -> io::Result<()>;

    /// Nothing follows.
    fn finish(&mut self) -> io::Result<()> {
        self.flush()
    }
}

/// Opens a file that must not exist, or is replaced.
pub(super) fn create(path: &Path, force: bool, remedy: &str) -> anyhow::Result<io::BufWriter<std::fs::File>> {
    if !force && path.symlink_metadata().is_ok() {
        bail!("{} exists; {remedy}, or --force to replace it", path.display());
    }
    let file = files::replace(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(io::BufWriter::with_capacity(1 << 16, file))
}

struct Entry {
    observation: RelayObservation,
    payload: Box<[u8]>,
}

impl Entry {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.payload.len()
    }
}

/// The relaying thread's end.
pub(super) struct Recorder {
    batches: Sender<Vec<Entry>>,
    batch: Vec<Entry>,
    /// Bytes of this batch, and of those that are on their way.
    bytes: usize,
    queued: Arc<AtomicUsize>,
    writer: JoinHandle<anyhow::Result<Vec<PathBuf>>>,
}

impl Recorder {
    /// As many observations are handed over even while the relay is busy.
    const BATCH: usize = 256;
    /// With so many bytes on their way the relay waits for the disk: memory is bounded, and no row is missing.
    const MOST_QUEUED: usize = 64 << 20;
    /// The writer looks this often: to be woken for each batch would cost the relaying thread a system call.
    const POLL: Duration = Duration::from_millis(20);

    pub(super) fn start(sinks: Vec<Box<dyn Sink>>) -> anyhow::Result<Self> {
        let (batches, received) = channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let taken = Arc::clone(&queued);
        let thread = std::thread::Builder::new().name("record".into());
        let writer = thread.spawn(move || write_all(&received, &taken, sinks))?;
        Ok(Self { batches, batch: Vec::new(), bytes: 0, queued, writer })
    }

    pub(super) fn note(&mut self, observation: RelayObservation, payload: &[u8]) {
        let entry = Entry { observation, payload: payload.into() };
        self.bytes += entry.bytes();
        self.batch.push(entry);
        if self.batch.len() >= Self::BATCH {
            self.hand_over();
        }
    }

    /// Hands over what was noted.
    pub(super) fn hand_over(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        while self.queued.load(Ordering::Relaxed) > Self::MOST_QUEUED && !self.writer.is_finished() {
            std::thread::sleep(Duration::from_millis(1).to_std());
        }
        self.queued.fetch_add(std::mem::take(&mut self.bytes), Ordering::Relaxed);
        // Its thread ends early only with an error, which `finish` tells.
        let _ = self.batches.send(std::mem::take(&mut self.batch));
    }

    /// The files that were written.
    pub(super) fn finish(mut self) -> anyhow::Result<Vec<PathBuf>> {
        self.hand_over();
        drop(self.batches);
        self.writer.join().map_err(|_| anyhow!("the thread that writes the record ended"))?
    }
}

fn write_all(
    batches: &Receiver<Vec<Entry>>,
    queued: &AtomicUsize,
    mut sinks: Vec<Box<dyn Sink>>,
) -> anyhow::Result<Vec<PathBuf>> {
    use_batch_class();
    let mut upstreams = Upstreams::new();
    while let Some(batch) = next(batches, &mut sinks)? {
        for Entry { observation, payload } in &batch {
            if let RelayObservation::FlowOpened { flow, upstream: Some(upstream), .. }
            | RelayObservation::Rebound { flow, upstream: Some(upstream), .. } = observation
            {
                upstreams.insert(*flow, *upstream);
            }
            for sink in &mut sinks {
                let written = sink.write(observation, payload, &upstreams);
                written.with_context(|| unfinished(sink.as_ref()))?;
            }
            if let RelayObservation::FlowClosed { flow, .. } = observation {
                upstreams.remove(flow);
            }
        }
        queued.fetch_sub(batch.iter().map(Entry::bytes).sum(), Ordering::Relaxed);
    }
    for sink in &mut sinks {
        let finished = sink.finish();
        finished.with_context(|| unfinished(sink.as_ref()))?;
    }
    Ok(sinks.iter().map(|sink| sink.path().to_owned()).collect())
}

fn unfinished(sink: &dyn Sink) -> String {
    format!("could not finish writing {}", sink.path().display())
}

/// The next batch; none when the relay has ended. Sleeps between looks, so that no sender has to wake it. What was
/// written before a pause is readable during it.
fn next(batches: &Receiver<Vec<Entry>>, sinks: &mut [Box<dyn Sink>]) -> anyhow::Result<Option<Vec<Entry>>> {
    let mut flushed = false;
    loop {
        match batches.try_recv() {
            Ok(batch) => return Ok(Some(batch)),
            Err(TryRecvError::Disconnected) => return Ok(None),
            Err(TryRecvError::Empty) => std::thread::sleep(Recorder::POLL.to_std()),
        }
        for sink in sinks.iter_mut().filter(|_| !flushed) {
            let written = sink.flush();
            written.with_context(|| unfinished(sink.as_ref()))?;
        }
        flushed = true;
    }
}
