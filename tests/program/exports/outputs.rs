//! What `ping` gives to programs: one thing on standard output, the same as in the files.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use super::schema::{assert_is_run, assert_valid, line_validator};
use crate::common::process::{Finished, command, free_port, names, run};

const PING: &str = "ping -n 8 -i 0.02 -W 2";

fn ping(place: &Path, options: &str) -> Finished {
    run(command(place, &format!("{PING} {options}")))
}

fn file(place: &Path, name: &str) -> String {
    fs::read_to_string(place.join(name)).unwrap()
}

/// A busy host skips probes.
fn due(run: &Value) -> u64 {
    ["sent", "send_errors"].iter().map(|count| run["summary"][count].as_u64().unwrap()).sum()
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_object_at_the_end_is_run_json() {
    let place = TempDir::new().unwrap();
    let finished = ping(place.path(), "-o run --json");
    assert_eq!((finished.code, &finished.stderr), (Some(0), &Vec::new()));
    assert_eq!(finished.stdout, lines(&file(place.path(), "run/run.json")));
    assert_is_run(&serde_json::from_str(&finished.stdout.join("\n")).unwrap());
}

#[test]
fn lines_for_people_go_to_stderr_when_asked_for() {
    let place = TempDir::new().unwrap();
    let finished = ping(place.path(), "--no-record --json -v");
    let object: Value = serde_json::from_str(&finished.stdout.join("\n")).unwrap();
    assert_eq!(due(&object), 8);
    assert!(finished.stderr.iter().any(|line| line.contains(" packets transmitted")), "{finished:#?}");
    assert_eq!(names(place.path()), [""; 0]);
}

#[test]
fn the_stream_tells_the_run_from_start_to_end() {
    let place = TempDir::new().unwrap();
    let finished = ping(place.path(), "-o run --json-stream");
    assert_eq!((finished.code, &finished.stderr), (Some(0), &Vec::new()));
    let events: Vec<Value> = finished.stdout.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let validator = line_validator();
    events.iter().for_each(|event| assert_valid(&validator, event));
    let kinds: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!((kinds[0], *kinds.last().unwrap()), ("start", "end"));
    assert_eq!(kinds.iter().filter(|kind| **kind == "probe").count(), 8);
    assert_eq!(kinds.iter().filter(|kind| **kind == "interval").count(), 1);
    let run: Value = serde_json::from_str(&file(place.path(), "run/run.json")).unwrap();
    assert_eq!(events.last().unwrap()["run"], run);
}

#[test]
fn rows_on_standard_output_are_those_of_the_file() {
    let place = TempDir::new().unwrap();
    let finished = ping(place.path(), "-o run --csv -");
    assert_eq!((finished.code, &finished.stderr), (Some(0), &Vec::new()));
    assert_eq!(finished.stdout, lines(&file(place.path(), "run/probes.csv")));
    assert_eq!(finished.stdout.len(), 9);
}

#[test]
fn a_file_of_rows_is_replaced_only_by_force() {
    let place = TempDir::new().unwrap();
    let finished = ping(place.path(), "--no-record --csv rows.csv");
    finished.assert_summed_up();
    let rows = file(place.path(), "rows.csv");
    assert_eq!(rows.lines().count(), 9);

    let finished = ping(place.path(), "--no-record --csv rows.csv");
    assert_eq!(finished.code, Some(2));
    assert_eq!(
        finished.stderr,
        ["udpecho: --csv rows.csv exists; give another name, or --force to replace it"]
    );
    assert_eq!(file(place.path(), "rows.csv"), rows);

    // A run that does not begin destroys nothing, and leaves nothing.
    let nobody = free_port();
    for (name, kept) in [("rows.csv", Some(&rows)), ("new.csv", None)] {
        let words = format!("ping -ip 127.0.0.1 -p {nobody} -n 1 --no-record --force --csv {name}");
        assert_eq!(run(command(place.path(), &words)).code, Some(1));
        assert_eq!(fs::read_to_string(place.path().join(name)).ok().as_ref(), kept);
    }

    fs::write(place.path().join("rows.csv"), rows.repeat(3)).unwrap();
    ping(place.path(), "--no-record --force --csv rows.csv").assert_summed_up();
    assert_eq!(file(place.path(), "rows.csv").lines().count(), 9);
}

#[test]
fn rows_go_to_a_file_beside_an_object() {
    let place = TempDir::new().unwrap();
    let finished = ping(place.path(), "--no-record --json --csv rows.csv");
    let object: Value = serde_json::from_str(&finished.stdout.join("\n")).unwrap();
    assert_eq!(due(&object), 8);
    assert_eq!(file(place.path(), "rows.csv").lines().count(), 9);
}

#[test]
fn only_one_thing_goes_to_standard_output() {
    let place = TempDir::new().unwrap();
    for (options, one, other) in [
        ("--json --csv -", "--json", "--csv -"),
        ("--json --json-stream", "--json", "--json-stream"),
        ("--csv - --json-stream", "--json-stream", "--csv -"),
    ] {
        let finished = ping(place.path(), options);
        assert_eq!((finished.code, finished.stderr.len()), (Some(2), 1), "{finished:#?}");
        let expected = format!("udpecho: {one} and {other} both write to standard output");
        assert!(finished.stderr[0].starts_with(&expected), "{finished:#?}");
        assert_eq!(names(place.path()), [""; 0]);
    }
}

/// `ping --json-stream | head -1` ends in order, without a word.
#[test]
fn a_reader_that_leaves_ends_the_run_quietly() {
    let place = TempDir::new().unwrap();
    let mut command = command(place.path(), "ping -i 0.02 -W 2 -o run --json-stream");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut first).unwrap();
    assert!(first.starts_with("{\"event\":\"start\""), "{first}");
    drop(reader);
    let mut complaints = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
    assert_eq!(complaints, "");
    assert!(child.wait().unwrap().code().is_some_and(|code| code < 2));
    let run: Value = serde_json::from_str(&file(place.path(), "run/run.json")).unwrap();
    assert_is_run(&run);
    assert!(run["summary"].is_object());
}
