//! `watch`: many targets at once, a file that is reloaded, and what Prometheus reads.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::process::{Finished, Process, Serve, command, free_port, output, run, udpecho};
use crate::live::web::{body, get, page_of};

fn object(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout.join("\n")).unwrap_or_else(|error| panic!("{error}: {finished:#?}"))
}

fn is_valid(value: &Value) -> bool {
    let mut schema = udpecho();
    schema.args(["schema", "watch"]);
    let schema = object(&run(schema));
    jsonschema::validator_for(&schema).unwrap().is_valid(value)
}

/// The value of the series with these labels.
pub fn series(metrics: &str, name: &str, labels: &[&str]) -> Option<u64> {
    let fits = |line: &&str| line.starts_with(name) && labels.iter().all(|label| line.contains(label));
    metrics.lines().find(fits)?.rsplit_once(' ')?.1.parse().ok()
}

pub fn metrics_once(port: u16, is_there: impl Fn(&str) -> bool) -> String {
    for _ in 0..300 {
        let metrics = body(&get(port, "/metrics")).to_owned();
        if is_there(&metrics) {
            return metrics;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the metrics did not come");
}

#[test]
fn each_target_has_its_own_counts_and_causes() {
    let (clean, lossy) = (Serve::start("--clean"), Serve::start("--clean --loss nth:4"));
    let folder = TempDir::new().unwrap();
    let silent = free_port();
    let words = format!(
        "watch -n 20 -i 20ms --json 127.0.0.1:{} 127.0.0.1:{} 127.0.0.1:{silent}",
        lossy.port, clean.port
    );
    let finished = run(command(folder.path(), &words));
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    let value = object(&finished);
    assert!(is_valid(&value), "{value}");
    let [lossy, clean, silent] = [0, 1, 2].map(|at| &value["targets"][at]);
    assert_eq!(
        (&clean["sent"], &clean["lost"], &clean["state"]),
        (&20.into(), &0.into(), &"measuring".into())
    );
    assert_eq!((&lossy["lost"], &lossy["causes"]["injected_down"]), (&5.into(), &5.into()));
    assert_eq!(
        (&silent["sent"], &silent["state"], &silent["rtt_us"]),
        (&0.into(), &"closed".into(), &Value::Null)
    );

    let alone = run(command(folder.path(), &format!("watch -n 1 127.0.0.1:{}", free_port())));
    assert_eq!(alone.code, Some(1), "{alone:#?}");
}

#[test]
fn the_summary_without_a_terminal_is_fping_s_and_has_no_cursor_codes() {
    let server = Serve::start("--clean --loss nth:2");
    let folder = TempDir::new().unwrap();
    let finished = run(command(folder.path(), &format!("watch -n 10 -i 10ms 127.0.0.1:{}", server.port)));
    let [line] = &finished.stdout[..] else { panic!("{finished:#?}") };
    assert!(line.contains(" : xmt/rcv/%loss = 10/5/50%, min/avg/max = "), "{line}");
    assert!(line.ends_with(", lost: 5 injected_down"), "{line}");
}

/// The keys are beside the file, and the program runs elsewhere.
#[test]
fn a_group_measures_servers_of_its_dialect_with_a_key_of_its_own() {
    let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    assert_eq!(run(command(folder.path(), "keygen -o key")).code, Some(0));
    let key = folder.path().join("key");
    let mut serve = Serve::start(&format!("--clean --stamp=0 --irtt=0 --key-file {}", key.display()));
    let mut port_of = |dialect: &str| {
        let line = serve.process.line_with(&format!("answers {dialect}"));
        let behind = line.split("port ").nth(1).unwrap();
        behind.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse::<u16>().unwrap()
    };
    let (stamp, irtt) = (port_of("authenticated STAMP"), port_of("irtt with HMAC"));
    for (key, answered) in [("key-file = 'key'\n", 5), ("", 0)] {
        let group = |(dialect, port): (&str, u16)| {
            format!(
                "[[group]]\nname = '{dialect}'\ndialect = '{dialect}'\ntargets = ['127.0.0.1:{port}']\n\
                 interval = '20ms'\n{key}"
            )
        };
        let groups = [("native", serve.port), ("stamp", stamp), ("irtt", irtt)].map(group).concat();
        fs::write(folder.path().join("watch.toml"), groups).unwrap();
        let words = format!("watch -n 5 --json -f {}/watch.toml", folder.path().display());
        let value = object(&run(command(elsewhere.path(), &words)));
        for target in value["targets"].as_array().unwrap() {
            assert_eq!(target["replies"], answered, "{key}{target}");
        }
    }
}

fn write(folder: &Path, groups: &[(&str, u16)]) {
    let group = |(name, port): &(&str, u16)| {
        format!("[[group]]\nname = '{name}'\ntargets = ['127.0.0.1:{port}']\ninterval = '20ms'\n")
    };
    fs::write(folder.join("watch.toml"), groups.iter().map(group).collect::<String>()).unwrap();
}

#[test]
fn a_reload_keeps_the_counters_of_targets_that_stay_and_a_bad_file_changes_nothing() {
    let (first, second) = (Serve::start("--clean"), Serve::start("--clean"));
    let folder = TempDir::new().unwrap();
    write(folder.path(), &[("stays", first.port), ("goes", second.port)]);
    let mut watching = Process::spawn(command(folder.path(), "watch -f watch.toml -q --http 0"));
    let port = page_of(&mut watching);
    let sent = |metrics: &str, group: &str| {
        series(metrics, "udpecho_probes_sent_total", &[&format!("group=\"{group}\"")])
    };
    let before = metrics_once(port, |now| sent(now, "stays") > Some(20) && sent(now, "goes") > Some(20));

    fs::write(folder.path().join("watch.toml"), "[[group]]\nnaem = 'x'\n").unwrap();
    watching.signal("HUP");
    watching.remark_with("unknown key 'naem'; did you mean 'name'?; the targets stay as they were");
    let configured = "udpecho_watch_config_last_reload_successful";
    let bad = metrics_once(port, |now| series(now, configured, &[]) == Some(0));
    assert!(sent(&bad, "goes") >= sent(&before, "goes"));

    write(folder.path(), &[("stays", first.port), ("comes", second.port)]);
    watching.signal("HUP");
    watching.remark_with("watch.toml is loaded");
    let after = metrics_once(port, |now| sent(now, "comes") > Some(5));
    assert_eq!((sent(&after, "goes"), series(&after, configured, &[])), (None, Some(1)));
    assert!(sent(&after, "stays") > sent(&before, "stays"));
    assert_eq!(series(&after, "udpecho_probes_lost_total", &["group=\"stays\"", "cause=\"up\""]), Some(0));
    assert_eq!(watching.interrupt_until_it_ends().code, Some(0));
}

#[test]
fn a_file_is_checked_before_it_runs() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), &[("a", 8080), ("b", 8081)]);
    let checked = run(command(folder.path(), "watch -f watch.toml --check"));
    assert_eq!(checked.code, Some(0), "{checked:#?}");
    assert!(checked.has_line("all                         2      100.0"), "{checked:#?}");
    let text = fs::read_to_string(folder.path().join("watch.toml")).unwrap();
    let lists_nothing = format!("{text}[[group]]\nname = 'c'\nfile = 'none.json'\n");
    fs::write(folder.path().join("watch.toml"), lists_nothing).unwrap();
    let failed = run(command(folder.path(), "watch -f watch.toml --check"));
    assert!(failed.has_line("all                         2      100.0"), "{failed:#?}");
    assert!(failed.code == Some(2) && failed.stderr.concat().contains("c: none.json: "), "{failed:#?}");
    // The folder is no key.
    fs::write(folder.path().join("watch.toml"), format!("{text}key-file = '.'\n")).unwrap();
    let failed = run(command(folder.path(), "watch -f watch.toml --check"));
    let why = "udpecho: watch.toml: b: key-file: cannot read the key in .: not a regular file";
    assert_eq!((failed.code, failed.stderr), (Some(2), vec![why.to_owned()]));
    fs::write(folder.path().join("watch.toml"), format!("max-series = 50\n{text}")).unwrap();
    let refused = run(command(folder.path(), "watch -f watch.toml"));
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert!(
        refused.stderr.concat().contains("94 series on /metrics are more than max-series = 50"),
        "{refused:#?}"
    );
}

