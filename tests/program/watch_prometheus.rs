//! Files for Prometheus and Grafana: rules by their tests, the dashboard by a real Prometheus that scrapes
//! two monitors.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use udpecho::net::http_get;

use crate::common::process::{Process, Serve, command, free_tcp_port, output, run};

fn contrib(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib").join(path)
}

fn promtool(words: &[&str]) {
    let mut promtool = Command::new("promtool");
    promtool.current_dir(contrib("prometheus")).args(words);
    let done = output(promtool, "");
    let said = [done.stdout, done.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(done.status.success() && !said.contains("FAILED"), "promtool {words:?}: {said}");
}

#[test]
fn the_rules_alert_on_the_faults_they_name_and_on_nothing_else() {
    crate::needs!(Prometheus);
    promtool(&["check", "rules", "--lint=all", "rules.yml"]);
    promtool(&["check", "config", "prometheus.yml"]);
    promtool(&["test", "rules", "rules-test.yml", "rules-days-test.yml"]);
}

/// Every `expr` of a dashboard, however deep.
fn expressions(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, field)| match field.as_str() {
                Some(expression) if name == "expr" => vec![expression],
                _ => expressions(field),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(expressions).collect(),
        _ => Vec::new(),
    }
}

/// Two monitors, each the target of the other, with a loss that has no cause on the way.
fn watch(folder: &Path, own: &str, other: &str, port: u16) -> Process {
    let text = format!(
        "name = '{own}'\nlabels = {{ zone = 'z-{own}' }}\nhttp = '{own}:0'\n[[group]]\nname = 'mesh'\n\
         targets = ['{other}:{port}']\ninterval = '20ms'\nobjective = '99%'\n"
    );
    fs::write(folder.join(format!("{own}.toml")), text).unwrap();
    Process::spawn(command(folder, &format!("watch -q -f {own}.toml --http-host {own}.test")))
}

#[test]
fn every_expression_of_the_dashboard_answers_on_a_prometheus_that_scrapes_monitors() {
    crate::needs!(Prometheus);
    let text = fs::read_to_string(contrib("grafana/udpecho-watch.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let expressions = expressions(&dashboard);
    assert!(expressions.len() >= 20, "{expressions:#?}");
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids: Vec<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    ids.dedup();
    assert_eq!(ids.len(), panels.len(), "each panel has a number of its own");

    let folder = TempDir::new().unwrap();
    let server = Serve::start("--clean --loss nth:9");
    let ends = [("127.0.0.1", "127.0.0.2"), ("127.0.0.2", "127.0.0.1")];
    let mut monitors = ends.map(|(own, other)| watch(folder.path(), own, other, server.port));
    let pages: Vec<String> = ends
        .iter()
        .zip(&mut monitors)
        .map(|((own, _), monitor)| {
            let said = monitor.remark_with("see http://");
            let port = said.trim_end_matches('/').rsplit(':').next().unwrap().to_owned();
            format!("'{own}:{port}'")
        })
        .collect();
    let config = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: ['{}']\nscrape_configs: [ {{ \
         job_name: udpecho, static_configs: [ {{ targets: [{}] }} ] }} ]\n",
        contrib("prometheus/rules.yml").display(),
        pages.join(", ")
    );
    fs::write(folder.path().join("prometheus.yml"), config).unwrap();
    let port = free_tcp_port();
    let mut prometheus = Command::new("prometheus");
    prometheus.current_dir(folder.path()).args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
    prometheus.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let mut prometheus = Process::spawn(prometheus);
    prometheus.remark_with("ready to receive web requests");
    for expression in expressions {
        let chosen =
            expression.replace("$group", ".*").replace("$source", ".*").replace("$__rate_interval", "10s");
        // `$1` is of label_replace.
        assert!(!chosen.replace("$1", "").contains('$'), "a variable that has no value here: {chosen}");
        answers(port, &chosen);
    }
    let words = format!("locate --prometheus http://127.0.0.1:{port} --last 10s");
    let verdict = run(command(folder.path(), &words));
    assert!(
        verdict.code == Some(0) && verdict.has_line("nothing: 2 paths"),
        "a server's own injection: {verdict:#?}"
    );
    let matrix = answers(port, "from_to:udpecho_path_loss:ratio5m{from=\"127.0.0.1\",to=\"127.0.0.2\"}");
    assert_eq!(matrix.as_array().unwrap().len(), 1, "one path, from both its ends: {matrix}");
}

/// The result, once there is one without an error.
fn answers(port: u16, query: &str) -> Value {
    let letter = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    let path = format!("api/v1/query?query={}", query.bytes().map(letter).collect::<String>());
    let place = format!("127.0.0.1:{port}");
    let mut last = String::new();
    for _ in 0..150 {
        let answer = http_get(place.parse().unwrap(), &place, &path, 1 << 24);
        let answer = answer.unwrap_or_else(|error| panic!("{query}: {error}"));
        let json: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(json["status"], "success", "{query}: {json}");
        if json["data"]["result"].as_array().is_some_and(|result| !result.is_empty()) {
            return json["data"]["result"].clone();
        }
        last = json.to_string();
        thread::sleep(Duration::from_millis(100));
    }
    panic!("no result of {query}: {last}");
}
