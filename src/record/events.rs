//! A run as it goes, an event a line (NDJSON): `start`, `probe`, `interval`, `note`, `end`.
//!
//! `start` holds the run as far as it is known, `end` the whole of `run.json`; a `probe` has the
//! columns of `probes.csv`, an `interval` (a second) those of `seconds.csv`, a `note` is one of the
//! run's `events`. `events.schema.json` beside this file says the same to programs.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::cell::Cell;
use super::run::{Event, Run};
use super::sticky_error::Fuse;
use super::{probes, seconds};
use crate::probe::Resolved;
use crate::stats::Second;

/// Writes events; after an error nothing more.
pub struct EventWriter<W: Write> {
    out: BufWriter<Fuse<W>>,
}

#[derive(Serialize)]
struct Whole<'a> {
    event: &'static str,
    run: &'a Run,
}

#[derive(Serialize)]
struct Note<'a> {
    event: &'static str,
    #[serde(flatten)]
    note: &'a Event,
}

impl<W: Write> EventWriter<W> {
    pub fn new(writer: W) -> Self {
        Self { out: BufWriter::new(Fuse::new(writer)) }
    }

    pub fn start(&mut self, run: &Run) -> io::Result<()> {
        self.object(&Whole { event: "start", run })
    }

    pub fn probe(&mut self, probe: &Resolved) -> io::Result<()> {
        self.row("probe", &probes::COLUMNS, &probes::cells(probe))
    }

    pub fn interval(&mut self, second: &Second) -> io::Result<()> {
        self.row("interval", &seconds::COLUMNS, &seconds::cells(second))
    }

    pub fn note(&mut self, note: &Event) -> io::Result<()> {
        self.object(&Note { event: "note", note })
    }

    pub fn end(&mut self, run: &Run) -> io::Result<()> {
        self.object(&Whole { event: "end", run })
    }

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
