//! The folder of a run: checked for write access before the first probe, complete after the last.

use std::fs::{self, File};
use std::io::{
    self, BufReader, BufWriter, ErrorKind::AlreadyExists, ErrorKind::NotADirectory, ErrorKind::NotFound,
};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use super::datagram_reader::{DatagramError, DatagramReader, RecordedDatagram};
use super::files;
use super::probes::{ProbeReader, ProbeWriter, RowError};
use super::proxy_run::{ProxyRun, RecordedProxy};
use super::rate_rows::{RateSample, read_rate};
use super::run::{Run, SCHEMA};
use crate::printable::printable;
use crate::probe::Resolved;

/// The run without its probes.
pub const RUN: &str = "run.json";
/// A row per probe.
pub const PROBES: &str = "probes.csv";
/// A row per second.
pub const SECONDS: &str = "seconds.csv";
/// Of a rate search.
pub const RATE_ROWS: &str = "rate.csv";
/// Of a proxy.
pub const DATAGRAMS: &str = "datagrams.csv";
/// The picture that `ping` and `proxy` draw at the end.
/// The picture that `ping` and `proxy` draw at the end.
pub const PICTURE: &str = "report.png";
/// Other forms of the report, written by `udpecho report`.
const REPORTS: [&str; 2] = ["report.svg", "report.html"];
/// Limit of `run.json` when reading; a record by udpecho is far below it.
const LONGEST_RUN: u64 = 8 << 20;

/// A folder that holds a run, or will hold one.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    /// Folders created for this run, innermost first.
    created: Vec<PathBuf>,
}

