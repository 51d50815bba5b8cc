//! The folder of a recorded proxy: `run.json` from the start, rows as they come, the picture at the end.

use std::path::{Path, PathBuf};

use super::ledger::Ledger;
use super::recorder::Sink;
use super::seconds::Seconds;
use crate::cli::picture::draw_proxy;
use crate::record::{Folder, ProxyRun, RUN};
use crate::time::Instant;

pub(super) struct Record {
    folder: Folder,
}

impl Record {
    /// Checked and begun before the first datagram; if that fails, no new folder stays.
    pub(super) fn create(path: &Path, force: bool, run: &ProxyRun) -> anyhow::Result<Self> {
        let folder = Folder::create(path, force)?;
        folder.clear();
        let record = Self { folder };
        record.write_run(run).inspect_err(|_| record.folder.discard())?;
        Ok(record)
    }

    pub(super) fn sinks(&self, began: Instant) -> anyhow::Result<[Box<dyn Sink>; 2]> {
        let ledger = Ledger::create(&self.folder, began)?;
        let seconds = Seconds::create(&self.folder, began)?;
        Ok([Box::new(ledger), Box::new(seconds)])
    }

    /// When all rows are written; the path of the picture.
    pub(super) fn finish(&self, run: &ProxyRun) -> anyhow::Result<PathBuf> {
        self.write_run(run)?;
        draw_proxy(&self.folder)
    }

    fn write_run(&self, run: &ProxyRun) -> anyhow::Result<()> {
        let mut json = Vec::new();
        run.write(&mut json)?;
        self.folder.write(RUN, &json)?;
        Ok(())
    }
}
