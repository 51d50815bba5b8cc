//! Writes a CSV table: a header, then rows of cells. Writes nothing after its first error.

use std::io::{self, Write};

use super::cell::Cell;
use super::sticky_error::StickyError;

/// Cells are numbers, times and checked names: none needs quotes.
pub(super) struct Rows<W: Write> {
    writer: StickyError<W>,
    row: Vec<u8>,
    /// Length so far, separators included.
    bytes: u64,
}

impl<W: Write> Rows<W> {
    pub(super) fn new(writer: W, header: &[&str]) -> io::Result<Self> {
        let mut rows = Self { writer: StickyError::new(writer), row: Vec::new(), bytes: 0 };
        let names: Vec<Cell> = header.iter().copied().map(Cell::Name).collect();
        rows.write(&names)?;
        Ok(rows)
    }

    /// The length of the table so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn write(&mut self, cells: &[Cell]) -> io::Result<()> {
        self.row.clear();
        for cell in cells {
            cell.put_csv(&mut self.row)?;
            self.row.push(b',');
        }
        if let Some(end) = self.row.last_mut() {
            *end = b'\n';
        }
        self.bytes += self.row.len() as u64;
        self.writer.write_all(&self.row)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
