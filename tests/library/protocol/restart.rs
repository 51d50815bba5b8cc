//! A server that is killed and started again, and one that a client stops.

use std::cell::Cell;
use std::rc::Rc;

use proptest::prelude::*;
use udpecho::impair::Impairment;
use udpecho::probe::{Cause, Dialect, Event, Outcome, Resolved, Settings};
use udpecho::reflect;
use udpecho::sim::{Conditions, GroundTruth, Simulation};
use udpecho::time::Duration;
use udpecho::wire::native::{Message, decode};

use crate::common::{clean, injecting, millis, path, resolved, settings, simulation};

const ONE_WAY: Duration = Duration::from_millis(20);

/// Every row says what the ground truth says.
fn check(row: &Resolved, ground_truth: &GroundTruth) {
    let truth = ground_truth.probe(row.seq).expect("the truth of each probe");
    let rtt = truth.replies.first().map(|at| *at - truth.sent.unwrap());
    assert_eq!(row.rtt, rtt, "seq {}", row.seq);
    let arrived = !truth.reached_server.is_empty();
    match row.cause {
        None => assert!(matches!(row.outcome, Outcome::Ok | Outcome::Late), "{row:?}"),
        Some(Cause::Up) => assert!(!arrived, "it did reach a server: {row:?}"),
        Some(Cause::Down) => assert!(truth.replies_sent > 0, "no reply was lost: {row:?}"),
        // It was there, and no reply left; but that a copy may have met the other server.
        Some(Cause::InjectedDown | Cause::Refused) => {
            let copies = truth.reached_server.len();
            assert!(arrived && (truth.replies_sent == 0 || copies > 1), "{row:?} {truth:?}")
        }
        Some(Cause::Unknown) => {}
        Some(cause) => panic!("nothing here does {cause:?}"),
    }
}

#[test]
fn a_restarted_server_is_found_again_and_the_run_goes_on() {
    let mut simulation = simulation(clean(), ONE_WAY);
    simulation.restart_server(millis(2_000), millis(3_000), clean());
    simulation.add_client(settings(60, millis(100)));
    simulation.run(Duration::from_secs(60));
    let events = simulation.take_events(0);
    let start = Simulation::START;
    let told: Vec<&Event> = events
        .iter()
        .filter(|e| matches!(e, Event::Unreachable { .. } | Event::Forgotten { .. } | Event::Reopened { .. }))
        .collect();
    // Probes leave at 80 ms and every 100 ms after: at 1980 ms to no server, at 2980 ms to one
    // that does not know the session.
    let opened_again = start + millis(2_980) + ONE_WAY * 6;
    assert_eq!(
        told,
        [
            &Event::Unreachable { at: start + millis(2_000) },
            &Event::Forgotten { at: start + millis(3_020) },
            &Event::Reopened { at: opened_again, first_seq: 31 },
        ]
    );
    let rows = resolved(&events);
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), (0..60).collect::<Vec<_>>());
    for row in &rows {
        check(row, simulation.ground_truth(0));
        let expected = match row.seq {
            19..31 => (Outcome::Lost, Some(Cause::Unknown)),
            _ => (Outcome::Ok, None),
        };
        assert_eq!((row.outcome, row.cause), expected, "seq {}", row.seq);
        assert_eq!(row.copies, u32::from(row.outcome == Outcome::Ok));
    }
}

/// A server, or a middlebox, that answers no probe of an unknown session.
fn silent_about_unknown_sessions(simulation: &mut Simulation) {
    simulation.alter_replies(|_, datagram| {
        if matches!(decode(datagram), Ok(Message::UnknownSession(_))) {
            datagram.clear();
        }
    });
}

#[test]
fn a_client_whose_session_was_dropped_silently_opens_another_and_says_so() {
    for size in [64, 1200] {
        let mut simulation = simulation(clean(), ONE_WAY);
        silent_about_unknown_sessions(&mut simulation);
        simulation.restart_server(millis(2_000), millis(2_010), clean());
        simulation.add_client(Settings { size, ..settings(200, millis(100)) });
        simulation.run(Duration::from_secs(60));
        let events = simulation.take_events(0);
        let lost: Vec<_> = events.iter().filter(|e| matches!(e, Event::SessionLost { .. })).collect();
        let [Event::SessionLost { at, silent }] = lost[..] else { panic!("{lost:?}") };
        assert!((millis(5_000)..millis(8_000)).contains(silent), "{silent}");
        assert_eq!(events.iter().filter(|e| matches!(e, Event::Reopened { .. })).count(), 1);
        let rows = resolved(&events);
        rows.iter().for_each(|row| check(row, simulation.ground_truth(0)));
        let since = *at - Simulation::START;
        assert!(rows.iter().filter(|row| row.due > since).all(|row| row.outcome == Outcome::Ok));
        assert!(rows.iter().any(|row| row.due > since));
    }
}