/// One file serves all hosts, so a group of others is worth a line and no error.
#[test]
fn groups_of_other_hosts_are_named_and_a_file_without_a_target_is_said_to_measure_nothing() {
    let folder = TempDir::new().unwrap();
    let group = |name: &str, from: &str| {
        format!("[[group]]\nname = '{name}'\ntargets = ['127.0.0.1:{}']\n{from}", free_port())
    };
    let foreign = group("a", "from = ['gw1', 'gw2']\n");
    let line = "udpecho: a: not measured by this host: 'from' names gw1, gw2, and this is n7";
    let nothing = "udpecho: no group has a target, so nothing is measured";
    for (other, said) in [(group("b", ""), &[line][..]), (String::new(), &[line, nothing])] {
        fs::write(folder.path().join("watch.toml"), format!("name = 'n7'\n{foreign}{other}")).unwrap();
        let checked = run(command(folder.path(), "watch -f watch.toml --check"));
        assert!(checked.code == Some(0) && checked.stderr == said, "{checked:#?}");
    }
    let mut watching = Process::spawn(command(folder.path(), "watch -f watch.toml -q"));
    watching.remark_with(line);
    watching.remark_with(nothing);
    fs::write(folder.path().join("watch.toml"), group("b", "")).unwrap();
    watching.signal("HUP");
    watching.remark_with("watch.toml is loaded");
    fs::write(folder.path().join("watch.toml"), foreign).unwrap();
    watching.signal("HUP");
    watching.remark_with("a: not measured by this host");
    watching.remark_with(nothing);
    watching.interrupt_until_it_ends();
}

