//! What a server injects, into which datagrams, and what it tells its clients of it.

use std::collections::BTreeSet;

use udpecho::impair::{Impairment, SessionLinks};
use udpecho::probe::{Cause, Dialect, Event, Outcome, Resolved, Settings};
use udpecho::reflect;
use udpecho::sim::Simulation;
use udpecho::time::{Duration, Instant};
use udpecho::wire::native::MIN_SIZE;
use udpecho::wire::text;

use crate::common::desk::{Desk, address, probe};
use crate::common::{
    answers_nothing, clean, decay, events_of, injecting, millis, resolved, server_info, settings, simulation,
};

const ONE_WAY: Duration = Duration::from_millis(20);

/// So patient that every reply counts as on time.
fn patient(count: u64, every: Duration) -> Settings {
    Settings { deadline: Some(Duration::from_secs(2)), ..settings(count, every) }
}

fn holds(rows: &[Resolved]) -> Vec<Duration> {
    rows.iter().filter_map(|row| row.hold).collect()
}

#[test]
fn the_default_injection_holds_uniformly_from_0_1_to_500_ms_and_drops_one_in_ten_replies() {
    const COUNT: u64 = 20_000;
    let rows = resolved(&events_of(reflect::Settings::default(), ONE_WAY, patient(COUNT, millis(1))));
    let lost: Vec<&Resolved> = rows.iter().filter(|row| row.outcome == Outcome::Lost).collect();
    assert!(lost.iter().all(|row| row.cause == Some(Cause::InjectedDown)));
    // Three standard deviations of a share of 1/10.
    let share = lost.len() as f64 / COUNT as f64;
    assert!((share - 0.1).abs() < 3.0 * (0.1_f64 * 0.9 / COUNT as f64).sqrt(), "{share} lost");

    let holds = holds(&rows);
    let mut bins = [0.0_f64; 20];
    for hold in &holds {
        assert!((Duration::from_micros(100)..=millis(500)).contains(hold), "held {hold}");
        bins[(((hold.as_millis_f64() - 0.1) / 499.9 * 20.0) as usize).min(19)] += 1.0;
    }
    let expected = holds.len() as f64 / 20.0;
    let chi2: f64 = bins.iter().map(|count| (count - expected).powi(2) / expected).sum();
    // 19 degrees of freedom: 43.8 is the 99.9 % point.
    assert!(chi2 < 43.8, "chi2 {chi2} of {bins:?}");
}

/// The holds of three clients, one per dialect, whose datagrams waited in the socket before they were handled.
fn speak_late(desk: &mut Desk, waited: &[Duration]) -> [Vec<Duration>; 3] {
    let [native, verbatim, spoken] = [1, 2, 3].map(|index| address(false, index));
    let token = desk.open(native, 1, 64).unwrap();
    desk.send(spoken, b"C 64");
    for (seq, waited) in (0..).zip(waited) {
        for (from, datagram) in
            [(native, probe(token, seq, 64)), (verbatim, vec![b'v'; 64]), (spoken, vec![b't'; 64])]
        {
            assert_eq!(desk.send_waiting(from, *waited, &datagram), None, "nothing leaves unheld");
        }
    }
    let handled = desk.now;
    let sent = desk.pass(Duration::from_secs(1));
    [native, verbatim, spoken].map(|client| {
        let to_client = sent.iter().filter(|sent| sent.to == client);
        to_client.map(|sent| sent.at - handled).collect()
    })
}

/// However long a datagram waited in the socket, its hold is the configured one.
#[test]
fn a_hold_counts_from_the_arrival_at_the_socket() {
    let mut desk = Desk::new(injecting("delay=constant:10ms".parse().unwrap()));
    let left = speak_late(&mut desk, &[millis(25), millis(4), millis(0)]);
    assert_eq!(left, [(); 3].map(|()| vec![millis(0), millis(6), millis(10)]));
}

/// Three datagrams a millisecond apart that one call receives are no burst.
#[test]
fn the_queue_of_a_rate_limit_counts_from_the_arrival_at_the_socket() {
    // 64 bytes take half a millisecond: each finds it idle but the fourth, which is due just now.
    let mut desk = Desk::new(injecting("rate=1024kbit".parse().unwrap()));
    let left = speak_late(&mut desk, &[millis(3), millis(2), millis(1), millis(1)]);
    assert_eq!(left, [(); 3].map(|()| vec![millis(0); 4]));
    let left = speak_late(&mut desk, &[millis(0); 3]);
    assert_eq!(left, [(); 3].map(|()| [500, 1000, 1500].map(Duration::from_micros).to_vec()));
}

