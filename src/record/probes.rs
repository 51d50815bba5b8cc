//! `probes.csv`: a row a probe, in the order of their numbers, streamed both ways.
//!
//! Times are microseconds with three decimals, which is to the nanosecond. What is not known is an
//! empty cell. The one-way columns are differences of two hosts' clocks, with no estimate of their
//! offset applied: `clock` in `run.json` tells it.

use std::io::{self, Read, Write};

use crate::probe::{Cause, Corruption, Outcome, Resolved};
use crate::time::Duration;

pub const COLUMNS: [&str; 17] = [
    "seq",
    "due_us",
    "sent_us",
    "interval_us",
    "size",
    "outcome",
    "cause",
    "rtt_us",
    "due_rtt_us",
    "hold_us",
    "server_us",
    "net_rtt_us",
    "owd_up_us",
    "owd_down_us",
    "copies",
    "injected_copies",
    "corrupted",
];

/// Writes rows; the header with the first.
pub struct ProbeWriter<W: Write> {
    writer: csv::Writer<W>,
    cell: Vec<u8>,
}

impl<W: Write> ProbeWriter<W> {
    pub fn new(writer: W) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(writer);
        writer.write_record(COLUMNS)?;
        Ok(Self { writer, cell: Vec::new() })
    }

    pub fn write(&mut self, probe: &Resolved) -> io::Result<()> {
        self.number(probe.seq)?;
        self.micros(Some(probe.due))?;
        self.micros(probe.sent)?;
        self.micros(Some(probe.interval))?;
        self.number(u64::from(probe.size))?;
        self.writer.write_field(name_of(OUTCOMES, probe.outcome))?;
        self.writer.write_field(probe.cause.map_or("", |cause| name_of(CAUSES, cause)))?;
        self.micros(probe.rtt)?;
        self.micros(probe.due_rtt())?;
        self.micros(probe.hold)?;
        self.micros(probe.server)?;
        self.micros(probe.net_rtt())?;
        self.micros(probe.owd_up)?;
        self.micros(probe.owd_down)?;
        self.number(u64::from(probe.copies))?;
        self.number(u64::from(probe.injected_copies))?;
        self.writer.write_field(probe.corrupted.map_or("", |who| name_of(CORRUPTIONS, who)))?;
        self.writer.write_record(None::<&[u8]>)?;
        Ok(())
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    fn number(&mut self, value: u64) -> io::Result<()> {
        self.cell.clear();
        write!(self.cell, "{value}")?;
        Ok(self.writer.write_field(&self.cell)?)
    }

    fn micros(&mut self, value: Option<Duration>) -> io::Result<()> {
        self.cell.clear();
        if let Some(value) = value {
            put_micros(value, &mut self.cell)?;
        }
        Ok(self.writer.write_field(&self.cell)?)
    }
}

/// Writes a duration as microseconds with three decimals.
pub fn put_micros(value: Duration, out: &mut impl Write) -> io::Result<()> {
    let nanos = value.as_nanos();
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    write!(out, "{sign}{}.{:03}", nanos / 1000, nanos % 1000)
}