#[test]
fn an_outage_however_long_replaces_no_session() {
    let outage = || vec![(millis(2_000), millis(32_000))];
    for (up, down) in [(outage(), outage()), (outage(), vec![]), (vec![], outage())] {
        let path = |outages| Conditions { outages, ..Conditions::ideal(ONE_WAY) };
        let mut simulation = Simulation::new(clean(), path(up), path(down), 1);
        simulation.add_client(settings(400, millis(100)));
        simulation.run(Duration::from_secs(120));
        let events = simulation.take_events(0);
        assert!(!events.iter().any(|e| matches!(e, Event::SessionLost { .. } | Event::Reopened { .. })));
        let rows = resolved(&events);
        rows.iter().for_each(|row| check(row, simulation.ground_truth(0)));
        let lost: Vec<_> = rows.iter().filter(|row| row.outcome == Outcome::Lost).collect();
        assert!((300..=301).contains(&lost.len()), "{}", lost.len());
        assert!(lost.iter().all(|row| matches!(row.cause, Some(Cause::Up | Cause::Down))), "{:?}", lost[0]);
    }
}

#[test]
fn a_server_that_is_gone_is_asked_for_a_session_less_and_less_often() {
    let hellos = Rc::new(Cell::new(0));
    let counted = Rc::clone(&hellos);
    let mut simulation = simulation(clean(), ONE_WAY);
    simulation.alter_probes(move |_, datagram| {
        counted.set(counted.get() + u32::from(matches!(decode(datagram), Ok(Message::Hello(_)))));
    });
    simulation.restart_server(millis(2_000), Duration::from_secs(3600), clean());
    simulation.add_client(settings(3_000, millis(100)));
    simulation.run(Duration::from_secs(400));
    // 1 to begin with; after 5 s of silence at 0, 1, 3, 7, 15, 31 s and every 32 s from then on.
    assert!((10..=16).contains(&hellos.get()), "{}", hellos.get());
}

#[test]
fn what_a_restarted_server_held_is_nobodys_fault() {
    // Killed while all replies are held, and back before the tail is over.
    let mut simulation = simulation(reflect::Settings::default(), ONE_WAY);
    simulation.restart_server(millis(1_120), millis(1_200), reflect::Settings::default());
    simulation.add_client(settings(20, millis(50)));
    simulation.run(Duration::from_secs(60));
    let rows = resolved(&simulation.take_events(0));
    assert_eq!(rows.len(), 20);
    rows.iter().for_each(|row| check(row, simulation.ground_truth(0)));
    let held = |row: &&Resolved| simulation.ground_truth(0).probe(row.seq).unwrap().replies_sent == 0;
    let causes: Vec<Option<Cause>> = rows.iter().filter(held).map(|row| row.cause).collect();
    assert!(causes.len() > 2 && causes.contains(&Some(Cause::Unknown)), "{causes:?}");
    assert!(!causes.contains(&Some(Cause::Refused)), "a new server refused what it never saw: {causes:?}");
}

#[test]
fn what_a_restarted_server_does_not_know_is_unknown_and_not_refused() {
    let up = path(ONE_WAY, ONE_WAY, 0.3, 0.0);
    let mut simulation = Simulation::new(clean(), up, Conditions::ideal(ONE_WAY), 2);
    simulation.restart_server(millis(2_000), millis(2_100), clean());
    simulation.add_client(Settings { deadline: Some(millis(100)), ..settings(2000, millis(1)) });
    simulation.run(Duration::from_secs(60));
    let rows = resolved(&simulation.take_events(0));
    rows.iter().for_each(|row| check(row, simulation.ground_truth(0)));
    // Nothing is lost on the way down: what got no reply from a clean server met one that did not know it.
    let unknown = |row: &&Resolved| {
        let truth = simulation.ground_truth(0).probe(row.seq).unwrap();
        !truth.reached_server.is_empty() && truth.replies_sent == 0
    };
    let count = rows.iter().filter(unknown).count();
    assert!(count > 20, "{count} unknown of {}", rows.len());
    assert!(rows.iter().filter(unknown).all(|row| row.cause == Some(Cause::Unknown)));
    assert!(rows.iter().all(|row| row.cause != Some(Cause::Refused)));
}

