//! Writes a run down as it goes: rows as they are resolved, figures at the end.
//!
//! A disk that fails does not end the measurement: what cannot be written is not, and the end says so.

use std::fs::File;
use std::io::BufWriter;

use anyhow::Context;

use crate::probe::Resolved;
use crate::record::{Fold, Folder, ProbeWriter, Run, SECONDS, SecondWriter};
use crate::stats::Second;

pub struct Recorder {
    /// Where the files are to be, until the run begins.
    folder: Option<Folder>,
    files: Option<Files>,
    failure: Option<anyhow::Error>,
    fold: Fold,
    /// The first seconds, for the table at the end.
    seconds: Vec<Second>,
}

struct Files {
    folder: Folder,
    probes: ProbeWriter<BufWriter<File>>,
    seconds: SecondWriter<BufWriter<File>>,
}

impl Recorder {
    /// One more than the table shows, so that it can be told to be too long.
    const SECONDS_KEPT: usize = 31;

    /// Without a folder figures are kept and nothing is written.
    pub fn new(folder: Option<Folder>) -> Self {
        Self { folder, files: None, failure: None, fold: Fold::new(), seconds: Vec::new() }
    }

    /// The run begins: now there are files, and not before.
    pub fn begin(&mut self, run: &Run) {
        let Some(folder) = self.folder.take() else { return };
        match Files::create(folder) {
            Ok(files) => self.files = Some(files),
            Err(error) => self.failure = Some(error),
        }
        self.write_run(run);
        // A run that is killed early has its header at least.
        self.flush();
    }

    /// Takes the next probe; passes on each second that it completes.
    pub fn row(&mut self, probe: &Resolved, mut completed: impl FnMut(&Second)) {
        let Self { files, failure, fold, seconds, .. } = self;
        let mut result = files.as_mut().map_or(Ok(()), |files| files.probes.write(probe));
        fold.push(probe, |second| {
            keep(seconds, second);
            completed(second);
            if let (Ok(()), Some(files)) = (&result, files.as_mut()) {
                result = files.seconds.write(second);
            }
        });
        if let Err(error) = result {
            fail(files, failure, error);
        }
    }

    pub fn flush(&mut self) {
        let Self { files, failure, .. } = self;
        let flushed = files.as_mut().map_or(Ok(()), |f| f.probes.flush().and_then(|()| f.seconds.flush()));
        if let Err(error) = flushed {
            fail(files, failure, error);
        }
    }

    fn write_run(&mut self, run: &Run) {
        let Self { files, failure, .. } = self;
        if let Some(Err(error)) = files.as_ref().map(|files| files.folder.write_run(run)) {
            fail(files, failure, error);
        }
    }

    pub fn fold(&self) -> &Fold {
        &self.fold
    }

    /// Completes the files with the last second and the run's figures; returns the seconds kept and
    /// the folder, or why it could not be completed.
    pub fn finish(mut self, run: &Run) -> (Vec<Second>, anyhow::Result<Option<Folder>>) {
        if let Some(second) = std::mem::take(&mut self.fold).last_second() {
            keep(&mut self.seconds, &second);
            if let Some(Err(error)) = self.files.as_mut().map(|files| files.seconds.write(&second)) {
                fail(&mut self.files, &mut self.failure, error);
            }
        }
        self.flush();
        self.write_run(run);
        let written = match self.failure {
            Some(error) => Err(error),
            None => Ok(self.files.map(|files| files.folder)),
        };
        (self.seconds, written)
    }

    /// The run did not begin: nothing is left of it.
    pub fn discard(self) {
        if let Some(folder) = self.folder {
            folder.discard();
        }
    }
}

impl Files {
    fn create(folder: Folder) -> anyhow::Result<Self> {
        folder.clear();
        let probes = folder.probe_writer()?;
        let seconds = SecondWriter::new(folder.stream(SECONDS)?).context("cannot write the seconds")?;
        Ok(Self { folder, probes, seconds })
    }
}

fn keep(seconds: &mut Vec<Second>, second: &Second) {
    if seconds.len() < Recorder::SECONDS_KEPT {
        seconds.push(*second);
    }
}

fn fail(files: &mut Option<Files>, failure: &mut Option<anyhow::Error>, error: impl Into<anyhow::Error>) {
    if let Some(files) = files.take() {
        let place = files.folder.path().display().to_string();
        failure.get_or_insert(error.into().context(format!("the record in {place} is not complete")));
    }
}
