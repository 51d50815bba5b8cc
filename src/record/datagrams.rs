//! `datagrams.csv`: what a proxy did to each datagram, a row each.
//!
//! Times are microseconds since the proxy's start; an empty cell is what did not happen or is not known.

use std::io::{self, Write};

use super::cell::Cell;
use super::rows::Rows;
use crate::impair::Direction;
use crate::relay::Fate;
use crate::time::Duration;

/// The header of `datagrams.csv`.
pub const COLUMNS: [&str; 18] = [
    "mapping",
    "flow",
    "dir",
    "seq",
    "arrived_us",
    "released_us",
    "size",
    "fate",
    "cause",
    "hold_us",
    "queue_us",
    "copies",
    "corrupted_byte",
    "tos_in",
    "tos_out",
    "ttl_in",
    "upstream_port",
    "hash",
];

/// One datagram.
#[derive(Clone, Copy, Debug)]
pub struct DatagramRow<'a> {
    /// The name of its mapping.
    pub mapping: &'a str,
    /// The ordinal of the flow in its mapping; `None` if it opened none.
    pub flow: Option<u64>,
    /// Up is toward the server.
    pub direction: Direction,
    /// Its number in its flow and direction, from 0; `None` if it opened no flow.
    pub seq: Option<u64>,
    /// Since the start.
    pub arrived: Duration,
    /// When it was sent on; `None` if it was not.
    pub released: Option<Duration>,
    /// Bytes of UDP payload.
    pub size: usize,
    /// Passed, dropped with a cause, or refused by the socket.
    pub fate: Fate,
    /// How long it was held on purpose.
    pub hold: Option<Duration>,
    /// The part of the hold that it waited at the bottleneck.
    pub queued: Option<Duration>,
    /// Copies sent beyond the first.
    pub copies: u8,
    /// The place of the payload byte in which one bit was flipped.
    pub corrupted_byte: Option<u32>,
    /// Traffic class (DSCP and ECN) on arrival, where the system tells.
    pub tos_in: Option<u8>,
    /// Traffic class with which it was sent on.
    pub tos_out: Option<u8>,
    /// TTL or hop limit on arrival, where the system tells.
    pub ttl_in: Option<u8>,
    /// The port from which the flow sends to the server.
    pub upstream_port: Option<u16>,
    /// Of the payload as it arrived, which joins a row with a packet of a capture.
    pub hash: Option<u32>,
}

/// The CRC-32 of the payload, as zlib has it.
pub fn hash(payload: &[u8]) -> u32 {
    crc32fast::hash(payload)
}

/// Writes `datagrams.csv`: a header, then a row per datagram. Writes nothing after its first error.
pub struct DatagramWriter<W: Write> {
    rows: Rows<W>,
}

impl<W: Write> DatagramWriter<W> {
    /// Writes the header.
    pub fn new(out: W) -> io::Result<Self> {
        Ok(Self { rows: Rows::new(out, &COLUMNS)? })
    }

    /// Writes one row.
    pub fn write(&mut self, row: &DatagramRow) -> io::Result<()> {
        let (fate, cause) = match row.fate {
            Fate::Passed => ("passed", None),
            Fate::Dropped(cause) => ("dropped", Some(cause.label())),
            Fate::SendError => ("send_error", Some("send_error")),
        };
        let cells: [Cell; COLUMNS.len()] = [
            Cell::Name(row.mapping),
            Cell::count(row.flow),
            Cell::Name(row.direction.name()),
            Cell::count(row.seq),
            Cell::Time(row.arrived),
            Cell::time(row.released),
            Cell::Count(row.size as u64),
            Cell::Name(fate),
            Cell::name(cause),
            Cell::time(row.hold),
            Cell::time(row.queued),
            Cell::Count(u64::from(row.copies)),
            Cell::count(row.corrupted_byte),
            Cell::count(row.tos_in),
            Cell::count(row.tos_out),
            Cell::count(row.ttl_in),
            Cell::count(row.upstream_port),
            row.hash.map_or(Cell::Missing, Cell::Hash),
        ];
        self.rows.write(&cells)
    }

    /// Passes on what is buffered.
    pub fn flush(&mut self) -> io::Result<()> {
        self.rows.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::DropCause;

    #[test]
    fn a_row_says_what_became_of_a_datagram_and_leaves_the_unknown_empty() {
        let passed = DatagramRow {
            mapping: "dns",
            flow: Some(3),
            direction: Direction::Up,
            seq: Some(17),
            arrived: Duration::from_nanos(1_500),
            released: Some(Duration::from_millis(20)),
            size: 512,
            fate: Fate::Passed,
            hold: Some(Duration::from_nanos(19_998_500)),
            queued: None,
            copies: 0,
            corrupted_byte: Some(9),
            tos_in: Some(184),
            tos_out: Some(184),
            ttl_in: Some(64),
            upstream_port: Some(40_000),
            hash: Some(0xAB12),
        };
        let dropped = DatagramRow {
            flow: None,
            seq: None,
            direction: Direction::Down,
            released: None,
            fate: Fate::Dropped(DropCause::Limit),
            hold: None,
            corrupted_byte: None,
            tos_in: None,
            tos_out: None,
            ttl_in: None,
            upstream_port: None,
            hash: None,
            ..passed
        };
        let mut bytes = Vec::new();
        let mut writer = DatagramWriter::new(&mut bytes).unwrap();
        writer.write(&passed).unwrap();
        writer.write(&dropped).unwrap();
        writer.write(&DatagramRow { fate: Fate::SendError, ..passed }).unwrap();
        drop(writer);
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], COLUMNS.join(","));
        assert_eq!(
            lines[1],
            "dns,3,up,17,1.500,20000.000,512,passed,,19998.500,,0,9,184,184,64,40000,0000ab12"
        );
        assert_eq!(lines[2], "dns,,down,,1.500,,512,dropped,limit,,,0,,,,,,");
        assert!(lines[3].contains(",send_error,send_error,"));
        assert!(lines.iter().all(|line| line.split(',').count() == COLUMNS.len()));
    }

    /// The check value of CRC-32/ISO-HDLC.
    #[test]
    fn the_hash_is_zlibs_crc32() {
        assert_eq!(hash(b"123456789"), 0xCBF4_3926);
    }
}
