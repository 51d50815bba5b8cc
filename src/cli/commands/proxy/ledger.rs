//! The fate of every datagram, written to `datagrams.csv` by a thread of its own.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use anyhow::{Context, anyhow, bail};

use crate::net::{RelayObservation, use_batch_class};
use crate::record::datagrams::{DatagramRow, DatagramWriter};
use crate::record::files;
use crate::relay::{Fate, FlowId};
use crate::time::{Duration, Instant};

pub(super) struct Ledger {
    path: PathBuf,
    observations: Sender<RelayObservation>,
    writer: JoinHandle<io::Result<()>>,
}

impl Ledger {
    const FILE: &str = "datagrams.csv";

    pub(super) fn start(folder: &Path, force: bool, began: Instant) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let path = folder.join(Self::FILE);
        if !force && path.symlink_metadata().is_ok() {
            bail!("{} exists; give -o another folder, or --force to replace it", path.display());
        }
        let file = files::replace(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let writer = DatagramWriter::new(io::BufWriter::new(file))?;
        let (observations, observed) = channel();
        let thread = std::thread::Builder::new().name("ledger".into());
        let writer = thread.spawn(move || write_all(observed, writer, began))?;
        Ok(Self { path, observations, writer })
    }

    pub(super) fn note(&self, observation: &RelayObservation) {
        // Its thread ends early only with an error, which `finish` tells.
        let _ = self.observations.send(observation.clone());
    }

    /// Where it was written.
    pub(super) fn finish(self) -> anyhow::Result<PathBuf> {
        drop(self.observations);
        let written =
            self.writer.join().map_err(|_| anyhow!("the thread that writes datagrams.csv ended"))?;
        written.with_context(|| format!("could not finish writing {}", self.path.display()))?;
        Ok(self.path)
    }
}

fn write_all<W: io::Write>(
    observed: Receiver<RelayObservation>,
    mut writer: DatagramWriter<W>,
    began: Instant,
) -> io::Result<()> {
    use_batch_class();
    let mut names: Vec<String> = Vec::new();
    let mut ports: HashMap<FlowId, u16> = HashMap::new();
    for observation in observed {
        match observation {
            RelayObservation::MappingAdded { name, .. } => names.push(name),
            RelayObservation::FlowOpened { flow, upstream_port, .. } => {
                ports.extend(upstream_port.map(|port| (flow, port)));
            }
            RelayObservation::FlowClosed { flow, .. } => {
                ports.remove(&flow);
            }
            RelayObservation::Sent { leaving, fate, released } if !leaving.is_copy => {
                let released = (fate == Fate::Passed).then_some(released - began);
                writer.write(&DatagramRow {
                    mapping: &names[leaving.mapping],
                    flow: Some(leaving.flow.ordinal()),
                    direction: leaving.direction,
                    seq: Some(leaving.seq),
                    arrived: leaving.arrived - began,
                    released,
                    size: leaving.length,
                    fate,
                    hold: Some(leaving.due - leaving.arrived),
                    queued: leaving.queued,
                    copies: leaving.copies,
                    corrupted_byte: leaving.corrupted,
                    tos_in: leaving.header.tos,
                    tos_out: leaving.header.tos,
                    ttl_in: leaving.header.ttl,
                    upstream_port: ports.get(&leaving.flow).copied(),
                    hash: None,
                })?;
            }
            RelayObservation::Dropped { dropped, arrived, size, header } => {
                writer.write(&DatagramRow {
                    mapping: &names[dropped.mapping],
                    flow: dropped.flow.map(FlowId::ordinal),
                    direction: dropped.direction,
                    seq: dropped.seq,
                    arrived: (arrived - began).max(Duration::ZERO),
                    released: None,
                    size,
                    fate: Fate::Dropped(dropped.cause),
                    hold: None,
                    queued: None,
                    copies: 0,
                    corrupted_byte: None,
                    tos_in: header.tos,
                    tos_out: None,
                    ttl_in: header.ttl,
                    upstream_port: dropped.flow.and_then(|flow| ports.get(&flow).copied()),
                    hash: None,
                })?;
            }
            RelayObservation::Sent { .. }
            | RelayObservation::Refused { .. }
            | RelayObservation::SocketError { .. } => {}
        }
    }
    writer.flush()
}
