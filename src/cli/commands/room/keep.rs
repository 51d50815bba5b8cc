//! `room --keep`: what happens is written down, each second; a page for people at the end.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;

use anyhow::Context;

use crate::cli::measurement::rfc3339;
use crate::cli::printer::stderr_line;
use crate::net::{Clock, RoomService, RunReport, unpack_run};
use crate::room::{Event, FileKind, Shelf, ShelfFile, TranscriptLine, transcript_page};
use crate::time::Duration;

/// Writes down a room until it is finished.
pub(super) struct Keeper {
    stop: Sender<()>,
    writing: JoinHandle<()>,
}

impl Keeper {
    /// In this folder, which is made if it is not there; nothing in it is replaced.
    pub(super) fn start(
        folder: &Path,
        room: &RoomService,
        clock: Clock,
        keep_private: bool,
        report: RunReport,
    ) -> anyhow::Result<Self> {
        const PERIOD: Duration = Duration::from_millis(200);
        let cannot = || format!("cannot keep the room in {}", folder.display());
        fs::create_dir_all(folder).with_context(cannot)?;
        let mut writing = Writing::new(folder, keep_private, report).with_context(cannot)?;
        room.keep_log();
        let room = room.clone();
        let (stop, stopped) = channel();
        let write = move || {
            let mut is_over = false;
            while !is_over {
                is_over = stopped.recv_timeout(PERIOD.to_std()) != Err(RecvTimeoutError::Timeout);
                for event in room.take_log() {
                    writing.take(rfc3339(clock.now()), &event);
                }
                writing.flush();
            }
            writing.finish();
        };
        let writing = std::thread::Builder::new().name("keep".into()).spawn(write).with_context(cannot)?;
        Ok(Self { stop, writing })
    }

    /// Writes the page.
    pub(super) fn finish(self) {
        drop(self.stop);
        let _ = self.writing.join();
    }
}

struct Writing {
    folder: PathBuf,
    keep_private: bool,
    report: RunReport,
    out: BufWriter<File>,
    bytes: u64,
    /// The last events, for the page.
    lines: VecDeque<TranscriptLine>,
    left_out: u64,
    /// An error was told.
    failed: bool,
}

impl Writing {
    /// A longer file is followed by another one.
    const LONGEST: u64 = 64 << 20;
    const ON_THE_PAGE: usize = 10_000;

    fn new(folder: &Path, keep_private: bool, report: RunReport) -> io::Result<Self> {
        let out = BufWriter::new(create_new(folder, "ndjson")?);
        let (lines, folder) = (VecDeque::new(), folder.to_owned());
        Ok(Self { folder, keep_private, report, out, bytes: 0, lines, left_out: 0, failed: false })
    }

    fn take(&mut self, at: String, event: &Event) {
        let line = TranscriptLine { at, event: event.clone(), kept: self.kept(event) };
        let json = line.json(self.keep_private) + "\n";
        self.bytes += json.len() as u64;
        let written = self.out.write_all(json.as_bytes());
        self.check("write the transcript", written);
        if self.bytes > Self::LONGEST {
            self.next_file();
        }
        self.lines.push_back(line);
        if self.lines.len() > Self::ON_THE_PAGE {
            self.lines.pop_front();
            self.left_out += 1;
        }
    }

    fn next_file(&mut self) {
        self.flush();
        self.bytes = 0;
        match create_new(&self.folder, "ndjson") {
            Ok(file) => self.out = BufWriter::new(file),
            Err(error) => self.check("begin another transcript", Err(error)),
        }
    }

    /// Where the folder has the file of this event, if it has one; a run is unpacked.
    fn kept(&mut self, event: &Event) -> Option<String> {
        let Event::Shelved { file } = event else { return None };
        let path = format!("files/{}", file.hash?);
        if file.kind == FileKind::File {
            return Some(path);
        }
        match self.unpack(&path, file) {
            Ok(name) => Some(format!("runs/{name}")),
            Err(error) => {
                self.check("unpack a run", Err(error));
                None
            }
        }
    }

    /// The folder of the run below `runs`, with its report; its name there.
    fn unpack(&self, archive: &str, file: &ShelfFile) -> io::Result<String> {
        let archive = File::open(self.folder.join(archive))?;
        let run = unpack_run(archive, &self.folder.join("runs"), &file.name)?;
        // A page that the member made could hold scripts, and a browser would run them.
        for page in ["report.html", "report.svg"] {
            let _ = fs::remove_file(run.join(page));
        }
        if file.bytes <= Shelf::LARGEST_REPORTED {
            let html = (self.report)(&run).map_err(io::Error::other)?;
            fs::write(run.join("report.html"), html)?;
        }
        Ok(run.file_name().unwrap_or_default().to_string_lossy().into_owned())
    }

    fn flush(&mut self) {
        let flushed = self.out.flush();
        self.check("write the transcript", flushed);
    }

    fn finish(mut self) {
        self.flush();
        let page = transcript_page(self.lines.make_contiguous(), self.left_out, self.keep_private);
        let written = create_new(&self.folder, "html").and_then(|mut file| file.write_all(page.as_bytes()));
        self.check("write the page of the room", written);
    }

    /// The room goes on; the first error is told.
    fn check(&mut self, what: &str, result: io::Result<()>) {
        if let Err(error) = result
            && !std::mem::replace(&mut self.failed, true)
        {
            stderr_line(format_args!(
                "udpecho: warning: cannot {what} in {}: {error}",
                self.folder.display()
            ));
        }
    }
}

/// `talk.ndjson`, or the first of `talk-2.ndjson` and so on that is not there.
fn create_new(folder: &Path, ending: &str) -> io::Result<File> {
    const MOST: u32 = 10_000;
    let names =
        std::iter::once(format!("talk.{ending}")).chain((2..MOST).map(|n| format!("talk-{n}.{ending}")));
    for name in names {
        match File::create_new(folder.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created,
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
