//! The page in a real browser, the metrics in a real Prometheus.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::web::{body, free_tcp_port, get, page_of};
use crate::common::process::{Process, Serve, command, output};

fn chromium(folder: &Path, size: &str, url: &str, what: &[&str]) -> Output {
    let mut chromium = Command::new("chromium");
    chromium.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]);
    // Chromium makes no connections of its own.
    chromium.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
    chromium.args(["--disable-quic", "--no-first-run"]);
    chromium.args(["--hide-scrollbars", "--timeout=3000", &format!("--window-size={size}")]);
    chromium.arg(format!("--user-data-dir={}", folder.display())).args(what).arg(url);
    output(chromium, "")
}

/// The page's figures by their names.
fn cards(dom: &str) -> BTreeMap<String, String> {
    let part = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("{name}=\"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    dom.split("<dd ").skip(1).map(|card| (part(card, "data-name"), part(card, "data-value"))).collect()
}

#[test]
fn a_browser_shows_the_figures_of_the_record_without_a_console_message() {
    crate::needs!(Chromium);
    let folder = TempDir::new().unwrap();
    let serve = Serve::start("--clean --loss nth:5 --delay uniform:1ms..30ms");
    let words = format!("ping 127.0.0.1:{} -i 20ms -W 1 -q --no-record --http 0", serve.port);
    let mut process = Process::spawn(command(folder.path(), &words));
    let port = page_of(&mut process);
    let (dom, record) = shown_in_browser(&folder, port, "/api/run.json");
    let (summary, cards) = (&record["summary"], cards(&dom));
    for (card, value) in [
        ("sent", &summary["sent"]),
        ("on time", &summary["ok"]),
        ("late", &summary["late"]),
        ("lost", &summary["lost"]),
        ("lost or late", &summary["loss_share"]),
        ("p50", &summary["rtt_us"]["p50"]),
        ("p99", &summary["rtt_us"]["p99"]),
        ("max", &summary["rtt_us"]["max"]),
        ("jitter (RFC 3550)", &summary["rtp_jitter_us"]),
        ("duplicates", &summary["duplicates"]),
        ("reordered", &summary["reordered"]),
    ] {
        let shown: f64 = cards[card].parse().unwrap();
        assert_eq!(Some(shown), value.as_f64(), "{card} of {record}");
    }
    assert!(cards["sent"].parse::<u64>().unwrap() > 50 && cards["lost"].parse::<u64>().unwrap() > 5);
    assert!(dom.contains("<path class=\"dots\" d=\"M") && dom.contains("<rect class=\"injected\""), "{dom}");
    for (name, size) in [("desktop", "1280,1400"), ("phone", "390,1600")] {
        let picture = folder.path().join(format!("{name}.png"));
        let url = format!("http://127.0.0.1:{port}/");
        chromium(folder.path(), size, &url, &[&format!("--screenshot={}", picture.display())]);
        assert!(std::fs::metadata(&picture).is_ok_and(|picture| picture.len() > 20_000), "{name}");
    }
}

#[test]
fn a_browser_shows_the_counters_of_the_server() {
    crate::needs!(Chromium);
    let (folder, mut serve) =
        (TempDir::new().unwrap(), Serve::start("--clean --loss nth:5 --delay constant:30ms --http 0"));
    let page = page_of(&mut serve.process);
    let words = format!("ping 127.0.0.1:{} -i 20ms -q --no-record", serve.port);
    let client = Process::spawn(command(folder.path(), &words));
    let (dom, record) = shown_in_browser(&folder, page, "/api/server.json");
    let (counters, cards) = (&record["counters"], cards(&dom));
    for (card, value) in [
        ("held", &counters["held"]),
        ("dropped (injected)", &counters["dropped"]),
        ("refused", &counters["refused"]),
        ("received", &counters["received"]),
        ("sent", &counters["sent"]),
        ("clients", &counters["dialects"]["native"]["clients"]),
    ] {
        let shown: f64 = cards[card].parse().unwrap();
        assert_eq!(Some(shown), value.as_f64(), "{card} of {record}");
    }
    assert_eq!(cards["clients"], "1");
    assert!(cards["dropped (injected)"].parse::<u64>().unwrap() > 5, "{cards:?}");
    assert!(dom.contains("<th scope=\"row\">127.0.0.1<wbr>:") && dom.contains("<td>native</td>"), "{dom}");
    client.signal("INT");
    assert_eq!(client.finish().code, Some(0));
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The page in a browser, which logs no message, and the record of the same version.
fn shown_in_browser(folder: &TempDir, port: u16, record: &str) -> (String, Value) {
    let over = AtomicBool::new(false);
    let (mut records, shown) = thread::scope(|scope| {
        // Every version of the record, by its number.
        let records = scope.spawn(|| {
            let mut records: BTreeMap<u64, Value> = BTreeMap::new();
            while !over.load(Ordering::Acquire) {
                let answer = get(port, record);
                let (_, tag) = answer.split_once("etag: \"").unwrap();
                let version = tag.split_once('"').unwrap().0.parse().unwrap();
                records.insert(version, serde_json::from_str(body(&answer)).unwrap());
                thread::sleep(Duration::from_millis(100));
            }
            records
        });
        thread::sleep(Duration::from_secs(2));
        let url = format!("http://127.0.0.1:{port}/");
        let shown = {
            // Also if the browser fails, so that the reader of records ends.
            let _over = SetOnDrop(&over);
            chromium(folder.path(), "1280,1400", &url, &["--dump-dom"])
        };
        (records.join().unwrap(), shown)
    });
    let (dom, log) = (String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
    assert!(!log.contains("CONSOLE"), "{log}");
    let (_, version) = dom.split_once("data-version=\"").unwrap_or_else(|| panic!("no page: {dom}\n{log}"));
    let version: u64 = version.split_once('"').unwrap().0.parse().unwrap();
    let record = records.remove(&version).unwrap_or_else(|| panic!("no record {version}"));
    (dom.into_owned(), record)
}

#[test]
fn prometheus_reads_the_counters() {
    crate::needs!(Prometheus);
    let (folder, mut serve) = (TempDir::new().unwrap(), Serve::start("--clean --loss nth:4 --http 0"));
    let server_page = page_of(&mut serve.process);
    let words = format!("ping 127.0.0.1:{} -i 20ms -q --no-record --http 0", serve.port);
    let mut pinging = Process::spawn(command(folder.path(), &words));
    let page = page_of(&mut pinging);
    let prometheus = free_tcp_port();
    for port in [page, server_page] {
        let mut promtool = Command::new("promtool");
        promtool.args(["check", "metrics"]);
        let checked = output(promtool, body(&get(port, "/metrics")));
        assert!(
            checked.status.success() && checked.stderr.is_empty() && checked.stdout.is_empty(),
            "{checked:?}"
        );
    }
    let config = format!(
        "global: {{ scrape_interval: 1s }}\nscrape_configs: [ {{ job_name: udpecho, static_configs: \
         [ {{ targets: ['127.0.0.1:{page}', '127.0.0.1:{server_page}'] }} ] }} ]\n"
    );
    std::fs::write(folder.path().join("prometheus.yml"), config).unwrap();
    let mut scraper = Command::new("prometheus");
    scraper.current_dir(folder.path()).args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
    scraper.arg(format!("--web.listen-address=127.0.0.1:{prometheus}"));
    let mut scraping = Process::spawn(scraper);
    scraping.remark_with("ready to receive web requests");
    for (port, query) in [
        (page, "udpecho_probes_sent_total"),
        (page, "udpecho_probes_lost_total{cause=\"injected_down\"}"),
        (page, "udpecho_rtt_seconds_count"),
        (server_page, "udpecho_server_dropped_total{reason=\"injected\"}"),
        (server_page, "udpecho_server_probes_total{dialect=\"native\"}"),
    ] {
        let before = now(port, query);
        let read = eventually(|| queried(prometheus, query).filter(|read| *read > before));
        assert!(read <= now(port, query), "{query}: {read} was never there");
    }
}

/// The value that is served now.
fn now(port: u16, query: &str) -> f64 {
    let metrics = get(port, "/metrics");
    let label = query.split_once('{').map_or("", |(_, label)| label);
    let name = query.split('{').next().unwrap();
    let mut lines = body(&metrics).lines().filter(|line| line.starts_with(name) && line.contains(label));
    lines.next().and_then(|line| line.rsplit_once(' ')).unwrap().1.parse().unwrap()
}

fn queried(prometheus: u16, query: &str) -> Option<f64> {
    let query = query.replace('{', "%7B").replace('}', "%7D").replace('"', "%22").replace('=', "%3D");
    let answer = get(prometheus, &format!("/api/v1/query?query={query}"));
    // A chunked body has the lengths of its chunks around it.
    let text = body(&answer);
    let json = &text[text.find('{')?..=text.rfind('}')?];
    let answer: Value = serde_json::from_str(json).ok()?;
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}

fn eventually<T>(look: impl Fn() -> Option<T>) -> T {
    for _ in 0..300 {
        if let Some(found) = look() {
            return found;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("Prometheus did not read it");
}
