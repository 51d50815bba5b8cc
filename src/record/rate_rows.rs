//! `rate.csv`: a row for each report of a rate search, about 50 a second.

use std::io::{self, Read, Write};

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

/// One row as it is read back: times in nanoseconds, rates in bits a second.
#[derive(Clone, Debug, PartialEq)]
pub struct RateSample {
    /// From the start of the run.
    pub time: f64,
    /// `up`, `down` or `echo`.
    pub direction: String,
    /// The phase of the search.
    pub phase: String,
    /// The rate asked for.
    pub asked: f64,
    /// The rate that arrived; none if too few packets came.
    pub received: Option<f64>,
    /// The median delay of the loaded flow above that of the idle path.
    pub own: Option<f64>,
    /// The same of the other flow.
    pub other: Option<f64>,
}

/// Reads the rows; those that are no rows of this table are left out.
pub fn read_rate(reader: impl Read) -> io::Result<Vec<RateSample>> {
    let mut rows = csv::Reader::from_reader(reader);
    let header = rows.headers()?.clone();
    let place = |name: &str| header.iter().position(|column| column == name);
    let [time, direction, phase, asked, received, own, other] =
        ["time_us", "direction", "phase", "asked_bps", "received_bps", "own_p50_us", "other_p50_us"]
            .map(place);
    let mut samples = Vec::new();
    for row in rows.records() {
        let row = row?;
        let text = |place: Option<usize>| place.and_then(|place| row.get(place));
        let number =
            |place: Option<usize>| text(place)?.parse::<f64>().ok().filter(|value| value.is_finite());
        let (Some(time), Some(direction), Some(phase)) = (number(time), text(direction), text(phase)) else {
            continue;
        };
        samples.push(RateSample {
            time: time * 1e3,
            direction: direction.to_owned(),
            phase: phase.to_owned(),
            asked: number(asked).unwrap_or(0.0),
            received: number(received),
            own: number(own).map(|micros| micros * 1e3),
            other: number(other).map(|micros| micros * 1e3),
        });
    }
    Ok(samples)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Way;
    use crate::probe::rate_search::{PhaseName, Report};
    use crate::time::Instant;

    #[test]
    fn what_is_written_is_read_back() {
        let at = |millis| Instant::ZERO + Duration::from_millis(millis);
        let millis = Duration::from_millis;
        let report = Report {
            sent: 110,
            arrived: 101,
            bytes: 101_000,
            first_arrival: at(0),
            last_arrival: at(100),
            delay_p10: millis(5),
            delay_p50: millis(7),
            delay_p90: millis(9),
            delay_max: millis(30),
        };
        let row = RateRow {
            at: millis(1_500),
            way: Way::Echo,
            phase: PhaseName::Hold,
            asked: 9e6,
            report,
            base: millis(2),
            other_p50: None,
        };
        let mut written = Vec::new();
        let mut writer = RateWriter::new(&mut written).unwrap();
        writer.write(&row).unwrap();
        writer.flush().unwrap();
        drop(writer);
        let sample = RateSample {
            time: 1.5e9,
            direction: "echo".to_owned(),
            phase: "hold".to_owned(),
            asked: 9e6,
            received: Some(8e6),
            own: Some(5e6),
            other: None,
        };
        assert_eq!(read_rate(&written[..]).unwrap(), [sample]);
        let foreign = "time_us,phase\nx,hold\n5,hold\n";
        assert_eq!(read_rate(foreign.as_bytes()).unwrap(), []);
    }
}
