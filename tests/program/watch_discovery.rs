//! Where `watch` finds its targets: DNS servers that answer with thousands of records, are dead at the start or fail
//! later; URLs and files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use crate::common::namespaces::Network;
use crate::common::process::{Process, Serve, command, free_port, output, run};
use crate::live::web::page_of;
use crate::watch::{metrics_once, series};

/// A server of DNS with the addresses of this file of hosts.
fn dnsmasq(port: u16, hosts: &Path, arguments: &[String]) -> Process {
    let mut dnsmasq = Command::new("dnsmasq");
    dnsmasq
        .args(["--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--pid-file="])
        .args(["--bind-interfaces", "--listen-address=127.0.0.1", "--local=/test/"])
        .arg(format!("--addn-hosts={}", hosts.display()))
        .arg(format!("--port={port}"))
        .args(arguments);
    let mut dnsmasq = Process::spawn(dnsmasq);
    // It says so once it listens and has read the file.
    dnsmasq.remark_with("read ");
    dnsmasq
}

fn write(folder: &Path, text: &str) {
    fs::write(folder.join("watch.toml"), text).unwrap();
}

#[test]
fn each_of_three_thousand_addresses_of_a_name_is_a_target() {
    crate::needs!(Dnsmasq);
    let folder = TempDir::new().unwrap();
    let mut hosts = String::new();
    for n in 0..3_000 {
        writeln!(hosts, "127.1.{}.{} many.test", n / 250, n % 250 + 1).unwrap();
    }
    writeln!(hosts, "fd00::7 many.test").unwrap();
    fs::write(folder.path().join("hosts"), hosts).unwrap();
    let port = free_port();
    let _dnsmasq = dnsmasq(port, &folder.path().join("hosts"), &[]);
    write(
        folder.path(),
        &format!(
            "[[group]]\nname = 'mesh'\ndns = {{ name = 'many.test', port = 9, server = '127.0.0.1:{port}' }}\n"
        ),
    );
    let checked = run(command(folder.path(), "watch -f watch.toml --check"));
    assert_eq!(checked.code, Some(0), "{checked:#?}");
    assert!(checked.has_line("mesh                     3001     3001.0"), "{checked:#?}");
}

/// Of four addresses of a name, two servers tell either rack.
#[test]
fn near_peers_of_a_name_are_those_that_tell_the_own_rack() {
    crate::needs!(Dnsmasq);
    let (folder, port, dns) = (TempDir::new().unwrap(), free_port(), free_port());
    let hosts: String = (1..=4).map(|host| format!("127.0.0.{host} mesh.test\n")).collect();
    fs::write(folder.path().join("hosts"), hosts).unwrap();
    let _dnsmasq = dnsmasq(dns, &folder.path().join("hosts"), &[]);
    let start = |host: u32| {
        let text = format!(
            "name = '127.0.0.{host}'\nlabels = {{ rack = 'r{}' }}\n\
             [reflect]\nlisten = '127.0.0.{host}:{port}'\ntell-names = true\n\
             [[group]]\nname = 'mesh'\ninterval = '20ms'\npeers = {{ near = 3 }}\n\
             dns = {{ name = 'mesh.test', port = {port}, server = '127.0.0.1:{dns}' }}\n",
            host % 2
        );
        fs::write(folder.path().join(format!("{host}.toml")), text).unwrap();
        let words = format!("watch -f {host}.toml -q --http 0");
        let mut watching = Process::spawn(command(folder.path(), &words));
        let page = page_of(&mut watching);
        (watching, page)
    };
    let started: Vec<_> = [4, 3, 2, 1].map(start).into();
    let (_, page) = &started[3];
    let now = metrics_once(*page, |now| {
        series(now, "udpecho_replies_total", &[&format!("target=\"127.0.0.3:{port}\"")]) > Some(3)
    });
    assert_eq!(now.matches("udpecho_replies_total{").count(), 1, "the others are of another rack: {now}");
}

