//! `ping --irtt` against our server and against servers that are none of ours, in virtual time.

use proptest::prelude::*;
use udpecho::probe::{Cause, Dialect, Event, Failure, Finding, IrttOptions, Outcome, Resolved, Settings};
use udpecho::reflect;
use udpecho::rng::Stream;
use udpecho::sim::{Conditions, Simulation};
use udpecho::stats::RunStatistics;
use udpecho::time::Duration;
use udpecho::wire::auth::Key;
use udpecho::wire::irtt::HmacKey;

use crate::common::{clean, millis, path, resolved, settings};

const PROBES: u64 = 300;

fn client() -> Settings {
    let deadline = Some(millis(500));
    Settings { dialect: Dialect::Irtt, size: 60, deadline, ..settings(PROBES, millis(10)) }
}

fn ideal() -> Conditions {
    Conditions::ideal(millis(10))
}

fn simulated(server: reflect::Settings, up: Conditions, down: Conditions, client: Settings) -> Simulation {
    let mut simulation = Simulation::new(server, up, down, client.seed);
    simulation.add_client(client);
    simulation
}

fn events(simulation: &mut Simulation) -> Vec<Event> {
    simulation.run(Duration::from_secs(3600));
    simulation.take_events(0)
}

fn findings(events: &[Event]) -> Vec<Finding> {
    let finding = |event: &Event| match event {
        Event::Found { finding, .. } => Some(*finding),
        _ => None,
    };
    events.iter().filter_map(finding).collect()
}

fn failure(events: &[Event]) -> Option<Failure> {
    events.iter().find_map(|event| match event {
        Event::Failed(failure) => Some(failure.clone()),
        _ => None,
    })
}

/// The causes of lost probes, by the rows, by the summary and in truth.
struct Losses {
    rows: [u64; 3],
    summary: [u64; 3],
    truth: [u64; 2],
    /// Named up, and arrived, or named down, and did not.
    misnamed: Vec<(u64, Cause)>,
}

fn losses(simulation: &Simulation, rows: &[Resolved]) -> Losses {
    let arrived = |row: &Resolved| {
        simulation.ground_truth(0).probe(row.seq).is_some_and(|truth| !truth.reached_server.is_empty())
    };
    let causes = [Cause::Up, Cause::Down, Cause::Unknown];
    let mut statistics = RunStatistics::new();
    rows.iter().for_each(|row| statistics.push(row, |_| {}));
    let lost: Vec<&Resolved> = rows.iter().filter(|row| row.outcome == Outcome::Lost).collect();
    let down = lost.iter().filter(|row| arrived(row)).count() as u64;
    let misnamed = lost.iter().filter(|row| {
        matches!((row.cause, arrived(row)), (Some(Cause::Up), true) | (Some(Cause::Down), false))
    });
    Losses {
        rows: causes.map(|cause| rows.iter().filter(|row| row.cause == Some(cause)).count() as u64),
        summary: causes.map(|cause| statistics.losses_to(cause)),
        truth: [lost.len() as u64 - down, down],
        misnamed: misnamed.map(|row| (row.seq, row.cause.unwrap())).collect(),
    }
}

fn lossy(loss: f64) -> Conditions {
    path(millis(10), millis(10), loss, 0.0)
}

#[test]
fn a_server_tells_its_time_the_one_way_delays_and_its_count() {
    for key in [None, Some([7; 32])] {
        let server = reflect::Settings { key: key.as_ref().map(Key::new), ..clean() };
        let irtt = IrttOptions { key: key.map(|key| HmacKey::new(&key)), ..IrttOptions::default() };
        let client = Settings { irtt, size: 172, ..client() };
        let mut simulation = simulated(server, ideal(), ideal(), client);
        let events = events(&mut simulation);
        let rows = resolved(&events);
        assert_eq!(rows.len() as u64, PROBES);
        for row in &rows {
            assert_eq!((row.outcome, row.rtt), (Outcome::Ok, Some(millis(20))));
            assert_eq!((row.owd_up, row.owd_down), (Some(millis(10)), Some(millis(10))));
            assert_eq!(row.reply_number, Some(row.seq as u32 + 1));
        }
        assert_eq!(findings(&events), []);
    }
}

#[test]
fn a_hold_of_the_server_counts_as_its_time() {
    let server = crate::common::injecting("delay=constant:30ms".parse().unwrap());
    let rows = resolved(&events(&mut simulated(server, ideal(), ideal(), client())));
    for row in &rows {
        assert_eq!((row.rtt, row.server, row.hold), (Some(millis(50)), Some(millis(30)), None));
        assert_eq!((row.owd_up, row.owd_down), (Some(millis(10)), Some(millis(10))));
    }
}