/// Why a folder cannot be used; the message says what would work.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file stands where the folder should be.
    #[error("{0} is a file, not a folder; give -o another name")]
    NotAFolder(PathBuf),
    /// The folder holds a run already.
    #[error("{0} already holds a run; give -o another name, or --force to replace it")]
    AlreadyUsed(PathBuf),
    /// The folder holds no `run.json`.
    #[error("{0} holds no run: no {RUN} in it")]
    NoRun(PathBuf),
    /// Files cannot be created in it.
    #[error("cannot write to {path}; give -o another place")]
    NotWritable {
        /// Of the folder.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The system refused an operation.
    #[error("cannot {operation} {path}")]
    Io {
        /// The verb of "cannot ...".
        operation: &'static str,
        /// The file or folder that it was about.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A later version of the program wrote it.
    #[error("{path} has schema {found}; this version reads up to {SCHEMA}: use a newer udpecho")]
    NewerSchema {
        /// Of its `run.json`.
        path: PathBuf,
        /// The number of its schema; this program knows them up to `SCHEMA`.
        found: u64,
    },
    /// `run.json` is not that of a run.
    #[error("{path} is not the record of a run")]
    NotARecord {
        /// Of its `run.json`.
        path: PathBuf,
        /// Where it departs from the schema.
        source: serde_json::Error,
    },
    /// `probes.csv` cannot be read.
    #[error("cannot read {path}")]
    Rows {
        /// Of its `probes.csv`.
        path: PathBuf,
        /// The row and the reason.
        source: RowError,
    },
    /// A row of `datagrams.csv` makes no sense.
    #[error("cannot read {path}")]
    Datagrams {
        /// Of its `datagrams.csv`.
        path: PathBuf,
        /// The row and the reason.
        source: DatagramError,
    },
}

impl Folder {
    /// Creates the folder and checks that files can be written there. A run in it is an error unless
    /// `force`, and stays until `clear`.
    pub fn create(path: &Path, force: bool) -> Result<Self, FolderError> {
        if path.exists() && !path.is_dir() {
            return Err(FolderError::NotAFolder(path.to_owned()));
        }
        let folder = Self { path: path.to_owned(), created: missing(path) };
        folder.check(force).inspect_err(|_| folder.discard())?;
        Ok(folder)
    }

    /// Called when a run begins: removes the files of the previous one.
    pub fn clear(&self) {
        for name in [RUN, PROBES, DATAGRAMS, SECONDS, RATE_ROWS, PICTURE].into_iter().chain(REPORTS) {
            let _ = fs::remove_file(self.file(name));
        }
    }

    /// Called when a run did not begin: removes the folders created for it.
    pub fn discard(&self) {
        for folder in &self.created {
            // Fails if it is not empty, as it should.
            let _ = fs::remove_dir(folder);
        }
    }

    /// Creates a new folder below `parent`, with a number behind its name if the name is taken. Programs
    /// that ask for one name at the same time get different folders.
    pub fn create_new(parent: &Path, name: &str) -> Result<Self, FolderError> {
        const MOST: u32 = 10_000;
        let missing = missing(parent);
        for number in 1..=MOST {
            let name = if number == 1 { name.to_owned() } else { format!("{name}-{number}") };
            let path = parent.join(name);
            // Another program may remove the empty `parent` meanwhile: create it again for each try.
            match fs::create_dir_all(parent).and_then(|()| fs::create_dir(&path)) {
                Ok(()) => {
                    let created = std::iter::once(path.clone()).chain(missing).collect();
                    let folder = Self { path, created };
                    folder.check(false).inspect_err(|_| folder.discard())?;
                    return Ok(folder);
                }
                Err(error) if matches!(error.kind(), AlreadyExists | NotFound) && parent.is_dir() => {}
                Err(source) => return Err(FolderError::NotWritable { path, source }),
            }
        }
        let path = parent.join(name);
        Err(FolderError::NotWritable { path, source: AlreadyExists.into() })
    }

    /// Opens a folder that holds a run.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        // The path of run.json stands for its folder.
        let path = if path.is_file() && path.ends_with(RUN) { path.parent().unwrap_or(path) } else { path };
        let folder = Self { path: path.to_owned(), created: Vec::new() };
        match fs::metadata(folder.file(RUN)) {
            Ok(_) => Ok(folder),
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => {
                Err(FolderError::NoRun(path.to_owned()))
            }
            Err(source) => Err(folder.error("read", &folder.file(RUN), source)),
        }
    }

    /// As it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it, whether or not that exists.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file in one step; a symbolic link of that name is replaced, not followed.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, FolderError> {
        let path = self.file(name);
        files::write_atomically(&path, bytes).map_err(|source| self.error("write", &path, source))?;
        Ok(path)
    }

    /// Replaces `run.json` as a whole: a reader sees the old one or the new one.
    pub fn write_run(&self, run: &Run) -> Result<(), FolderError> {
        let mut json = Vec::new();
        run.write(&mut json).expect("a run has no map with odd keys");
        self.write(RUN, &json).map(drop)
    }

    /// Reads `run.json`, of older versions too.
    pub fn read_run(&self) -> Result<Run, FolderError> {
        self.read_as()
    }

    /// Whether it holds the record of a proxy, not of `ping`.
    pub fn holds_proxy(&self) -> Result<bool, FolderError> {
        let value: serde_json::Value = self.read_as()?;
        Ok(value.get("command").is_some_and(|command| command == ProxyRun::COMMAND))
    }

    /// The `run.json` of a proxy.
    pub fn read_proxy(&self) -> Result<RecordedProxy, FolderError> {
        self.read_as()
    }

    /// Calls `take` with every row of `datagrams.csv`; returns whether the last row was cut short and left out.
    pub fn each_datagram(&self, mut take: impl FnMut(RecordedDatagram)) -> Result<bool, FolderError> {
        let path = self.file(DATAGRAMS);
        let file = files::open_regular(&path).map_err(|source| self.error("read", &path, source))?;
        let rows = |source| FolderError::Datagrams { path: path.clone(), source };
        let mut reader = DatagramReader::new(BufReader::with_capacity(1 << 18, file)).map_err(rows)?;
        for row in reader.by_ref() {
            take(row.map_err(rows)?);
        }
        Ok(reader.truncated())
    }

    fn read_as<T: serde::de::DeserializeOwned>(&self) -> Result<T, FolderError> {
        let path = self.file(RUN);
        let text = files::open_regular(&path).and_then(|file| files::read_text(file, LONGEST_RUN));
        let text = text.map_err(|source| self.error("read", &path, source))?;
        let not_a_record = |source| FolderError::NotARecord { path: path.clone(), source };
        // Schema first: a newer record may have any shape.
        let mut value: serde_json::Value = serde_json::from_str(&text).map_err(not_a_record)?;
        make_printable(&mut value);
        match value.get("schema").and_then(serde_json::Value::as_u64) {
            Some(found) if found > u64::from(SCHEMA) => Err(FolderError::NewerSchema { path, found }),
            _ => serde_json::from_value(value).map_err(not_a_record),
        }
    }

    /// Begins `probes.csv` anew.
    pub fn probe_writer(&self) -> Result<ProbeWriter<BufWriter<File>>, FolderError> {
        let writer = self.stream(PROBES)?;
        ProbeWriter::new(writer).map_err(|source| self.error("write", &self.file(PROBES), source))
    }

    /// Creates a file to stream to during the run.
    pub fn stream(&self, name: &str) -> Result<BufWriter<File>, FolderError> {
        let path = self.file(name);
        let file = files::replace(&path).map_err(|source| self.error("write", &path, source))?;
        Ok(BufWriter::new(file))
    }

    /// The rows of `probes.csv` from the start.
    pub fn probe_reader(&self) -> Result<ProbeReader<BufReader<File>>, FolderError> {
        let path = self.file(PROBES);
        let file = files::open_regular(&path).map_err(|source| self.error("read", &path, source))?;
        ProbeReader::new(BufReader::with_capacity(1 << 18, file)).map_err(|source| self.row_error(source))
    }

    /// The rows of a rate search.
    pub fn read_rate_rows(&self) -> Result<Vec<RateSample>, FolderError> {
        let path = self.file(RATE_ROWS);
        let rows = files::open_regular(&path).and_then(|file| read_rate(BufReader::new(file)));
        rows.map_err(|source| self.error("read", &path, source))
    }

    /// Calls `take` with every row; returns whether the last row was cut short and left out. A second
    /// thread reads ahead, so parsing and `take` run on two cores.
    pub fn each_probe(&self, mut take: impl FnMut(&Resolved)) -> Result<bool, FolderError> {
        const BATCH: usize = 1024;
        const AHEAD: usize = 8;
        let mut reader = self.probe_reader()?;
        let (batches, read) = sync_channel::<Vec<Resolved>>(AHEAD);
        std::thread::scope(|scope| {
            let reading = scope.spawn(move || {
                loop {
                    let batch = reader.by_ref().take(BATCH).collect::<Result<Vec<_>, _>>()?;
                    // The receiver is gone only if `take` panicked.
                    if batch.is_empty() || batches.send(batch).is_err() {
                        return Ok(reader.truncated());
                    }
                }
            });
            read.iter().flatten().for_each(|probe| take(&probe));
            let outcome = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            outcome.map_err(|source| self.row_error(source))
        })
    }

    pub(crate) fn row_error(&self, source: RowError) -> FolderError {
        FolderError::Rows { path: self.file(PROBES), source }
    }

    fn check(&self, force: bool) -> Result<(), FolderError> {
        let written = fs::create_dir_all(&self.path).and_then(|()| tempfile::tempfile_in(&self.path));
        written.map_err(|source| FolderError::NotWritable { path: self.path.clone(), source })?;
        if !force && self.file(RUN).exists() {
            return Err(FolderError::AlreadyUsed(self.path.clone()));
        }
        Ok(())
    }

    fn error(&self, operation: &'static str, path: &Path, source: io::Error) -> FolderError {
        FolderError::Io { operation, path: path.to_owned(), source }
    }
}

