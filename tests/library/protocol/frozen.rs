//! Hosts that stand still: a server for a tenth of each second, a client for a second and for hours.
//! Whoever was due meanwhile says so.

use udpecho::impair::Impairment;
use udpecho::probe::{Cause, Event, Outcome, Resolved, Settings};
use udpecho::record::Summary;
use udpecho::sim::Simulation;
use udpecho::stats::RunStatistics;
use udpecho::time::Duration;

use crate::common::{clean, injecting, millis, resolved, settings, simulation};

const FROZEN: Duration = Duration::from_millis(100);
const PERIOD: Duration = Duration::from_secs(1);

#[test]
fn a_stall_is_in_the_rtt_of_every_probe_that_met_it() {
    let mut simulation = simulation(clean(), Duration::from_micros(20));
    simulation.freeze_server(PERIOD, FROZEN);
    let client = Settings { deadline: Some(PERIOD), ..settings(20_000, millis(1)) };
    simulation.add_client(client);
    simulation.run(Duration::from_secs(60));
    let rows = resolved(&simulation.take_events(0));
    let mut statistics = RunStatistics::new();
    for row in &rows {
        let arrived = simulation.ground_truth(0).probe(row.seq).unwrap().reached_server[0];
        let reached = row.sent.unwrap() - row.due;
        assert_eq!((row.outcome, reached), (Outcome::Ok, Duration::ZERO), "{row:?}");
        // Nobody reads the socket of a server that stands still.
        assert!((arrived - Simulation::START).as_nanos() % PERIOD.as_nanos() >= FROZEN.as_nanos());
        statistics.push(row, |_| {});
    }
    let summary = Summary::of(&statistics);
    for (name, rtt) in [("rtt", summary.rtt_us.unwrap()), ("by due time", summary.due_rtt_us.unwrap())] {
        // A hundredth of all probes waited for more than nine tenths of the stall.
        assert!((rtt.p99 - 90_000.0).abs() < 1_000.0, "{name}: p99 {}", rtt.p99);
        // The stall squared, over two periods.
        assert!((rtt.mean - 5_040.0).abs() < 60.0, "{name}: mean {}", rtt.mean);
        assert!(rtt.p50 < 41.0 && rtt.n == 20_000 && rtt.max <= 100_040.0, "{name}: {rtt:?}");
    }
}

#[test]
fn a_clean_servers_stall_is_its_own_time_and_not_the_networks() {
    let mut simulation = simulation(clean(), millis(2));
    simulation.freeze_server(PERIOD, FROZEN);
    simulation.add_client(Settings { deadline: Some(PERIOD), ..settings(2_000, millis(1)) });
    simulation.run(Duration::from_secs(60));
    let rows = resolved(&simulation.take_events(0));
    assert!(rows.iter().all(|row| row.net_rtt() == Some(millis(4)) && row.owd_up == Some(millis(2))));
    let longest = rows.iter().filter_map(|row| row.server).max().unwrap();
    assert!(longest > millis(98) && longest <= FROZEN, "{longest}");
}

#[test]
fn without_kernel_timestamps_a_clean_servers_time_is_unknown_and_so_is_the_networks() {
    let rows = |line: &str| {
        let server = injecting(line.parse().unwrap());
        let mut simulation = simulation(server, millis(2)).without_server_stamps();
        simulation.add_client(Settings { deadline: Some(PERIOD), ..settings(10, millis(1)) });
        simulation.run(Duration::from_secs(60));
        resolved(&simulation.take_events(0))
    };
    assert!(rows("clean").iter().all(|row| row.rtt == Some(millis(4))));
    assert!(rows("clean").iter().all(|row| row.server.is_none() && row.net_rtt().is_none()));
    // A hold is longer than what is not known.
    assert!(rows("delay=constant:5ms").iter().all(|row| row.server == Some(millis(5))));
}

