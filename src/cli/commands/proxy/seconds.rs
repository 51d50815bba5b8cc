//! The fates of the datagrams by the second, written to `seconds.csv`.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use super::recorder::{Sink, Upstreams};
use crate::net::RelayObservation;
use crate::record::{Folder, ProxySeconds, SECONDS, Settled};
use crate::relay::Fate;
use crate::time::Instant;

pub(super) struct Seconds {
    path: PathBuf,
    rows: ProxySeconds<BufWriter<File>>,
    names: Vec<String>,
    began: Instant,
}

impl Seconds {
    pub(super) fn create(folder: &Folder, began: Instant) -> anyhow::Result<Self> {
        let rows = ProxySeconds::new(folder.stream(SECONDS)?)?;
        Ok(Self { path: folder.file(SECONDS), rows, names: Vec::new(), began })
    }
}

impl Sink for Seconds {
    fn path(&self) -> &Path {
        &self.path
    }

    fn write(&mut self, observation: &RelayObservation, _: &[u8], _: &Upstreams) -> io::Result<()> {
        match observation {
            RelayObservation::MappingAdded { name, .. } => {
                self.names.push(name.clone());
                Ok(())
            }
            RelayObservation::Sent { leaving, fate, released } if !leaving.is_copy => {
                self.rows.note(&Settled {
                    mapping: &self.names[leaving.mapping],
                    direction: leaving.direction,
                    at: *released - self.began,
                    fate: *fate,
                    size: leaving.length,
                    hold: Some(leaving.due - leaving.arrived),
                    queued: leaving.queued,
                })
            }
            RelayObservation::Dropped { dropped, arrived, size, .. } => self.rows.note(&Settled {
                mapping: &self.names[dropped.mapping],
                direction: dropped.direction,
                at: *arrived - self.began,
                fate: Fate::Dropped(dropped.cause),
                size: *size,
                hold: None,
                queued: None,
            }),
            _ => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.rows.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.rows.finish()
    }
}
