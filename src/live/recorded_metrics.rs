//! A record of `watch` as OpenMetrics with timestamps, for `promtool tsdb create-blocks-from openmetrics`: families of
//! `/metrics`, with the same labels.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use super::exposition::{Exposition, Kind};
use super::fleet_metrics::{
    COUNTS, DOWN, FLOWS, FLOWS_LOSSY, FULL, Family, LOST, MONITOR_INFO, OBJECTIVE, RTT, TARGET_INFO, UP,
    histogram, told_labels,
};
use crate::fleet::{Counters, MinuteRow, State};
use crate::probe::Cause;
use crate::stats::Join;
use crate::time::{Duration, Instant};

/// The rows of some files.
#[derive(Debug, Default)]
pub struct RecordedMetrics {
    /// By source, group and target.
    series: BTreeMap<[String; 3], Vec<MinuteRow>>,
}

type Labels<'a> = Vec<(&'a str, &'a str)>;

impl RecordedMetrics {
    /// Takes a row.
    pub fn push(&mut self, mut row: MinuteRow) {
        let key = &row.place.key;
        let names = [&row.place.source.name, &key.group, &key.target].map(String::clone);
        let rows = self.series.entry(names).or_default();
        if let Some(last) = rows.last().filter(|last| last.place == row.place) {
            row.place = Arc::clone(&last.place);
        }
        rows.push(row);
    }

    /// Family by family, series by series, in the order of time.
    pub fn write(mut self, out: &mut dyn Write) -> io::Result<()> {
        for rows in self.series.values_mut() {
            rows.sort_by_key(|row| (row.end(), row.start));
            add_up(rows);
        }
        let mut page = Exposition::open_metrics();
        self.counters(&mut page, out)?;
        self.gauges(&mut page, out)?;
        out.write_all(page.take().as_bytes())?;
        out.write_all(b"# EOF\n")
    }

    fn counters(&self, page: &mut Exposition, out: &mut dyn Write) -> io::Result<()> {
        for (name, help, value) in COUNTS.into_iter().chain(FULL) {
            page.family(name, Kind::Counter, help);
            for rows in self.series.values() {
                series(page, rows, |page, counters| page.sample(name, &[], value(counters)));
                out.write_all(page.take().as_bytes())?;
            }
        }
        page.family(LOST.0, Kind::Counter, LOST.1);
        for rows in self.series.values() {
            for cause in Cause::ALL.into_iter().filter(|cause| may_be_told(rows, *cause)) {
                let of_cause = [("cause", cause.label())];
                series(page, rows, |page, counters| {
                    page.sample(LOST.0, &of_cause, counters.lost_by(cause));
                });
                out.write_all(page.take().as_bytes())?;
            }
        }
        page.family(RTT.0, Kind::Histogram, RTT.1);
        for rows in self.series.values() {
            series(page, rows, |page, counters| histogram(page, RTT.0, &[], &counters.rtt));
            out.write_all(page.take().as_bytes())?;
        }
        Ok(())
    }

    fn gauges(&self, page: &mut Exposition, out: &mut dyn Write) -> io::Result<()> {
        let is_up = |row: &MinuteRow| f64::from(u8::from(row.state == State::Measuring));
        self.gauge(page, out, UP, |row| Some((labels(row), is_up(row))))?;
        self.gauge(page, out, DOWN, |row| (row.state != State::Measuring).then(|| (down(row), 1.0)))?;
        self.gauge(page, out, FLOWS, |row| Some((labels(row), f64::from(row.place.flows))))?;
        self.gauge(page, out, FLOWS_LOSSY, |row| Some((labels(row), f64::from(row.lossy_flows))))?;
        self.gauge(page, out, TARGET_INFO, |row| Some((target_info(row), 1.0)))?;
        self.gauge(page, out, OBJECTIVE, |row| Some((labels(row)[..2].to_vec(), row.place.objective?)))?;
        self.gauge(page, out, MONITOR_INFO, |row| Some((monitor_info(row), 1.0)))
    }

    /// Rows with the same labels are one series; of two at one moment the last counts.
    fn gauge<'a>(
        &'a self,
        page: &mut Exposition,
        out: &mut dyn Write,
        (name, help): Family,
        value: impl Fn(&'a MinuteRow) -> Option<(Labels<'a>, f64)>,
    ) -> io::Result<()> {
        let mut all: BTreeMap<Labels, BTreeMap<Instant, f64>> = BTreeMap::new();
        for row in self.series.values().flatten() {
            if let Some((labels, value)) = value(row) {
                all.entry(labels).or_default().insert(row.end(), value);
            }
        }
        page.family(name, Kind::Gauge, help);
        for (labels, values) in all {
            page.of(&labels);
            for (at, value) in values {
                page.at(at);
                page.sample(name, &[], value);
            }
            out.write_all(page.take().as_bytes())?;
        }
        Ok(())
    }
}

/// Each row's counters become the sums of all rows up to it.
fn add_up(rows: &mut [MinuteRow]) {
    let mut sum = Counters::default();
    for row in rows {
        sum.join(&row.counters);
        row.counters = sum.clone();
    }
}

/// The sums so far, at the end of each row; of rows that end at one moment the last has them. Where nothing was counted
/// before a row, they stand at its begin, too: so the increase over its time is what it counted. The files of two days
/// may be converted apart: the first sample of the later one is a millisecond late, so that it does not hide the last
/// one of the earlier.
fn series(page: &mut Exposition, rows: &[MinuteRow], mut sample: impl FnMut(&mut Exposition, &Counters)) {
    const APART: Duration = Duration::from_millis(1);
    let none = Counters::default();
    let mut before: Option<&MinuteRow> = None;
    let ends = rows.iter().skip(1).map(|row| Some(row.end())).chain([None]);
    page.of(&labels(&rows[0]));
    for (row, next_end) in rows.iter().zip(ends) {
        let begin = (row.start + APART).min(row.end() - APART);
        if before.is_none_or(|before| before.end() < row.start.min(begin)) {
            page.at(begin);
            sample(page, before.map_or(&none, |before| &before.counters));
        }
        if next_end != Some(row.end()) {
            page.at(row.end());
            sample(page, &row.counters);
        }
        before = Some(row);
    }
}

fn labels(row: &MinuteRow) -> Labels<'_> {
    let place = &*row.place;
    vec![("source", &place.source.name), ("group", &place.key.group), ("target", &place.key.target)]
}

fn target_info(row: &MinuteRow) -> Labels<'_> {
    let place = &*row.place;
    let mut labels = labels(row);
    labels.extend([("address", place.address.as_str()), ("dialect", place.dialect.name())]);
    labels.extend(told_labels(&place.told));
    labels
}

fn down(row: &MinuteRow) -> Labels<'_> {
    let mut labels = labels(row);
    labels.push(("reason", row.state.label()));
    labels
}

fn monitor_info(row: &MinuteRow) -> Labels<'_> {
    let source = &row.place.source;
    let place = [("rack", source.rack.as_str()), ("zone", source.zone.as_str())];
    let told = place.into_iter().filter(|(_, text)| !text.is_empty());
    [("source", source.name.as_str())].into_iter().chain(told).collect()
}

fn may_be_told(rows: &[MinuteRow], cause: Cause) -> bool {
    rows.iter().any(|row| row.place.dialect.may_tell(cause))
}
