//! Files for Prometheus and Grafana: rules by their tests, the dashboard by a real Prometheus that scrapes
//! six monitors.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use udpecho::net::http_get;

use crate::common::process::{Process, Serve, command, free_port, free_tcp_port, output, run};
use crate::live::web::{body, get, page_of};

pub fn contrib(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib").join(path)
}

fn promtool(words: &[&str]) {
    promtool_reads(words, "");
}

fn promtool_reads(words: &[&str], input: &str) {
    let mut promtool = Command::new("promtool");
    promtool.current_dir(contrib("prometheus")).args(words);
    let done = output(promtool, input);
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

/// Of the shipped dashboard.
pub fn dashboard_expressions() -> Vec<String> {
    let text = fs::read_to_string(contrib("grafana/udpecho-watch.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids: Vec<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    ids.dedup();
    assert_eq!(ids.len(), panels.len(), "each panel has a number of its own");
    let expressions: Vec<String> = expressions(&dashboard).into_iter().map(str::to_owned).collect();
    assert!(expressions.len() >= 20, "{expressions:#?}");
    expressions
}

/// All groups and sources, and rates over so long.
pub fn with_variables(expression: &str, rate_interval: &str) -> String {
    let chosen = expression.replace("$group", ".*").replace("$source", ".*");
    let chosen = chosen.replace("$__rate_interval", rate_interval);
    // `$1` is of label_replace.
    assert!(!chosen.replace("$1", "").contains('$'), "a variable that has no value here: {chosen}");
    chosen
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

const HOSTS: std::ops::RangeInclusive<u32> = 1..=6;

/// A monitor that answers the others and measures them, and a server that answers late and loses on purpose.
fn watch(folder: &Path, host: u32, port: u16, far: u16) -> (Process, u16) {
    let others = HOSTS.filter(|other| *other != host).map(|other| format!("'127.0.0.{other}:{port}'"));
    let text = format!(
        "name = 'n{host}'\nlabels = {{ zone = 'z{}', rack = 'r{}' }}\n\
         [reflect]\nlisten = '127.0.0.{host}:{port}'\ntell-names = true\n\
         [defaults]\ninterval = '50ms'\nobjective = '99%'\n\
         [[group]]\nname = 'mesh'\ntargets = [{}]\n\
         [[group]]\nname = 'far'\ntargets = ['127.0.0.7:{far}']\ndeadline = '5ms'\n",
        host % 2,
        host % 3,
        others.collect::<Vec<_>>().join(", ")
    );
    fs::write(folder.join(format!("{host}.toml")), text).unwrap();
    let mut monitor = Process::spawn(command(folder, &format!("watch -q -f {host}.toml --http 0")));
    let page = page_of(&mut monitor);
    (monitor, page)
}

/// With the shipped routes.
fn alertmanager(folder: &Path) -> (Process, u16) {
    let port = free_tcp_port();
    let mut alertmanager = Command::new("prometheus-alertmanager");
    alertmanager.arg(format!("--config.file={}", contrib("prometheus/alertmanager.yml").display()));
    alertmanager.arg(format!("--web.listen-address=127.0.0.1:{port}")).arg("--cluster.listen-address=");
    alertmanager.arg(format!("--storage.path={}", folder.join("alerts").display()));
    let mut alertmanager = Process::spawn(alertmanager);
    alertmanager.remark_with("Listening on");
    (alertmanager, port)
}

/// With the shipped configuration and rules, but other addresses and a second for a quarter of a minute.
fn prometheus(folder: &Path, pages: &[u16], alertmanager: u16) -> (Process, u16) {
    let pages: Vec<String> = pages.iter().map(|port| format!("\"127.0.0.1:{port}\"")).collect();
    let mut config = fs::read_to_string(contrib("prometheus/prometheus.yml")).unwrap();
    for (shipped, here) in [
        ("15s", "1s"),
        ("rules.yml", &*contrib("prometheus/rules.yml").display().to_string()),
        ("localhost:9093", &format!("127.0.0.1:{alertmanager}")),
        (r#""n1:9476", "n2:9476", "n3:9476""#, &pages.join(", ")),
    ] {
        assert!(config.contains(shipped), "{shipped} in {config}");
        config = config.replace(shipped, here);
    }
    start_prometheus(folder, &config)
}

/// With this configuration, on the blocks in `data`. Its port, too.
pub(crate) fn start_prometheus(folder: &Path, config: &str) -> (Process, u16) {
    fs::write(folder.join("prometheus.yml"), config).unwrap();
    let port = free_tcp_port();
    let mut prometheus = Command::new("prometheus");
    prometheus.current_dir(folder).args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
    prometheus.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let mut prometheus = Process::spawn(prometheus);
    prometheus.remark_with("ready to receive web requests");
    (prometheus, port)
}

/// The series that `--check` announces for a monitor.
fn announced_series(folder: &Path, host: u32) -> u64 {
    let checked = run(command(folder, &format!("watch -f {host}.toml --check")));
    let all = checked.stdout.iter().find(|line| line.starts_with("all ")).unwrap();
    all.split_whitespace().nth(4).unwrap().parse().unwrap()
}

#[test]
fn a_prometheus_that_scrapes_six_monitors_answers_the_dashboard_and_alerts() {
    crate::needs!(Prometheus, Alertmanager);
    let expressions = dashboard_expressions();
    let (folder, reflectors) = (TempDir::new().unwrap(), free_port());
    let folder = folder.path();
    let far = Serve::start("--clean --loss nth:9 --delay 20ms");
    let (_monitors, pages): (Vec<_>, Vec<_>) =
        HOSTS.map(|host| watch(folder, host, reflectors, far.port)).unzip();
    let full = Serve::start("--clean --max-sessions 0");
    let others = [
        &format!("127.0.0.8:{}", full.port),
        "no-such-host.invalid:9",
        &format!("127.0.0.9:{}", free_port()),
    ];
    let mut seventh = Process::spawn(command(folder, &format!("watch -q --http 0 {}", others.join(" "))));
    let seventh_page = page_of(&mut seventh);
    let (_alertmanager, alerts) = alertmanager(folder);
    let all_pages = [&pages[..], &[seventh_page]].concat();
    let (_prometheus, port) = prometheus(folder, &all_pages, alerts);
    promtool_reads(&["check", "metrics"], body(&get(pages[0], "/metrics")));

    for expression in expressions {
        answers(port, &with_variables(&expression, "10s"));
    }
    for host in HOSTS {
        // Names with a colon are those of the rules.
        let scraped = format!("count({{source=\"n{host}\", target!=\"\", __name__!~\".*:.*\"}})");
        answers(port, &format!("{scraped} == {}", announced_series(folder, host)));
    }
    // Each path of two monitors once, though both its ends count it; and each target has been scraped twice.
    answers(port, r#"count(from_to:udpecho_path_loss:ratio5m{from=~"n.", to=~"n."}) == 30"#);
    answers(port, "count(sum by (source, target) (increase(udpecho_replies_total[10s])) > 0) == 36");
    answers(port, r#"udpecho_target_down{reason="denied"} == 1"#);
    let by_prometheus = format!("--prometheus http://127.0.0.1:{port} --last 10s");
    for of in [by_prometheus, format!("http://127.0.0.1:{seventh_page}")] {
        let verdict = run(command(folder, &format!("locate {of}")));
        let expected = [
            "127.0.0.9 is silent: the one monitor that asks it has no answer",
            "not measured: 127.0.0.8 refuses a session",
            "not measured: no-such-host.invalid has no address",
        ];
        assert_eq!((verdict.code, &verdict.stdout[..]), (Some(3), &expected.map(str::to_owned)[..]), "{of}");
    }
    pages_the_owner(alerts);
}

/// The alert that needs no minute to pass reaches the receiver of pages.
fn pages_the_owner(alertmanager: u16) {
    let mut last = Value::Null;
    for _ in 0..150 {
        last = serde_json::from_str(body(&get(alertmanager, "/api/v2/alerts"))).unwrap();
        let is_it = |alert: &Value| {
            alert["labels"]["alertname"] == "UdpechoBudgetBurnsFast"
                && alert["labels"]["group"] == "far"
                && alert["receivers"] == serde_json::json!([{ "name": "pages" }])
        };
        if last.as_array().unwrap().iter().any(is_it) {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("no alert of the late group: {last}");
}

/// Waits until there is a result.
pub fn answers(port: u16, query: &str) {
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
            return;
        }
        last = json.to_string();
        thread::sleep(Duration::from_millis(100));
    }
    panic!("no result of {query}: {last}");
}
