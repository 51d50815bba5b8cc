//! stamp-suite, another implementation of STAMP: its reflector under our sender, its sender over our reflector.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use tempfile::TempDir;
use udpecho::probe::{Cause, Losses};

use super::port_after;
use crate::common::files::Record;
use crate::common::needs::stamp_suite;
use crate::common::process::{Process, Serve, command, free_port, run};
use crate::common::relay::{pass, relay};

/// 32 bytes for both programs.
fn key_file(folder: &Path) -> PathBuf {
    let path = folder.join("key");
    assert_eq!(run(command(folder, "keygen -o key")).code, Some(0));
    path
}

/// A reflector with these words, ready.
fn reflector(ip: &str, words: &str) -> (Process, u16) {
    let port = free_port();
    let mut reflector = Command::new(stamp_suite());
    reflector.args(["-v", "--is-reflector", "--local-addr", ip, "--local-port", &port.to_string()]);
    reflector.args(words.split_whitespace());
    let mut reflector = Process::spawn(reflector);
    reflector.remark_with("STAMP Reflector listening");
    (reflector, port)
}

fn ping(words: &str) -> Record {
    let folder = TempDir::new().unwrap();
    let words = format!("ping --stamp -o run -n 50 -i 10ms -W 1 {words}");
    let finished = run(command(folder.path(), &words));
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    Record::complete(&folder.path().join("run"))
}

#[test]
fn our_sender_measures_its_reflector_stateless_and_stateful_over_both_families() {
    crate::needs!(StampSuite);
    for (ip, target, words, losses) in [
        ("127.0.0.1", "127.0.0.1", "", Losses::RoundTrip),
        ("::1", "[::1]", "--stateful-reflector", Losses::Gaps),
    ] {
        let (_reflector, port) = reflector(ip, words);
        let record = ping(&format!("{target}:{port}"));
        assert_eq!(record.ok_or_skipped(), 50, "{words}");
        assert_eq!(record.run.knows.unwrap().losses, losses, "{words}");
        assert!(
            record.rows.iter().all(|row| row.rtt.is_none() || row.server.is_some() && row.owd_up.is_some())
        );
    }
}

#[test]
fn its_reflector_answers_our_tlvs() {
    crate::needs!(StampSuite);
    let (_reflector, port) = reflector("127.0.0.1", "--stateful-reflector --clock-sync-source ptp");
    let record = ping(&format!("127.0.0.1:{port} -Q 46 --tlv cos,time,direct,follow-up -s 200"));
    let tlvs = record.run.tlvs.unwrap();
    assert!(tlvs.unanswered.is_empty(), "{tlvs:?}");
    let clock = tlvs.timestamp_info.unwrap();
    assert_eq!((clock.clock_in.as_str(), clock.method_in.as_str()), ("PTP", "software"));
    let class = tlvs.class_of_service.unwrap();
    assert_eq!((class.sent_dscp, class.up[0].dscp, class.up.len(), class.refused), (46, 46, 1, 0));
    let direct = tlvs.direct_measurement.unwrap();
    assert_eq!((direct.received, direct.reflected.abs_diff(direct.received) <= 1), (direct.sent, true));
    assert!(tlvs.follow_up.unwrap().n > 40);
}

#[test]
fn with_a_key_both_ends_authenticate() {
    crate::needs!(StampSuite);
    let folder = TempDir::new().unwrap();
    let key = key_file(folder.path()).display().to_string();
    let (_reflector, port) = reflector("127.0.0.1", &format!("--auth-mode A --hmac-key-file {key}"));
    let record = ping(&format!("127.0.0.1:{port} --key-file {key} --tlv cos"));
    assert_eq!(record.ok_or_skipped(), 50);
    assert!(record.run.tlvs.unwrap().unanswered.is_empty());
    // The key in the environment serves as well.
    let mut keyed =
        command(folder.path(), &format!("ping --stamp 127.0.0.1:{port} -n 2 -i 10ms --no-record -q"));
    keyed.env("UDPECHO_KEY", std::fs::read_to_string(&key).unwrap());
    assert_eq!(run(keyed).code, Some(0));
}

