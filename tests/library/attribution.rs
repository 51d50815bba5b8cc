//! Injected losses and holds are attributed exactly, and all others to the network, probe by probe.

use proptest::prelude::*;
use udpecho::impair::{Direction, Impairment, SessionLinks, profiles};
use udpecho::probe::{Cause, Corruption, Event, Failure, Outcome, Resolved, Settings};
use udpecho::reflect::{self, Injection};
use udpecho::sim::{Conditions, Simulation};
use udpecho::time::{Duration, Instant};
use udpecho::units::Interval;

const SEED: u64 = 7;

fn client(count: u64, every: Duration) -> Settings {
    Settings {
        size: 128,
        count: Some(count),
        deadline: Some(Duration::from_secs(3)),
        ..Settings::every(Interval::new(every).unwrap(), 1)
    }
}

fn server(impairment: &Impairment) -> reflect::Settings {
    reflect::Settings {
        injection: Injection::steady(impairment.clone()),
        impair_seed: Some(SEED),
        ..reflect::Settings::default()
    }
}

fn lossy(share: f64) -> Conditions {
    Conditions::impaired(&format!("delay=constant:10ms loss={share}"))
}

fn rows(simulation: &mut Simulation, client: usize) -> Vec<Resolved> {
    let events = simulation.take_events(client);
    let resolved = events.into_iter().filter_map(|event| match event {
        Event::Resolved(resolved) => Some(resolved),
        _ => None,
    });
    resolved.collect()
}

fn run(impairment: &Impairment, path: Conditions, settings: Settings) -> (Simulation, Vec<Resolved>) {
    let mut simulation = Simulation::new(server(impairment), path.clone(), path, 3);
    simulation.add_client(settings);
    simulation.run(Duration::from_secs(7200));
    let rows = rows(&mut simulation, 0);
    (simulation, rows)
}

/// Over a path without loss every loss is attributed to the server, holds and copies are those that the
/// links decided, and no loss is the network's.
fn assert_exact(impairment: &Impairment, rows: &[Resolved], arrived_at: impl Fn(&Resolved) -> Instant) {
    let mut links = SessionLinks::new(impairment.clone(), SEED);
    for row in rows {
        let fate = links.admit(arrived_at(row), row.seq, 128);
        let expected = match fate.dropped.map(|dropped| dropped.direction) {
            Some(Direction::Up) => (Outcome::Lost, Some(Cause::InjectedUp)),
            Some(Direction::Down) => (Outcome::Lost, Some(Cause::InjectedDown)),
            None if row.rtt.unwrap() > Duration::from_secs(3) => (Outcome::Late, None),
            None => (Outcome::Ok, None),
        };
        assert_eq!((row.outcome, row.cause), expected, "{impairment}: {row:?}");
        if fate.dropped.is_none() {
            assert_eq!(row.hold, Some(fate.hold), "{impairment}: seq {}", row.seq);
            assert_eq!(row.rtt.unwrap() - fate.hold, Duration::from_millis(20), "seq {}", row.seq);
            assert_eq!(row.injected_copies, Some(u32::from(fate.extra_copies)));
            assert_eq!(row.copies, 1 + u32::from(fate.extra_copies));
            let corrupted = fate.corrupted.map(|_| Corruption::Injected);
            assert_eq!(row.corrupted, corrupted, "seq {}", row.seq);
        }
    }
}

#[test]
fn every_profile_is_attributed_exactly() {
    for profile in profiles() {
        let impairment = Impairment::of_profile(profile);
        let every = Duration::from_millis(20);
        let path = Conditions::ideal(Duration::from_millis(10));
        let (simulation, rows) = run(&impairment, path, client(3000, every));
        assert_eq!(rows.len(), 3000, "{}", profile.name);
        assert_exact(&impairment, &rows, |row| {
            let truth = simulation.ground_truth(0).probe(row.seq).unwrap();
            truth.reached_server[0]
        });
    }
}

/// The network's losses are exactly those of the network, whatever is injected besides.
#[test]
fn losses_of_the_path_are_told_from_injected_ones() {
    for profile in profiles() {
        let impairment = Impairment::of_profile(profile);
        let (simulation, rows) = run(&impairment, lossy(0.05), client(2000, Duration::from_millis(20)));
        for row in &rows {
            let truth = simulation.ground_truth(0).probe(row.seq).unwrap();
            let up = truth.reached_server.is_empty();
            let down = truth.replies_sent > 0 && truth.replies.is_empty();
            assert_eq!(row.cause == Some(Cause::Up), up, "{}: {row:?}", profile.name);
            assert_eq!(row.cause == Some(Cause::Down), down, "{}: {row:?}", profile.name);
            let injected = matches!(row.cause, Some(Cause::InjectedUp | Cause::InjectedDown));
            assert_eq!(injected, !up && truth.replies_sent == 0, "{}: {row:?}", profile.name);
        }
    }
}

