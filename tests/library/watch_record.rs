//! The record of a monitor in virtual time: two days of rows give the counters of its page, as CSV and as OpenMetrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use udpecho::fleet::{
    Config, Counters, Figures, Forecast, Group, Key, MinuteRow, Minutes, Moment, Recent, Snapshot,
    TargetView, Wanted, header, lines_of, read_rows,
};
use udpecho::live::{RecordedMetrics, of_fleet};
use udpecho::probe::{Cause, Dialect, Event, HostNames, Outcome, Resolved};
use udpecho::stats::Join;
use udpecho::time::{Duration, Instant};

const CAUSES: [Cause; 4] = [Cause::Up, Cause::Down, Cause::InjectedDown, Cause::Unknown];
/// 2026-11-28T12:00:07Z.
const START: i64 = 1_795_867_207;

fn at(second: i64) -> Moment {
    let wall = Instant::ZERO + Duration::from_secs(START + second);
    Moment { steady: wall, wall }
}

fn target(name: &str, dialect: Dialect) -> TargetView {
    let group =
        Group { dialect, objective: Some(0.999), ..Config::of_targets(vec!["h".into()]).groups.remove(0) };
    let wanted = Wanted {
        key: Key { group: "mesh".into(), target: name.into() },
        address: Some("192.0.2.7:8080".parse().unwrap()),
        labels: BTreeMap::new(),
        group: Arc::new(group),
    };
    TargetView { wanted, figures: Figures::default(), recent: Recent::default() }
}

fn monitor() -> Snapshot {
    let labels =
        BTreeMap::from([("rack".to_owned(), "r7".to_owned()), ("zone".to_owned(), "z,1".to_owned())]);
    let targets = vec![target("a, \"b\"", Dialect::Native), target("c\\d:80", Dialect::Plain)];
    Snapshot { source: "n1".into(), labels, targets, ..Snapshot::default() }
}

