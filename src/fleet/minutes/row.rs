//! One row of a record: a target and a minute, as CSV and back.

use std::collections::BTreeMap;
use std::io::Read;
use std::str::FromStr;
use std::sync::Arc;

use super::utc;
use super::whole_lines::WholeLines;
use crate::fleet::counters::Counters;
use crate::fleet::figures::State;
use crate::fleet::snapshot::TargetView;
use crate::fleet::wanted::Key;
use crate::printable::printable;
use crate::probe::{Cause, Dialect, HostNames};
use crate::time::{Duration, Instant};
use crate::units::Probability;

/// A target's counts of a minute, and its state at the end of it.
#[derive(Clone, Debug, PartialEq)]
pub struct MinuteRow {
    /// When the counting began, by the wall clock, in whole milliseconds.
    pub start: Instant,
    /// How long it counted: a minute, less at the start and the end of a run, more after rows that were not written.
    pub length: Duration,
    /// The target, and how it is measured; many rows share it.
    pub place: Arc<RecordedPlace>,
    /// At the end.
    pub state: State,
    /// Flows that lose half of their probes or more, at the end.
    pub lossy_flows: u8,
    /// Within the time.
    pub counters: Counters,
}

/// The part of a row that is mostly the same as in the target's row before.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedPlace {
    /// The monitor's host.
    pub source: HostNames,
    /// Group and target.
    pub key: Key,
    /// Empty while its name has none.
    pub address: String,
    /// How it is asked.
    pub dialect: Dialect,
    /// Source ports by which probes take turns.
    pub flows: u8,
    /// The share of probes that should be answered in time.
    pub objective: Option<f64>,
    /// The names that its server tells of its host.
    pub told: HostNames,
}

/// Why a row cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// The file cannot be read, or is no CSV.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// It is another table.
    #[error("it has no column '{0}'")]
    NoColumn(String),
    /// A value makes no sense.
    #[error("line {line}: {column} is '{value}'")]
    Value {
        /// From 1.
        line: u64,
        /// Its column.
        column: String,
        /// As it is written.
        value: String,
    },
}

const BEFORE: [&str; 8] = ["time", "seconds", "source", "group", "target", "state", "sent", "lost"];
const BEHIND: [&str; 10] = [
    "flows",
    "flows_lossy",
    "objective",
    "dialect",
    "address",
    "target_name",
    "target_rack",
    "target_zone",
    "source_rack",
    "source_zone",
];

impl MinuteRow {
    /// Of what was counted since an earlier moment, as of now.
    pub(super) fn of(
        view: &TargetView,
        source: &HostNames,
        [start, end]: [Instant; 2],
        earlier: &Counters,
    ) -> Self {
        let (wanted, figures) = (&view.wanted, &view.figures);
        let place = RecordedPlace {
            source: source.clone(),
            key: wanted.key.clone(),
            address: wanted.address.map(|address| address.to_string()).unwrap_or_default(),
            dialect: wanted.group.dialect,
            flows: wanted.group.flows,
            objective: wanted.group.objective,
            told: figures.host().cloned().unwrap_or_default(),
        };
        Self {
            start,
            length: end - start,
            place: Arc::new(place),
            state: figures.state(),
            lossy_flows: figures.lossy_flows().count() as u8,
            counters: figures.counters().since(earlier),
        }
    }

    /// When the counting ended.
    pub fn end(&self) -> Instant {
        self.start + self.length
    }

    /// A server may tell any name, also one with a line break, which would hide the end of a torn row.
    fn cells(&self) -> Vec<String> {
        let (place, counters) = (&*self.place, &self.counters);
        let text = |text: &str| printable(text).into_owned();
        let millis = self.length.as_nanos() / 1_000_000;
        let before = [
            utc::text(self.start),
            format!("{}.{:03}", millis / 1_000, millis % 1_000),
            text(&place.source.name),
            text(&place.key.group),
            text(&place.key.target),
            self.state.label().to_owned(),
            counters.outcomes.sent().to_string(),
            counters.outcomes.lost().to_string(),
        ];
        let mut numbers = counters.numbers().map(|number| number.to_string());
        // A loss whose cause the dialect cannot tell is unknown there, not zero.
        for cause in Cause::ALL.into_iter().filter(|cause| !place.dialect.may_tell(*cause)) {
            let cell = &mut numbers[Counters::place(cause)];
            if cell == "0" {
                cell.clear();
            }
        }
        let behind = [
            place.flows.to_string(),
            self.lossy_flows.to_string(),
            place.objective.map(|share| share.to_string()).unwrap_or_default(),
            place.dialect.name().to_owned(),
            place.address.clone(),
            text(&place.told.name),
            text(&place.told.rack),
            text(&place.told.zone),
            text(&place.source.rack),
            text(&place.source.zone),
        ];
        before.into_iter().chain(numbers).chain(behind).collect()
    }
}

