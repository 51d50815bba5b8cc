//! The header, the summary, the record and the page have the figures that a dialect can tell, and call the rest
//! unknown.

use std::collections::BTreeMap;

use serde_json::Value;
use tempfile::TempDir;

use super::{STAMP_LINE, port_after};
use crate::common::process::{Finished, Serve, command, run};
use crate::common::relay::{pass, relay};

/// A run, its record, its summary drawn up again, and its page.
struct Said {
    ping: Finished,
    record: Value,
    /// `probes.csv`, row by row.
    probes: Vec<BTreeMap<String, String>>,
    again: Finished,
    page: String,
}

fn measure(words: &str) -> Said {
    let folder = TempDir::new().unwrap();
    let ping = run(command(folder.path(), &format!("ping {words} -n 20 -i 10ms -W 1 -v -o run")));
    assert_eq!(ping.code, Some(0), "{ping:#?}");
    let record = std::fs::read_to_string(folder.path().join("run/run.json")).unwrap();
    let probes = csv::Reader::from_path(folder.path().join("run/probes.csv")).unwrap();
    let probes = probes.into_deserialize().map(Result::unwrap).collect();
    let again = run(command(folder.path(), "report run -o page.html"));
    let page = std::fs::read_to_string(folder.path().join("page.html")).unwrap();
    Said { ping, record: serde_json::from_str(&record).unwrap(), probes, again, page }
}

impl Said {
    /// In the header by the words that it began with, everywhere else by those that it ended with.
    fn assert_unknown(&self, first: &str, last: &str, dialect: &str) {
        let text =
            |finished: &Finished| finished.stdout.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
        let ping = text(&self.ping);
        assert!(ping.contains(&format!("{dialect} dialect; unknown: {first}")), "{ping}");
        let line = format!("unknown in the {dialect} dialect: {last}");
        assert!(ping.contains(&line), "{ping}");
        assert!(text(&self.again).contains(&line), "{:#?}", self.again);
        assert!(self.page.contains(&format!("<p>Unknown: {last}</p>")));
    }

    fn known(&self, key: &str) -> &Value {
        &self.record["knows"][key]
    }

    /// The cells of a column of `probes.csv` are all this text.
    fn all_cells(&self, column: &str, text: &str) -> bool {
        !self.probes.is_empty() && self.probes.iter().all(|row| row[column] == text)
    }

    fn is_null(&self, keys: &[&str]) -> bool {
        keys.iter().all(|key| self.record["summary"].get(key).is_some_and(Value::is_null))
    }
}

#[test]
fn a_native_run_leaves_nothing_unknown() {
    let serve = Serve::start("--clean");
    let said = measure(&format!("127.0.0.1:{}", serve.port));
    assert_eq!((said.known("losses"), said.known("server_time")), (&"truth".into(), &"split".into()));
    let text = said.ping.stdout.join("\n");
    assert!(!text.contains("unknown") && !said.page.contains("<p>Unknown"), "{text}");
    assert_eq!(said.record["summary"]["injected_duplicates"], 0);
    assert!(said.all_cells("injected_copies", "0"));
    assert!(said.record["tlvs"].is_null());
}

#[test]
fn plain_echo_knows_changed_bytes_and_the_rest_is_unknown() {
    let serve = Serve::start("--clean");
    let said = measure(&format!("--plain 127.0.0.1:{}", serve.port));
    let unknown = "what the server injects, where probes are lost, the time at the server, one-way delays";
    said.assert_unknown(unknown, unknown, "plain");
    assert_eq!((said.known("losses"), said.known("corruption")), (&"round_trip".into(), &true.into()));
    assert_eq!(said.record["summary"]["corrupted"], 0);
    assert!(said.all_cells("injected_copies", "") && said.all_cells("corrupted", ""));
    assert!(said.is_null(&[
        "injected_duplicates",
        "injected_corrupted",
        "net_rtt_us",
        "hold_us",
        "server_own_us",
        "owd_up_us",
        "duplication_up",
    ]));
}

const AT_FIRST: &str =
    "what the server injects, where probes are lost (until replies show it), changed bytes";