/// The folders of a path that do not exist, innermost first.
fn missing(path: &Path) -> Vec<PathBuf> {
    let missing = path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    missing.map(Path::to_owned).collect()
}

/// Escapes control characters in every text: a record may come from elsewhere, and a terminal shows it.
fn make_printable(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => *text = printable(text).into_owned(),
        serde_json::Value::Array(items) => items.iter_mut().for_each(make_printable),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(make_printable),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn programs_that_ask_for_one_name_at_once_get_different_folders() {
        const MANY: usize = 16;
        let place = tempfile::tempdir().unwrap();
        let parent = place.path().join("results");
        for round in 0..20 {
            let (name, barrier) = (format!("run{round}"), Barrier::new(MANY));
            let paths: HashSet<PathBuf> = std::thread::scope(|scope| {
                let make = || {
                    barrier.wait();
                    Folder::create_new(&parent, &name).unwrap().path().to_owned()
                };
                let threads: Vec<_> = (0..MANY).map(|_| scope.spawn(make)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(paths.len(), MANY, "{paths:?}");
            assert!(paths.contains(&parent.join(format!("{name}-{MANY}"))));
        }
    }

    #[test]
    fn a_run_that_does_not_begin_leaves_no_folder() {
        let place = tempfile::tempdir().unwrap();
        let parent = place.path().join("results");
        let folder = Folder::create_new(&parent, "run").unwrap();
        let second = Folder::create_new(&parent, "run").unwrap();
        folder.discard();
        assert!(parent.join("run-2").is_dir() && !parent.join("run").exists());
        second.discard();
        assert!(parent.exists(), "it existed before the second run");
    }
}
