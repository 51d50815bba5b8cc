//! The record of a monitor: what each target's counters grew by, minute by minute, in a file for each day (UTC).

mod row;
mod utc;
mod whole_lines;

use std::collections::HashMap;

use super::counters::Counters;
use super::snapshot::{Snapshot, TargetView};
use super::wanted::Key;
use crate::probe::HostNames;
use crate::stats::Join;
use crate::time::{Duration, Instant};

pub use row::{MinuteRow, RecordedPlace, RowError, header, lines_of, read_rows};

const MINUTE: i64 = 60_000_000_000;
const DAY: Duration = Duration::from_secs(86_400);

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Never set, never going back.
    pub steady: Instant,
    /// The wall clock, by which rows are dated.
    pub wall: Instant,
}

impl Moment {
    /// The minute of the wall clock that began last.
    pub fn minute(self) -> Instant {
        Instant::from_nanos(self.wall.as_nanos().div_euclid(MINUTE) * MINUTE)
    }
}

/// Counters as of the last rows that were written. Rows that cannot be written change nothing: the next ones cover
/// their time too, so the sums of a file always catch up with the counters.
#[derive(Debug)]
pub struct Minutes {
    written: HashMap<Key, Counters>,
    /// Last rows of removed targets that are not in the file yet.
    removed: Vec<MinuteRow>,
    /// The next rows begin then.
    start: Instant,
    /// The last rows ended then, written or not.
    end: Instant,
    /// The clocks at the last look.
    last: Moment,
}

impl Minutes {
    /// A change of the wall clock against the steady one that is no drift: somebody set it.
    const STEP: Duration = Duration::from_secs(1);

    /// Counters are zero now.
    pub fn new(now: Moment) -> Self {
        let start = whole_millis(now.wall);
        Self { written: HashMap::new(), removed: Vec::new(), start, end: start, last: now }
    }

    /// Last rows of targets that were removed, then one for each target of this moment, up to the end of a minute or to
    /// the moment itself.
    pub fn rows(
        &mut self,
        of: &Snapshot,
        removed: &[TargetView],
        now: Moment,
        end: Instant,
    ) -> Vec<MinuteRow> {
        let step = (now.wall - self.last.wall) - (now.steady - self.last.steady);
        if step.abs() > Self::STEP {
            self.start = whole_millis(self.start + step);
        }
        self.last = now;
        // After a step into the next minute it has no whole one behind it.
        let end = if end > self.start { end } else { now.wall };
        self.end = whole_millis(end).max(self.start);
        let times = [self.start, self.end];
        let label = |name: &str| of.labels.get(name).cloned().unwrap_or_default();
        let source = HostNames { name: of.source.clone(), rack: label("rack"), zone: label("zone") };
        for view in removed {
            // With the same name again it counts from zero.
            let earlier = self.written.remove(&view.wanted.key).unwrap_or_default();
            self.removed.push(MinuteRow::of(view, &source, times, &earlier));
        }
        keep_newest(&mut self.removed);
        let none = Counters::default();
        let row = |view: &TargetView| {
            let earlier = self.written.get(&view.wanted.key).unwrap_or(&none);
            MinuteRow::of(view, &source, times, earlier)
        };
        self.removed.iter().cloned().chain(of.targets.iter().map(row)).collect()
    }

    /// When the next rows begin.
    pub fn start(&self) -> Instant {
        self.start
    }

    /// These rows are in the file: the next ones begin where they end.
    pub fn note_written(&mut self, rows: &[MinuteRow]) {
        let mut before = std::mem::take(&mut self.written);
        for row in &rows[self.removed.len()..] {
            let mut counters = before.remove(&row.place.key).unwrap_or_default();
            counters.join(&row.counters);
            self.written.insert(row.place.key.clone(), counters);
        }
        self.removed.clear();
        self.start = self.end;
    }
}

/// Bounds what waits for a disk: 10,000 removed targets.
pub fn keep_newest<T>(removed: &mut Vec<T>) {
    const MOST: usize = 10_000;
    removed.drain(..removed.len().saturating_sub(MOST));
}

fn whole_millis(at: Instant) -> Instant {
    Instant::from_nanos(at.as_nanos().div_euclid(1_000_000) * 1_000_000)
}

const PREFIX: &str = "record-";
const DATE: usize = "2026-11-28".len();

/// The file of a day. A second one is for rows with other columns, which another version wrote.
pub fn file_name(day: Instant, number: u32) -> String {
    let number = if number > 1 { format!("-{number}") } else { String::new() };
    format!("{PREFIX}{}{number}.csv", utc::day(day))
}

/// The minute of a moment, `2026-11-28 19:30`.
pub fn minute_text(at: Instant) -> String {
    utc::text(at)[.."2026-11-28T19:30".len()].replace('T', " ")
}

/// Whether a file of this name is part of a record.
pub fn is_record(name: &str) -> bool {
    date_of(name).is_some()
}

/// Whether the days that are kept are all after it.
pub fn is_expired(name: &str, today: Instant, keep: Duration) -> bool {
    let oldest = utc::day(today - keep);
    date_of(name).is_some_and(|date| *date < *oldest)
}

/// `record-2026-11-28.csv`, or with a number behind the date.
fn date_of(name: &str) -> Option<&str> {
    let rest = name.strip_prefix(PREFIX)?.strip_suffix(".csv")?;
    let (date, number) = rest.split_at_checked(DATE)?;
    let is_digit = |byte: u8| byte.is_ascii_digit();
    let is_date = date
        .bytes()
        .enumerate()
        .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { is_digit(byte) });
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(is_digit);
    let is_numbered = number.is_empty() || number.strip_prefix('-').is_some_and(is_number);
    (is_date && is_numbered).then_some(date)
}

/// The days of which files are kept besides today's.
pub fn days(keep: Duration) -> i64 {
    keep.as_nanos().div_euclid(DAY.as_nanos())
}