#[test]
fn a_reflector_that_counts_tells_where_probes_are_lost() {
    let mut serve = Serve::start("--clean --stamp=0");
    let port = port_after(&serve.process.line_with(STAMP_LINE));
    let said = measure(&format!("--stamp 127.0.0.1:{port}"));
    said.assert_unknown(AT_FIRST, "what the server injects, changed bytes", "stamp");
    assert_eq!((said.known("losses"), said.known("server_time")), (&"gaps".into(), &"whole".into()));
    assert!(said.is_null(&["injected_duplicates", "corrupted", "injected_corrupted", "hold_us"]));
    assert!(said.record["summary"]["net_rtt_us"].is_object());
    assert!(said.ping.has_line("time at the server (what it injects included)"), "{:#?}", said.ping);
}

#[test]
fn a_reflector_that_copies_numbers_does_not_and_one_without_a_receive_time_tells_less() {
    for with_time in [true, false] {
        let mut serve = Serve::start("--clean --stamp=0");
        let reflector = port_after(&serve.process.line_with(STAMP_LINE));
        let port = relay(reflector, pass, move |client, datagram| {
            let mut datagram = datagram.to_vec();
            datagram.copy_within(24..28, 0);
            if !with_time {
                datagram[16..24].fill(0);
            }
            pass(client, &datagram);
        });
        let said = measure(&format!("--stamp 127.0.0.1:{port}"));
        let last = if with_time {
            "what the server injects, where probes are lost, changed bytes"
        } else {
            "what the server injects, where probes are lost, the time at the server, one-way delays, changed bytes"
        };
        said.assert_unknown(AT_FIRST, last, "stamp");
        assert_eq!(said.known("losses"), "round_trip");
        assert_eq!(said.is_null(&["net_rtt_us", "owd_up_us"]), !with_time);
    }
}

/// Class of Service, Timestamp Information, Direct Measurement and Follow-Up of our own reflector; a relay sets the
/// DSCP of what it passes on to 0, as a network that bleaches does.
#[test]
fn answers_to_tlvs_are_in_the_summary_and_in_the_record() {
    let mut serve = Serve::start("--clean --stamp=0");
    let port = port_after(&serve.process.line_with(STAMP_LINE));
    let bleaching = relay(port, pass, pass);
    for (port, arrived) in [(port, 46), (bleaching, 0)] {
        let words = format!("--stamp 127.0.0.1:{port} -Q 46 --tlv cos,time,direct,follow-up");
        let said = measure(&words);
        let tlvs = &said.record["tlvs"];
        let up = &tlvs["class_of_service"]["up"];
        // A stalled machine skips probes.
        let sent = said.record["summary"]["sent"].as_u64().unwrap();
        assert_eq!(up, &serde_json::json!([{ "dscp": arrived, "ecn": 0, "count": sent }]), "{tlvs}");
        let text = said.ping.stdout.join("\n");
        let changed = if arrived == 0 { ": changed on the way" } else { "" };
        let line = format!("DSCP up: sent as 46, arrived as {arrived} in {sent} requests{changed}");
        assert!(said.ping.stdout.contains(&line), "{text}");
        if cfg!(target_os = "linux") && arrived == 46 {
            assert!(
                text.contains(&format!("DSCP down: asked for 46, arrived as 46 in {sent} replies")),
                "{text}"
            );
        }
        assert!(text.contains("the reflector's clock: ") && text.contains(", stamps by software"), "{text}");
        let with_opening = sent + 1;
        let counted =
            format!("direct measurement: of {with_opening} requests {with_opening} reached the reflector");
        assert!(text.contains(&counted), "{text}");
        assert!(text.contains("follow-up: replies left "), "{text}");
        assert_eq!(tlvs["direct_measurement"]["received"], with_opening);
        assert_eq!(tlvs["unanswered"], serde_json::json!([]));
        assert!(tlvs["follow_up"]["n"].as_u64() > Some(0), "{tlvs}");
        assert!(said.again.stdout.contains(&line), "{:#?}", said.again);
    }
}
