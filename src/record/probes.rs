//! `probes.csv`: one row per probe by sequence number; written and read as a stream.
//!
//! Times are microseconds with three decimals, so exact to the nanosecond. An unknown value is an
//! empty cell. The one-way columns are raw differences of two hosts' clocks: subtract the clock offset
//! that `clock` in `run.json` holds.

use std::io::{self, Read, Write};
use std::str::FromStr;

use super::cell::Cell;
use super::rows::Rows;
use crate::printable::printable;
use crate::probe::{Cause, Corruption, Outcome, Resolved};
use crate::time::Duration;

/// The header of `probes.csv`.
pub const COLUMNS: [&str; 21] = [
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
    "probe_copies",
    "impossible_times",
    "skipped",
    "reply_number",
];

/// A time beyond this is not a run's: `report` makes a row of each second.
pub(super) const LONGEST_RUN: Duration = Duration::from_secs(1000 * 24 * 3600);

/// Columns after these may be missing: earlier versions did not write them.
const REQUIRED: usize = 17;

/// The cells of a probe's row, in the order of `COLUMNS`.
pub(super) fn cells(probe: &Resolved) -> [Cell<'static>; COLUMNS.len()] {
    [
        Cell::Count(probe.seq),
        Cell::Time(probe.due),
        Cell::time(probe.sent),
        Cell::Time(probe.interval),
        Cell::Count(u64::from(probe.size)),
        Cell::name(name_of(OUTCOMES, probe.outcome)),
        Cell::name(probe.cause.map(Cause::label)),
        Cell::time(probe.rtt),
        Cell::time(probe.due_rtt()),
        Cell::time(probe.hold),
        Cell::time(probe.server),
        Cell::time(probe.net_rtt()),
        Cell::time(probe.owd_up),
        Cell::time(probe.owd_down),
        Cell::Count(u64::from(probe.copies)),
        Cell::count(probe.injected_copies),
        Cell::name(probe.corrupted.and_then(|who| name_of(CORRUPTIONS, who))),
        Cell::count(probe.probe_copies),
        flag(probe.impossible_times),
        flag(probe.skipped),
        Cell::count(probe.reply_number),
    ]
}

fn flag(set: bool) -> Cell<'static> {
    if set { Cell::Count(1) } else { Cell::Missing }
}

/// Writes a header, then rows. Writes nothing after its first error.
pub struct ProbeWriter<W: Write> {
    rows: Rows<W>,
}

impl<W: Write> ProbeWriter<W> {
    /// Upper bound of a row in bytes.
    pub const LONGEST_ROW: u64 = 512;

    /// Writes the header.
    pub fn new(writer: W) -> io::Result<Self> {
        Ok(Self { rows: Rows::new(writer, &COLUMNS)? })
    }

    /// Adds a row; rows come in the order of probes.
    pub fn write(&mut self, probe: &Resolved) -> io::Result<()> {
        self.rows.write(&cells(probe))
    }

    /// The length of the table so far.
    pub fn bytes(&self) -> u64 {
        self.rows.bytes()
    }

    /// Passes on what is buffered.
    pub fn flush(&mut self) -> io::Result<()> {
        self.rows.flush()
    }
}