/// A list for all hosts has this one too.
#[test]
fn a_host_that_discovery_finds_does_not_measure_itself() {
    crate::needs!(Namespaces);
    let folder = TempDir::new().unwrap();
    let network = Network::of(&["a", "b"]);
    network.wire([("a", &["10.7.0.1/24"], 1500), ("b", &["10.7.0.2/24"], 1500)]);
    let list = r#"[{"targets": ["10.7.0.1:8080", "10.7.0.2:8080", "n7:8080"]}]"#;
    fs::write(folder.path().join("all.json"), list).unwrap();
    write(
        folder.path(),
        "name = 'n7'\n[[group]]\nname = 'found'\nfile = 'all.json'\n\
         [[group]]\nname = 'written'\ntargets = ['10.7.0.1:8080', '10.7.0.2:8080']\n",
    );
    let checked = run(network.udpecho("a", folder.path(), "watch -f watch.toml --check"));
    assert!(checked.has_line("found                       1"), "{checked:#?}");
    assert!(checked.has_line("written                     2"), "{checked:#?}");
}

#[test]
fn srv_records_name_hosts_and_ports() {
    crate::needs!(Dnsmasq);
    let folder = TempDir::new().unwrap();
    let servers = [Serve::start("--clean"), Serve::start("--clean")];
    fs::write(folder.path().join("hosts"), "127.0.0.1 n0.test\n127.0.0.1 n1.test\n").unwrap();
    let record =
        |(n, server): (usize, &Serve)| format!("--srv-host=_udpecho._udp.test,n{n}.test,{}", server.port);
    let records: Vec<String> = servers.iter().enumerate().map(record).collect();
    let port = free_port();
    let _dnsmasq = dnsmasq(port, &folder.path().join("hosts"), &records);
    write(
        folder.path(),
        &format!(
            "[[group]]\nname = 'mesh'\ninterval = '20ms'\n\
             dns = {{ name = '_udpecho._udp.test', kind = 'srv', server = '127.0.0.1:{port}' }}\n"
        ),
    );
    let mut watching = Process::spawn(command(folder.path(), "watch -f watch.toml -q --http 0"));
    let page = page_of(&mut watching);
    let target = |n: usize| format!("target=\"n{n}.test:{}\"", servers[n].port);
    metrics_once(page, |now| (0..2).all(|n| series(now, "udpecho_replies_total", &[&target(n)]) > Some(5)));
}

/// Targets without a name are measured at once, and targets of a DNS server also after it has died.
#[test]
fn a_dns_server_that_is_dead_at_the_start_and_dies_again_costs_no_target() {
    crate::needs!(Dnsmasq);
    let folder = TempDir::new().unwrap();
    let (server, port) = (Serve::start("--clean"), free_port());
    let hosts = folder.path().join("hosts");
    fs::write(&hosts, "127.0.0.1 late.test\n").unwrap();
    write(
        folder.path(),
        &format!(
            "[[group]]\nname = 'fixed'\ninterval = '20ms'\ntargets = ['127.0.0.1:{0}']\n\
             [[group]]\nname = 'mesh'\ninterval = '20ms'\n\
             dns = {{ name = 'late.test', port = {0}, server = '127.0.0.1:{port}', refresh = '1s' }}\n",
            server.port
        ),
    );
    let mut watching = Process::spawn(command(folder.path(), "watch -f watch.toml -q --http 0"));
    let page = page_of(&mut watching);
    let replies =
        |now: &str, group: &str| series(now, "udpecho_replies_total", &[&format!("group=\"{group}\"")]);
    let failures = |now: &str| series(now, "udpecho_watch_sd_failures_total", &["group=\"mesh\""]);
    let dead = metrics_once(page, |now| replies(now, "fixed") > Some(5) && failures(now) > Some(0));
    assert_eq!(replies(&dead, "mesh"), None);

    let alive = dnsmasq(port, &hosts, &[]);
    metrics_once(page, |now| replies(now, "mesh") > Some(5));
    alive.signal("TERM");
    alive.finish();
    let before = metrics_once(page, |_| true);
    let after = metrics_once(page, |now| failures(now) > failures(&before));
    assert!(replies(&after, "mesh") > replies(&before, "mesh"));
    assert_eq!(series(&after, "udpecho_probes_lost_total", &["group=\"mesh\"", "cause=\"up\""]), Some(0));
}

