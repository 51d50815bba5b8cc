//! Writes the relay's events to files, on a thread of its own.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::thread::JoinHandle;

use anyhow::{Context, anyhow, bail};

use crate::net::{RelayObservation, use_batch_class};
use crate::record::files;
use crate::relay::FlowId;
use crate::time::Duration;

/// The local address of each open flow's upstream socket.
pub(super) type Upstreams = ahash::HashMap<FlowId, SocketAddr>;

/// A file that is written as the relay runs.
pub(super) trait Sink: Send {
    fn path(&self) -> &Path;

    fn write(
        &mut self,
        observation: &RelayObservation,
        payload: &[u8],
        upstreams: &Upstreams,
    ) -> io::Result<()>;

    /// Whether it writes a datagram when it arrives, too; the others wait for its fate.
    fn wants_arrivals(&self) -> bool {
        false
    }

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
    Ok(io::BufWriter::with_capacity(1 << 18, file))
}

/// Observations in their order. Its memory goes to the writer and back, so that none is allocated for each.
#[derive(Default)]
struct Batch {
    /// Each with the place at which its payload ends.
    observations: Vec<(RelayObservation, usize)>,
    payloads: Vec<u8>,
}

impl Batch {
    fn push(&mut self, observation: RelayObservation, payload: &[u8]) {
        self.payloads.extend_from_slice(payload);
        self.observations.push((observation, self.payloads.len()));
    }

    fn bytes(&self) -> usize {
        size_of_val(self.observations.as_slice()) + self.payloads.len()
    }

    fn iter(&self) -> impl Iterator<Item = (&RelayObservation, &[u8])> {
        self.observations.iter().scan(0, |start, (observation, end)| {
            let payload = &self.payloads[std::mem::replace(start, *end)..*end];
            Some((observation, payload))
        })
    }

    fn clear(&mut self) {
        self.observations.clear();
        self.payloads.clear();
    }
}

/// The relaying thread's end.
pub(super) struct Recorder {
    batches: Sender<Batch>,
    batch: Batch,
    /// Batches that are written.
    spare: Receiver<Batch>,
    /// Bytes on their way.
    queued: Arc<AtomicUsize>,
    arrivals: bool,
    writer: JoinHandle<anyhow::Result<Vec<PathBuf>>>,
}

impl Recorder {
    /// As many observations are handed over even while the relay is busy.
    const BATCH: usize = 256;
    /// Bytes of payload at which a batch is full, too: its memory is kept for the next one.
    const BATCH_BYTES: usize = 256 << 10;
    /// Batches kept to be filled again.
    const SPARE: usize = 8;
    /// With more bytes on their way the relay waits for the disk: memory is bounded, and no row is missing.
    const MOST_QUEUED: usize = 64 << 20;
    /// The writer looks this often: to be woken for each batch would cost the relaying thread a system call.
    const POLL: Duration = Duration::from_millis(20);

    pub(super) fn start(sinks: Vec<Box<dyn Sink>>) -> anyhow::Result<Self> {
        let (batches, received) = channel();
        let (written, spare) = sync_channel(Self::SPARE);
        let arrivals = sinks.iter().any(|sink| sink.wants_arrivals());
        let queued = Arc::new(AtomicUsize::new(0));
        let taken = Arc::clone(&queued);
        let thread = std::thread::Builder::new().name("record".into());
        let writer = thread.spawn(move || write_all(&received, &written, &taken, sinks))?;
        Ok(Self { batches, batch: Batch::default(), spare, queued, arrivals, writer })
    }

    pub(super) fn note(&mut self, observation: RelayObservation, payload: &[u8]) {
        if !self.arrivals && matches!(observation, RelayObservation::Arrived { .. }) {
            return;
        }
        self.batch.push(observation, payload);
        if self.batch.observations.len() >= Self::BATCH || self.batch.payloads.len() >= Self::BATCH_BYTES {
            self.hand_over();
        }
    }

    /// Hands over what was noted.
    pub(super) fn hand_over(&mut self) {
        if self.batch.observations.is_empty() {
            return;
        }
        while self.queued.load(Ordering::Relaxed) > Self::MOST_QUEUED && !self.writer.is_finished() {
            std::thread::sleep(Duration::from_millis(1).to_std());
        }
        self.queued.fetch_add(self.batch.bytes(), Ordering::Relaxed);
        let next = self.spare.try_recv().unwrap_or_default();
        // Its thread ends early only with an error, which `finish` tells.
        let _ = self.batches.send(std::mem::replace(&mut self.batch, next));
    }

    /// The files that were written.
    pub(super) fn finish(mut self) -> anyhow::Result<Vec<PathBuf>> {
        self.hand_over();
        drop(self.batches);
        self.writer.join().map_err(|_| anyhow!("the thread that writes the record ended"))?
    }
}

fn write_all(
    batches: &Receiver<Batch>,
    spare: &SyncSender<Batch>,
    queued: &AtomicUsize,
    mut sinks: Vec<Box<dyn Sink>>,
) -> anyhow::Result<Vec<PathBuf>> {
    use_batch_class();
    let mut upstreams = Upstreams::default();
    while let Some(mut batch) = next(batches, &mut sinks)? {
        for (observation, payload) in batch.iter() {
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
        queued.fetch_sub(batch.bytes(), Ordering::Relaxed);
        batch.clear();
        // With enough spare batches this one is freed.
        let _ = spare.try_send(batch);
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
fn next(batches: &Receiver<Batch>, sinks: &mut [Box<dyn Sink>]) -> anyhow::Result<Option<Batch>> {
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