#[test]
fn a_server_knows_whether_its_injection_may_hold() {
    for (line, client_impair, holds) in [
        ("clean", false, false),
        ("loss=10%", false, false),
        ("clean", true, true),
        ("delay=constant:1ms", false, true),
        ("rate=1Mbit", false, true),
        ("reorder=10%,by=30ms", false, true),
    ] {
        let settings = reflect::Settings { client_impair, ..injecting(line.parse().unwrap()) };
        assert_eq!(Desk::new(settings).server.may_hold(), holds, "{line}");
    }
    assert!(Desk::new(reflect::Settings::default()).server.may_hold());
}

#[test]
fn the_client_can_compute_every_treatment_from_the_seed_and_the_line_that_it_is_told() {
    let events = events_of(reflect::Settings::default(), ONE_WAY, patient(300, millis(1)));
    let told = server_info(&events);
    assert_eq!(told.injects, Some(Impairment::classic().to_string()));
    assert_eq!((told.is_clean(), told.longest_hold), (false, millis(500)));
    let mut fates = SessionLinks::new(Impairment::classic(), told.seed);
    for row in resolved(&events) {
        let fate = fates.admit(Instant::ZERO, row.seq, 64);
        assert_eq!(row.hold, fate.dropped.is_none().then_some(fate.hold), "seq {}", row.seq);
    }
}

#[test]
fn clean_injects_nothing_and_says_so() {
    let events = events_of(clean(), ONE_WAY, settings(1000, millis(50)));
    assert!(server_info(&events).is_clean());
    for row in resolved(&events) {
        assert_eq!((row.outcome, row.rtt, row.hold), (Outcome::Ok, Some(ONE_WAY * 2), Some(Duration::ZERO)));
    }
}

#[test]
fn calibration_is_neither_held_nor_dropped() {
    let events = events_of(injecting(answers_nothing()), ONE_WAY, settings(50, millis(100)));
    // Hello, cookie, open, accept: four ways, and not a nanosecond more.
    let opened = events.iter().find_map(|event| match event {
        Event::Opened { at, .. } => Some(*at),
        _ => None,
    });
    assert_eq!(opened, Some(Simulation::START + ONE_WAY * 4));
    let rows = resolved(&events);
    assert_eq!(rows.len(), 50);
    assert!(rows.iter().all(|row| row.cause == Some(Cause::InjectedDown)));
}

#[test]
fn calibration_of_a_text_client_is_neither_held_nor_dropped() {
    let mut desk = Desk::new(injecting(answers_nothing()));
    let client = address(false, 1);
    for _ in 0..50 {
        assert_eq!(desk.send(client, b"C 512").as_deref(), Some(text::CALIBRATED));
        assert_eq!(desk.send(client, b"a packet"), None);
    }
    assert_eq!(desk.pass(Duration::from_secs(1)), []);
}

#[test]
fn the_holds_of_a_thousand_clients_are_independent() {
    let mut simulation = simulation(reflect::Settings::default(), ONE_WAY);
    for client in 0..1000 {
        simulation.add_client(Settings { seed: client, ..patient(1, millis(100)) });
    }
    simulation.run(Duration::from_secs(60));
    let rows: Vec<Resolved> =
        (0..1000).flat_map(|client| resolved(&simulation.take_events(client))).collect();
    assert_eq!(rows.len(), 1000);
    // No reply waited for another: each took the path and its own hold.
    for row in rows.iter().filter(|row| row.outcome == Outcome::Ok) {
        assert_eq!(row.rtt.unwrap(), ONE_WAY * 2 + row.hold.unwrap());
    }
    let holds = holds(&rows);
    assert_eq!(holds.iter().collect::<BTreeSet<_>>().len(), holds.len(), "two clients share a hold");
    let mean = holds.iter().map(|hold| hold.as_millis_f64()).sum::<f64>() / holds.len() as f64;
    // Four standard errors of 500/sqrt(12) ms.
    assert!((mean - 250.05).abs() < 4.0 * 144.3 / (holds.len() as f64).sqrt(), "mean hold {mean} ms");
}