#[test]
fn watch_and_locate_without_a_word_name_each_way_to_give_them_something() {
    let folder = TempDir::new().unwrap();
    for (words, ways) in [
        ("watch", &["no target given", "-f", "--sample"][..]),
        ("locate", &["no report given", "http://n1:9476", "--prometheus"]),
    ] {
        let finished = run(command(folder.path(), words));
        let [said] = &finished.stderr[..] else { panic!("{finished:#?}") };
        assert_eq!(finished.code, Some(2));
        assert!(ways.iter().all(|way| said.contains(way)), "{said}");
    }
}

#[test]
fn prometheus_accepts_the_metrics_of_a_fleet() {
    crate::needs!(Prometheus);
    let server = Serve::start("--clean");
    let folder = TempDir::new().unwrap();
    let words = format!("watch -i 20ms -q --http 0 127.0.0.1:{} no-such-host.invalid", server.port);
    let mut watching = Process::spawn(command(folder.path(), &words));
    let port = page_of(&mut watching);
    let metrics =
        metrics_once(port, |now| series(now, "udpecho_replies_total", &[&server.port.to_string()]) > Some(5));
    assert_eq!(series(&metrics, "udpecho_watch_targets", &["state=\"unresolved\""]), Some(1));
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]);
    let checked = output(promtool, metrics);
    assert!(
        checked.status.success() && checked.stderr.is_empty() && checked.stdout.is_empty(),
        "{checked:?}"
    );
}

/// Each of eight hosts asks the next three; the one named n3 loses a tenth of what it is sent.
#[test]
fn locate_names_the_host_and_the_direction_from_what_monitors_counted() {
    let folder = TempDir::new().unwrap();
    for from in 0..8 {
        let target = |step: usize| {
            let to = (from + step) % 8;
            // n3's probes are answered, but a tenth of the answers do not reach it.
            let (up, down) = (if to == 3 { 50 } else { 0 }, if from == 3 { 50 } else { 0 });
            let causes = serde_json::json!({ "up": up, "down": down });
            serde_json::json!({ "target": format!("n{to}:8080"), "sent": 500, "causes": causes })
        };
        let report =
            serde_json::json!({ "source": format!("n{from}"), "targets": [target(1), target(2), target(3)] });
        fs::write(folder.path().join(format!("n{from}.json")), report.to_string()).unwrap();
    }
    let reports: Vec<String> = (0..8).map(|n| format!("n{n}.json")).collect();
    let words = format!("locate {}", reports.join(" "));
    let finished = run(command(folder.path(), &words));
    assert_eq!(finished.code, Some(3), "{finished:#?}");
    assert!(finished.has_line("n3 loses 9.98 % of what it is sent (6 of 6 paths)"), "{finished:#?}");
    let value = object(&run(command(folder.path(), &format!("{words} --json"))));
    assert_eq!(
        (&value["findings"][0]["kind"], &value["findings"][0]["direction"]),
        (&"host".into(), &"in".into())
    );
    let mut schema = udpecho();
    schema.args(["schema", "locate"]);
    assert!(jsonschema::validator_for(&object(&run(schema))).unwrap().is_valid(&value), "{value}");

    let quiet = run(command(folder.path(), "locate n0.json"));
    assert_eq!(quiet.code, Some(3), "one monitor sees the fault as well: {quiet:#?}");
    let none = run(command(folder.path(), "locate 127.0.0.1:9476"));
    assert_eq!(none.code, Some(2));
    assert!(none.stderr[0].contains("a page is named as in http://n1:9476"), "{none:#?}");
}

#[test]
fn locate_reads_the_page_of_a_running_watch() {
    let server = Serve::start("--clean");
    let folder = TempDir::new().unwrap();
    let mut watching = Process::spawn(command(
        folder.path(),
        &format!("watch -i 20ms -q --http 0 127.0.0.1:{}", server.port),
    ));
    let port = page_of(&mut watching);
    metrics_once(port, |now| series(now, "udpecho_replies_total", &[&server.port.to_string()]) > Some(5));
    let finished = run(command(folder.path(), &format!("locate http://127.0.0.1:{port}")));
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    assert!(finished.has_line("nothing: 2 paths"), "{finished:#?}");
}
