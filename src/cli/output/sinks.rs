//! The outputs of a run: a folder, a file of rows, a stream of events, one object.
//!
//! A sink that is dropped before the run starts removes what it has created.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::probe::Resolved;
use crate::record::{Event, EventWriter, Folder, ProbeWriter, RECORD_LIMIT, Run, SECONDS, SecondWriter};
use crate::stats::Second;
use crate::units::ByteSize;

const LONGEST_ROW: u64 = ProbeWriter::<File>::LONGEST_ROW;

/// One output; it takes the parts of the run that it writes.
pub(crate) trait Sink {
    /// The error message when it fails, without the reason.
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

    /// A row to show: of `--every`, or else of a second.
    fn row(&mut self, _row: &Second) -> anyhow::Result<()> {
        Ok(())
    }

    fn note(&mut self, _event: &Event) -> anyhow::Result<()> {
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    /// An event that this sink has to report about itself.
    fn take_note(&mut self) -> Option<Event> {
        None
    }

    /// The run is over, and this is the whole of it.
    fn end(&mut self, run: &Run) -> anyhow::Result<()>;

    /// The run is over, and this sink failed on the way: saves what it can.
    fn salvage(&mut self, _run: &Run, _failure: &anyhow::Error) {}

    /// The folder of the run, if this sink fills it.
    fn folder(&self) -> Option<Folder> {
        None
    }
}

/// `run.json`, `probes.csv` and `seconds.csv` in a folder.
pub(crate) struct FolderFiles {
    folder: Folder,
    /// Replaces the files of an earlier run only at time zero.
    started: bool,
    rows: Option<Tables>,
    limit: ByteSize,
    /// `probes.csv` has reached its limit; the event that says so, until it is taken.
    full: Option<Option<Event>>,
}

struct Tables {
    probes: ProbeWriter<BufWriter<File>>,
    seconds: SecondWriter<BufWriter<File>>,
}

impl FolderFiles {
    /// `probes.csv` grows up to `limit`.
    pub(crate) fn new(folder: Folder, limit: ByteSize) -> Self {
        Self { folder, started: false, rows: None, limit, full: None }
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
        format!("could not finish writing the record in {}", self.folder.path().display())
    }

    fn start(&mut self, run: &Run) -> anyhow::Result<()> {
        self.started = true;
        self.folder.clear();
        let seconds = self.folder.stream(SECONDS)?;
        self.rows =
            Some(Tables { probes: self.folder.probe_writer()?, seconds: SecondWriter::new(seconds)? });
        self.folder.write_run(run)?;
        // A run that is killed early has its headers at least.
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

    /// The figures are valid without the rows, and need little space.
    fn salvage(&mut self, run: &Run, failure: &anyhow::Error) {
        let mut run = run.clone();
        let at_us = run.summary.as_ref().map_or(0.0, |summary| summary.duration_us);
        let text = format!("rows are missing: {failure:#}");
        run.events.push(Event { at_us, kind: "not_recorded".to_owned(), text });
        // Without space even for this the file of the start remains.
        let _ = self.folder.write_run(&run);
    }

    fn folder(&self) -> Option<Folder> {
        Some(self.folder.clone())
    }
}

impl Drop for FolderFiles {
    fn drop(&mut self) {
        if !self.started {
            self.folder.discard();
        }
    }
}

/// The rows of `probes.csv`, or with `--every` of intervals, in the file of `--csv` or on standard output.
pub(crate) struct CsvRows {
    name: String,
    by_interval: bool,
    /// Until time zero, when an existing file is truncated.
    file: Option<CsvFile>,
    rows: Option<Table>,
}

enum Table {
    Probes(ProbeWriter<Box<dyn Write>>),
    Intervals(SecondWriter<Box<dyn Write>>),
}

impl Table {
    fn new(out: Box<dyn Write>, by_interval: bool) -> std::io::Result<Self> {
        Ok(if by_interval {
            Self::Intervals(SecondWriter::new(out)?)
        } else {
            Self::Probes(ProbeWriter::new(out)?)
        })
    }
}

/// A file that is open for writing.
struct CsvFile {
    path: PathBuf,
    file: File,
    /// It was created for this run.
    is_new: bool,
}

impl CsvRows {
    /// An existing file is replaced only if `force`. A device or a named pipe is written to.
    pub(crate) fn to_file(path: &Path, force: bool, by_interval: bool) -> anyhow::Result<Self> {
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
        Ok(Self { name, by_interval, file: Some(file), rows: None })
    }

    pub(crate) fn to(out: Box<dyn Write>, name: &str, by_interval: bool) -> anyhow::Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            by_interval,
            file: None,
            rows: Some(Table::new(Box::new(BufWriter::new(out)), by_interval)?),
        })
    }
}

impl Sink for CsvRows {
    fn complaint(&self) -> String {
        format!("could not finish writing {}", self.name)
    }

    fn start(&mut self, _run: &Run) -> anyhow::Result<()> {
        if let Some(CsvFile { file, .. }) = self.file.take() {
            if file.metadata()?.is_file() {
                file.set_len(0)?;
            }
            self.rows = Some(Table::new(Box::new(BufWriter::new(file)), self.by_interval)?);
        }
        self.flush()
    }

    fn probe(&mut self, probe: &Resolved) -> anyhow::Result<()> {
        match &mut self.rows {
            Some(Table::Probes(rows)) => Ok(rows.write(probe)?),
            _ => Ok(()),
        }
    }

    fn row(&mut self, row: &Second) -> anyhow::Result<()> {
        match &mut self.rows {
            Some(Table::Intervals(rows)) => Ok(rows.write(row)?),
            _ => Ok(()),
        }
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        match &mut self.rows {
            Some(Table::Probes(rows)) => Ok(rows.flush()?),
            Some(Table::Intervals(rows)) => Ok(rows.flush()?),
            None => Ok(()),
        }
    }

    fn end(&mut self, _run: &Run) -> anyhow::Result<()> {
        self.flush()
    }
}

impl Drop for CsvRows {
    fn drop(&mut self) {
        if let Some(file) = self.file.take().filter(|file| file.is_new) {
            let _ = std::fs::remove_file(file.path);
        }
    }
}

/// An event per line.
pub(crate) struct EventLines {
    events: EventWriter<Box<dyn Write>>,
    /// With `--every` there are no events of single probes.
    by_interval: bool,
}

impl EventLines {
    pub(crate) fn new(out: Box<dyn Write>, by_interval: bool) -> Self {
        Self { events: EventWriter::new(out), by_interval }
    }
}

impl Sink for EventLines {
    fn complaint(&self) -> String {
        "could not finish writing the stream of events".to_owned()
    }

    fn start(&mut self, run: &Run) -> anyhow::Result<()> {
        self.events.start(run)?;
        self.flush()
    }

    fn probe(&mut self, probe: &Resolved) -> anyhow::Result<()> {
        if !self.by_interval {
            self.events.probe(probe)?;
        }
        Ok(())
    }

    fn row(&mut self, row: &Second) -> anyhow::Result<()> {
        Ok(self.events.interval(row)?)
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

/// The whole run at its end, as in `run.json`.
pub(crate) struct RunObject {
    out: Box<dyn Write>,
}

impl RunObject {
    pub(crate) fn new(out: Box<dyn Write>) -> Self {
        Self { out }
    }
}

impl Sink for RunObject {
    fn complaint(&self) -> String {
        "could not finish writing the JSON object".to_owned()
    }

    fn end(&mut self, run: &Run) -> anyhow::Result<()> {
        run.write(&mut self.out)?;
        Ok(self.out.flush()?)
    }
}
