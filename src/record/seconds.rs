//! `seconds.csv`: a row a second, from 1, those without a probe included.

use std::io::{self, Write};

use super::cell::Cell;
use super::rows::Rows;
use crate::stats::{Delay, Second};
use crate::time::Duration;

/// The header of `seconds.csv`.
pub const COLUMNS: [&str; 10] = [
    "second",
    "sent",
    "ok",
    "late",
    "lost",
    "throughput_bps",
    "delay_mean_us",
    "delay_p50_us",
    "delay_p99_us",
    "delay_max_us",
];

/// The cells of a second's row, in the order of `COLUMNS`.
pub(super) fn cells(second: &Second) -> [Cell<'static>; COLUMNS.len()] {
    let delay = |figure: fn(&Delay) -> Duration| Cell::time(second.delay.as_ref().map(figure));
    [
        Cell::Count(second.second),
        Cell::Count(second.outcomes.sent()),
        Cell::Count(second.outcomes.on_time),
        Cell::Count(second.outcomes.late()),
        Cell::Count(second.outcomes.lost()),
        Cell::Count(second.throughput_bps()),
        delay(|delay| delay.mean),
        delay(|delay| delay.p50),
        delay(|delay| delay.p99),
        delay(|delay| delay.max),
    ]
}

/// Writes rows below a header; after an error nothing more.
pub struct SecondWriter<W: Write> {
    rows: Rows<W>,
}

impl<W: Write> SecondWriter<W> {
    /// Writes the header.
    pub fn new(writer: W) -> io::Result<Self> {
        Ok(Self { rows: Rows::new(writer, &COLUMNS)? })
    }

    /// Adds the row of a complete second.
    pub fn write(&mut self, second: &Second) -> io::Result<()> {
        self.rows.write(&cells(second))
    }

    /// Passes on what is buffered.
    pub fn flush(&mut self) -> io::Result<()> {
        self.rows.flush()
    }
}
