//! Whole runs in virtual time, held against what the simulated network really did.

mod common;

use proptest::prelude::*;
use udpecho::impair::{Impairment, SessionLinks};
use udpecho::probe::{Cause, Event, Outcome, Settings};
use udpecho::reflect;
use udpecho::schedule::Schedule;
use udpecho::sim::{Conditions, Simulation, Story};
use udpecho::time::{Duration, Instant};
use udpecho::wire::auth::Key;

use common::{clean, decay, interval, resolved, server_info, settings, share};

/// What a client must conclude about a probe, from what really happened to it.
fn expected(
    story: &Story,
    deadline: Duration,
    dropped_on_purpose: bool,
) -> (Outcome, Option<Cause>, Option<Duration>) {
    let sent = story.sent.expect("the probe left");
    if let Some(first) = story.replies.first() {
        let rtt = *first - sent;
        return (if rtt <= deadline { Outcome::Ok } else { Outcome::Late }, None, Some(rtt));
    }
    let cause = match (story.reached_server.is_empty(), dropped_on_purpose) {
        (true, _) => Cause::Up,
        (false, true) => Cause::InjectedDown,
        (false, false) => Cause::Down,
    };
    (Outcome::Lost, Some(cause), None)
}

#[derive(Debug, Clone)]
struct Scenario {
    seed: u64,
    count: u64,
    interval_us: i64,
    decay: bool,
    deadline_ms: Option<i64>,
    up: [f64; 4],
    down: [f64; 4],
    injects: bool,
    keyed: bool,
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let path = || [0.0..0.2, 0.0..0.2, 0.0..40.0, 0.0..300.0];
    let plan = (any::<u64>(), 1_u64..120, 500_i64..300_000, any::<bool>(), proptest::option::of(1_i64..400));
    (plan, path(), path(), any::<bool>(), any::<bool>()).prop_map(
        |((seed, count, interval_us, decay, deadline_ms), up, down, injects, keyed)| Scenario {
            seed,
            count,
            interval_us,
            decay,
            deadline_ms,
            up,
            down,
            injects,
            keyed,
        },
    )
}

fn conditions([loss, duplicates, shortest_ms, spread_ms]: [f64; 4]) -> Conditions {
    let shortest = Duration::from_secs_f64(shortest_ms / 1e3);
    Conditions {
        loss: share(loss),
        duplicates: share(duplicates),
        shortest_delay: shortest,
        longest_delay: shortest + Duration::from_secs_f64(spread_ms / 1e3),
        ..Conditions::ideal(Duration::ZERO)
    }
}

fn simulate(scenario: &Scenario) -> Simulation {
    let key = scenario.keyed.then(|| Key::new(&[7; 32]));
    let server = if scenario.injects { reflect::Settings::default() } else { clean() };
    let server = reflect::Settings { key: key.clone(), ..server };
    let every = Duration::from_micros(scenario.interval_us);
    let schedule = if scenario.decay {
        decay(every, Duration::from_micros(100))
    } else {
        Schedule::Fixed(interval(every))
    };
    let client = Settings {
        schedule,
        count: Some(scenario.count),
        deadline: scenario.deadline_ms.map(Duration::from_millis),
        seed: scenario.seed,
        size: 128,
        key,
        ..settings(0, Duration::from_secs(1))
    };
    let mut simulation =
        Simulation::new(server, conditions(scenario.up), conditions(scenario.down), scenario.seed);
    simulation.add_client(client);
    simulation.run(Duration::from_secs(120));
    simulation
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every probe ends in exactly one outcome, with the cause, the RTT to the nanosecond and the
    /// number of copies that the network's own ledger has.
    #[test]
    fn the_client_concludes_what_happened(scenario in scenario()) {
        let mut simulation = simulate(&scenario);
        let events = simulation.take_events(0);
        if let Some(Event::Failed(_)) = events.first() {
            // All five tries of the opening were lost; nothing was measured and nothing is claimed.
            prop_assert!(resolved(&events).is_empty());
            return Ok(());
        }
        let server = server_info(&events);
        let impairment = if scenario.injects { Impairment::classic() } else { Impairment::clean() };
        let mut fates = SessionLinks::new(impairment.clone(), server.seed);

        let rows = resolved(&events);
        prop_assert_eq!(rows.len() as u64, scenario.count);
        let mut copies = 0;
        for (seq, row) in rows.iter().enumerate() {
            let seq = seq as u64;
            prop_assert_eq!(row.seq, seq);
            let story = simulation.ledger(0).story(seq).expect("a story for each probe");
            let deadline = scenario.deadline_ms.map_or(row.interval, Duration::from_millis);
            let dropped = fates.admit(Instant::ZERO, seq, 64).dropped.is_some();
            prop_assert_eq!((row.outcome, row.cause, row.rtt), expected(story, deadline, dropped), "seq {}", seq);
            prop_assert!(u64::from(row.copies) <= story.replies.len() as u64);
            copies += u64::from(row.copies);
            if let Some(hold) = row.hold {
                prop_assert_eq!(hold, fates.admit(Instant::ZERO, seq, 64).hold);
                // In virtual time the server takes no time of its own.
                prop_assert_eq!(row.server, Some(hold));
                prop_assert_eq!(row.owd_up.unwrap() + row.owd_down.unwrap() + hold, row.rtt.unwrap());
            }
        }
        // No copy is lost: those after a probe's story was over are counted apart.
        let delivered: usize = simulation.ledger(0).stories().map(|(_, story)| story.replies.len()).sum();
        let counters = simulation.client(0).counters();
        prop_assert_eq!(copies + counters.copies_after_close, delivered as u64);
        prop_assert_eq!((counters.junk, counters.forged, counters.stragglers), (0, 0, 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_seed_gives_the_same_events(scenario in scenario()) {
        let mut once = simulate(&scenario);
        let mut again = simulate(&scenario);
        prop_assert_eq!(once.take_events(0), again.take_events(0));
        prop_assert_eq!(once.now(), again.now());
    }
}
