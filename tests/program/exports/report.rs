//! What `report` says to a record that is not whole, not of today, or none.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use udpecho::record::{Folder, PICTURE, PROBES, RUN};

use super::generated::Scenario;
use crate::common::process::{Finished, command, names, run};

/// A folder `run` as `ping` leaves it.
fn recorded() -> TempDir {
    let place = TempDir::new().unwrap();
    let made = Scenario::usual().make().unwrap();
    let folder = Folder::create(&place.path().join("run"), false).unwrap();
    folder.write_run(&made.run).unwrap();
    fs::write(folder.file(PROBES), &made.probes).unwrap();
    place
}

fn report(place: &Path, words: &str) -> Finished {
    run(command(place, &format!("report {words}")))
}

fn refused(finished: &Finished, why: &[&str]) {
    assert_eq!((finished.code, finished.stderr.len()), (Some(2), 1), "{finished:#?}");
    for part in why {
        assert!(finished.stderr[0].contains(part), "no '{part}' in {finished:#?}");
    }
}

#[test]
fn a_truncated_file_is_reported_up_to_its_last_whole_row() {
    let place = recorded();
    let path = place.path().join("run").join(PROBES);
    let rows = fs::read(&path).unwrap();
    let ends: Vec<usize> =
        rows.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1).collect();
    // In the middle of the 101st row; the first line is the header.
    fs::write(&path, &rows[..(ends[100] + ends[101]) / 2]).unwrap();
    let finished = report(place.path(), "run");
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    assert!(
        finished.has_line("note: the last row of probes.csv is incomplete and left out"),
        "{finished:#?}"
    );
    assert!(finished.has_line("note: probes.csv holds 100 of the run's 300 probes"), "{finished:#?}");
    assert!(finished.has_line("100 packets transmitted"), "{finished:#?}");

    // Nothing, and a part of the header.
    for kept in [0, 20] {
        fs::write(&path, &rows[..kept]).unwrap();
        let finished = report(place.path(), "run");
        assert_eq!(finished.code, Some(0), "{finished:#?}");
        assert!(finished.has_line("0 packets transmitted"), "{finished:#?}");
    }
}

#[test]
fn a_newer_schema_is_said_so() {
    let place = recorded();
    let path = place.path().join("run").join(RUN);
    let newer = fs::read_to_string(&path).unwrap().replacen("\"schema\": 1", "\"schema\": 9", 1);
    fs::write(&path, newer).unwrap();
    refused(&report(place.path(), "run"), &["run.json has schema 9", "up to 1", "a newer udpecho"]);
}

#[test]
fn what_is_no_run_is_said_so() {
    let place = recorded();
    refused(&report(place.path(), "."), &[". holds no run", "no run.json"]);
    refused(&report(place.path(), "nowhere"), &["nowhere holds no run"]);
    fs::write(place.path().join("run").join(RUN), "{\"schema\": 1}").unwrap();
    refused(&report(place.path(), "run"), &["run.json is not the record of a run", "missing field"]);
}

#[test]
fn a_record_without_its_rows_is_said_so() {
    let place = recorded();
    fs::remove_file(place.path().join("run").join(PROBES)).unwrap();
    refused(&report(place.path(), "run"), &["cannot read", "probes.csv"]);
}

#[test]
fn a_picture_that_exists_is_replaced_only_by_force() {
    let place = recorded();
    let picture = place.path().join("mine.png");
    fs::write(&picture, "mine").unwrap();
    refused(&report(place.path(), "run -o mine.png"), &["mine.png exists", "--force"]);
    assert_eq!(fs::read(&picture).unwrap(), b"mine");
    assert_eq!(names(&place.path().join("run")), [PROBES, RUN]);
    let finished = report(place.path(), "run -o mine.png --force");
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    assert!(fs::read(&picture).unwrap().starts_with(b"\x89PNG"));
    // The run's own picture is drawn again whenever it is asked for.
    for _ in 0..2 {
        assert_eq!(report(place.path(), "run").code, Some(0));
    }
    assert_eq!(names(&place.path().join("run")), [PROBES, PICTURE, RUN]);
}