/// Answers each request with the text of the moment.
fn http_server(answer: Arc<Mutex<String>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                request.extend(byte);
            }
            let answer = answer.lock().unwrap().clone();
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

#[test]
fn targets_come_from_a_url_and_from_yaml_and_an_error_keeps_them() {
    let folder = TempDir::new().unwrap();
    let server = Serve::start("--clean");
    let list = |label: &str| {
        format!(
            "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n\
             [{{\"targets\": [\"127.0.0.1:{}\"], \"labels\": {{\"site\": \"{label}\"}}}}]",
            server.port
        )
    };
    let answer = Arc::new(Mutex::new(list("x")));
    let http = http_server(Arc::clone(&answer));
    let yaml =
        |site: &str| format!("- targets: ['127.0.0.1:{}']\n  labels: {{ site: {site} }}\n", server.port);
    fs::write(folder.path().join("sites.yaml"), yaml("y")).unwrap();
    write(
        folder.path(),
        &format!(
            "[defaults]\ninterval = '20ms'\n\
             [[group]]\nname = 'url'\nhttp-sd = {{ url = 'http://127.0.0.1:{http}/udp', refresh = '1s' }}\n\
             [[group]]\nname = 'file'\nfile = 'sites.yaml'\n"
        ),
    );
    let mut watching = Process::spawn(command(folder.path(), "watch -f watch.toml -q --http 0"));
    let page = page_of(&mut watching);
    let replies =
        |now: &str, group: &str| series(now, "udpecho_replies_total", &[&format!("group=\"{group}\"")]);
    let site = |now: &str, group: &str, site: &str| {
        series(now, "udpecho_target_info", &[&format!("group=\"{group}\""), &format!("site=\"{site}\"")])
            .is_some()
    };
    let before = metrics_once(page, |now| replies(now, "url") > Some(5) && replies(now, "file") > Some(5));
    assert!(site(&before, "url", "x") && site(&before, "file", "y"), "{before}");

    *answer.lock().unwrap() = "HTTP/1.0 503 Service Unavailable\r\n\r\n".to_owned();
    fs::write(folder.path().join("sites.yaml"), "- target: [x]\n").unwrap();
    let failures = |now: &str, group: &str| {
        series(now, "udpecho_watch_sd_failures_total", &[&format!("group=\"{group}\"")]) > Some(0)
    };
    let failed = metrics_once(page, |now| failures(now, "url") && failures(now, "file"));
    assert!(replies(&failed, "url") >= replies(&before, "url") && site(&failed, "file", "y"));
    watching.remark_with("url: http://127.0.0.1:");

    *answer.lock().unwrap() = list("z");
    fs::write(folder.path().join("sites.yaml"), yaml("w")).unwrap();
    let after = metrics_once(page, |now| site(now, "url", "z") && site(now, "file", "w"));
    assert!(replies(&after, "url") > replies(&failed, "url"), "a new label keeps the counters");
    assert!(replies(&after, "file") > replies(&failed, "file"));
}

/// By file, what `watch` reads: targets with their labels.
type Found = BTreeSet<(String, String, BTreeMap<String, String>)>;

/// The targets that Prometheus reads from these files. It looks for a while, and longer if there is nothing.
fn found_by_promtool(folder: &Path, files: &[&str]) -> Found {
    let list = files.join(", ");
    let config =
        format!("scrape_configs: [{{ job_name: watch, file_sd_configs: [{{ files: [{list}] }}] }}]\n");
    fs::write(folder.join("prometheus.yml"), config).unwrap();
    for seconds in [1, 2, 4, 8] {
        let mut promtool = Command::new("promtool");
        promtool.current_dir(folder).args(["check", "service-discovery", "prometheus.yml", "watch"]);
        promtool.arg(format!("--timeout={seconds}s"));
        let read = output(promtool, "");
        let targets: Vec<serde_json::Value> = serde_json::from_slice(&read.stdout).unwrap();
        let found: Found = targets
            .iter()
            .map(|target| {
                let mut labels: BTreeMap<String, String> =
                    serde_json::from_value(target["discoveredLabels"].clone()).unwrap();
                let [file, address] =
                    ["__meta_filepath", "__address__"].map(|name| labels.remove(name).unwrap());
                labels.retain(|name, _| !name.starts_with("__") && name != "job");
                (file, address, labels)
            })
            .collect();
        if files.iter().all(|file| found.iter().any(|(of, ..)| of == file)) {
            return found;
        }
    }
    panic!("promtool finds no target of {files:?}");
}

