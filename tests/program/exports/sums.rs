//! The files of a run say the same, each in its own way.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;
use udpecho::record::{Clock, Folder, PROBES, Run, Summary};
use udpecho::stats::RunStatistics;

use super::generated::{Made, Scenario};

/// A table, by column.
struct Table {
    columns: BTreeMap<String, Vec<String>>,
    rows: usize,
}

impl Table {
    fn read(bytes: &[u8]) -> Self {
        let mut reader = csv::Reader::from_reader(bytes);
        let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let column = |place: usize| rows.iter().map(|row| row[place].to_owned()).collect();
        let columns = header.iter().enumerate().map(|(place, name)| (name.clone(), column(place)));
        Self { columns: columns.collect(), rows: rows.len() }
    }

    /// Of the cells that hold a number: an empty one is unknown.
    fn sum(&self, column: &str) -> u64 {
        let known = self.columns[column].iter().filter(|cell| !cell.is_empty());
        known.map(|cell| cell.parse::<u64>().unwrap()).sum()
    }

    fn count(&self, column: &str, value: &str) -> u64 {
        self.columns[column].iter().filter(|cell| *cell == value).count() as u64
    }

    /// Of the cells that hold a number, where `outcome` is this.
    fn numbers(&self, column: &str, outcome: &str) -> Vec<f64> {
        let cells = self.columns[column].iter().zip(&self.columns["outcome"]);
        cells
            .filter(|(cell, of)| *of == outcome && !cell.is_empty())
            .map(|(cell, _)| cell.parse().unwrap())
            .collect()
    }
}

fn check(made: &Made) {
    let summary = made.run.summary.as_ref().unwrap();
    let probes = Table::read(&made.probes);
    let outcomes = ["ok", "late", "lost", "send_error"].map(|outcome| probes.count("outcome", outcome));
    assert_eq!(outcomes, [summary.ok, summary.late, summary.lost, summary.send_errors]);
    assert_eq!(summary.sent, summary.ok + summary.late + summary.lost);
    assert_eq!(probes.columns["sent_us"].iter().filter(|cell| !cell.is_empty()).count() as u64, summary.sent);
    for (cause, count) in &summary.causes {
        let name = serde_json::to_value(cause).unwrap();
        assert_eq!(probes.count("cause", name.as_str().unwrap()), *count);
    }
    assert_eq!(summary.causes.values().sum::<u64>(), summary.lost);
    let answered = summary.ok + summary.late;
    assert_eq!(probes.sum("copies") - answered, summary.duplicates);
    assert_eq!(Some(probes.sum("injected_copies")), summary.injected_duplicates);
    check_distribution(&probes.numbers("rtt_us", "ok"), summary.rtt_us.as_ref());
    check_distribution(&probes.numbers("net_rtt_us", "ok"), summary.net_rtt_us.as_ref());
    check_distribution(&probes.numbers("hold_us", "ok"), summary.hold_us.as_ref());
    check_distribution(&probes.numbers("due_rtt_us", "ok"), summary.due_rtt_us.as_ref());

    let seconds = Table::read(&made.seconds);
    let sums = ["sent", "ok", "late", "lost"].map(|column| seconds.sum(column));
    assert_eq!(sums, [summary.sent, summary.ok, summary.late, summary.lost]);
    assert_eq!(seconds.sum("throughput_bps"), summary.ok * u64::from(made.run.config.size) * 16);
    assert!(
        seconds.columns["second"].iter().enumerate().all(|(place, cell)| *cell == (place + 1).to_string())
    );
    assert_eq!(seconds.rows as u64, made.rows.last().map_or(0, |row| row.second()));
    let total: f64 = (0..seconds.rows)
        .filter(|row| seconds.columns["ok"][*row] != "0")
        .map(|row| {
            let cell = |column: &str| seconds.columns[column][row].parse::<f64>().unwrap();
            cell("delay_mean_us") * cell("ok")
        })
        .sum();
    let mean = summary.rtt_us.as_ref().map_or(0.0, |rtt| rtt.mean);
    assert!((total - mean * summary.ok as f64).abs() <= 0.001 * summary.ok as f64 + 1e-6, "{total} {mean}");
}

fn check_distribution(values: &[f64], told: Option<&udpecho::record::Distribution>) {
    let Some(told) = told else { return assert!(values.is_empty()) };
    assert_eq!(told.n, values.len() as u64);
    let extreme = |pick: fn(f64, f64) -> f64| values.iter().copied().reduce(pick).unwrap();
    assert_eq!((told.min, told.max), (extreme(f64::min), extreme(f64::max)));
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    assert!((told.mean - mean).abs() <= 0.001, "{} {mean}", told.mean);
}

/// What `report` makes of the two files it reads.
fn rebuilt(made: &Made) -> Run {
    let place = tempfile::TempDir::new().unwrap();
    let folder = Folder::create(place.path(), false).unwrap();
    folder.write_run(&made.run).unwrap();
    std::fs::write(folder.file(PROBES), &made.probes).unwrap();
    let mut statistics = RunStatistics::new();
    let truncated = folder.each_probe(|probe| statistics.push(probe, |_| {})).unwrap();
    assert!(!truncated);
    Run {
        clock: Clock::of(&statistics),
        summary: Some(Summary::of(&statistics)),
        ..folder.read_run().unwrap()
    }
}

/// A line of the stream has the cells of its row.
fn check_stream(made: &Made) {
    let lines: Vec<Value> = made
        .stream
        .split(|byte| *byte == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
    for (event, table) in [("probe", Table::read(&made.probes)), ("interval", Table::read(&made.seconds))] {
        let lines = of(event);
        assert_eq!(lines.len(), table.rows);
        for (name, cells) in &table.columns {
            for (line, cell) in lines.iter().zip(cells) {
                assert!(says(&line[name], cell), "{name}: {} is not {cell}", line[name]);
            }
        }
    }
    assert_eq!((&lines[0]["event"], &lines.last().unwrap()["event"]), (&"start".into(), &"end".into()));
    let end: Run = serde_json::from_value(lines.last().unwrap()["run"].clone()).unwrap();
    assert_eq!(
        end.summary.map(|summary| summary.sent),
        made.run.summary.as_ref().map(|summary| summary.sent)
    );
}

fn says(value: &Value, cell: &str) -> bool {
    match value {
        Value::Null => cell.is_empty(),
        Value::String(text) => text == cell,
        number => cell.parse::<f64>().ok() == number.as_f64(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sums_of_columns_are_the_summary(scenario in Scenario::any()) {
        if let Some(made) = scenario.make() {
            check(&made);
        }
    }

    #[test]
    fn a_report_comes_to_what_ping_came_to(scenario in Scenario::any()) {
        if let Some(made) = scenario.make() {
            let rebuilt = rebuilt(&made);
            prop_assert_eq!(rebuilt.summary, made.run.summary);
            prop_assert_eq!(rebuilt.clock, made.run.clock);
        }
    }

    #[test]
    fn the_stream_says_what_the_files_say(scenario in Scenario::any()) {
        if let Some(made) = scenario.make() {
            check_stream(&made);
        }
    }
}
