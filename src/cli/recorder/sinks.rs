//! The places that a run can be written to: a folder, a file of rows, a stream of events, one object.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::probe::Resolved;
use crate::record::{Event, EventWriter, Folder, ProbeWriter, RECORD_LIMIT, Run, SECONDS, SecondWriter};
use crate::stats::Second;
use crate::units::ByteSize;

const LONGEST_ROW: u64 = ProbeWriter::<File>::LONGEST_ROW;

/// What the sinks have in common; each takes what it has a use for.
pub trait Sink {
    /// What is wrong when it fails.
    fn complaint(&self) -> String;

    fn start(&mut self, _run: &Run) -> anyhow::Result<()> {
        Ok(())
    }

    fn probe(&mut self, _probe: &Resolved) -> anyhow::Result<()> {
        Ok(())
    }

    fn second(&mut self, _second: &Second) -> anyhow::Result<()> {
        Ok(())
    }

    fn note(&mut self, _event: &Event) -> anyhow::Result<()> {
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    /// What the run's events should tell of this sink, once.
    fn take_note(&mut self) -> Option<Event> {
        None
    }

    /// The run is over, and this is all of it.
    fn end(&mut self, run: &Run) -> anyhow::Result<()>;

    /// The run is over, and this sink failed on the way: what can still be saved?
    fn salvage(&mut self, _run: &Run, _failure: &anyhow::Error) {}

    /// The run did not begin.
    fn discard(&mut self) {}

    /// The folder of the run, if this is the one that fills it.
    fn folder(&self) -> Option<Folder> {
        None
    }
}

/// `run.json`, `probes.csv` and `seconds.csv` in a folder.
pub struct FolderFiles {
    folder: Folder,
    /// From time zero on: a run that does not begin destroys nothing.
    rows: Option<Tables>,
    limit: ByteSize,
    /// Rows of probes have reached it; this is to be told.
    full: Option<Option<Event>>,
}

struct Tables {
    probes: ProbeWriter<BufWriter<File>>,
    seconds: SecondWriter<BufWriter<File>>,
}

impl FolderFiles {
    /// `probes.csv` grows no longer than `limit`.
    pub fn new(folder: Folder, limit: ByteSize) -> Self {
        Self { folder, rows: None, limit, full: None }
    }

    fn reached(&self, first: &Resolved) -> Event {
        let (limit, seq) = (self.limit, first.seq);
        let text = format!(
            "probes.csv has reached {limit} bytes (--record-limit): it has no rows from seq {seq} on"
        );
        Event { at_us: first.due.as_micros_f64(), kind: RECORD_LIMIT.to_owned(), text }
    }
}

impl Sink for FolderFiles {
    fn complaint(&self) -> String {
        format!("the record in {} is not complete", self.folder.path().display())
    }

    fn start(&mut self, run: &Run) -> anyhow::Result<()> {
        self.folder.clear();
        let seconds = self.folder.stream(SECONDS)?;
        self.rows =
            Some(Tables { probes: self.folder.probe_writer()?, seconds: SecondWriter::new(seconds)? });
        self.folder.write_run(run)?;
        // A run that is killed early has its header at least.
        self.flush()
    }

    fn probe(&mut self, probe: &Resolved) -> anyhow::Result<()> {
        let Some(rows) = self.rows.as_mut().filter(|_| self.full.is_none()) else { return Ok(()) };
        if rows.probes.bytes() + LONGEST_ROW > self.limit.get() {
            self.full = Some(Some(self.reached(probe)));
            return Ok(());
        }
        Ok(rows.probes.write(probe)?)
    }

    fn take_note(&mut self) -> Option<Event> {
        self.full.as_mut()?.take()
    }

    fn second(&mut self, second: &Second) -> anyhow::Result<()> {
        Ok(self.rows.as_mut().map_or(Ok(()), |rows| rows.seconds.write(second))?)
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        let Some(rows) = &mut self.rows else { return Ok(()) };
        rows.probes.flush()?;
        Ok(rows.seconds.flush()?)
    }

    fn end(&mut self, run: &Run) -> anyhow::Result<()> {
        self.flush()?;
        Ok(self.folder.write_run(run)?)
    }

    /// The figures are true all the same, and take little room.
    fn salvage(&mut self, run: &Run, failure: &anyhow::Error) {
        let mut run = run.clone();
        let at_us = run.summary.as_ref().map_or(0.0, |summary| summary.duration_us);
        let text = format!("rows are missing: {failure:#}");
        run.events.push(Event { at_us, kind: "not_recorded".to_owned(), text });
        // If even that has no room, what was written at the start stays.
        let _ = self.folder.write_run(&run);
    }