/// A probe to each target, of which some are lost, late, duplicated, or never left.
fn probe(now: &mut Snapshot, seq: u64) {
    for (at, target) in now.targets.iter_mut().enumerate() {
        // A scattered number, the same in each run.
        let draw = (seq * 2 + at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        let rtt = Duration::from_micros(30 + (draw as i64 % 3_000) * (draw as i64 % 700));
        let (outcome, cause, rtt) = match draw % 20 {
            0 | 1 if at == 0 => (Outcome::Lost, Some(CAUSES[(draw / 20) as usize % 4]), None),
            0 | 1 => (Outcome::Lost, Some(Cause::Unknown), None),
            2 => (Outcome::Late, None, Some(rtt)),
            3 => (Outcome::SendError, None, None),
            _ => (Outcome::Ok, None, Some(rtt)),
        };
        let probe = Resolved { outcome, cause, rtt, ..Resolved::unanswered(seq) };
        if let Some(rtt) = rtt {
            let copies = 1 + u32::from(draw % 20 == 4);
            let reply = |copy| Event::Reply { seq, rtt, hold: None, late_by: None, copy };
            (1..=copies).for_each(|copy| target.figures.observe(&reply(copy)));
        }
        target.figures.observe(&Event::Resolved(probe));
    }
}

/// Rows as they stand in the files, by the day on which they begin; restarted each `run` minutes.
fn record(minutes: u64, run: u64) -> (Vec<MinuteRow>, Vec<Counters>) {
    let (mut rows, mut totals) = (Vec::new(), vec![Counters::default(); 2]);
    let mut second = 0;
    for begin in (0..minutes).step_by(run as usize) {
        let (mut now, mut recording) = (monitor(), Minutes::new(at(second)));
        for minute in begin..(begin + run).min(minutes) {
            (0..6).for_each(|probe_of_minute| probe(&mut now, minute * 6 + probe_of_minute));
            second += 60;
            let new = recording.rows(&now, &[], at(second), at(second).minute());
            recording.note_written(&new);
            rows.extend(new);
        }
        probe(&mut now, u64::MAX / 4 + begin);
        second += 5;
        rows.extend(recording.rows(&now, &[], at(second), at(second).wall));
        totals.iter_mut().zip(&now.targets).for_each(|(sum, target)| sum.join(&target.figures.counters()));
    }
    (rows, totals)
}

fn read_back(rows: &[MinuteRow]) -> Vec<MinuteRow> {
    let mut read = Vec::new();
    let file = [header(), lines_of(rows)].concat();
    assert!(!read_rows(&file[..], |row| read.push(row)).unwrap());
    read
}

fn open_metrics(rows: Vec<MinuteRow>) -> String {
    let mut metrics = RecordedMetrics::default();
    rows.into_iter().for_each(|row| metrics.push(row));
    let mut text = Vec::new();
    metrics.write(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn rows_of_two_days_are_read_back_and_their_sums_are_the_counters() {
    let (rows, totals) = record(2 * 1_440, 700);
    let read = read_back(&rows);
    assert_eq!(read.len(), rows.len());
    rows.iter().zip(&read).for_each(|(row, read)| assert_eq!(read, row));
    for (target, total) in [("a, \"b\"", &totals[0]), ("c\\d:80", &totals[1])] {
        let mut sum = Counters::default();
        read.iter().filter(|row| row.place.key.target == target).for_each(|row| sum.join(&row.counters));
        assert_eq!(sum, *total);
        assert!(sum.outcomes.lost() > 1_000 && sum.outcomes.late() > 500 && sum.duplicates > 500, "{sum:?}");
        assert!(
            sum.send_errors() > 500 && sum.outcomes.sent() + sum.send_errors() == 2 * 1_440 * 6 + 5,
            "{sum:?}"
        );
    }
}

/// Samples of the page that the record has, too. A record has the state of a target and its counters; discovery, flows
/// that were compared, and the monitor itself are not in it.
fn is_recorded(line: &str) -> bool {
    let name = line.split('{').next().unwrap();
    let others = ["udpecho_flow_rerolls_total", "udpecho_build_info"];
    !line.starts_with('#')
        && !others.contains(&name)
        && (!name.starts_with("udpecho_watch_")
            || ["udpecho_watch_info", "udpecho_watch_skipped_probes_total"].contains(&name))
}

#[test]
fn the_last_samples_are_those_of_the_page() {
    let mut now = monitor();
    let host = HostNames { name: "n7".into(), rack: String::new(), zone: "z2".into() };
    now.targets[0].figures.observe(&Event::Renamed(host));
    let mut recording = Minutes::new(at(0));
    let mut rows = Vec::new();
    for minute in 1..=30_u64 {
        (0..6).for_each(|probe_of_minute| probe(&mut now, minute * 6 + probe_of_minute));
        let end = at(60 * minute as i64);
        let new = recording.rows(&now, &[], end, end.minute());
        recording.note_written(&new);
        rows.extend(new);
    }
    let text = open_metrics(read_back(&rows));
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, rest) = line.rsplit_once("} ").unwrap();
        last.insert(series, rest.split(' ').next().unwrap());
    }
    let page = of_fleet(&now);
    let mut shown: BTreeMap<&str, &str> = BTreeMap::new();
    for line in page.lines().filter(|line| is_recorded(line)) {
        let (series, value) = line.rsplit_once("} ").unwrap();
        shown.insert(series, value);
    }
    assert!(shown.len() > 70, "{}", shown.len());
    assert!(last.keys().eq(shown.keys()), "{last:#?} {shown:#?}");
    shown.iter().for_each(|(series, value)| assert_eq!(last[series], *value, "{series}"));
}

#[test]
fn families_and_series_stand_together_and_time_and_counters_never_go_back() {
    let (rows, totals) = record(300, 100);
    let text = open_metrics(rows);
    assert!(text.ends_with("\n# EOF\n"));
    let (mut families, mut series) = (Vec::new(), BTreeMap::<&str, Vec<(f64, f64)>>::new());
    let mut last = "";
    for line in text.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            families.push(family);
        }
        let Some((name, rest)) = line.rsplit_once("} ").filter(|_| !line.starts_with('#')) else { continue };
        let (value, time) = rest.split_once(' ').unwrap();
        let samples = series.entry(name).or_default();
        assert!(
            samples.is_empty() || name == last || name.contains("_rtt_seconds"),
            "{name} is in two places"
        );
        last = name;
        samples.push((time.parse().unwrap(), value.parse().unwrap()));
    }
    let unique: std::collections::BTreeSet<_> = families.iter().collect();
    assert_eq!(unique.len(), families.len());
    assert!(
        families.contains(&"udpecho_replies counter") && families.contains(&"udpecho_rtt_seconds histogram")
    );
    for (name, samples) in &series {
        assert!(samples.windows(2).all(|pair| pair[0].0 < pair[1].0), "{name}");
        let is_counter = name.contains("_total{") || name.contains("_bucket{") || name.contains("_count{");
        assert!(!is_counter || samples.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{name}");
    }
    let replies = &series["udpecho_replies_total{source=\"n1\",group=\"mesh\",target=\"c\\\\d:80\""];
    let begin = (START as f64 + 0.001, 0.0);
    assert_eq!((replies[0], replies.last().unwrap().1), (begin, totals[1].replies() as f64));
}