/// The labels that discovery gave to the targets of groups that are named as their files.
fn labels_of_info(metrics: &str) -> Found {
    let infos = metrics.lines().filter_map(|line| line.strip_prefix("udpecho_target_info{"));
    infos
        .map(|info| {
            let pairs = info.strip_suffix("\"} 1").unwrap().split("\",");
            let pairs = pairs.map(|pair| pair.split_once("=\"").unwrap());
            let mut labels: BTreeMap<String, String> =
                pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let [file, target] = ["group", "target"].map(|name| labels.remove(name).unwrap());
            labels.retain(|name, _| !["source", "address", "dialect"].contains(&&**name));
            (file, target, labels)
        })
        .collect()
}

#[test]
fn prometheus_finds_the_same_targets_and_labels_in_the_same_files() {
    crate::needs!(Prometheus);
    let folder = TempDir::new().unwrap();
    let json = r#"[
        {"targets": ["127.0.0.1:9", "[::1]:9", "127.0.0.2"], "labels": {"site": "x", "rack": "12", "__size__": "9"}},
        {"targets": ["127.0.0.3:9"], "labels": {"site": "", "zone": null}},
        {"targets": ["127.0.0.4:9"], "labels": null}, {"labels": {"site": "y"}}, {}]"#;
    let yaml = "# sites\n- targets: [127.0.0.1:9, '[::1]:9', 127.0.0.2]\n  labels: { site: x, rack: 12, __size__: 9 }\n\
                - &three\n  targets:\n  - 127.0.0.3:9\n  labels: { floor: 0x10, open: yes, since: 2020-01-01 }\n\
                - targets: [127.0.0.4:9]\n  labels:\n- <<: *three\n  targets: [127.0.0.5:9]\n- labels: { site: ~ }\n- labels: { site: y }\n";
    let files = [("sites.json", json), ("sites.yml", yaml)];
    let mut config = String::new();
    for (file, text) in files {
        fs::write(folder.path().join(file), text).unwrap();
        writeln!(config, "[[group]]\nname = '{file}'\nfile = '{file}'").unwrap();
    }
    write(folder.path(), &config);
    let mut watching = Process::spawn(command(folder.path(), "watch -f watch.toml -q --http 0"));
    let metrics = metrics_once(page_of(&mut watching), |now| now.contains("udpecho_target_info{"));
    let found = labels_of_info(&metrics);
    assert_eq!(found, found_by_promtool(folder.path(), &files.map(|(file, _)| file)));
    assert_eq!(found.len(), 5 + 6, "{found:?}");
}

/// The targets of the old name go at once, not when the new one is looked up again.
#[test]
fn a_reload_with_another_name_asks_for_it_at_once() {
    crate::needs!(Dnsmasq);
    let (folder, dns, server) = (TempDir::new().unwrap(), free_port(), Serve::start("--clean"));
    fs::write(folder.path().join("hosts"), "127.0.0.1 one.test\n127.0.0.2 two.test\n").unwrap();
    let _dnsmasq = dnsmasq(dns, &folder.path().join("hosts"), &[]);
    let named = |name: &str| {
        format!(
            "[[group]]\nname = 'mesh'\ninterval = '20ms'\n\
             dns = {{ name = '{name}', port = {}, server = '127.0.0.1:{dns}', refresh = '1h' }}\n",
            server.port
        )
    };
    write(folder.path(), &named("one.test"));
    let mut watching = Process::spawn(command(folder.path(), "watch -f watch.toml -q --http 0"));
    let page = page_of(&mut watching);
    let replies = |now: &str, host: &str| {
        series(now, "udpecho_replies_total", &[&format!("target=\"{host}:{}\"", server.port)])
    };
    metrics_once(page, |now| replies(now, "127.0.0.1") > Some(3));
    write(folder.path(), &named("two.test"));
    watching.signal("HUP");
    let now = metrics_once(page, |now| replies(now, "127.0.0.2") > Some(3));
    assert_eq!(replies(&now, "127.0.0.1"), None);
}