#[test]
fn a_server_that_is_gone_for_good_does_not_keep_the_client_waiting_for_ever() {
    let mut simulation = simulation(clean(), ONE_WAY);
    simulation.restart_server(millis(1_000), Duration::from_secs(3600), clean());
    simulation.add_client(settings(20, millis(100)));
    simulation.run(Duration::from_secs(10));
    let rows = resolved(&simulation.take_events(0));
    assert_eq!(rows.len(), 20);
    rows.iter().for_each(|row| check(row, simulation.ground_truth(0)));
    assert!(rows[10..].iter().all(|row| row.cause == Some(Cause::Unknown)));
}

#[test]
fn a_client_says_that_it_asks_a_server_that_is_gone_and_a_stop_skips_that() {
    for stop in [false, true] {
        let mut simulation = simulation(clean(), ONE_WAY);
        simulation.restart_server(millis(1_000), Duration::from_secs(3600), clean());
        simulation.add_client(settings(20, millis(100)));
        if stop {
            simulation.stop_client_at(millis(3_600), 0);
        }
        let from = simulation.now();
        simulation.run(Duration::from_secs(10));
        let lasted = simulation.now() - from;
        let events = simulation.take_events(0);
        let asking: Vec<&Event> = events.iter().filter(|e| matches!(e, Event::Asking { .. })).collect();
        assert!(matches!(asking[..], [Event::Asking { probes: 11, skippable: true, .. }]), "{asking:?}");
        assert_eq!(resolved(&events).len(), 20);
        let expected = if stop { millis(3_600)..millis(3_700) } else { millis(5_500)..millis(6_500) };
        assert!(expected.contains(&lasted), "{lasted}");
    }
}

#[test]
fn a_client_whose_server_answers_says_nothing_of_asking() {
    let up = path(ONE_WAY, ONE_WAY, 0.3, 0.0);
    let mut simulation = Simulation::new(clean(), up, Conditions::ideal(ONE_WAY), 1);
    simulation.add_client(settings(200, millis(10)));
    simulation.run(Duration::from_secs(60));
    let events = simulation.take_events(0);
    assert!(!events.iter().any(|event| matches!(event, Event::Asking { .. })));
}

#[test]
fn a_server_stops_for_a_client_only_if_it_allows_that() {
    for dialect in [Dialect::Native, Dialect::Text] {
        for allow_stop in [false, true] {
            // The first two seconds after the run nothing passes down: the client asks again.
            let down = Conditions { outages: vec![(millis(480), millis(900))], ..Conditions::ideal(ONE_WAY) };
            let server = reflect::Settings { allow_stop, ..clean() };
            let mut simulation = Simulation::new(server, Conditions::ideal(ONE_WAY), down, 1);
            simulation.add_client(Settings { dialect, stop_server: true, ..settings(4, millis(100)) });
            simulation.run(Duration::from_secs(60));
            let events = simulation.take_events(0);
            assert!(resolved(&events).iter().all(|row| row.outcome == Outcome::Ok));
            let answers: Vec<bool> = events
                .iter()
                .filter_map(|event| match event {
                    Event::StopAnswered { obeyed } => Some(*obeyed),
                    _ => None,
                })
                .collect();
            let expected = match (dialect, allow_stop) {
                (_, true) => vec![true],
                (Dialect::Native, false) => vec![false],
                // The dialect has no word for no.
                (_, false) => vec![],
            };
            assert_eq!(answers, expected, "{dialect:?}, allowed {allow_stop}");
            assert_eq!(simulation.server().unwrap().stop_asked(), allow_stop);
        }
    }
}

