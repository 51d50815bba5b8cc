//! Reads `datagrams.csv`, for reports and to repeat its fates.

use std::io::{self, Read};

use csv::StringRecord;

use super::probes::LONGEST_RUN;
use crate::impair::Direction;
use crate::relay::{DropCause, Fate};
use crate::time::Duration;

/// One datagram of an earlier run.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedDatagram {
    /// The name of the mapping.
    pub mapping: String,
    /// The ordinal of the flow in its mapping; `None` if it opened none.
    pub flow: Option<u64>,
    /// Toward the server or the client.
    pub direction: Direction,
    /// In its flow and direction.
    pub seq: Option<u64>,
    /// Since the start.
    pub arrived: Duration,
    /// Payload.
    pub size: u64,
    /// Its fate.
    pub fate: Fate,
    /// How long it was held on purpose.
    pub hold: Option<Duration>,
    /// The part of the hold spent at the bottleneck.
    pub queued: Option<Duration>,
    /// Sent beyond the first.
    pub copies: u8,
    /// The byte in which a bit was flipped.
    pub corrupted_byte: Option<u32>,
}

/// Why a row cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DatagramError {
    /// The file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The header lacks a column.
    #[error("the column '{0}' is missing")]
    NoColumn(&'static str),
    /// A cell makes no sense.
    #[error("line {line}: '{value}' for {column}")]
    Value {
        /// From 1, the header.
        line: u64,
        /// Its name.
        column: &'static str,
        /// The refused text.
        value: String,
    },
}

/// The columns that are read, in the order of `Columns`.
const READ: [&str; 12] = [
    "mapping",
    "flow",
    "dir",
    "seq",
    "arrived_us",
    "size",
    "fate",
    "cause",
    "hold_us",
    "queue_us",
    "copies",
    "corrupted_byte",
];

/// Rows in the order of the file.
pub struct DatagramReader<R> {
    rows: csv::Reader<R>,
    columns: [usize; READ.len()],
    row: StringRecord,
    truncated: bool,
}

impl<R: Read> DatagramReader<R> {
    /// Reads the header; columns may stand in any order, and others beside them.
    pub fn new(reader: R) -> Result<Self, DatagramError> {
        let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(reader);
        let header = rows.headers().map_err(io::Error::from)?;
        let mut columns = [0; READ.len()];
        for (column, name) in columns.iter_mut().zip(READ) {
            let at = header.iter().position(|known| known == name);
            *column = at.ok_or(DatagramError::NoColumn(name))?;
        }
        Ok(Self { rows, columns, row: StringRecord::new(), truncated: false })
    }

    /// Whether the last row was cut short and left out.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    fn next_row(&mut self) -> Result<Option<RecordedDatagram>, DatagramError> {
        if !self.rows.read_record(&mut self.row).map_err(io::Error::from)? {
            return Ok(None);
        }
        match self.parsed() {
            Ok(datagram) => Ok(Some(datagram)),
            // The row that was being written when the proxy was killed.
            Err(_) if !self.rows.read_record(&mut self.row).map_err(io::Error::from)? => {
                self.truncated = true;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn parsed(&self) -> Result<RecordedDatagram, DatagramError> {
        let cells: [&str; READ.len()] = self.columns.map(|column| self.row.get(column).unwrap_or_default());
        let [mapping, flow, dir, seq, arrived, size, fate, cause, hold, queued, copies, corrupted] = cells;
        let bad = |at: usize| DatagramError::Value {
            line: self.row.position().map_or(0, csv::Position::line),
            column: READ[at],
            value: cells[at].to_owned(),
        };
        Ok(RecordedDatagram {
            mapping: mapping.to_owned(),
            flow: known(flow, |text| text.parse().ok()).ok_or_else(|| bad(1))?,
            direction: match dir {
                "up" => Direction::Up,
                "down" => Direction::Down,
                _ => return Err(bad(2)),
            },
            seq: known(seq, |text| text.parse().ok()).ok_or_else(|| bad(3))?,
            arrived: micros(arrived).filter(|time| *time <= LONGEST_RUN).ok_or_else(|| bad(4))?,
            size: size.parse::<u16>().map_err(|_| bad(5))?.into(),
            fate: fate_of(fate, cause).ok_or_else(|| bad(7))?,
            hold: known(hold, micros).ok_or_else(|| bad(8))?,
            queued: known(queued, micros).ok_or_else(|| bad(9))?,
            copies: copies.parse().map_err(|_| bad(10))?,
            corrupted_byte: known(corrupted, |text| text.parse().ok()).ok_or_else(|| bad(11))?,
        })
    }
}

impl<R: Read> Iterator for DatagramReader<R> {
    type Item = Result<RecordedDatagram, DatagramError>;
    fn next(&mut self) -> Option<Self::Item> {
        self.next_row().transpose()
    }
}

/// An empty cell is known to be unknown; the outer option is `None` for a value that makes no sense.
fn known<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { parse(text).map(Some) }
}

fn fate_of(fate: &str, cause: &str) -> Option<Fate> {
    match (fate, cause) {
        ("passed", "") => Some(Fate::Passed),
        ("send_error", "send_error") => Some(Fate::SendError),
        ("dropped", cause) => {
            DropCause::ALL.into_iter().find(|known| known.label() == cause).map(Fate::Dropped)
        }
        _ => None,
    }
}

/// Microseconds with up to three decimals, exactly.
fn micros(text: &str) -> Option<Duration> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > 3 {
        return None;
    }
    let part: i64 = format!("{part:0<3}").parse().ok()?;
    let nanos = whole.parse::<i64>().ok()?.checked_mul(1_000)?.checked_add(part)?;
    Some(Duration::from_nanos(sign * nanos))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::datagrams::{DatagramRow, DatagramWriter};