/// Why rows could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// The header lacks this column.
    #[error("no column '{0}'")]
    NoColumn(&'static str),
    /// A cell is not what its column holds.
    #[error("line {line}: invalid {column} '{cell}'")]
    InvalidCell {
        /// In the file, from 1.
        line: u64,
        /// Its name in the header.
        column: &'static str,
        /// The refused text.
        cell: String,
    },
    /// A time lies beyond the longest run.
    #[error("line {line}: {column} '{cell}' is over 1000 days after the start of the run")]
    AfterEnd {
        /// In the file, from 1.
        line: u64,
        /// Its name in the header.
        column: &'static str,
        /// The refused text.
        cell: String,
    },
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads rows. Leaves out a last row that was cut short, as by a kill or a full disk, and says so in
/// `truncated`.
pub struct ProbeReader<R: Read> {
    reader: csv::Reader<LastByte<R>>,
    record: csv::ByteRecord,
    /// Reads one row ahead, since only the very last row can be cut short.
    ahead: Option<csv::ByteRecord>,
    /// The position of each of `COLUMNS` in this file.
    positions: [usize; COLUMNS.len()],
    width: usize,
    truncated: bool,
}

impl<R: Read> ProbeReader<R> {
    /// Reads the header; columns may stand in any order, and more may follow.
    pub fn new(reader: R) -> Result<Self, RowError> {
        // Quoting off: an opening quote in a foreign file would swallow lines.
        let reader =
            csv::ReaderBuilder::new().flexible(true).quoting(false).from_reader(LastByte::new(reader));
        let mut reader = Self {
            reader,
            record: csv::ByteRecord::new(),
            ahead: None,
            positions: [0; COLUMNS.len()],
            width: 0,
            truncated: false,
        };
        reader.read_header()?;
        Ok(reader)
    }

    fn read_header(&mut self) -> Result<(), RowError> {
        let header = self.reader.byte_headers().map_err(io_error)?.clone();
        self.width = header.len();
        self.ahead = Some(csv::ByteRecord::new());
        self.read_ahead()?;
        if self.is_cut_header(&header) {
            self.truncated = true;
            return Ok(());
        }
        for (index, (position, column)) in self.positions.iter_mut().zip(COLUMNS).enumerate() {
            let found = header.iter().position(|name| name == column.as_bytes());
            let absent = (index >= REQUIRED).then_some(usize::MAX);
            *position = found.or(absent).ok_or(RowError::NoColumn(column))?;
        }
        Ok(())
    }

    /// Whether the file ends within the header, or is empty.
    fn is_cut_header(&self, header: &csv::ByteRecord) -> bool {
        let whole = header.len().saturating_sub(1);
        let matches = header.iter().zip(COLUMNS).take(whole).all(|(name, column)| name == column.as_bytes());
        let ends_here = self.ahead.is_none() && self.reader.get_ref().last != b'\n';
        header.is_empty() || matches && ends_here
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
            return Err(self.invalid_cell(self.record.len().min(COLUMNS.len() - 1)));
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
            due: self.time_in_run(1)?.ok_or_else(|| self.invalid_cell(1))?,
            sent: self.time_in_run(2)?,
            interval: self.micros(3)?.ok_or_else(|| self.invalid_cell(3))?,
            size: self.number(4)?,
            outcome: value_of(OUTCOMES, self.cell(5)).ok_or_else(|| self.invalid_cell(5))?,
            cause: self.name(6, &Cause::ALL.map(|cause| (cause, cause.label())))?,
            rtt: self.micros(7)?,
            hold: self.micros(9)?,
            server: self.micros(10)?,
            owd_up: self.micros(12)?,
            owd_down: self.micros(13)?,
            copies: self.number(14)?,
            injected_copies: self.maybe_number(15)?,
            corrupted: self.name(16, CORRUPTIONS)?,
            probe_copies: self.maybe_number(17)?,
            impossible_times: self.maybe_number::<u64>(18)?.is_some(),
            skipped: self.maybe_number::<u64>(19)?.is_some(),
            reply_number: self.maybe_number(20)?,
        })
    }

    fn cell(&self, column: usize) -> &[u8] {
        self.record.get(self.positions[column]).unwrap_or_default()
    }

    fn number<T: FromStr>(&self, column: usize) -> Result<T, RowError> {
        let text = std::str::from_utf8(self.cell(column)).ok();
        text.and_then(|text| text.parse().ok()).ok_or_else(|| self.invalid_cell(column))
    }

    fn maybe_number<T: FromStr>(&self, column: usize) -> Result<Option<T>, RowError> {
        if self.cell(column).is_empty() { Ok(None) } else { self.number(column).map(Some) }
    }

    fn micros(&self, column: usize) -> Result<Option<Duration>, RowError> {
        match self.cell(column) {
            b"" => Ok(None),
            cell => parse_micros(cell).map(Some).ok_or_else(|| self.invalid_cell(column)),
        }
    }

    /// A time from the start of the run, within `LONGEST_RUN`.
    fn time_in_run(&self, column: usize) -> Result<Option<Duration>, RowError> {
        match self.micros(column)? {
            Some(time) if time > LONGEST_RUN => Err(RowError::AfterEnd {
                line: self.record.position().map_or(0, csv::Position::line),
                column: COLUMNS[column],
                cell: shown(self.cell(column)),
            }),
            time => Ok(time),
        }
    }

    /// A name from the column's fixed set, or an empty cell.
    fn name<T: Copy>(&self, column: usize, names: &[(T, &str)]) -> Result<Option<T>, RowError> {
        match self.cell(column) {
            b"" => Ok(None),
            cell => value_of(names, cell).map(Some).ok_or_else(|| self.invalid_cell(column)),
        }
    }

    fn invalid_cell(&self, column: usize) -> RowError {
        RowError::InvalidCell {
            line: self.record.position().map_or(0, csv::Position::line),
            column: COLUMNS[column],
            cell: shown(self.cell(column)),
        }
    }
}

