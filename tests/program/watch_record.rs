//! The record of `watch`: Prometheus takes it, and no disk stops a measurement.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::common::process::{Process, Serve, command, names, output, run};
use crate::live::web::page_of;
use crate::watch::{metrics_once, series};
use crate::watch_prometheus::{answers, contrib, dashboard_expressions, start_prometheus, with_variables};

/// Two monitors, each the target of the other, so that the paths between their zones are known.
fn record(folder: &Path, own: &str, other: &str, port: u16) -> Process {
    let text = format!(
        "name = '{own}'\nlabels = {{ zone = 'z-{own}' }}\nrecord = 'record-of-{own}'\n\
         [[group]]\nname = 'mesh'\ntargets = ['{other}:{port}']\ninterval = '20ms'\nobjective = '99%'\n"
    );
    fs::write(folder.join(format!("{own}.toml")), text).unwrap();
    Process::spawn(command(folder, &format!("watch -q -n 60 -f {own}.toml")))
}

/// On the blocks in `data`, with the shipped rules.
fn prometheus(folder: &Path) -> (Process, u16) {
    let rules = contrib("prometheus/rules.yml");
    let config = format!("global: {{ evaluation_interval: 1s }}\nrule_files: ['{}']\n", rules.display());
    start_prometheus(folder, &config)
}

/// The sum of a column.
fn sum(folder: &Path, column: &str) -> f64 {
    let mut sum = 0.0;
    for name in names(folder) {
        let mut rows = csv::Reader::from_path(folder.join(name)).unwrap();
        let at = rows.headers().unwrap().iter().position(|header| header == column).unwrap();
        sum += rows.records().map(|row| row.unwrap()[at].parse::<f64>().unwrap()).sum::<f64>();
    }
    sum
}

/// The monitor itself is not in a record: its configuration, discovery, buffers, and how many targets it has.
fn is_of_the_monitor_itself(expression: &str) -> bool {
    ["udpecho_watch_config", "udpecho_watch_targets", "udpecho_watch_receive_overflows"]
        .iter()
        .any(|family| expression.contains(family))
}

#[test]
fn the_dashboard_answers_on_the_blocks_that_promtool_makes_of_a_record() {
    crate::needs!(Prometheus);
    let (folder, server) = (TempDir::new().unwrap(), Serve::start("--clean --loss nth:9"));
    let folder = folder.path();
    let ends = [("127.0.0.1", "127.0.0.2"), ("127.0.0.2", "127.0.0.1")];
    let monitors = ends.map(|(own, other)| record(folder, own, other, server.port));
    for monitor in monitors {
        assert_eq!(monitor.finish().code, Some(0));
    }
    let records = ends.map(|(own, _)| folder.join(format!("record-of-{own}")));
    let words = "report record-of-127.0.0.1 record-of-127.0.0.2 --format openmetrics -o history.om";
    assert_eq!(run(command(folder, words)).code, Some(0));
    let mut promtool = Command::new("promtool");
    promtool.current_dir(folder).args("tsdb create-blocks-from openmetrics history.om data".split(' '));
    let made = output(promtool, "");
    assert!(made.status.success(), "{made:?}");

    let (_prometheus, port) = prometheus(folder);
    for expression in dashboard_expressions() {
        if !is_of_the_monitor_itself(&expression) {
            answers(port, &with_variables(&expression, "5m"));
        }
    }
    // A busy host skips probes.
    let recorded = |column| records.iter().map(|record| sum(record, column)).sum::<f64>();
    let (lost, replies) = (recorded("injected_down"), recorded("ok") + recorded("late"));
    answers(
        port,
        &format!("sum by (cause) (udpecho_probes_lost_total{{cause=\"injected_down\"}}) == {lost}"),
    );
    answers(port, &format!("sum(udpecho_replies_total) == {replies}"));
    answers(port, "count(from_to:udpecho_path_loss:ratio5m == 0) == 2");
    // The panel of slow paths: both series of a ratio begin at zero, so it is the mean.
    for (record, (own, _)) in records.iter().zip(ends) {
        let [sent, lost] = ["sent", "injected_down"].map(|column| sum(record, column));
        assert!(sent > 9.0 && lost == (sent / 9.0).floor(), "{lost} of {sent}, every ninth");
        let mean = sum(record, "rtt_sum_ns") / (sent - lost) / 1e9;
        let of_source = format!("{{source=\"{own}\"}}[5m]");
        let shown = format!(
            "sum(rate(udpecho_rtt_seconds_sum{of_source})) / sum(rate(udpecho_rtt_seconds_count{of_source}))"
        );
        answers(port, &format!("abs({shown} - {mean}) < 1e-9"));
    }
}