    fn rows() -> String {
        let row = DatagramRow {
            mapping: "dns",
            flow: Some(3),
            direction: Direction::Up,
            seq: Some(17),
            arrived: Duration::from_nanos(1_500),
            released: Some(Duration::from_millis(20)),
            size: 512,
            fate: Fate::Passed,
            hold: Some(Duration::from_nanos(19_998_501)),
            queued: Some(Duration::from_micros(5)),
            copies: 1,
            corrupted_byte: Some(9),
            tos_in: None,
            tos_out: None,
            ttl_in: Some(64),
            upstream_port: Some(40_000),
            hash: None,
        };
        let refused = DatagramRow {
            flow: None,
            seq: None,
            direction: Direction::Down,
            fate: Fate::Dropped(DropCause::Limit),
            hold: None,
            queued: None,
            copies: 0,
            corrupted_byte: None,
            ..row
        };
        let mut text = Vec::new();
        let mut writer = DatagramWriter::new(&mut text).unwrap();
        for row in [row, refused, DatagramRow { fate: Fate::SendError, ..row }] {
            writer.write(&row).unwrap();
        }
        writer.flush().unwrap();
        drop(writer);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn it_reads_what_is_written() {
        let read: Vec<_> = DatagramReader::new(rows().as_bytes()).unwrap().map(Result::unwrap).collect();
        let first = RecordedDatagram {
            mapping: "dns".into(),
            flow: Some(3),
            direction: Direction::Up,
            seq: Some(17),
            arrived: Duration::from_nanos(1_500),
            size: 512,
            fate: Fate::Passed,
            hold: Some(Duration::from_nanos(19_998_501)),
            queued: Some(Duration::from_micros(5)),
            copies: 1,
            corrupted_byte: Some(9),
        };
        assert_eq!(read[0], first);
        assert_eq!((read[1].flow, read[1].fate), (None, Fate::Dropped(DropCause::Limit)));
        assert_eq!(read[2].fate, Fate::SendError);
        assert_eq!(read.len(), 3);
    }

    proptest! {
        #[test]
        fn any_row_is_read_or_refused(cells in prop::collection::vec("[a-z0-9.-]{0,6}", 0..20)) {
            let text = format!("{}\n{}\nend,,up,,0,0,passed,,,,0,\n", READ.join(","), cells.join(","));
            let read: Vec<_> = DatagramReader::new(text.as_bytes()).unwrap().take(3).collect();
            prop_assert!(!read.is_empty());
        }
    }

    #[test]
    fn a_last_row_that_was_cut_short_is_left_out_and_a_bad_one_named() {
        let whole = rows();
        for cut in 1..whole.lines().last().unwrap().len() - 1 {
            let mut reader = DatagramReader::new(&whole.as_bytes()[..whole.len() - cut - 1]).unwrap();
            let read = reader.by_ref().map(Result::unwrap).count();
            assert!(read == 2 && reader.truncated() || read == 3, "{cut}");
        }
        let bad = whole.replacen(",512,", ",many,", 1);
        let error = DatagramReader::new(bad.as_bytes()).unwrap().next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "line 2: 'many' for size");
        // `ProxyData` would double its bins without end.
        let far = whole.replacen(",1.500,", ",9223372036854775.807,", 1);
        let error = DatagramReader::new(far.as_bytes()).unwrap().next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "line 2: '9223372036854775.807' for arrived_us");
        let error = DatagramReader::new("mapping,flow\n".as_bytes()).err().unwrap();
        assert_eq!(error.to_string(), "the column 'dir' is missing");
    }
}
