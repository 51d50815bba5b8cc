//! Whole runs in virtual time, compared with the ground truth of the simulated network.

use proptest::prelude::*;
use udpecho::impair::{Impairment, SessionLinks};
use udpecho::probe::{Cause, Event, Outcome, Settings};
use udpecho::reflect;
use udpecho::schedule::Schedule;
use udpecho::sim::{Conditions, ProbeTruth, Simulation};
use udpecho::time::{Duration, Instant};
use udpecho::wire::auth::Key;

use crate::common::{clean, decay, interval, resolved, server_info, settings};

/// The conclusion that a client must reach about a probe, from the ground truth.
fn expected(
    truth: &ProbeTruth,
    deadline: Duration,
    dropped_on_purpose: bool,
) -> (Outcome, Option<Cause>, Option<Duration>) {
    let sent = truth.sent.expect("the probe left");
    if let Some(first) = truth.replies.first() {
        let rtt = *first - sent;
        return (if rtt <= deadline { Outcome::Ok } else { Outcome::Late }, None, Some(rtt));
    }
    let cause = match (truth.reached_server.is_empty(), dropped_on_purpose) {
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
    up: String,
    down: String,
    injects: bool,
    keyed: bool,
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let plan = (any::<u64>(), 1_u64..120, 500_i64..300_000, any::<bool>(), proptest::option::of(1_i64..400));
    (plan, line(), line(), any::<bool>(), any::<bool>()).prop_map(
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

/// The impairment of one direction. Corrupted headers have tests of their own (`tests/library/faults.rs`).
fn line() -> impl Strategy<Value = String> {
    let delay = prop_oneof![
        (0_u32..40, 0_u32..300).prop_map(|(low, spread)| format!("uniform:{low}ms..{}ms", low + spread)),
        (0_u32..40).prop_map(|delay| format!("constant:{delay}ms")),
        Just("lognormal:20ms±10ms,ordered".to_owned()),
        Just("pareto:5ms,shape=3".to_owned()),
    ];
    let loss = prop_oneof![
        (0_u32..20).prop_map(|percent| format!("{percent}%")),
        Just("gilbert:p=5%,r=30%".to_owned()),
        Just("nth:7".to_owned()),
        Just("bursts:3@10,every=40".to_owned()),
    ];
    let rest = prop::sample::select(vec!["", "reorder=10%,by=20ms", "rate=500kbit,queue=2k"]);
    (delay, loss, 0_u32..20, rest).prop_map(|(delay, loss, duplicates, rest)| {
        format!("delay={delay} loss={loss} duplicate={duplicates}% {rest}")
    })
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
    let mut simulation = Simulation::new(
        server,
        Conditions::impaired(&scenario.up),
        Conditions::impaired(&scenario.down),
        scenario.seed,
    );
    simulation.add_client(client);
    simulation.run(Duration::from_secs(120));
    simulation
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every probe ends in exactly one outcome, with the cause, the RTT to the nanosecond and the
    /// number of copies that the ground truth has.
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

        let silent = events.iter().any(|event| matches!(event, Event::Asking { .. }));
        let rows = resolved(&events);
        prop_assert_eq!(rows.len() as u64, scenario.count);
        let mut copies = 0;
        for (seq, row) in rows.iter().enumerate() {
            let seq = seq as u64;
            prop_assert_eq!(row.seq, seq);
            let truth = simulation.ground_truth(0).probe(seq).expect("the truth of each probe");
            let deadline = scenario.deadline_ms.map_or(row.interval, Duration::from_millis);
            let dropped = fates.admit(Instant::ZERO, seq, 64).dropped.is_some();
            let (outcome, cause, rtt) = expected(truth, deadline, dropped);
            // Losses in bursts can swallow all queries of the last three seconds: then the cause stays unknown.
            let cause = if silent && row.cause == Some(Cause::Unknown) { row.cause } else { cause };
            prop_assert_eq!((row.outcome, row.cause, row.rtt), (outcome, cause, rtt), "seq {}", seq);
            prop_assert!(u64::from(row.copies) <= truth.replies.len() as u64);
            copies += u64::from(row.copies);
            if let Some(hold) = row.hold {
                prop_assert_eq!(hold, fates.admit(Instant::ZERO, seq, 64).hold);
                // In virtual time the server takes no time of its own.
                prop_assert_eq!(row.server, Some(hold));
                prop_assert_eq!(row.owd_up.unwrap() + row.owd_down.unwrap() + hold, row.rtt.unwrap());
            }
        }
        // No copy is lost: those that came after its probe was resolved are counted apart.
        let delivered: usize = simulation.ground_truth(0).probes().map(|(_, truth)| truth.replies.len()).sum();
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
