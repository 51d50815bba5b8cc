//! The live stream of a run in NDJSON, one event per line: `start`, `probe`, `interval`, `note`, `end`.
//!
//! `start` holds the run as far as it is known, `end` all of `run.json`. A `probe` has the columns of
//! `probes.csv`, an `interval` (one second) those of `seconds.csv`, a `note` is one entry of the run's
//! `events`. `events.schema.json` is the JSON schema.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::cell::Cell;
use super::run::{Event, Run};
use super::sticky_error::StickyError;
use super::{probes, seconds};
use crate::probe::Resolved;
use crate::stats::Second;

/// Writes events. Writes nothing after its first error.
pub struct EventWriter<W: Write> {
    out: BufWriter<StickyError<W>>,
}

#[derive(Serialize)]
struct RunEvent<'a> {
    event: &'static str,
    run: &'a Run,
}

#[derive(Serialize)]
struct NoteEvent<'a> {
    event: &'static str,
    #[serde(flatten)]
    note: &'a Event,
}

impl<W: Write> EventWriter<W> {
    /// A stream of JSON objects, one a line; `udpecho schema events` describes them.
    pub fn new(writer: W) -> Self {
        Self { out: BufWriter::new(StickyError::new(writer)) }
    }

    /// The first line: configuration and environment of the run.
    pub fn start(&mut self, run: &Run) -> io::Result<()> {
        self.object(&RunEvent { event: "start", run })
    }

    /// A probe whose outcome is known.
    pub fn probe(&mut self, probe: &Resolved) -> io::Result<()> {
        self.row("probe", &probes::COLUMNS, &probes::cells(probe))
    }

    /// A complete second, or another interval.
    pub fn interval(&mut self, second: &Second) -> io::Result<()> {
        self.row("interval", &seconds::COLUMNS, &seconds::cells(second))
    }

    /// Something that happened during the run, as `run.json` lists it.
    pub fn note(&mut self, note: &Event) -> io::Result<()> {
        self.object(&NoteEvent { event: "note", note })
    }

    /// The last line: the summary.
    pub fn end(&mut self, run: &Run) -> io::Result<()> {
        self.object(&RunEvent { event: "end", run })
    }

    /// Passes on what is buffered.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn object(&mut self, object: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, object)?;
        self.out.write_all(b"\n")
    }

    fn row(&mut self, event: &str, columns: &[&str], cells: &[Cell]) -> io::Result<()> {
        write!(self.out, "{{\"event\":\"{event}\"")?;
        for (column, cell) in columns.iter().zip(cells) {
            write!(self.out, ",\"{column}\":")?;
            cell.put_json(&mut self.out)?;
        }
        self.out.write_all(b"}\n")
    }
}