#[test]
fn a_record_that_cannot_be_written_is_told_once_and_stops_nothing() {
    let (folder, server) = (TempDir::new().unwrap(), Serve::start("--clean"));
    fs::write(folder.path().join("file"), "").unwrap();
    let words = format!("watch -q -i 20ms --http 0 --record file 127.0.0.1:{}", server.port);
    let mut watching = Process::spawn(command(folder.path(), &words));
    let port = page_of(&mut watching);
    let failures = "udpecho_watch_record_failures_total";
    let replies = |now: &str| series(now, "udpecho_replies_total", &[]);
    let metrics = metrics_once(port, |now| replies(now) > Some(20));
    assert!(series(&metrics, failures, &[]) >= Some(1), "{metrics}");
    let ended = watching.interrupt_until_it_ends();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let told = ended.stderr.iter().filter(|line| line.contains("cannot make file")).count();
    assert_eq!(told, 1, "the last row fails like the first: {ended:#?}");
}

/// A lock that another program holds, as a disk that hangs.
#[test]
fn an_interrupt_more_does_not_wait_for_a_disk_that_hangs() {
    let (folder, server) = (TempDir::new().unwrap(), Serve::start("--clean"));
    let words = |more: &str| format!("watch -q -i 20ms {more} --record record 127.0.0.1:{}", server.port);
    assert_eq!(run(command(folder.path(), &words("-n 1"))).code, Some(0));
    let record = folder.path().join("record");
    let file = fs::File::open(record.join(&names(&record)[0])).unwrap();
    file.lock().unwrap();
    let mut watching = Process::spawn(command(folder.path(), &words("--http 0")));
    let port = page_of(&mut watching);
    metrics_once(port, |now| series(now, "udpecho_replies_total", &[]) > Some(5));
    assert_eq!(watching.interrupt_until_it_ends().code, Some(0));
    assert_eq!(fs::read_to_string(record.join(&names(&record)[0])).unwrap().lines().count(), 2);
}

#[test]
fn a_check_tells_what_a_day_of_the_record_takes() {
    let folder = TempDir::new().unwrap();
    let text =
        "record = '/r'\nrecord-keep = '9d'\n[[group]]\nname = 'a'\ntargets = ['127.0.0.1', '127.0.0.2']\n";
    fs::write(folder.path().join("watch.toml"), text).unwrap();
    let checked = run(command(folder.path(), "watch -f watch.toml --check"));
    let expected = "record: 0.6 MB a day in /r, 5.8 MB with the 9 days before";
    assert_eq!(
        (checked.code, checked.stdout.last().map(String::as_str)),
        (Some(0), Some(expected)),
        "{checked:#?}"
    );
    let other = run(command(folder.path(), "report . --format openmetrics"));
    assert_eq!(other.code, Some(2), "{other:#?}");
    assert!(other.stderr[0].contains(". has no file of a record; watch --record writes them"), "{other:#?}");
    fs::write(folder.path().join("record-2026-11-28.csv"), "").unwrap();
    let picture = run(command(folder.path(), "report record-2026-11-28.csv --format svg"));
    assert!(picture.stderr[0].contains("is a record of watch, which has no picture"), "{picture:#?}");
    let empty = run(command(folder.path(), "report ."));
    assert!(empty.stderr[0].contains("the record has no row yet"), "{empty:#?}");
}

#[test]
fn a_report_of_a_record_lists_its_targets_and_counts_a_file_that_is_named_twice_once() {
    let (folder, server) = (TempDir::new().unwrap(), Serve::start("--clean"));
    let watch = format!("watch -q -n 20 -i 20ms --record record 127.0.0.1:{}", server.port);
    assert_eq!(run(command(folder.path(), &watch)).code, Some(0));
    let file = format!("record/{}", names(&folder.path().join("record"))[0]);
    let report = run(command(folder.path(), &format!("report record {file}")));
    assert_eq!((report.code, report.stdout.len()), (Some(0), 3), "{report:#?}");
    assert!(report.stdout[0].contains(", default: 2"), "{report:#?}");
    let record = folder.path().join("record");
    let cells: Vec<_> = report.stdout[2].split_whitespace().take(2).collect();
    assert_eq!(
        cells,
        [format!("127.0.0.1:{}", server.port), sum(&record, "sent").to_string()],
        "{report:#?}"
    );
    let metrics = run(command(folder.path(), &format!("report {file} record --format openmetrics")));
    let replies = format!("}} {} ", sum(&record, "ok") + sum(&record, "late"));
    let has = |line: &String| line.starts_with("udpecho_replies_total{") && line.contains(&replies);
    assert!(metrics.stdout.iter().any(has), "{replies}: {metrics:#?}");
}
