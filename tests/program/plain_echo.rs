//! `ping --plain`: an RFC 862 echo server, ours in virtual time and ten lines of Python on loopback.

use tempfile::TempDir;
use udpecho::probe::{Cause, Corruption, Dialect, Event, Failure, Outcome, Resolved, Settings};
use udpecho::sim::{Conditions, Simulation};
use udpecho::time::Duration;

use crate::common::files::Record;
use crate::common::process::{Process, command, free_port, python};
use crate::common::{clean, millis, path, resolved, settings};

const SIZE: u32 = 48;
const PROBES: u64 = 60;

fn client() -> Settings {
    let deadline = Some(millis(500));
    Settings { dialect: Dialect::Plain, size: SIZE, deadline, ..settings(PROBES, millis(10)) }
}

/// The rows of a run over these paths, and what else it told.
fn run(
    up: Conditions,
    down: Conditions,
    alter: impl FnMut(Duration, &mut Vec<u8>) + 'static,
) -> Vec<Resolved> {
    let mut simulation = Simulation::new(clean(), up, down, 5);
    simulation.alter_replies(alter);
    simulation.add_client(client());
    simulation.run(Duration::from_secs(60));
    let rows = resolved(&simulation.take_events(0));
    assert_eq!(rows.len() as u64, PROBES);
    for row in &rows {
        assert_eq!((row.hold, row.server, row.owd_up, row.owd_down), (None, None, None, None));
    }
    rows
}

fn ideal() -> Conditions {
    Conditions::ideal(millis(10))
}

#[test]
fn a_plain_echo_server_gives_the_rtt_and_says_nothing_else() {
    let rows = run(ideal(), ideal(), |_, _| {});
    for row in rows {
        assert_eq!((row.outcome, row.rtt, row.copies), (Outcome::Ok, Some(millis(20)), 1));
        assert_eq!((row.corrupted, row.injected_copies), (None, None));
    }
}

/// The number stands in bytes 8 to 15 and 24 to 31 of the reply, so either finds the probe.
#[test]
fn any_changed_byte_of_a_reply_counts_as_corrupted_and_for_its_own_probe() {
    for byte in 0..SIZE as usize {
        for bit in [1, 128] {
            let rows = run(ideal(), ideal(), move |_, datagram| {
                if datagram[8..16] == 20_u64.to_be_bytes() {
                    datagram[byte] ^= bit;
                }
            });
            for row in rows {
                let expected = (row.seq == 20).then_some(Corruption::Network);
                assert_eq!((row.outcome, row.corrupted), (Outcome::Ok, expected), "byte {byte}: {row:?}");
                assert_eq!((row.rtt, row.copies), (Some(millis(20)), 1), "byte {byte}: {row:?}");
            }
        }
    }
}

#[test]
fn losses_have_an_unknown_direction_and_copies_and_reordering_are_seen() {
    let up = path(millis(10), millis(60), 0.2, 0.2);
    let rows = run(up, ideal(), |_, _| {});
    let lost: Vec<_> = rows.iter().filter(|row| row.outcome == Outcome::Lost).collect();
    assert!(lost.len() > 4 && lost.iter().all(|row| row.cause == Some(Cause::Unknown)), "{lost:?}");
    assert!(rows.iter().filter(|row| row.copies == 2).count() > 4);
    assert!(rows.iter().all(|row| row.rtt.is_none_or(|rtt| (millis(20)..=millis(70)).contains(&rtt))));
    let arrivals: Vec<_> = rows.iter().filter_map(|row| Some(row.sent? + row.rtt?)).collect();
    assert!(!arrivals.is_sorted());
}

#[test]
fn a_reply_of_another_run_or_of_another_length_counts_for_no_probe() {
    let mut simulation = Simulation::new(clean(), ideal(), ideal(), 5);
    simulation.forge_to_client(millis(200), 0, vec![0; SIZE as usize]);
    simulation.forge_to_client(millis(210), 0, b"short".to_vec());
    simulation.add_client(client());
    simulation.run(Duration::from_secs(60));
    assert!(
        resolved(&simulation.take_events(0)).iter().all(|row| row.outcome == Outcome::Ok && row.copies == 1)
    );
    assert_eq!(simulation.client(0).counters().junk, 2);
}

#[test]
fn a_server_that_echoes_nothing_is_said_to_be_silent() {
    let deaf = path(millis(10), millis(10), 1.0, 0.0);
    let mut simulation = Simulation::new(clean(), deaf, ideal(), 5);
    simulation.add_client(client());
    simulation.run(Duration::from_secs(60));
    let events = simulation.take_events(0);
    assert!(matches!(events[0], Event::Failed(Failure::Silent { tries: 5, .. })), "{events:?}");
}

#[test]
fn an_echo_server_of_ten_lines_of_python_is_measured() {
    crate::needs!(Python);
    let mut server = Process::spawn(python("echo_server.py"));
    let port = server.line_with("port ").rsplit(' ').next().unwrap().to_owned();
    let source = free_port();
    let folder = TempDir::new().unwrap();
    let words = format!(
        "ping -o run -ip 127.0.0.1 -p {port} --plain -n 40 -i 10ms -W 1 -s 64 --source-port {source}"
    );
    let finished = Process::spawn(command(folder.path(), &words)).finish();
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    server.line_with(&format!("from port {source}"));
    let record = Record::read(&folder.path().join("run"));
    assert_eq!((record.count(Outcome::Ok), record.count(Outcome::Lost)), (36, 4));
    assert_eq!((record.run.config.dialect, &record.run.server), (Dialect::Plain, &None));
    let summary = record.run.summary.unwrap();
    assert_eq!((summary.duplicates, summary.corrupted), (4, Some(4)));
    assert_eq!((summary.injected_duplicates, summary.injected_corrupted), (None, None));
    assert_eq!(summary.causes.get(&Cause::Unknown), Some(&4));
}