/// Independent of other clients and of arrival times.
#[test]
fn the_same_seed_gives_each_session_the_same_fates() {
    let impairment: Impairment =
        "delay=normal:50ms±10ms loss=gilbert:p=5%,r=30% duplicate=3%".parse().unwrap();
    let path = Conditions::impaired("delay=uniform:1ms..40ms");
    let mut simulation = Simulation::new(server(&impairment), path.clone(), path, 9);
    for every in [5, 20, 33] {
        simulation.add_client(client(400, Duration::from_millis(every)));
    }
    simulation.run(Duration::from_secs(600));
    let fates = |rows: Vec<Resolved>| -> Vec<_> {
        rows.iter().map(|row| (row.cause, row.hold, row.injected_copies)).collect()
    };
    let first = fates(rows(&mut simulation, 0));
    assert_eq!(first.len(), 400);
    assert!(first == fates(rows(&mut simulation, 1)));
    assert!(first == fates(rows(&mut simulation, 2)));
}

#[test]
fn a_client_chooses_its_own_injection_only_where_it_may() {
    let wanted: Impairment = "delay=constant:30ms loss=nth:4".parse().unwrap();
    let wish =
        Settings { requested_impairment: Some(wanted.clone()), ..client(40, Duration::from_millis(10)) };
    let path = Conditions::ideal(Duration::from_millis(10));

    let refused =
        reflect::Settings { injection: Injection::steady(Impairment::clean()), ..Default::default() };
    let mut simulation = Simulation::new(refused, path.clone(), path.clone(), 1);
    simulation.add_client(wish.clone());
    simulation.run(Duration::from_secs(60));
    let events = simulation.take_events(0);
    assert_eq!(events[0], Event::Failed(Failure::ImpairDenied));

    let allowed = reflect::Settings { client_impair: true, ..server(&Impairment::clean()) };
    let mut simulation = Simulation::new(allowed, path.clone(), path, 1);
    simulation.add_client(wish);
    simulation.add_client(client(40, Duration::from_millis(10)));
    simulation.run(Duration::from_secs(60));
    let (own, other) = (rows(&mut simulation, 0), rows(&mut simulation, 1));
    assert_exact(&wanted, &own, |_| Instant::ZERO);
    assert_eq!(own.iter().filter(|row| row.outcome == Outcome::Lost).count(), 10);
    assert!(other.iter().all(|row| row.hold == Some(Duration::ZERO) && row.outcome == Outcome::Ok));
}

fn line() -> impl Strategy<Value = String> {
    let delay = prop_oneof![
        Just(String::new()),
        Just("delay=uniform:1ms..80ms".to_owned()),
        Just("delay=exponential:20ms".to_owned()),
        Just("delay=normal:40ms±9ms,ordered".to_owned()),
    ];
    let loss = prop_oneof![
        Just(String::new()),
        (1_u32..60).prop_map(|percent| format!(" loss={percent}%")),
        (1_u32..20, 20_u32..90).prop_map(|(p, r)| format!(" loss=gilbert:p={p}%,r={r}%")),
        (2_u32..9).prop_map(|n| format!(" loss=nth:{n}")),
    ];
    let rest = prop_oneof![
        Just(""),
        Just(" duplicate=20%"),
        Just(" corrupt=20%"),
        Just(" reorder=10%,by=30ms"),
        Just(" rate=200kbit,queue=4k"),
        Just(" duplicate=10% corrupt=10% reorder=5%,by=20ms rate=1Mbit,queue=8k"),
    ];
    let way = prop_oneof![Just(""), Just(" direction=up"), Just(" direction=both")];
    (delay, loss, rest, way).prop_map(|(delay, loss, rest, way)| format!("{delay}{loss}{rest}{way}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_impairment_is_attributed_exactly(text in line(), interval_ms in 1_i64..40) {
        let impairment: Impairment = text.parse().unwrap();
        let path = Conditions::ideal(Duration::from_millis(10));
        let (simulation, rows) = run(&impairment, path, client(150, Duration::from_millis(interval_ms)));
        prop_assert_eq!(rows.len(), 150);
        assert_exact(&impairment, &rows, |row| simulation.ground_truth(0).probe(row.seq).unwrap().reached_server[0]);
    }
}

/// Another client with the same nonce opens a session of its own.
#[test]
fn a_nonce_gives_no_access_to_another_clients_session() {
    let path = Conditions::ideal(Duration::from_millis(10));
    let mut simulation = Simulation::new(server(&Impairment::clean()), path.clone(), path, 1);
    let settings = client(20, Duration::from_millis(10));
    simulation.add_client(settings.clone());
    simulation.add_client(settings);
    simulation.run(Duration::from_secs(60));
    for client in [0, 1] {
        assert!(
            rows(&mut simulation, client).iter().all(|row| row.outcome == Outcome::Ok && row.copies == 1)
        );
    }
    assert_eq!(simulation.server().unwrap().counters().opened, 2);
}
