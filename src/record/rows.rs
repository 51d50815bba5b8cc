//! Writes a CSV table: a header, then rows of cells. Writes nothing after its first error.

use std::io::{self, Write};

use super::cell::Cell;
use super::sticky_error::StickyError;

pub(super) struct Rows<W: Write> {
    writer: csv::Writer<StickyError<W>>,
    text: Vec<u8>,
    /// Length so far, separators included.
    bytes: u64,
}

impl<W: Write> Rows<W> {
    pub(super) fn new(writer: W, header: &[&str]) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(StickyError::new(writer));
        writer.write_record(header)?;
        let bytes = header.iter().map(|name| name.len() as u64 + 1).sum();
        Ok(Self { writer, text: Vec::new(), bytes })
    }

    /// The length of the table so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn write(&mut self, cells: &[Cell]) -> io::Result<()> {
        for cell in cells {
            self.text.clear();
            cell.put_csv(&mut self.text)?;
            self.writer.write_field(&self.text)?;
            self.bytes += self.text.len() as u64 + 1;
        }
        Ok(self.writer.write_record(None::<&[u8]>)?)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
