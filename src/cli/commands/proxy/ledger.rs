//! The fate of every datagram, written to `datagrams.csv`.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use super::recorder::{Sink, Upstreams};
use crate::impair::Treatment;
use crate::net::RelayObservation;
use crate::record::datagrams::{DatagramRow, DatagramWriter, hash};
use crate::record::{DATAGRAMS, Folder};
use crate::relay::Fate;
use crate::time::{Duration, Instant};

pub(super) struct Ledger {
    path: PathBuf,
    writer: DatagramWriter<BufWriter<File>>,
    names: Vec<String>,
    began: Instant,
}

impl Ledger {
    pub(super) fn create(folder: &Folder, began: Instant) -> anyhow::Result<Self> {
        let writer = DatagramWriter::new(folder.stream(DATAGRAMS)?)?;
        Ok(Self { path: folder.file(DATAGRAMS), writer, names: Vec::new(), began })
    }
}

impl Sink for Ledger {
    fn path(&self) -> &Path {
        &self.path
    }

    fn write(
        &mut self,
        observation: &RelayObservation,
        payload: &[u8],
        upstreams: &Upstreams,
    ) -> io::Result<()> {
        match observation {
            RelayObservation::MappingAdded { name, .. } => {
                self.names.push(name.clone());
                Ok(())
            }
            RelayObservation::Sent { leaving, fate, released } if !leaving.is_copy => {
                let passed = *fate == Fate::Passed;
                self.writer.write(&DatagramRow {
                    mapping: &self.names[leaving.mapping],
                    flow: Some(leaving.flow.ordinal()),
                    direction: leaving.direction,
                    seq: Some(leaving.seq),
                    arrived: leaving.arrived - self.began,
                    released: passed.then(|| *released - self.began),
                    size: leaving.length,
                    fate: *fate,
                    hold: Some(leaving.due - leaving.arrived),
                    queued: leaving.queued,
                    copies: leaving.copies,
                    corrupted_byte: leaving.corrupted,
                    tos_in: leaving.header.tos,
                    tos_out: leaving.tos.filter(|_| passed),
                    ttl_in: leaving.header.ttl,
                    upstream_port: upstreams.get(&leaving.flow).map(std::net::SocketAddr::port),
                    hash: Some(hash(&as_it_arrived(leaving.corrupted, payload))),
                })
            }
            RelayObservation::Dropped { dropped, arrived, size, header, .. } => {
                let upstream = dropped.flow.and_then(|flow| upstreams.get(&flow));
                self.writer.write(&DatagramRow {
                    mapping: &self.names[dropped.mapping],
                    flow: dropped.flow.map(|flow| flow.ordinal()),
                    direction: dropped.direction,
                    seq: dropped.seq,
                    arrived: (*arrived - self.began).max(Duration::ZERO),
                    released: None,
                    size: *size,
                    fate: Fate::Dropped(dropped.cause),
                    hold: None,
                    queued: None,
                    copies: 0,
                    corrupted_byte: None,
                    tos_in: header.tos,
                    tos_out: None,
                    ttl_in: header.ttl,
                    upstream_port: upstream.map(std::net::SocketAddr::port),
                    hash: Some(hash(payload)),
                })
            }
            RelayObservation::Sent { .. }
            | RelayObservation::Arrived { .. }
            | RelayObservation::FlowOpened { .. }
            | RelayObservation::Rebound { .. }
            | RelayObservation::FlowClosed { .. }
            | RelayObservation::Refused { .. }
            | RelayObservation::SocketError { .. } => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// The payload before one of its bits was flipped: to flip it again restores it.
pub(super) fn as_it_arrived(corrupted: Option<u32>, payload: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    if corrupted.is_none() {
        return payload.into();
    }
    let mut payload = payload.to_vec();
    Treatment { corrupted, ..Treatment::default() }.corrupt(&mut payload);
    payload.into()
}