/// Prometheus takes a counter that is lower than before as one that began anew.
#[test]
fn the_increase_over_days_that_are_converted_apart_is_what_was_counted() {
    let (rows, totals) = record(900, 900);
    let midnight = Instant::ZERO + Duration::from_secs(START - 43_207 + 86_400);
    let (before, behind): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.start < midnight);
    let name = "udpecho_replies_total{source=\"n1\",group=\"mesh\",target=\"c\\\\d:80\"} ";
    let mut samples: Vec<(f64, f64)> = Vec::new();
    for text in [open_metrics(before), open_metrics(behind)] {
        let of_series = text.lines().filter_map(|line| line.strip_prefix(name)?.split_once(' '));
        samples.extend(
            of_series.map(|(value, time)| (time.parse::<f64>().unwrap(), value.parse::<f64>().unwrap())),
        );
    }
    assert!(samples.windows(2).all(|pair| pair[0].0 < pair[1].0), "no two samples of one moment");
    let grown = |pair: &[(f64, f64)]| if pair[1].1 < pair[0].1 { pair[1].1 } else { pair[1].1 - pair[0].1 };
    assert_eq!(samples.windows(2).map(grown).sum::<f64>(), totals[1].replies() as f64);
}

#[test]
fn a_value_that_makes_no_sense_is_refused_with_its_line_and_a_torn_row_is_left_out() {
    let rows = record(2, 2).0;
    let good = String::from_utf8([header(), lines_of(&rows)].concat()).unwrap();
    let error = |text: &str| read_rows(text.as_bytes(), |_| {}).unwrap_err().to_string();
    assert_eq!(error("time,seconds\n"), "it has no column 'ok'");
    assert_eq!(error(&good.replacen(",60.000,", ",-1,", 1)), "line 4: seconds is '-1'");
    assert_eq!(
        error(&good.replacen("12:00:07", "12:00:77", 1)),
        "line 2: time is '2026-11-28T12:00:77.000Z'"
    );
    assert_eq!(error(&good.replacen(",native,", ",naive,", 1)), "line 2: dialect is 'naive'");
    assert!(error(&good.replacen(",native,", ",", 1)).contains("line: 2"), "a row with a cell less");
    for cut in [1, 2, 30] {
        let mut read = 0;
        assert!(read_rows(&good.as_bytes()[..good.len() - cut], |_| read += 1).unwrap());
        assert_eq!(read, rows.len() - 1);
    }
}

#[test]
fn files_one_behind_the_other_are_read_and_a_file_without_a_whole_header_has_no_rows() {
    let rows = record(3, 3).0;
    let both = [header(), lines_of(&rows[..2]), header(), lines_of(&rows[2..])].concat();
    let mut read = Vec::new();
    assert!(!read_rows(&both[..], |row| read.push(row)).unwrap());
    assert_eq!(read, rows);
    for (length, is_torn) in [(0, false), (20, true)] {
        let found = read_rows(&header()[..length], |_| panic!("there is no row"));
        assert_eq!(found.unwrap(), is_torn, "a full disk, or a kill");
    }
    assert!(read_rows(&b"a picture"[..], |_| {}).is_err());
}

/// Only its monitor knows a server, which may tell any name.
#[test]
fn a_line_break_in_a_name_breaks_no_line() {
    let mut now = monitor();
    let host = HostNames { name: "n\n7".into(), ..HostNames::default() };
    now.targets[0].figures.observe(&Event::Renamed(host));
    let rows = Minutes::new(at(0)).rows(&now, &[], at(60), at(60).wall);
    let lines = lines_of(&rows);
    assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), rows.len());
    assert_eq!(read_back(&rows)[0].place.told.name, "n\\u{a}7");
}

/// As one of a monitor whose host was suspended, in the releases before this one.
#[test]
fn a_row_without_time_counts_from_zero_too() {
    let rows = record(1, 1).0;
    let no_time = MinuteRow { length: Duration::ZERO, ..rows[1].clone() };
    let text = open_metrics(vec![no_time]);
    let name = "udpecho_replies_total{source=\"n1\",group=\"mesh\",target=\"c\\\\d:80\"} ";
    let samples: Vec<_> = text.lines().filter_map(|line| line.strip_prefix(name)?.split_once(' ')).collect();
    let [(none, before), (all, after)] = samples[..] else { panic!("{samples:?}") };
    assert_eq!((none, all), ("0", &*rows[1].counters.replies().to_string()));
    assert!(before < after, "{samples:?}");
}

#[test]
fn a_day_of_a_record_is_about_as_long_as_the_forecast_says() {
    let rows = record(1_440, 1_440).0;
    let bytes = lines_of(&rows).len() as f64 / 2.0;
    let forecast = Forecast::of(&monitor().targets[0].wanted.group, 1).record as f64;
    assert!((0.8..1.25).contains(&(bytes / forecast)), "{bytes} for {forecast}");
}
