//! The listener of `watch --admin`: reloads, and single probes as blackbox_exporter makes them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::common::process::{Process, Serve, command, free_port, port_in};
use crate::live::web::{body, free_tcp_port, page_of};
use crate::watch::{metrics_once, series};

/// The answer to a request with these further headers.
fn asked(port: u16, method: &str, path: &str, headers: &str) -> String {
    asked_as(&format!("127.0.0.1:{port}"), port, method, path, headers)
}

/// The answer to a request under this name of the host.
fn asked_as(host: &str, port: u16, method: &str, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let host = format!("Host: {host}\r\nConnection: close\r\nContent-Length: 0\r\n{headers}\r\n");
    write!(stream, "{method} {path} HTTP/1.1\r\n{host}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn write(folder: &Path, text: &str) {
    fs::write(folder.join("watch.toml"), text).unwrap();
}

fn started(folder: &Path) -> (Process, u16, u16) {
    let mut watching = Process::spawn(command(folder, "watch -f watch.toml -q --http 0 --admin 0"));
    let page = page_of(&mut watching);
    let admin = port_in(watching.remark_with("reload and probes at http://127.0.0.1:").trim_end_matches('/'));
    (watching, page, admin)
}

#[test]
fn a_reload_by_http_answers_what_came_of_it() {
    let (folder, server) = (TempDir::new().unwrap(), Serve::start("--clean"));
    let group = |name: &str| {
        format!("[[group]]\nname = '{name}'\ntargets = ['127.0.0.1:{}']\ninterval = '20ms'\n", server.port)
    };
    write(folder.path(), &group("a"));
    let (_watching, page, admin) = started(folder.path());
    write(folder.path(), &(group("a") + &group("b")));
    assert_eq!(status(&asked(admin, "POST", "/-/reload", "")), 200);
    metrics_once(page, |now| series(now, "udpecho_replies_total", &["group=\"b\""]) > Some(3));
    write(folder.path(), "[[group]]\nnaem = 'x'\n");
    let refused = asked(admin, "POST", "/-/reload", "");
    assert_eq!(status(&refused), 500);
    assert!(body(&refused).contains("unknown key 'naem'; did you mean 'name'?"), "{refused}");
    let now =
        metrics_once(page, |now| series(now, "udpecho_watch_config_last_reload_successful", &[]) == Some(0));
    assert!(series(&now, "udpecho_replies_total", &["group=\"b\""]) > Some(3));
    assert_eq!(status(&asked(admin, "GET", "/-/reload", "")), 405);
    let elsewhere = asked(admin, "POST", "/-/reload", "Origin: http://evil.example\r\n");
    assert_eq!(status(&elsewhere), 403, "a page from elsewhere reloads nothing");
    assert_eq!(status(&asked(page, "POST", "/-/reload", "")), 404, "the page has no such route");
}

fn value(answer: &str, name: &str) -> f64 {
    let line = body(answer).lines().find(|line| line.starts_with(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {answer}")).rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[test]
fn a_probe_has_the_codes_and_families_of_blackbox_exporter() {
    let folder = TempDir::new().unwrap();
    let (clean, lossy) = (Serve::start("--clean"), Serve::start("--clean --loss nth:2"));
    write(
        folder.path(),
        &format!(
            "[[group]]\nname = 'large'\nsize = 900\ntargets = ['127.0.0.1:{}']\ninterval = '100s'\n",
            clean.port
        ),
    );
    let (_watching, _, admin) = started(folder.path());
    let probe = |query: &str, headers: &str| asked(admin, "GET", &format!("/probe?{query}"), headers);

    let good = probe(&format!("target=127.0.0.1:{}&module=large", clean.port), "");
    assert_eq!((status(&good), value(&good, "probe_success")), (200, 1.0));
    let counts = ["probe_udp_packets_sent", "probe_udp_packets_received", "probe_ip_protocol"];
    assert_eq!(counts.map(|name| value(&good, name)), [10.0, 10.0, 4.0]);
    assert!(value(&good, "probe_duration_seconds") > 0.0);
    let half = probe(&format!("target=127.0.0.1:{}", lossy.port), "");
    assert_eq!((value(&half, "probe_success"), value(&half, "probe_udp_packets_received")), (1.0, 5.0));
    assert!(body(&half).contains("probe_udp_lost{cause=\"injected_down\"} 5\n"), "{half}");

    let timeout = "X-Prometheus-Scrape-Timeout-Seconds: 1\r\n";
    let hole = UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = hole.local_addr().unwrap();
    let dead = probe(&format!("target={silent}"), timeout);
    assert_eq!((status(&dead), value(&dead, "probe_success")), (200, 0.0));
    assert_eq!(value(&dead, "probe_timeout_seconds"), 0.5);
    assert!((0.4..5.0).contains(&value(&dead, "probe_duration_seconds")), "{dead}");

    for (query, headers, code, words) in [
        ("target=127.0.0.1:9&module=none", "", 400, "Unknown module \"none\""),
        ("module=large", "", 400, "Target parameter is missing"),
        ("target=127.0.0.1:x", "", 400, "no port"),
        (
            "target=127.0.0.1:9",
            "X-Prometheus-Scrape-Timeout-Seconds: soon\r\n",
            500,
            "Failed to parse timeout",
        ),
        ("target=192.0.2.1:9", "", 403, "probe-allow"),
    ] {
        let answer = probe(query, headers);
        assert_eq!(status(&answer), code, "{query}: {answer}");
        assert!(body(&answer).contains(words), "{query}: {answer}");
    }
}

/// Otherwise a web page whose name is made to resolve to this host would scan the private network from here.
#[test]
fn a_page_from_elsewhere_probes_nothing() {
    let (folder, clean) = (TempDir::new().unwrap(), Serve::start("--clean"));
    write(folder.path(), "[[group]]\nname = 'a'\ntargets = ['127.0.0.1:9']\ninterval = '100s'\n");
    let (_watching, _, admin) = started(folder.path());
    let path = format!("/probe?target=127.0.0.1:{}", clean.port);
    let codes = ["evil.example", "localhost"].map(|host| status(&asked_as(host, admin, "GET", &path, "")));
    assert_eq!(codes, [421, 200]);
    assert_eq!(status(&asked(admin, "GET", &path, "Origin: http://evil.example\r\n")), 403);
}

#[test]
fn debug_shows_the_log_the_metrics_and_the_module() {
    let (folder, lossy) = (TempDir::new().unwrap(), Serve::start("--clean --loss nth:5"));
    let group =
        "[[group]]\nname = 'large'\nsize = 900\ndscp = 'EF'\ntargets = ['127.0.0.1:9']\ninterval = '100s'\n";
    write(folder.path(), group);
    let (_watching, _, admin) = started(folder.path());
    let probe = |target: &str| {
        let path = format!("/probe?module=large&debug=true&target={target}");
        asked(admin, "GET", &path, "X-Prometheus-Scrape-Timeout-Seconds: 10\r\n")
    };
    let answer = probe(&format!("127.0.0.1:{}", lossy.port));
    assert_eq!(status(&answer), 200);
    let page = body(&answer);
    let heads =
        ["Logs for the probe:\n", "\nMetrics that would have been returned:\n", "\nModule configuration:\n"];
    let places = heads.map(|head| page.find(head).unwrap_or_else(|| panic!("no {head} in {page}")));
    assert!(places[0] == 0 && places.is_sorted(), "{page}");
    let (log, rest) = page.split_at(places[1]);
    assert_eq!(
        [log.matches("msg=\"Reply\"").count(), log.matches("msg=\"Probe lost\"").count()],
        [8, 2],
        "{page}"
    );
    assert!(log.contains("level=error msg=\"Probe lost\" seq=4 cause=injected_down\n"), "{page}");
    assert!(
        log.contains("msg=\"Session opened\" dialect=native injects=\"loss=nth:5\" name=\"\"\n"),
        "{page}"
    );
    assert!(
        log.trim_end()
            .lines()
            .last()
            .unwrap()
            .contains("level=info msg=\"Probe succeeded\" duration_seconds=")
    );
    assert!(rest.contains("\nprobe_success 1\n"), "{page}");
    assert!(
        rest.ends_with("name = \"large\"\ndialect = \"native\"\nsize = 900\ndscp = 46\ndeadline = \"1s\"\n"),
        "{page}"
    );

    let unknown = probe("no-such-host.invalid");
    assert_eq!(status(&unknown), 200);
    assert!(body(&unknown).contains("level=error msg=\"Error resolving address\" err="), "{unknown}");
    assert!(body(&unknown).contains("level=error msg=\"Probe failed\" "), "{unknown}");
}

/// The status; of a refusal the first words, of an answer the timeout and whether the probe succeeded.
fn told(answer: &str) -> (u16, String) {
    let (status, body) = (status(answer), body(answer));
    let field =
        |name: &str| body.split(name).nth(1).unwrap_or_default().split(char::is_whitespace).next().unwrap();
    match status {
        200 => (status, format!("{} {}", field("timeout_seconds="), field("\nprobe_success "))),
        _ => (status, body.lines().next().unwrap_or_default().split(':').next().unwrap().to_owned()),
    }
}

/// Its module connects to a TCP port, ours measures the UDP server of the same number. A probe takes two minutes at most.
#[test]
fn blackbox_exporter_answers_the_same_requests_alike() {
    crate::needs!(BlackboxExporter);
    let (folder, server, port) = (TempDir::new().unwrap(), Serve::start("--clean"), free_tcp_port());
    let _listener = TcpListener::bind(("127.0.0.1", server.port)).unwrap();
    write(folder.path(), "[[group]]\nname = 'a'\ntargets = ['127.0.0.1:9']\ninterval = '100s'\n");
    fs::write(folder.path().join("blackbox.yml"), "modules: { a: { prober: tcp, timeout: 119.5s } }\n")
        .unwrap();
    let mut blackbox = Command::new("prometheus-blackbox-exporter");
    blackbox.current_dir(folder.path()).arg("--config.file=blackbox.yml");
    blackbox.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let mut blackbox = Process::spawn(blackbox);
    blackbox.remark_with("Listening on");
    let (_watching, _, admin) = started(folder.path());
    let good = format!("module=a&debug=true&target=127.0.0.1:{}", server.port);
    let [bare, empty, refused] = ["module=a", "module=a&target=", "module=a&debug=true&target=127.0.0.1:1"];
    let header = |seconds: &str| format!("X-Prometheus-Scrape-Timeout-Seconds: {seconds}\r\n");
    for (query, headers, expected) in [
        (&*good, String::new(), 200),
        (&good, header(""), 200),
        (&good, header("1"), 200),
        (&good, header("10.5"), 200),
        (&good, header("1000"), 200),
        (&good, header("inf"), 200),
        (refused, header("2"), 200),
        (&good, header("soon"), 500),
        (bare, String::new(), 400),
        (empty, String::new(), 400),
        (bare, header("soon"), 500),
        ("module=none", header("soon"), 400),
        ("module=none&target=127.0.0.1:1", String::new(), 400),
    ] {
        let path = format!("/probe?{query}");
        let [theirs, ours] = [port, admin].map(|port| asked(port, "GET", &path, &headers));
        assert_eq!(told(&theirs), told(&ours), "{query} {headers}: {theirs} and {ours}");
        assert_eq!(status(&ours), expected, "{query} {headers}: {ours}");
        let help = |answer: &str| {
            let lines = body(answer).lines().filter(|line| line.starts_with('#')).map(str::to_owned);
            lines.collect::<BTreeSet<_>>()
        };
        for family in ["success", "duration_seconds", "dns_lookup_time_seconds", "ip_protocol"] {
            let of_family = |line: &&String| line.contains(&format!(" probe_{family} "));
            let [theirs, ours] = [&theirs, &ours]
                .map(|answer| help(answer).iter().filter(of_family).cloned().collect::<Vec<_>>());
            assert_eq!(theirs, ours, "{query}");
        }
    }
}

#[test]
fn the_seventeenth_probe_at_once_is_refused() {
    let folder = TempDir::new().unwrap();
    write(
        folder.path(),
        &format!("[[group]]\nname = 'a'\ntargets = ['127.0.0.1:{}']\ninterval = '100s'\n", free_port()),
    );
    let (_watching, _, admin) = started(folder.path());
    let holes: Vec<_> = (0..40).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let asking = holes.iter().map(|hole| {
        let path = format!("/probe?target={}", hole.local_addr().unwrap());
        std::thread::spawn(move || asked(admin, "GET", &path, "X-Prometheus-Scrape-Timeout-Seconds: 3\r\n"))
    });
    let asking: Vec<_> = asking.collect();
    let codes: Vec<u16> = asking.into_iter().map(|thread| status(&thread.join().unwrap())).collect();
    let count = |code| codes.iter().filter(|own| **own == code).count();
    // More connections than the listener has are turned away before that.
    assert!(count(200) <= 16 && count(429) >= 1 && count(200) + count(429) + count(503) == 40, "{codes:?}");
}
