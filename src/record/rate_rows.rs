//! `rate.csv`: a row for each report of a rate search, about 50 a second.

use std::io::{self, Write};

use super::cell::Cell;
use super::rows::Rows;
use crate::probe::RateRow;
use crate::time::Duration;

/// Its columns.
pub const COLUMNS: [&str; 13] = [
    "time_us",
    "direction",
    "phase",
    "asked_bps",
    "sent",
    "arrived",
    "bytes",
    "received_bps",
    "own_p10_us",
    "own_p50_us",
    "own_p90_us",
    "own_max_us",
    "other_p50_us",
];

/// Writes rows below a header; after an error nothing more.
pub struct RateWriter<W: Write> {
    rows: Rows<W>,
}

impl<W: Write> RateWriter<W> {
    /// Ready to begin.
    pub fn new(writer: W) -> io::Result<Self> {
        Ok(Self { rows: Rows::new(writer, &COLUMNS)? })
    }

    /// Writes a row.
    pub fn write(&mut self, row: &RateRow) -> io::Result<()> {
        self.rows.write(&cells(row))
    }

    /// Passes on what is buffered.
    pub fn flush(&mut self) -> io::Result<()> {
        self.rows.flush()
    }
}

/// Delays are above that of the idle path.
fn cells(row: &RateRow) -> [Cell<'static>; COLUMNS.len()] {
    let report = &row.report;
    let own = |delay: Duration| Cell::Time(delay - row.base);
    [
        Cell::Time(row.at),
        Cell::Name(row.way.label()),
        Cell::Name(row.phase.label()),
        bits(row.asked),
        Cell::Count(report.sent),
        Cell::Count(report.arrived),
        Cell::Count(report.bytes),
        report.rate().map_or(Cell::Missing, bits),
        own(report.delay_p10),
        own(report.delay_p50),
        own(report.delay_p90),
        own(report.delay_max),
        Cell::time(row.other_p50),
    ]
}

#[expect(clippy::cast_possible_truncation, reason = "a rate is far below 2^63")]
fn bits(rate: f64) -> Cell<'static> {
    Cell::Count(rate.round() as u64)
}
