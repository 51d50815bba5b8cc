//! Everything written keeps to the schemas in the source, and the schemas hold nothing else.

use std::collections::BTreeSet;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::generated::{Made, Scenario};
use crate::common::process::{run, udpecho};

use udpecho::host::{Figures, ProcessFigures};
use udpecho::record::{EVENTS_SCHEMA as EVENTS, RUN_SCHEMA as RUN};

fn parsed(schema: &str) -> Value {
    serde_json::from_str(schema).unwrap()
}

fn run_validator(schema: &Value) -> Validator {
    jsonschema::draft202012::meta::validate(schema).expect("a sound schema");
    jsonschema::validator_for(schema).unwrap()
}

/// The schema of a line as `udpecho schema events` prints it: that of a run is in it.
pub fn line_validator() -> Validator {
    let mut schema = udpecho();
    schema.args(["schema", "events"]);
    run_validator(&parsed(&run(schema).stdout.join("\n")))
}

pub fn assert_valid(validator: &Validator, value: &Value) {
    let errors: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

pub fn assert_is_run(value: &Value) {
    assert_valid(&run_validator(&parsed(RUN)), value);
}

fn written(made: &Made) -> Value {
    let mut bytes = Vec::new();
    made.run.write(&mut bytes).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// With everything, with nothing, of each dialect and schedule.
fn runs() -> Vec<Made> {
    let usual = Scenario::usual();
    let scenarios = [
        usual.clone(),
        Scenario {
            injects: false,
            loss: 0.0,
            duplicates: 0.0,
            spread: crate::common::millis(0),
            ..usual.clone()
        },
        Scenario { decays: true, ..usual.clone() },
        Scenario { text: true, deadline: None, loss: 0.0, ..usual.clone() },
        Scenario { count: 1, deadline: None, loss: 0.0, ..usual.clone() },
        Scenario { count: 6000, every: crate::common::millis(1), ..usual },
    ];
    scenarios.iter().map(|scenario| scenario.make().expect("an opening")).collect()
}

#[test]
fn what_is_written_of_a_run_keeps_to_its_schema() {
    let validator = run_validator(&parsed(RUN));
    for made in runs() {
        assert_valid(&validator, &written(&made));
    }
    let mut unfinished = runs().swap_remove(0);
    (unfinished.run.summary, unfinished.run.clock, unfinished.run.server) = (None, None, None);
    assert_valid(&validator, &written(&unfinished));
}

#[test]
fn what_is_streamed_keeps_to_its_schema() {
    let validator = line_validator();
    for made in runs() {
        for line in made.stream.split_inclusive(|byte| *byte == b'\n') {
            assert!(line.ends_with(b"\n"));
            assert_valid(&validator, &serde_json::from_slice(line).unwrap());
        }
    }
}

/// The schemas allow more keys than they name; ours they name, every one.
#[test]
fn no_key_is_written_that_the_schemas_do_not_name() {
    let mut closed = parsed(RUN);
    close(&mut closed);
    let validator = run_validator(&closed);
    for made in runs() {
        assert_valid(&validator, &written(&made));
    }
    let mut closed = parsed(EVENTS);
    close(&mut closed["$defs"]);
    closed["$defs"]["run"] = parsed(RUN);
    let validator = run_validator(&closed);
    for line in runs()[0].stream.split_inclusive(|byte| *byte == b'\n') {
        assert_valid(&validator, &serde_json::from_slice(line).unwrap());
    }
}

/// Forbids, in every object that names its keys, all others.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("type") == Some(&json!("object")) && map.contains_key("properties") {
                map.insert("additionalProperties".to_owned(), json!(false));
            }
            map.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

#[test]
fn no_key_is_named_that_is_not_written() {
    let schema = parsed(RUN);
    let run = written(&runs().swap_remove(0));
    let defs = &schema["$defs"];
    let process = ProcessFigures { pid: 1, name: "init".to_owned(), cpu_share: 0.5 };
    let host_second = json!(Figures { second: 1, processes: vec![process], ..Figures::default() });
    for (definition, object) in [
        (&schema, &run),
        (&defs["environment"], &run["environment"]),
        (&defs["config"], &run["config"]),
        (&defs["server"], &run["server"]),
        (&defs["stamps"], &run["stamps"]),
        (&defs["clock"], &run["clock"]),
        (&defs["event"], &run["events"][0]),
        (&defs["hostSecond"], &host_second),
        (&defs["summary"], &run["summary"]),
        (&defs["lossRuns"], &run["summary"]["loss_runs"]),
        (&defs["outage"], &run["summary"]["loss_runs"]["longest_outage"]),
        (&defs["distribution"], &run["summary"]["rtt_us"]),
    ] {
        assert_eq!(keys(&definition["properties"]), keys(object));
    }
}

fn keys(object: &Value) -> BTreeSet<&String> {
    object.as_object().map(Map::keys).expect("an object").collect()
}

/// A validator that lets all pass would prove nothing.
#[test]
fn what_is_wrong_is_refused() {
    let validator = run_validator(&parsed(RUN));
    let good = written(&runs().swap_remove(0));
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value);
        !validator.is_valid(&value)
    };
    assert!(broken(&|run| run["schema"] = json!(2)));
    assert!(broken(&|run| run["started"] = json!("yesterday")));
    assert!(broken(&|run| run["summary"]["sent"] = json!(-1)));
    assert!(broken(&|run| run["summary"]["loss_share"] = json!(1.1)));
    assert!(broken(&|run| run["summary"]["causes"] = json!({ "aliens": 1 })));
    assert!(broken(&|run| run["summary"]["rtt_us"]["p99"] = Value::Null));
    assert!(broken(&|run| drop(run["config"].as_object_mut().unwrap().remove("size"))));
    let validator = line_validator();
    assert!(!validator.is_valid(&json!({ "event": "probe", "seq": 0 })));
    assert!(!validator.is_valid(&json!({ "event": "end", "run": {} })));
}

/// The record that is shipped as an example is one of today's form.
#[test]
fn the_sample_keeps_to_the_schema() {
    let sample = include_str!("../../../results/sample/run.json");
    assert_is_run(&parsed(sample));
}
