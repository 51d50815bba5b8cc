//! `udpecho compare` as a process: what it prints, what it writes, how it exits.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use tempfile::TempDir;
use udpecho::probe::Resolved;
use udpecho::record::{Event, Folder, PROBES, RECORD_LIMIT};

use super::paths::{self, STEADY};

/// A folder with runs over the steady path, and over it with five times the loss and a tenth more delay.
fn runs() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let worse = paths::Path { fall: 0.05, base: 9.05e6, ..STEADY };
    record(&home.path().join("before"), STEADY.probes(1, 1500));
    record(&home.path().join("again"), STEADY.probes(2, 1500));
    record(&home.path().join("after"), worse.probes(3, 1500));
    home
}

fn record(path: &Path, probes: impl Iterator<Item = Resolved>) -> Folder {
    let folder = Folder::create(path, false).unwrap();
    folder.write_run(&paths::run()).unwrap();
    let mut rows = folder.probe_writer().unwrap();
    probes.for_each(|probe| rows.write(&probe).unwrap());
    rows.flush().unwrap();
    folder
}

fn compare(home: &TempDir, arguments: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Command::cargo_bin("udpecho").unwrap();
    command.current_dir(home.path()).arg("compare").args(arguments).assert()
}

fn stdout(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

fn stderr(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}

#[test]
fn a_regression_fails_where_it_is_asked_to() {
    let home = runs();
    let found = compare(&home, &["before", "after", "--fail-regression"]).code(3);
    assert!(stderr(&found).contains("udpecho: regression: B is worse than A: loss "), "{}", stderr(&found));
    assert!(stdout(&found).starts_with("B is worse than A: loss "), "{}", stdout(&found));
    compare(&home, &["before", "after", "--force"]).code(0);
    compare(&home, &["after", "before", "--force", "--fail-regression"]).code(0);
    compare(&home, &["before", "again", "--force", "--fail-regression"]).code(0);
    // The third run is the one that is worse.
    let found = compare(&home, &["before", "again", "after", "--force", "--fail-regression"]).code(3);
    assert!(stderr(&found).contains("C is worse") && !stderr(&found).contains("B is worse"));
    compare(&home, &["before", "after", "--force", "--margin", "100%", "--fail-regression"]).code(3);
    // A delay has to reach both margins, the loss that of percent.
    let wide = ["before", "after", "--force", "--margin", "1s", "--margin", "5%", "--fail-regression"];
    let found = compare(&home, &wide).code(3);
    assert!(stderr(&found).contains(" loss ") && !stderr(&found).contains(" RTT "), "{}", stderr(&found));
}

#[test]
fn the_picture_is_replaced_only_by_force() {
    let home = runs();
    let picture = home.path().join("compare.png");
    compare(&home, &["before", "again"]).code(0);
    let first = std::fs::read(&picture).unwrap();
    assert_eq!(&first[..8], b"\x89PNG\r\n\x1a\n");
    let refused = compare(&home, &["before", "after"]).code(2);
    let why = stderr(&refused);
    assert!(
        why.contains("compare.png exists") && why.contains("--force") && why.lines().count() == 1,
        "{why}"
    );
    assert_eq!(stdout(&refused), "");
    assert_eq!(std::fs::read(&picture).unwrap(), first);
    compare(&home, &["before", "after", "--force"]).code(0);
    assert_ne!(std::fs::read(&picture).unwrap(), first);
    compare(&home, &["before", "after", "-o", "other.svg"]).code(0);
    assert!(std::fs::read_to_string(home.path().join("other.svg")).unwrap().starts_with("<svg"));
    let left: Vec<PathBuf> = std::fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!left.iter().any(|path| path.extension().is_some_and(|end| end == "part")), "{left:?}");
}

#[test]
fn a_picture_may_go_to_standard_output() {
    let home = runs();
    let written = compare(&home, &["before", "after", "-o", "-"]).code(0);
    assert_eq!(&written.get_output().stdout[..8], b"\x89PNG\r\n\x1a\n");
    assert!(!home.path().join("compare.png").exists());
}

#[test]
fn what_cannot_be_compared_is_said_in_a_line() {
    let home = runs();
    for (arguments, why) in [
        (&["before"][..], "2 values required"),
        (&["before", "nowhere"], "nowhere holds no run"),
        (&["before", "again", "-o", "x.gif"], ".png or .svg, not .gif"),
        (&["before", "again", "--margin", "often"], "5% or 50us"),
        (&["before", "again", "--json", "-o", "-"], "both write to standard output"),
    ] {
        let refused = compare(&home, arguments).code(2);
        let said = stderr(&refused);
        assert!(said.contains(why) && said.lines().count() == 1, "{arguments:?}: {said}");
    }
}

/// A kill in the middle of a row: the rest is compared, and that is said.
#[test]
fn a_cut_run_is_compared_up_to_its_end() {
    let home = runs();
    let rows = home.path().join("after").join(PROBES);
    let text = std::fs::read_to_string(&rows).unwrap();
    std::fs::write(&rows, &text[..text.len() - 10]).unwrap();
    let compared = compare(&home, &["before", "after"]).code(0);
    let text = stdout(&compared);
    assert!(text.contains("is incomplete") && text.contains("1499 probes of 512 B"), "{text}");
}

#[test]
fn a_record_that_stopped_at_its_limit_is_named() {
    let home = runs();
    let folder = Folder::open(&home.path().join("after")).unwrap();
    let mut run = folder.read_run().unwrap();
    let text = "probes.csv stops here".to_owned();
    run.events.push(Event { at_us: 1e6, kind: RECORD_LIMIT.to_owned(), text });
    folder.write_run(&run).unwrap();
    let text = stdout(&compare(&home, &["before", "after"]).code(0));
    assert!(text.contains("after stopped at its record limit; only its first probes"), "{text}");
}

/// Nothing but JSON on stdout, and no picture unless it is asked for.
#[test]
fn json_replaces_the_table() {
    let home = runs();
    let found = compare(&home, &["before", "after", "--json", "--fail-regression"]).code(3);
    let document: serde_json::Value = serde_json::from_str(&stdout(&found)).unwrap();
    assert_eq!((&document["schema"], &document["regression"]), (&1.into(), &true.into()));
    assert!(!home.path().join("compare.png").exists());
    compare(&home, &["before", "after", "--json", "-o", "compare.svg"]).code(0);
    assert!(home.path().join("compare.svg").exists());
}
