//! Two rate searches held against each other, by direction.

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;
use udpecho::probe::rate_search::{Delays, LimitedBy, RateResult, Settings, Step};
use udpecho::record::Folder;
use udpecho::record::rate::{DirectionRate, Rate, SCALE};
use udpecho::report::compare::SCHEMA;
use udpecho::time::Duration;

use super::paths;

fn found(mega: f64, limited_by: Option<LimitedBy>) -> DirectionRate {
    let delay = Duration::from_millis(20);
    let delays = Some(Delays { mean: delay, p50: delay, p95: delay, max: delay });
    let pushed = Step { offered: mega * 1.2e6, received: mega * 1e6, loss: 0.1, own: delays, other: delays };
    let result = RateResult {
        rate: mega * 1e6,
        interval: (mega * 0.995e6, mega * 1.005e6),
        pushed: Some(pushed),
        limited_by,
        ..RateResult::default()
    };
    DirectionRate::of(&result, &Settings::default(), 1_200)
}

fn record(path: &Path, up: Option<DirectionRate>, down: Option<DirectionRate>) {
    let mut run = paths::run();
    let (mode, scale) = ("sequential".to_owned(), SCALE.to_owned());
    run.rate = Some(Rate { mode, scale, up, down, ..Rate::default() });
    let folder = Folder::create(path, false).unwrap();
    folder.write_run(&run).unwrap();
    folder.probe_writer().unwrap().flush().unwrap();
}

/// Before, after a fall of the rate down, and where this host was too busy to tell.
fn runs() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    record(&at("before"), Some(found(20.0, None)), Some(found(100.0, None)));
    record(&at("again"), Some(found(20.1, None)), Some(found(99.0, None)));
    record(&at("after"), Some(found(20.0, None)), Some(found(50.0, None)));
    record(&at("busy"), None, Some(found(50.0, Some(LimitedBy::Client))));
    paths_run(&at("ping"));
    home
}

fn paths_run(path: &Path) {
    let folder = Folder::create(path, false).unwrap();
    folder.write_run(&paths::run()).unwrap();
    folder.probe_writer().unwrap().flush().unwrap();
}

fn compare(home: &TempDir, words: &str) -> (Option<i32>, String, String) {
    let mut command = Command::cargo_bin("udpecho").unwrap();
    let ended = command.current_dir(home.path()).arg("compare").args(words.split(' ')).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ended.status.code(), text(ended.stdout), text(ended.stderr))
}

#[test]
fn a_direction_that_carries_less_is_worse_and_the_other_the_same() {
    let home = runs();
    let (code, text, errors) = compare(&home, "before after --fail-regression");
    assert_eq!(code, Some(3), "{errors}");
    let worse = "B is worse than A: down rate 50.0 Mbit/s instead of 100 Mbit/s (-50 %)";
    assert!(text.starts_with(worse), "{text}");
    assert_eq!(errors, format!("udpecho: regression: {worse}\n"));
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let row =
        |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{text}"));
    assert!(row("up rate").ends_with("same"), "{text}");
    assert!(row("down rate").ends_with("worse"), "{text}");
    assert!(row("down delay").contains("20.0 ms"), "{text}");
    assert!(!home.path().join("compare.png").exists());
    let (code, text, _) = compare(&home, "before again --fail-regression");
    assert_eq!(code, Some(0));
    assert!(text.starts_with("no change found between A and B"), "{text}");
    let (code, text, _) = compare(&home, "before busy --fail-regression");
    assert_eq!(code, Some(0), "a lower bound shows no fall");
    assert!(text.starts_with("undecided between A and B"), "{text}");
}

#[test]
fn the_comparison_in_json_keeps_to_its_schema() {
    let home = runs();
    let (code, text, errors) = compare(&home, "before after busy --json");
    assert_eq!(code, Some(0), "{errors}");
    let document: Value = serde_json::from_str(&text).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(SCHEMA).unwrap()).unwrap();
    let wrong: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(document["regression"], true);
    let figures = document["comparisons"][0]["figures"].as_array().unwrap();
    let down = figures.iter().find(|figure| figure["figure"] == "down_rate").unwrap();
    assert_eq!((&down["before"], &down["after"]), (&1e8.into(), &5e7.into()));
    assert_eq!(down["verdict"], "worse");
}

#[test]
fn like_is_compared_with_like_and_without_a_picture() {
    let home = runs();
    let (code, _, errors) = compare(&home, "before ping");
    assert_eq!(code, Some(2));
    assert!(errors.contains("compare like with like"), "{errors}");
    let (code, _, errors) = compare(&home, "before after -o rates.png");
    assert_eq!(code, Some(2));
    assert!(errors.contains("no picture"), "{errors}");
}