/// Why rows could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    #[error("column '{0}' is missing")]
    NoColumn(&'static str),
    #[error("line {line}: '{cell}' is no {column}")]
    Cell { line: u64, column: &'static str, cell: String },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads rows. A last row that was cut short, as after a kill, ends the reading with a note.
pub struct ProbeReader<R: Read> {
    reader: csv::Reader<LastByte<R>>,
    record: csv::ByteRecord,
    /// One row is read ahead: only the very last can have been cut.
    ahead: Option<csv::ByteRecord>,
    /// Where each of `COLUMNS` stands in this file.
    places: [usize; COLUMNS.len()],
    width: usize,
    truncated: bool,
}

impl<R: Read> ProbeReader<R> {
    pub fn new(reader: R) -> Result<Self, RowError> {
        let reader = LastByte { inner: reader, last: b'\n' };
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(reader);
        let header = reader.byte_headers().map_err(io_error)?.clone();
        let mut places = [0; COLUMNS.len()];
        for (place, column) in places.iter_mut().zip(COLUMNS) {
            let found = header.iter().position(|name| name == column.as_bytes());
            *place = found.ok_or(RowError::NoColumn(column))?;
        }
        let width = header.len();
        let mut reader = Self {
            reader,
            record: csv::ByteRecord::new(),
            ahead: Some(csv::ByteRecord::new()),
            places,
            width,
            truncated: false,
        };
        reader.read_ahead()?;
        Ok(reader)
    }

    /// Whether the last row was cut short and left out.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    fn read(&mut self) -> Result<Option<Resolved>, RowError> {
        let Some(ahead) = &mut self.ahead else { return Ok(None) };
        std::mem::swap(&mut self.record, ahead);
        self.read_ahead()?;
        if self.ahead.is_none() && self.reader.get_ref().last != b'\n' {
            self.truncated = true;
            return Ok(None);
        }
        if self.record.len() < self.width {
            return Err(self.cell_error(self.record.len().min(COLUMNS.len() - 1)));
        }
        self.parse().map(Some)
    }

    fn read_ahead(&mut self) -> Result<(), RowError> {
        if let Some(ahead) = &mut self.ahead
            && !self.reader.read_byte_record(ahead).map_err(io_error)?
        {
            self.ahead = None;
        }
        Ok(())
    }

    fn parse(&self) -> Result<Resolved, RowError> {
        Ok(Resolved {
            seq: self.number(0)?,
            due: self.micros(1)?.ok_or_else(|| self.cell_error(1))?,
            sent: self.micros(2)?,
            interval: self.micros(3)?.ok_or_else(|| self.cell_error(3))?,
            size: self.number(4)? as u32,
            outcome: value_of(OUTCOMES, self.cell(5)).ok_or_else(|| self.cell_error(5))?,
            cause: self.name(6, CAUSES)?,
            rtt: self.micros(7)?,
            hold: self.micros(9)?,
            server: self.micros(10)?,
            owd_up: self.micros(12)?,
            owd_down: self.micros(13)?,
            copies: self.number(14)? as u32,
            injected_copies: self.number(15)? as u32,
            corrupted: self.name(16, CORRUPTIONS)?,
        })
    }

    fn cell(&self, column: usize) -> &[u8] {
        self.record.get(self.places[column]).unwrap_or_default()
    }

    fn number(&self, column: usize) -> Result<u64, RowError> {
        let text = std::str::from_utf8(self.cell(column)).ok();
        text.and_then(|text| text.parse().ok()).ok_or_else(|| self.cell_error(column))
    }

    fn micros(&self, column: usize) -> Result<Option<Duration>, RowError> {
        match self.cell(column) {
            b"" => Ok(None),
            cell => parse_micros(cell).map(Some).ok_or_else(|| self.cell_error(column)),
        }
    }

    /// One of the names that the column may hold, or none.
    fn name<T: Copy>(&self, column: usize, names: &[(T, &str)]) -> Result<Option<T>, RowError> {
        match self.cell(column) {
            b"" => Ok(None),
            cell => value_of(names, cell).map(Some).ok_or_else(|| self.cell_error(column)),
        }
    }

    fn cell_error(&self, column: usize) -> RowError {
        RowError::Cell {
            line: self.record.position().map_or(0, csv::Position::line),
            column: COLUMNS[column],
            cell: String::from_utf8_lossy(self.cell(column)).into_owned(),
        }
    }
}

impl<R: Read> Iterator for ProbeReader<R> {
    type Item = Result<Resolved, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// Remembers the last byte read: a file that does not end with a line's end was cut.
struct LastByte<R> {
    inner: R,
    last: u8,
}

impl<R: Read> Read for LastByte<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        if let Some(last) = buffer[..length].last() {
            self.last = *last;
        }
        Ok(length)
    }
}

/// Reads `12.345` to the nanosecond.
fn parse_micros(cell: &[u8]) -> Option<Duration> {
    let (negative, digits) = match cell.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, cell),
    };
    let dot = digits.iter().position(|byte| *byte == b'.').unwrap_or(digits.len());
    let fraction = digits.get(dot + 1..).unwrap_or_default();
    if dot == 0 || fraction.len() > 3 {
        return None;
    }
    let mut nanos: i64 = 0;
    for index in 0..3 {
        nanos = nanos * 10 + digit(*fraction.get(index).unwrap_or(&b'0'))?;
    }
    let mut micros: i64 = 0;
    for byte in &digits[..dot] {
        micros = micros.checked_mul(10)?.checked_add(digit(*byte)?)?;
    }
    let nanos = micros.checked_mul(1000)?.checked_add(nanos)?;
    Some(Duration::from_nanos(if negative { -nanos } else { nanos }))
}