    fn discard(&mut self) {
        self.folder.discard();
    }

    fn folder(&self) -> Option<Folder> {
        Some(self.folder.clone())
    }
}

/// The rows of `probes.csv`, in a file of the user's choice or on standard output.
pub struct CsvRows {
    name: String,
    /// Until time zero: a run that does not begin destroys nothing.
    file: Option<CsvFile>,
    rows: Option<ProbeWriter<Box<dyn Write>>>,
}

/// A file that can be written.
struct CsvFile {
    path: PathBuf,
    file: File,
    /// It was made for this run.
    is_new: bool,
}

impl CsvRows {
    /// A file that is there already is replaced only if `force`. What is no regular file, as a
    /// device or a named pipe, is written to.
    pub fn to_file(path: &Path, force: bool) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        if path.is_dir() {
            bail!("--csv {name} is a folder; name a file, as in --csv probes.csv");
        }
        if path.is_symlink() && (path.is_file() || !path.exists()) {
            bail!("--csv {name} is a link; name the file itself");
        }
        if path.is_file() && !force {
            bail!("--csv {name} exists; give another name, or --force to replace it");
        }
        let is_new = !path.exists();
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = file.with_context(|| format!("cannot write {name}"))?;
        let file = CsvFile { path: path.to_owned(), file, is_new };
        Ok(Self { name, file: Some(file), rows: None })
    }

    pub fn to(out: Box<dyn Write>, name: &str) -> anyhow::Result<Self> {
        Ok(Self { name: name.to_owned(), file: None, rows: Some(ProbeWriter::new(out)?) })
    }
}

impl Sink for CsvRows {
    fn complaint(&self) -> String {
        format!("{} is not complete", self.name)
    }

    fn start(&mut self, _run: &Run) -> anyhow::Result<()> {
        if let Some(CsvFile { file, .. }) = self.file.take() {
            if file.metadata()?.is_file() {
                file.set_len(0)?;
            }
            self.rows = Some(ProbeWriter::new(Box::new(BufWriter::new(file)) as Box<dyn Write>)?);
        }
        self.flush()
    }

    fn probe(&mut self, probe: &Resolved) -> anyhow::Result<()> {
        Ok(self.rows.as_mut().map_or(Ok(()), |rows| rows.write(probe))?)
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        Ok(self.rows.as_mut().map_or(Ok(()), ProbeWriter::flush)?)
    }

    fn end(&mut self, _run: &Run) -> anyhow::Result<()> {
        self.flush()
    }

    fn discard(&mut self) {
        if let Some(file) = self.file.take().filter(|file| file.is_new) {
            let _ = std::fs::remove_file(file.path);
        }
    }
}

/// An event a line.
pub struct EventLines {
    events: EventWriter<Box<dyn Write>>,
}

impl EventLines {
    pub fn new(out: Box<dyn Write>) -> Self {
        Self { events: EventWriter::new(out) }
    }
}

impl Sink for EventLines {
    fn complaint(&self) -> String {
        "the stream of events is not complete".to_owned()
    }

    fn start(&mut self, run: &Run) -> anyhow::Result<()> {
        self.events.start(run)?;
        self.flush()
    }

    fn probe(&mut self, probe: &Resolved) -> anyhow::Result<()> {
        Ok(self.events.probe(probe)?)
    }

    fn second(&mut self, second: &Second) -> anyhow::Result<()> {
        Ok(self.events.interval(second)?)
    }

    fn note(&mut self, event: &Event) -> anyhow::Result<()> {
        Ok(self.events.note(event)?)
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        Ok(self.events.flush()?)
    }

    fn end(&mut self, run: &Run) -> anyhow::Result<()> {
        self.events.end(run)?;
        self.flush()
    }
}

/// The whole run at its end: what `run.json` holds.
pub struct RunObject {
    out: Box<dyn Write>,
}

impl RunObject {
    pub fn new(out: Box<dyn Write>) -> Self {
        Self { out }
    }
}

impl Sink for RunObject {
    fn complaint(&self) -> String {
        "the run's object is not complete".to_owned()
    }

    fn end(&mut self, run: &Run) -> anyhow::Result<()> {
        run.write(&mut self.out)?;
        Ok(self.out.flush()?)
    }
}