#[test]
fn a_held_reply_that_falls_due_in_a_stall_leaves_after_it() {
    let holds: Impairment = "delay=constant:50ms".parse().unwrap();
    let mut simulation = simulation(injecting(holds), Duration::ZERO);
    simulation.freeze_server(PERIOD, FROZEN);
    simulation.add_client(Settings { deadline: Some(PERIOD), ..settings(3_000, millis(1)) });
    simulation.run(Duration::from_secs(60));
    let rows = resolved(&simulation.take_events(0));
    assert!(rows.iter().all(|row| row.outcome == Outcome::Ok && row.rtt.unwrap() >= millis(50)));
    // Held since just before the stall, or received at its end.
    let longest = rows.iter().filter_map(|row| row.rtt).max().unwrap();
    assert!(longest > millis(145) && longest <= millis(150), "{longest}");
}

/// A measurement every 10 ms of a client that stands still after 5 s.
fn slept(length: Duration, count: u64) -> (Vec<Event>, Vec<Resolved>) {
    let mut simulation = simulation(clean(), millis(2));
    let client = simulation.add_client(Settings { deadline: Some(PERIOD), ..settings(count, millis(10)) });
    simulation.suspend_client(Duration::from_secs(5), length, client);
    simulation.run(Duration::from_secs(100_000));
    let events = simulation.take_events(client);
    let rows = resolved(&events);
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
    (events, rows)
}

fn overslept(events: &[Event]) -> Vec<(u64, u64)> {
    let told = events.iter().filter_map(|event| match event {
        Event::Suspended { first_seq, probes, .. } => Some((*first_seq, *probes)),
        _ => None,
    });
    told.collect()
}

#[test]
fn after_a_short_stop_every_probe_is_sent_and_its_rtt_by_due_time_has_the_stop() {
    let (events, rows) = slept(millis(45), 1_000);
    assert_eq!(overslept(&events), []);
    assert!(rows.iter().all(|row| row.outcome == Outcome::Ok && row.rtt == Some(millis(4))));
    let longest = rows.iter().filter_map(Resolved::due_rtt).max().unwrap();
    assert!(longest > millis(35) && longest <= millis(49), "{longest}");
}

#[test]
fn after_a_long_stop_no_burst_leaves_and_every_probe_is_accounted_for() {
    for (seconds, count) in [(3, 1_000), (30, 4_000), (3600, 400_000)] {
        let length = Duration::from_secs(seconds);
        let (events, rows) = slept(length, count);
        let unsent = rows.iter().filter(|row| row.outcome == Outcome::SendError).count() as u64;
        // All but the newest.
        let due_meanwhile = length.as_nanos() as u64 / 10_000_000;
        assert!((due_meanwhile - 1..=due_meanwhile).contains(&unsent), "{unsent}");
        let told = overslept(&events);
        assert_eq!(told.iter().map(|(_, probes)| probes).sum::<u64>(), unsent);
        assert_eq!(told.len(), 1);
        for row in &rows {
            let asleep = row.seq >= told[0].0 && row.seq < told[0].0 + unsent;
            let not_sent = (row.outcome == Outcome::SendError, row.sent.is_none(), row.skipped);
            assert_eq!(not_sent, (asleep, asleep, asleep), "{row:?}");
        }
        let mut statistics = RunStatistics::new();
        rows.iter().for_each(|row| statistics.push(row, |_| {}));
        let summary = Summary::of(&statistics);
        assert_eq!((summary.sent, summary.send_errors, summary.skipped), (count - unsent, unsent, unsent));
        // After an hour of silence the server knows the client no more, says so, and is asked again.
        let reopened = events.iter().any(|event| matches!(event, Event::Reopened { .. }));
        let unknown = summary.causes.get(&Cause::Unknown).copied().unwrap_or(0);
        assert_eq!((reopened, summary.lost), (seconds == 3600, unknown));
        assert_eq!(unknown > 0, reopened);
    }
}

#[test]
fn a_run_that_ends_while_its_host_stands_still_ends_all_the_same() {
    let (events, rows) = slept(Duration::from_secs(60), 1_000);
    // Those due later than 5 s after the start; the opening took 8 ms.
    assert_eq!(overslept(&events), [(500, 500)]);
    assert_eq!(rows.iter().filter(|row| row.outcome == Outcome::SendError).count(), 500);
}