#[test]
fn a_name_that_does_not_resolve_is_a_target_without_an_address() {
    let folder = TempDir::new().unwrap();
    write(
        folder.path(),
        &format!(
            "[[group]]\nname = 'a'\ntargets = ['no-such-host.invalid:{0}', '127.0.0.1:{0}']\n",
            free_port()
        ),
    );
    let mut watching = Process::spawn(command(folder.path(), "watch -f watch.toml -q --http 0"));
    let page = page_of(&mut watching);
    let now = metrics_once(page, |now| series(now, "udpecho_watch_sd_failures_total", &[]) > Some(0));
    assert_eq!(series(&now, "udpecho_watch_targets", &["state=\"unresolved\""]), Some(1));
    assert_eq!(series(&now, "udpecho_target_up", &["target=\"no-such-host.invalid"]), Some(0));
}

/// A list from elsewhere may have anything in its names.
#[test]
fn a_host_of_a_mesh_looks_up_the_names_of_its_peers_alone() {
    let folder = TempDir::new().unwrap();
    let list = |labels: &str| {
        let blocks: Vec<_> = (0..20)
            .map(|host| format!("{{\"targets\": [\"h{host}..test:9\"], \"labels\": {{{labels}}}}}"))
            .collect();
        fs::write(folder.path().join("list.json"), format!("[{}]", blocks.join(","))).unwrap();
    };
    // No resolver asks a server for a name with an empty label. Each name that is looked up is in an error.
    let looked_up = |name: &str, peers: &str| {
        let words = format!(
            "name = '{name}'\nlabels = {{ rack = 'r1' }}\n[[group]]\nname = 'mesh'\nfile = 'list.json'\npeers = {peers}\n"
        );
        write(folder.path(), &words);
        let checked = run(command(folder.path(), "watch -f watch.toml --check"));
        checked.stderr.iter().filter(|line| line.contains("cannot resolve it")).count()
    };
    list("");
    assert_eq!(looked_up("h7..test", "{ far = 3 }"), 3);
    assert_eq!(looked_up("h7..test", "{ near = 2, far = 3 }"), 20, "a server may tell its rack");
    assert_eq!(looked_up("elsewhere", "{ far = 3 }"), 20, "any name may be one of this host");
    list("\"rack\": \"r1\"");
    let both_rings = looked_up("h7..test", "{ near = 2, far = 3 }");
    assert!((3..=5).contains(&both_rings), "{both_rings}");
}

#[test]
fn a_name_with_control_characters_and_quotes_is_harmless_on_a_terminal_and_in_metrics() {
    let folder = TempDir::new().unwrap();
    let name = "evil\u{1b}[2J\"\\\n\u{202e}";
    let list = serde_json::json!([{ "targets": [format!("{name}:9")], "labels": { "site": name } }]);
    fs::write(folder.path().join("sites.json"), list.to_string()).unwrap();
    write(folder.path(), "[[group]]\nname = 'a'\nfile = 'sites.json'\n");
    let mut watching = Process::spawn(command(folder.path(), "watch -f watch.toml --http 0"));
    let page = page_of(&mut watching);
    let now = metrics_once(page, |now| series(now, "udpecho_watch_sd_failures_total", &[]) > Some(0));
    let quoted = "evil\u{1b}[2J\\\"\\\\\\n\u{202e}";
    let labels = [format!("target=\"{quoted}:9\""), format!("site=\"{quoted}\"")];
    assert_eq!(series(&now, "udpecho_target_info", &labels.each_ref().map(String::as_str)), Some(1), "{now}");
    let finished = watching.interrupt_until_it_ends();
    let said = [finished.stdout.concat(), finished.stderr.concat()].concat();
    assert!(said.contains("evil\\u{1b}[2J") && !said.contains(['\u{1b}', '\u{202e}']), "{said}");
}