impl<R: Read> Iterator for ProbeReader<R> {
    type Item = Result<Resolved, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// The beginning of a cell, with control characters escaped.
fn shown(cell: &[u8]) -> String {
    const MOST: usize = 40;
    printable(&String::from_utf8_lossy(&cell[..cell.len().min(MOST)])).into_owned()
}

/// Remembers the last byte read: a file that does not end with a newline was cut short. Refuses a line
/// without end, as in a file full of zeros, before it fills the memory.
struct LastByte<R> {
    inner: R,
    last: u8,
    /// Bytes since the last newline.
    line_length: usize,
}

impl<R> LastByte<R> {
    /// Twice the length of any line that udpecho writes.
    const LONGEST_LINE: usize = 4096;

    fn new(inner: R) -> Self {
        Self { inner, last: b'\n', line_length: 0 }
    }

    fn measure(&mut self, bytes: &[u8]) -> io::Result<()> {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line_length += line.len();
            if self.line_length > Self::LONGEST_LINE {
                let why = format!("a line is longer than {} bytes", Self::LONGEST_LINE);
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
            if line.ends_with(b"\n") {
                self.line_length = 0;
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for LastByte<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        if let Some(last) = buffer[..length].last() {
            self.last = *last;
        }
        self.measure(&buffer[..length])?;
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
    let decimals = (0..3).map(|index| fraction.get(index).unwrap_or(&b'0'));
    let mut nanos: i64 = 0;
    for byte in digits[..dot].iter().chain(decimals) {
        // Subtract digit by digit when negative: i64::MIN has no positive counterpart.
        let digit = if negative { -digit(*byte)? } else { digit(*byte)? };
        nanos = nanos.checked_mul(10)?.checked_add(digit)?;
    }
    Some(Duration::from_nanos(nanos))
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

const CORRUPTIONS: &[(Corruption, &str)] =
    &[(Corruption::Injected, "injected"), (Corruption::Network, "network")];

fn name_of<T: PartialEq>(names: &[(T, &'static str)], value: T) -> Option<&'static str> {
    names.iter().find(|(known, _)| *known == value).map(|(_, name)| *name)
}

fn value_of<T: Copy>(names: &[(T, &str)], name: &[u8]) -> Option<T> {
    names.iter().find(|(_, known)| known.as_bytes() == name).map(|(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row() -> impl Strategy<Value = Resolved> {
        let extreme = || prop_oneof![Just(i64::MIN), Just(i64::MIN + 1), Just(i64::MAX), Just(-1), Just(0)];
        let any_time = move || prop_oneof![-1_i64 << 50..1 << 50, any::<i64>(), extreme()];
        let whole = move || any_time().prop_map(Duration::from_nanos);
        let time = move || proptest::option::of(whole());
        let in_run = move || whole().prop_map(|time| time.min(LONGEST_RUN));
        let outcome = 0..OUTCOMES.len();
        let cause = proptest::option::of(0..Cause::ALL.len());
        (
            (any::<u64>(), in_run(), proptest::option::of(in_run()), whole(), any::<u32>(), outcome, cause),
            (time(), time(), time(), time(), time()),
            (
                any::<u32>(),
                any::<Option<u32>>(),
                any::<Option<u32>>(),
                proptest::option::of(0..CORRUPTIONS.len()),
                any::<[bool; 2]>(),
                any::<Option<u32>>(),
            ),
        )
            .prop_map(
                |(
                    (seq, due, sent, interval, size, outcome, cause),
                    (rtt, hold, server, owd_up, owd_down),
                    (
                        copies,
                        injected_copies,
                        probe_copies,
                        corrupted,
                        [impossible_times, skipped],
                        reply_number,
                    ),
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
                        probe_copies,
                        impossible_times,
                        skipped,
                        reply_number,
                        corrupted: corrupted.map(|index| CORRUPTIONS[index].0),
                        outcome: OUTCOMES[outcome].0,
                        cause: cause.map(|index| Cause::ALL[index]),
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
        assert!(writer.bytes() <= ProbeWriter::<Vec<u8>>::LONGEST_ROW * (rows.len() as u64 + 1));
        let length = writer.bytes();
        drop(writer);
        assert_eq!(length, bytes.len() as u64);
        bytes
    }

    proptest! {
        #[test]
        fn rows_are_read_back_as_written(rows in proptest::collection::vec(row(), 0..20)) {
            let bytes = written(&rows);
            let read: Vec<Resolved> = ProbeReader::new(&bytes[..]).unwrap().map(Result::unwrap).collect();
            prop_assert_eq!(read, rows);
        }

        /// At any length: all whole rows are read, and no row is invented.
        #[test]
        fn a_file_cut_short_is_read_up_to_its_last_whole_row(rows in proptest::collection::vec(row(), 1..10), cut in 0.0..1.0) {
            let bytes = written(&rows);
            let end = (bytes.len() as f64 * cut) as usize;
            let lines = bytes[..end].iter().filter(|byte| **byte == b'\n').count();
            let mut reader = ProbeReader::new(&bytes[..end]).unwrap();
            let read: Vec<Resolved> = reader.by_ref().map(Result::unwrap).collect();
            prop_assert_eq!(&read[..], &rows[..lines.saturating_sub(1)]);
            prop_assert_eq!(reader.truncated(), bytes[..end].last() != Some(&b'\n'));
        }
    }

    #[test]
    fn a_line_longer_than_the_limit_is_an_error() {
        let header = COLUMNS.join(",") + "\n";
        for (what, endless) in [("zeros", b'\0'), ("quotes", b'"'), ("commas", b','), ("digits", b'1')] {
            let file = header.as_bytes().chain(io::repeat(endless));
            let error = ProbeReader::new(file).map(drop).unwrap_err();
            assert_eq!(error.to_string(), "a line is longer than 4096 bytes", "{what}");
            assert!(ProbeReader::new(io::repeat(endless)).is_err(), "{what}");
        }
        let quoted = header + "\"" + &"1\n".repeat(1 << 20);
        let error = ProbeReader::new(quoted.as_bytes()).unwrap().next().unwrap().unwrap_err();
        assert!(error.to_string().starts_with("line 2: "), "{error}");
    }

    #[test]
    fn an_error_about_a_cell_has_no_control_characters() {
        let row = "0,0.000,\x1b[2J\u{9b}31m,1.000,64,ok,,,,,,,,,1,0,,,,,";
        let text = format!("{}\n{row}\n{row}\n", COLUMNS.join(","));
        let error = ProbeReader::new(text.as_bytes()).unwrap().next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "line 2: invalid sent_us '\\u{1b}[2J\\u{9b}31m'");
    }

    #[test]
    fn a_time_that_no_run_lasts_is_refused() {
        for row in ["0,9223372036854775.807,,", "0,0.000,9223372036854775.807,"] {
            let text = format!("{}\n{row}1.000,64,ok,,,,,,,,,1,0,,,,,\n", COLUMNS.join(","));
            let error = ProbeReader::new(text.as_bytes()).unwrap().next().unwrap().unwrap_err();
            assert!(error.to_string().ends_with("is over 1000 days after the start of the run"), "{error}");
        }
    }

    #[test]
    fn a_record_of_an_earlier_version_may_lack_the_newer_columns() {
        let text = format!("{}\n0,0.000,,1.000,64,lost,up,,,,,,,,0,0,\n", COLUMNS[..REQUIRED].join(","));
        let row = ProbeReader::new(text.as_bytes()).unwrap().next().unwrap().unwrap();
        assert_eq!((row.outcome, row.probe_copies), (Outcome::Lost, None));
    }

    #[test]
    fn an_invalid_cell_is_named_with_its_line() {
        let whole = "0,0.000,,1.000,64,ok,,,,,,,,,1,0,,,,,";
        for (row, error) in [
            ("0,0.000,soon,1.000,64,ok,,,,,,,,,1,0,,,,,", "line 2: invalid sent_us 'soon'"),
            // Not read as its lower 32 bits, which are 64.
            ("0,0.000,,1.000,4294967360,ok,,,,,,,,,1,0,,,,,", "line 2: invalid size '4294967360'"),
        ] {
            let text = format!("{}\n{row}\n{whole}\n", COLUMNS.join(","));
            let found = ProbeReader::new(text.as_bytes()).unwrap().next().unwrap().unwrap_err();
            assert_eq!(found.to_string(), error);
        }
    }
}
