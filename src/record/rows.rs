//! A table as CSV: a header, then rows of cells; after an error nothing more.

use std::io::{self, Write};

use super::cell::Cell;
use super::fuse::Fuse;

pub struct Rows<W: Write> {
    writer: csv::Writer<Fuse<W>>,
    text: Vec<u8>,
}

impl<W: Write> Rows<W> {
    pub fn new(writer: W, header: &[&str]) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(Fuse::new(writer));
        writer.write_record(header)?;
        Ok(Self { writer, text: Vec::new() })
    }

    pub fn write(&mut self, cells: &[Cell]) -> io::Result<()> {
        for cell in cells {
            self.text.clear();
            cell.put_csv(&mut self.text)?;
            self.writer.write_field(&self.text)?;
        }
        Ok(self.writer.write_record(None::<&[u8]>)?)
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