#[test]
fn a_text_client_asks_for_the_stop_by_a_socket_that_the_server_knows() {
    // The first reply is lost, and at 1190 ms the calibration of the socket that replaces its own.
    let down = Conditions { outages: vec![(millis(50), millis(70))], ..Conditions::ideal(ONE_WAY) };
    let up = Conditions { outages: vec![(millis(1180), millis(1200))], ..Conditions::ideal(ONE_WAY) };
    let server = reflect::Settings { allow_stop: true, ..clean() };
    let mut simulation = Simulation::new(server, up, down, 1);
    let dialect = Dialect::Text;
    simulation.add_client(Settings { dialect, stop_server: true, ..settings(9, millis(150)) });
    simulation.run(Duration::from_secs(60));
    let events = simulation.take_events(0);
    let lost = resolved(&events).iter().filter(|row| row.outcome == Outcome::Lost).count();
    assert_eq!(lost, 1);
    assert!(events.contains(&Event::StopAnswered { obeyed: true }));
}

#[test]
fn a_client_that_is_not_told_to_stops_no_server() {
    let mut simulation = simulation(reflect::Settings { allow_stop: true, ..clean() }, ONE_WAY);
    simulation.add_client(settings(4, millis(100)));
    simulation.run(Duration::from_secs(60));
    assert!(!simulation.server().unwrap().stop_asked());
}

/// A run whose server is killed and started again, in milliseconds.
#[derive(Clone, Debug)]
struct Restart {
    seed: u64,
    gone: i64,
    away: i64,
    count: u64,
    interval: i64,
    deadline: Option<i64>,
    losses: [f64; 2],
    duplicates: [f64; 2],
    shortest: [i64; 2],
    spread: [i64; 2],
    injects: bool,
}

/// Every probe has one row, and no row claims what did not happen.
fn no_row_lies(restart: &Restart) {
    let Restart { seed, gone, away, count, interval, losses, duplicates, shortest, spread, .. } = *restart;
    let path = |way: usize| {
        path(millis(shortest[way]), millis(shortest[way] + spread[way]), losses[way], duplicates[way])
    };
    let impairment = if restart.injects { Impairment::classic() } else { Impairment::clean() };
    let mut simulation = Simulation::new(injecting(impairment.clone()), path(0), path(1), seed);
    simulation.restart_server(millis(gone), millis(gone + away), injecting(impairment));
    let deadline = restart.deadline.map(millis);
    simulation.add_client(Settings { deadline, seed, ..settings(count, millis(interval)) });
    simulation.run(Duration::from_secs(120));
    let events = simulation.take_events(0);
    let rows = resolved(&events);
    if matches!(events.first(), Some(Event::Failed(_))) {
        assert!(rows.is_empty());
        return;
    }
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
    rows.iter().for_each(|row| check(row, simulation.ground_truth(0)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the path does and whenever the server is restarted.
    #[test]
    fn no_restart_makes_a_row_lie(
        seed: u64, gone in 0_i64..3000, away in 0_i64..1500, count in 1_u64..60, interval in 1_i64..80,
        deadline in proptest::option::of(1_i64..400),
        losses in [0.0..0.3, 0.0..0.3], duplicates in [0.0..0.2, 0.0..0.2],
        shortest in [0_i64..40, 0_i64..40], spread in [0_i64..200, 0_i64..200], injects: bool,
    ) {
        no_row_lies(&Restart {
            seed, gone, away, count, interval, deadline, losses, duplicates, shortest, spread, injects,
        });
    }
}

/// A probe is duplicated on the way: the first server answers one copy, the second does not know the session of the
/// other, and says so before the reply is there.
#[test]
fn a_server_that_does_not_know_a_copy_of_a_probe_ends_no_wait_for_its_reply() {
    no_row_lies(&Restart {
        seed: 9_602_099_162_921_888_060,
        gone: 199,
        away: 0,
        count: 4,
        interval: 3,
        deadline: None,
        losses: [0.0; 2],
        duplicates: [0.054, 0.0],
        shortest: [0; 2],
        spread: [68, 138],
        injects: false,
    });
}

/// Its last words may meet a server that is gone.
#[test]
fn nothing_is_told_after_the_end() {
    let mut simulation = simulation(clean(), ONE_WAY);
    simulation.add_client(settings(5, millis(100)));
    // The last reply is here at 620 ms, and the client says goodbye 200 ms later at the latest.
    simulation.restart_server(millis(590), millis(5_000), clean());
    simulation.run(Duration::from_secs(60));
    simulation.pass(Duration::from_secs(10));
    let events = simulation.take_events(0);
    assert_eq!(
        events.iter().position(|event| *event == Event::Finished),
        Some(events.len() - 1),
        "{events:?}"
    );
}
