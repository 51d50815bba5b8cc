//! A table as CSV: a header, then rows of cells; after an error nothing more.

use std::io::{self, Write};

use super::cell::Cell;
use super::sticky_error::Fuse;

pub struct Rows<W: Write> {
    writer: csv::Writer<Fuse<W>>,
    text: Vec<u8>,
    /// Of what was written, ends of cells and lines included.
    bytes: u64,
}

impl<W: Write> Rows<W> {
    pub fn new(writer: W, header: &[&str]) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(Fuse::new(writer));
        writer.write_record(header)?;
        let bytes = header.iter().map(|name| name.len() as u64 + 1).sum();
        Ok(Self { writer, text: Vec::new(), bytes })
    }

    /// How long the table is.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn write(&mut self, cells: &[Cell]) -> io::Result<()> {
        for cell in cells {
            self.text.clear();
            cell.put_csv(&mut self.text)?;
            self.writer.write_field(&self.text)?;
            self.bytes += self.text.len() as u64 + 1;
        }
        Ok(self.writer.write_record(None::<&[u8]>)?)
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