/// The window names single probes where the count alone could give sums only.
#[test]
fn where_each_probe_was_lost_is_exact() {
    for (up, down) in [(0.05, 0.0), (0.0, 0.05), (0.1, 0.1), (0.4, 0.3)] {
        let mut simulation = simulated(clean(), lossy(up), lossy(down), client());
        let rows = resolved(&events(&mut simulation));
        let losses = losses(&simulation, &rows);
        assert!(losses.truth.iter().sum::<u64>() > 5);
        assert_eq!(losses.rows, [losses.truth[0], losses.truth[1], 0], "{up} {down}");
        assert_eq!((losses.summary, losses.misnamed), (losses.rows, vec![]));
    }
}

/// irtt 0.9 forgets what its window showed when a probe comes out of order, because the difference of two of its
/// numbers is never negative. It sees every probe that arrived, so replies are lost here and not by the path.
fn window_of_irtt(seed: u64, loss: f64) -> impl FnMut(Duration, &mut Vec<u8>) {
    let draws = Stream::new(seed, "replies lost");
    let (mut window, mut last, mut replies) = (0_u64, u32::MAX, 0);
    move |_, reply| {
        if reply[3] == 2 {
            let seq = u32::from_le_bytes(reply[12..16].try_into().unwrap());
            window = window.checked_shl(seq.wrapping_sub(last)).unwrap_or(0) | 1;
            last = seq;
            reply[20..28].copy_from_slice(&window.to_le_bytes());
            replies += 1;
            if draws.unit(replies) < loss {
                reply.clear();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Loss and reordering in both directions, with our window and with that of irtt 0.9. Where nothing overtakes on
    /// the way up every probe is named.
    #[test]
    fn no_probe_is_named_up_that_went_down_nor_the_other_way_round(
        seed: u64, loss_up in 0.0..0.3, loss_down in 0.0..0.3, jitter_up in 0..40_i64, jitter_down in 0..40_i64,
        is_foreign: bool,
    ) {
        let jittery = |loss, jitter| path(millis(10), millis(10 + jitter), loss, 0.0);
        let client = Settings { seed, wait_for_server: true, ..client() };
        let loss_of_path = if is_foreign { 0.0 } else { loss_down };
        let mut simulation =
            Simulation::new(clean(), jittery(loss_up, jitter_up), jittery(loss_of_path, jitter_down), seed);
        if is_foreign {
            simulation.alter_replies(window_of_irtt(seed, loss_down));
        }
        simulation.add_client(client);
        let rows = resolved(&events(&mut simulation));
        let losses = losses(&simulation, &rows);
        prop_assert_eq!(&losses.misnamed, &vec![]);
        if jitter_up < 10 {
            prop_assert_eq!(losses.rows, [losses.truth[0], losses.truth[1], 0]);
        }
        prop_assert!(losses.summary[0] <= losses.truth[0] + 4 && losses.summary[1] <= losses.truth[1] + 4);
    }
}

fn restricted(what: &str) -> Failure {
    Failure::Restricted { what: what.to_owned() }
}

#[test]
fn what_a_server_does_not_grant_is_told_and_its_session_ended() {
    let second = Duration::from_secs(1);
    for (server, expected) in [
        (
            reflect::Settings { session_rate: Some(10), ..clean() },
            restricted("answers a probe each 100ms at most: -i 100ms"),
        ),
        (
            reflect::Settings { max_idle: millis(20), ..clean() },
            restricted("forgets a session without a probe each 5ms: -i 5ms"),
        ),
        (reflect::Settings { max_duration: Some(second), ..clean() }, restricted("grants 1s at most: -w 1s")),
        (reflect::Settings { max_size: 59, ..clean() }, Failure::TooLarge { limit: 59 }),
    ] {
        let mut simulation = simulated(server, ideal(), ideal(), client());
        let events = events(&mut simulation);
        assert_eq!(failure(&events), Some(expected));
        assert_eq!(resolved(&events), []);
        simulation.pass(second * 2);
        let clients = simulation.server().unwrap().counters().dialect("irtt").clients;
        assert_eq!(clients, 0, "it was closed");
    }
}

#[test]
fn a_run_that_fits_the_limits_is_granted() {
    let second = Duration::from_secs(1);
    let limits = reflect::Settings {
        session_rate: Some(100),
        max_duration: Some(second * 3),
        max_size: 60,
        ..clean()
    };
    let rows = resolved(&events(&mut simulated(limits, ideal(), ideal(), client())));
    assert!(rows.len() as u64 == PROBES && rows.iter().all(|row| row.outcome == Outcome::Ok));
}

/// An irtt server that was restarted does not answer the probes of a session that it does not know.
#[test]
fn a_restarted_server_is_found_again_and_the_run_goes_on() {
    let mut simulation = Simulation::new(clean(), ideal(), ideal(), 5);
    simulation.restart_server(millis(2_000), millis(3_000), clean());
    simulation.add_client(Settings { dialect: Dialect::Irtt, size: 60, ..settings(200, millis(100)) });
    let events = events(&mut simulation);
    let told = |event: &&Event| matches!(event, Event::SessionLost { .. } | Event::Reopened { .. });
    assert_eq!(events.iter().filter(told).count(), 2, "{events:#?}");
    let rows = resolved(&events);
    let lost: Vec<u64> = rows.iter().filter(|row| row.outcome == Outcome::Lost).map(|row| row.seq).collect();
    assert!((45..70).contains(&lost.len()) && lost.windows(2).all(|pair| pair[1] == pair[0] + 1), "{lost:?}");
    assert!(rows.iter().all(|row| row.cause.is_none_or(|cause| cause == Cause::Unknown)));
}

#[test]
fn a_session_that_the_server_ends_is_followed_by_another() {
    let mut simulation = Simulation::new(clean(), ideal(), ideal(), 5);
    let mut ended = false;
    simulation.alter_replies(move |at, reply| {
        if at > millis(1_000) && !std::mem::replace(&mut ended, at > millis(1_000)) {
            reply[3] |= 4;
        }
    });
    simulation.add_client(client());
    let events = events(&mut simulation);
    let reopened = events.iter().filter(|event| matches!(event, Event::Reopened { .. })).count();
    assert_eq!(reopened, 1);
    assert!(resolved(&events).iter().all(|row| row.outcome == Outcome::Ok));
}

/// The answer to the first request comes after the second request: the server has two sessions.
#[test]
fn a_session_that_a_repeated_opening_made_is_ended() {
    let slow = || Conditions::ideal(millis(700));
    let mut simulation =
        simulated(clean(), slow(), slow(), Settings { deadline: Some(millis(2_000)), ..client() });
    // Our server gives the same session to a repeated request, so the first answer is changed.
    let mut answers = 0;
    simulation.alter_replies(move |_, reply| {
        if reply[3] == 3 {
            answers += 1;
            reply[4] ^= u8::from(answers == 2);
        }
    });
    let (tell, told) = std::sync::mpsc::channel();
    simulation.alter_probes(move |_, datagram| {
        if datagram[3] == 4 {
            tell.send(datagram.clone()).unwrap();
        }
    });
    let rows = resolved(&events(&mut simulation));
    assert!(rows.iter().all(|row| row.outcome == Outcome::Ok));
    simulation.pass(Duration::from_secs(5));
    let closed: Vec<Vec<u8>> = told.try_iter().collect();
    assert_eq!(closed.len(), 2, "the stray one, and its own at the end");
    assert_eq!(closed[0][4] ^ 1, closed[1][4]);
}

#[test]
fn less_than_all_times_and_no_count_are_narrowed_and_said() {
    // The reply to an opening ends with the parameters 5 (count and window), 6 (times) and 7 (clocks).
    let granting = |parameter: u8, value: u8| {
        move |_: Duration, reply: &mut Vec<u8>| {
            if reply[3] == 3 {
                let place = reply.len() - 6 + 2 * usize::from(parameter - 5);
                assert_eq!(reply[place], parameter);
                reply[place + 1] = value;
            }
        }
    };
    for (parameter, value, expected) in
        [(6, 0, Finding::NoReceiveTime), (6, 8, Finding::NoServerTime), (5, 4, Finding::Stateless)]
    {
        let mut simulation = Simulation::new(clean(), ideal(), ideal(), 5);
        simulation.alter_replies(granting(parameter, value));
        simulation.add_client(Settings { count: Some(20), ..client() });
        let events = events(&mut simulation);
        assert_eq!(findings(&events), [expected], "{parameter} {value}");
        assert!(resolved(&events).iter().all(|row| row.outcome == Outcome::Ok));
    }
}

#[test]
fn what_is_not_of_the_session_counts_for_no_probe() {
    let mut simulation = Simulation::new(clean(), ideal(), ideal(), 5);
    let mut foreign = vec![0; 60];
    foreign[..4].copy_from_slice(&[0x14, 0xA7, 0x5B, 2]);
    let request = [&[0x14, 0xA7, 0x5B, 0][..], &[0; 56]].concat();
    for (at, datagram) in [(510, foreign), (520, request), (530, vec![0x14, 0xA7]), (540, Vec::new())] {
        simulation.forge_to_client(millis(at), 0, datagram);
    }
    simulation.add_client(client());
    let rows = resolved(&events(&mut simulation));
    assert_eq!(simulation.client(0).counters().junk, 4);
    assert!(rows.iter().all(|row| row.outcome == Outcome::Ok));
}

#[test]
fn four_requests_a_second_apart_and_then_silence_is_told() {
    let deaf = path(millis(10), millis(10), 1.0, 0.0);
    let events = events(&mut simulated(clean(), deaf, ideal(), client()));
    let expected = Failure::Silent { tries: 4, after: Duration::from_secs(4) };
    assert_eq!(events[0], Event::Failed(expected));
}