fn digit(byte: u8) -> Option<i64> {
    byte.is_ascii_digit().then(|| i64::from(byte - b'0'))
}

fn io_error(error: csv::Error) -> RowError {
    RowError::Io(error.into())
}

const OUTCOMES: &[(Outcome, &str)] = &[
    (Outcome::Ok, "ok"),
    (Outcome::Late, "late"),
    (Outcome::Lost, "lost"),
    (Outcome::SendError, "send_error"),
];

const CAUSES: &[(Cause, &str)] = &[
    (Cause::Up, "up"),
    (Cause::Down, "down"),
    (Cause::InjectedUp, "injected_up"),
    (Cause::InjectedDown, "injected_down"),
    (Cause::Refused, "refused"),
    (Cause::ServerOverflow, "server_overflow"),
    (Cause::ClientOverflow, "client_overflow"),
    (Cause::Unknown, "unknown"),
];

const CORRUPTIONS: &[(Corruption, &str)] =
    &[(Corruption::Injected, "injected"), (Corruption::Network, "network")];

fn name_of<T: PartialEq>(names: &[(T, &'static str)], value: T) -> &'static str {
    names.iter().find(|(known, _)| *known == value).map_or("", |(_, name)| name)
}

fn value_of<T: Copy>(names: &[(T, &str)], name: &[u8]) -> Option<T> {
    names.iter().find(|(_, known)| known.as_bytes() == name).map(|(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row() -> impl Strategy<Value = Resolved> {
        let time = || proptest::option::of((-1_i64 << 50..1 << 50).prop_map(Duration::from_nanos));
        let whole = || (0_i64..1 << 50).prop_map(Duration::from_nanos);
        let outcome = 0..OUTCOMES.len();
        let cause = proptest::option::of(0..CAUSES.len());
        (
            (any::<u64>(), whole(), time(), whole(), any::<u32>(), outcome, cause),
            (time(), time(), time(), time(), time()),
            (any::<u32>(), any::<u32>(), proptest::option::of(0..CORRUPTIONS.len())),
        )
            .prop_map(
                |(
                    (seq, due, sent, interval, size, outcome, cause),
                    (rtt, hold, server, owd_up, owd_down),
                    (copies, injected_copies, corrupted),
                )| {
                    Resolved {
                        seq,
                        due,
                        sent,
                        interval,
                        size,
                        rtt,
                        hold,
                        server,
                        owd_up,
                        owd_down,
                        copies,
                        injected_copies,
                        corrupted: corrupted.map(|index| CORRUPTIONS[index].0),
                        outcome: OUTCOMES[outcome].0,
                        cause: cause.map(|index| CAUSES[index].0),
                    }
                },
            )
    }

    fn written(rows: &[Resolved]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = ProbeWriter::new(&mut bytes).unwrap();
        for row in rows {
            writer.write(row).unwrap();
        }
        writer.flush().unwrap();
        drop(writer);
        bytes
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(rows in proptest::collection::vec(row(), 0..20)) {
            let bytes = written(&rows);
            let read: Vec<Resolved> = ProbeReader::new(&bytes[..]).unwrap().map(Result::unwrap).collect();
            prop_assert_eq!(read, rows);
        }

        /// Wherever a kill cuts the file, the rows before the cut are read; none is made up.
        #[test]
        fn a_cut_file_is_read_up_to_its_last_whole_row(rows in proptest::collection::vec(row(), 1..10), cut in 0.0..1.0) {
            let bytes = written(&rows);
            let header = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            let end = header + ((bytes.len() - header) as f64 * cut) as usize;
            let whole = bytes[header..end].iter().filter(|byte| **byte == b'\n').count();
            let mut reader = ProbeReader::new(&bytes[..end]).unwrap();
            let read: Vec<Resolved> = reader.by_ref().map(Result::unwrap).collect();
            prop_assert_eq!(&read[..], &rows[..whole]);
            prop_assert_eq!(reader.truncated(), bytes[end - 1] != b'\n');
        }
    }

    #[test]
    fn a_bad_cell_in_the_middle_is_named() {
        let text = format!(
            "{}\n0,0.000,soon,1.000,64,ok,,,,,,,,,1,0,\n0,0.000,,1.000,64,ok,,,,,,,,,1,0,\n",
            COLUMNS.join(",")
        );
        let error = ProbeReader::new(text.as_bytes()).unwrap().next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "line 2: 'soon' is no sent_us");
    }
}
