//! `compare --json` keeps to its schema, and the schema names nothing else.

use serde_json::{Value, json};
use udpecho::probe::SteadySettings;
use udpecho::record::Load;
use udpecho::report::compare::{Document, SCHEMA, Sample, changes};
use udpecho::time::Duration;

use super::paths::{MARGIN, Path, STEADY, run, sample};
use crate::common::steady_load;

fn document(samples: &[Sample]) -> Value {
    let changes = changes(samples, MARGIN);
    serde_json::from_str(&Document::new(samples, &changes, MARGIN).text()).unwrap()
}

fn documents() -> Vec<Value> {
    let worse = Path { fall: 0.05, base: 9.05e6, ..STEADY };
    vec![
        document(&[STEADY.sample(1, 1000), worse.sample(2, 1000), STEADY.sample(3, 100)]),
        document(&[sample([]), STEADY.sample(1, 30)]),
    ]
}

/// Forbids every key that the schema does not name.
fn close(schema: &mut Value) {
    if let Value::Object(map) = schema {
        if map.contains_key("properties") && map.get("type") == Some(&json!("object")) {
            map.insert("additionalProperties".to_owned(), json!(false));
        }
        map.values_mut().for_each(close);
    }
}

#[test]
fn a_comparison_in_json_keeps_to_its_schema() {
    let mut schema: Value = serde_json::from_str(SCHEMA).unwrap();
    jsonschema::draft202012::meta::validate(&schema).expect("a sound schema");
    close(&mut schema);
    let validator = jsonschema::validator_for(&schema).unwrap();
    for document in documents() {
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

#[test]
fn a_regression_in_json_names_its_figure_in_microseconds() {
    let document = &documents()[0];
    assert_eq!(document["regression"], json!(true));
    let [b, c] = [0, 1].map(|k| &document["comparisons"][k]);
    assert_eq!((&b["run"], &b["verdict"]), (&json!("B"), &json!("worse")));
    assert!(b["headline"].as_str().unwrap().starts_with("B is worse than A: loss "));
    let figure = |of: &Value, name: &str| {
        let figures = of["figures"].as_array().unwrap();
        figures.iter().find(|figure| figure["figure"] == json!(name)).unwrap().clone()
    };
    let median = figure(b, "rtt_p50");
    let before = median["before"].as_f64().unwrap();
    assert!((10_000.0..12_000.0).contains(&before) && median["unit"] == json!("us"), "{median}");
    assert_eq!((&median["verdict"], &median["regression"]), (&json!("worse"), &json!(true)));
    assert!(median["low"].as_f64().unwrap() > 0.0);
    let p99 = figure(c, "rtt_p99");
    assert_eq!(p99["verdict"], json!("too_few"), "{p99}");
    assert!(p99["needed"].as_u64().unwrap() > 400);
    assert_eq!(document["runs"][2]["sent"], json!(100));
}

#[test]
fn a_load_beside_one_of_two_runs_or_another_load_is_a_setting_that_differs() {
    let steady = steady_load(1e6);
    let longer = SteadySettings { length: Some(Duration::from_secs(5)), ..steady.clone() };
    let loads = [Some(Load::asked(&steady)), None, Some(Load::asked(&longer)), Some(Load::asked(&steady))];
    let samples = loads.map(|load| {
        let mut run = run();
        run.load = load;
        Sample::new("run", run)
    });
    let document = document(&samples);
    let differ = [0, 1, 2].map(|k| document["comparisons"][k]["settings_differ"].clone());
    assert_eq!(differ, [json!(["load"]), json!(["load"]), json!([])]);
}