#[test]
fn the_hold_of_one_probe_does_not_predict_the_next() {
    let rows = resolved(&events_of(reflect::Settings::default(), ONE_WAY, patient(20_000, millis(1))));
    let pairs: Vec<(f64, f64)> = rows
        .windows(2)
        .filter_map(|pair| Some((pair[0].hold?.as_millis_f64(), pair[1].hold?.as_millis_f64())))
        .collect();
    let product: f64 = pairs.iter().map(|(one, next)| (one - 250.05) * (next - 250.05)).sum();
    let correlation = product / pairs.len() as f64 / (499.9_f64.powi(2) / 12.0);
    assert!(correlation.abs() < 4.0 / (pairs.len() as f64).sqrt(), "correlation {correlation}");
}

#[test]
fn with_a_fixed_seed_every_session_gets_the_same_treatments() {
    let server = reflect::Settings { impair_seed: Some(42), ..reflect::Settings::default() };
    let mut simulation = simulation(server, ONE_WAY);
    for client in 0..2 {
        simulation.add_client(Settings { seed: client, ..patient(200, millis(10)) });
    }
    simulation.run(Duration::from_secs(60));
    let [one, other] = [0, 1].map(|client| simulation.take_events(client));
    assert_eq!((server_info(&one).seed, server_info(&other).seed), (42, 42));
    assert_eq!(resolved(&one), resolved(&other));
}

#[test]
fn many_clients_at_once_each_keep_their_size_and_schedule() {
    let mut simulation = simulation(reflect::Settings::default(), ONE_WAY);
    let client = |index: u64| Settings {
        size: MIN_SIZE + 100 * index as u32,
        schedule: decay(millis(20 + index as i64), millis(1)),
        seed: index,
        ..patient(20 + index, millis(1))
    };
    for index in 0..50 {
        simulation.add_client(client(index));
    }
    simulation.run(Duration::from_secs(120));
    let mut probes = 0;
    for index in 0..50 {
        let rows = resolved(&simulation.take_events(index as usize));
        assert_eq!(rows.len() as u64, 20 + index);
        assert!(rows.iter().all(|row| row.size == client(index).size && row.cause != Some(Cause::Up)));
        assert_eq!(rows[0].interval, millis(20 + index as i64));
        probes += rows.len() as u64;
    }
    // A probe that had not its session's size would be malformed.
    let counters = simulation.server().unwrap().counters();
    assert_eq!((counters.in_all().probes + counters.dropped, counters.malformed), (probes, 0));
}

#[test]
fn text_and_plain_packets_are_impaired_like_probes() {
    const COUNT: usize = 5000;
    for greeting in [Some(&b"C 64"[..]), None] {
        let mut desk = Desk::new(reflect::Settings { source_rate: None, ..Default::default() });
        let client = address(false, 1);
        greeting.map(|greeting| desk.send(client, greeting).expect("calibration"));
        assert!((0..COUNT).all(|_| desk.send(client, b"a packet").is_none()), "a reply was not held");
        let start = desk.now;
        let sent = desk.pass(Duration::from_secs(1));
        let mean = sent.iter().map(|sent| (sent.at - start).as_millis_f64()).sum::<f64>() / sent.len() as f64;
        assert!((mean - 250.05).abs() < 10.0, "mean hold {mean} ms");
        assert!(sent.len().abs_diff(COUNT * 9 / 10) < 90, "{} of {COUNT} answered", sent.len());
    }
}

#[test]
fn each_text_client_gets_its_own_treatments() {
    let mut desk = Desk::new(reflect::Settings::default());
    for client in 0..2 {
        desk.send(address(false, client), b"C 64");
        (0..100).for_each(|_| drop(desk.send(address(false, client), b"a packet")));
    }
    let start = desk.now;
    let sent = desk.pass(Duration::from_secs(1));
    let times = |client| -> Vec<Duration> {
        sent.iter().filter(|sent| sent.to == address(false, client)).map(|sent| sent.at - start).collect()
    };
    assert!(times(0).len() > 50 && times(0) != times(1));
    let settings = Settings { dialect: Dialect::Text, ..patient(200, millis(10)) };
    let rows = resolved(&events_of(reflect::Settings::default(), ONE_WAY, settings));
    assert!(rows.iter().all(|row| row.hold.is_none()), "a text server tells no hold");
}