/// The names of all columns, in their order.
fn columns() -> Vec<String> {
    let names = |names: &'static [&str]| names.iter().map(|name| (*name).to_owned());
    names(&BEFORE).chain(Counters::names()).chain(names(&BEHIND)).collect()
}

/// The first line of a file.
pub fn header() -> Vec<u8> {
    lines([columns()])
}

/// The rows as they stand in a file.
pub fn lines_of(rows: &[MinuteRow]) -> Vec<u8> {
    lines(rows.iter().map(MinuteRow::cells))
}

fn lines(rows: impl IntoIterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    rows.into_iter().for_each(|row| writer.write_record(row).expect("a vector takes all"));
    writer.into_inner().expect("a vector takes all")
}

/// Calls `take` with each row of a file, or of several one behind the other; returns whether the last one was cut short
/// and is left out. Columns may stand in any order, and others beside them.
pub fn read_rows(file: impl Read, mut take: impl FnMut(MinuteRow)) -> Result<bool, RowError> {
    let mut reader = csv::Reader::from_reader(WholeLines::of(file));
    let header = reader.headers()?.clone();
    if header.is_empty() && self::header().starts_with(reader.get_ref().rest()) {
        // The disk was full, or the monitor was killed, before it had written the header.
        return Ok(!reader.get_ref().rest().is_empty());
    }
    let place = |column: String| match header.iter().position(|name| name == column) {
        Some(at) => Ok((column, at)),
        None => Err(RowError::NoColumn(column)),
    };
    let numbers: Vec<_> = Counters::names().into_iter().map(place).collect::<Result<_, _>>()?;
    let places: BTreeMap<_, _> = columns().into_iter().map(place).collect::<Result<_, _>>()?;
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record)? {
        if record != header {
            take(Cells { record: &record, places: &places, numbers: &numbers }.row()?);
        }
    }
    Ok(!reader.get_ref().rest().is_empty())
}

struct Cells<'a> {
    record: &'a csv::StringRecord,
    places: &'a BTreeMap<String, usize>,
    /// Columns of the counters, in their order.
    numbers: &'a [(String, usize)],
}

impl Cells<'_> {
    fn row(&self) -> Result<MinuteRow, RowError> {
        const LONGEST: f64 = 1e9;
        let seconds: f64 = self.number("seconds")?;
        let mut numbers = [0; Counters::NUMBERS];
        for (number, (column, at)) in numbers.iter_mut().zip(self.numbers) {
            *number = self.count(column, *at)?;
        }
        let dialect = Dialect::ALL.into_iter().find(|dialect| dialect.name() == self.text("dialect"));
        let state = State::ALL.into_iter().find(|state| state.label() == self.text("state"));
        let objective = match self.text("objective") {
            "" => None,
            _ => Some(self.number::<Probability>("objective")?.get()),
        };
        let names = |name: &str, rack: &str, zone: &str| HostNames {
            name: self.text(name).to_owned(),
            rack: self.text(rack).to_owned(),
            zone: self.text(zone).to_owned(),
        };
        let key = Key { group: self.text("group").to_owned(), target: self.text("target").to_owned() };
        let place = RecordedPlace {
            source: names("source", "source_rack", "source_zone"),
            key,
            address: self.text("address").to_owned(),
            dialect: dialect.ok_or_else(|| self.error("dialect"))?,
            flows: self.number("flows")?,
            objective,
            told: names("target_name", "target_rack", "target_zone"),
        };
        Ok(MinuteRow {
            start: utc::moment(self.text("time")).ok_or_else(|| self.error("time"))?,
            length: Some(seconds)
                .filter(|seconds| (0.0..LONGEST).contains(seconds))
                .map(|seconds| Duration::from_millis((seconds * 1e3).round() as i64))
                .ok_or_else(|| self.error("seconds"))?,
            place: Arc::new(place),
            state: state.ok_or_else(|| self.error("state"))?,
            lossy_flows: self.number("flows_lossy")?,
            counters: Counters::of(&numbers),
        })
    }

    fn text(&self, column: &str) -> &str {
        self.places.get(column).and_then(|at| self.record.get(*at)).unwrap_or_default()
    }

    fn number<T: FromStr>(&self, column: &str) -> Result<T, RowError> {
        self.text(column).parse().map_err(|_| self.error(column))
    }

    /// An empty cell counts for nothing. More than a monitor counts in a century makes no sense, and would overflow sums.
    fn count(&self, column: &str, at: usize) -> Result<u64, RowError> {
        let most = 1 << if column == Counters::RTT_SUM { 62 } else { 40 };
        match self.record.get(at).unwrap_or_default() {
            "" => Ok(0),
            text => text.parse().ok().filter(|count| *count <= most).ok_or_else(|| self.error(column)),
        }
    }

    fn error(&self, column: &str) -> RowError {
        let line = self.record.position().map_or(0, csv::Position::line);
        RowError::Value { line, column: column.to_owned(), value: self.text(column).to_owned() }
    }
}