/// The final statistics of its sender, of a run over our reflector.
fn sender(words: &str, serve: &str) -> Value {
    let mut serve = Serve::start(&format!("--clean --stamp=0 {serve}"));
    let port = port_after(&serve.process.line_with(" STAMP "));
    let mut sender = Command::new(stamp_suite());
    let fixed = format!("--remote-addr 127.0.0.1 --remote-port {port} --local-addr 127.0.0.1 --count 50");
    sender.args(fixed.split(' ')).args(["--send-delay", "10ms", "--timeout", "2", "--output-format", "json"]);
    let finished = run({
        sender.args(words.split_whitespace());
        sender
    });
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    serde_json::from_str(finished.stdout.last().unwrap_or_else(|| panic!("{finished:#?}"))).unwrap()
}

#[test]
fn its_sender_measures_our_reflector_with_tlvs_and_with_a_key() {
    crate::needs!(StampSuite);
    let folder = TempDir::new().unwrap();
    let key = key_file(folder.path()).display().to_string();
    let keyed = format!("--auth-mode A --hmac-key-file {key}");
    let tlvs = "--cos --dscp 46 --timestamp-info --direct-measurement --follow-up-telemetry --ssid 7";
    for (words, serve) in [
        (String::new(), String::new()),
        (tlvs.to_owned(), String::new()),
        ("--clock-source PTP".to_owned(), String::new()),
        (keyed.clone(), format!("--key-file {key}")),
        (format!("{keyed} {tlvs}"), format!("--key-file {key}")),
    ] {
        let said = sender(&words, &serve);
        let count = |name: &str| said[name].as_u64();
        assert_eq!(
            (count("packets_sent"), count("packets_received")),
            (Some(50), Some(50)),
            "{words}: {said}"
        );
        assert_eq!(count("packets_lost"), Some(0), "{words}: {said}");
    }
}

/// Every 7th request and every 11th reply is dropped, but for the opening, number 0, and closing requests, from 52 on.
fn through_a_relay(words: &str) -> (Record, [u64; 2]) {
    let (_reflector, reflector) = reflector("127.0.0.1", words);
    let dropped = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let every = |way: usize, nth: u64, at: std::ops::Range<usize>| {
        let (dropped, mut came) = (Arc::clone(&dropped), 0);
        move |to: &std::net::UdpSocket, datagram: &[u8]| {
            let number = u32::from_be_bytes(datagram[at.clone()].try_into().unwrap());
            let is_probe = (2..52).contains(&number);
            came += u64::from(is_probe);
            if is_probe && came % nth == 0 {
                dropped[way].fetch_add(1, Ordering::Relaxed);
            } else {
                pass(to, datagram);
            }
        }
    };
    let port = relay(reflector, every(0, 7, 0..4), every(1, 11, 24..28));
    let record = ping(&format!("127.0.0.1:{port}"));
    (record, [0, 1].map(|way| dropped[way].load(Ordering::Relaxed)))
}

#[test]
fn through_a_relay_its_numbers_tell_exactly_what_was_dropped_and_copies_tell_nothing() {
    crate::needs!(StampSuite);
    let lost = |record: &Record, cause: Cause| {
        record.run.summary.as_ref().unwrap().causes.get(&cause).copied().unwrap_or(0)
    };
    let (record, dropped) = through_a_relay("--stateful-reflector");
    assert_eq!([lost(&record, Cause::Up), lost(&record, Cause::Down)], dropped);
    let (record, dropped) = through_a_relay("");
    assert_eq!(lost(&record, Cause::Unknown), dropped[0] + dropped[1]);
    assert_eq!(record.run.summary.unwrap().causes.len(), 1);
}
