//! Limits: a flood takes nothing from clients that measure, and the server tells refused clients the cause.

use std::net::SocketAddr;

use udpecho::probe::{Cause, Event, Outcome};
use udpecho::reflect;
use udpecho::time::Duration;
use udpecho::wire::native::{DenyReason, Message, OutcomeQuery, ProbeStatus, Token, decode};
use udpecho::wire::text::{ACKNOWLEDGED, CALIBRATED};

use crate::common::desk::{Desk, address, emitted, hello, probe};
use crate::common::{clean, injecting, millis, resolved, server_info, settings, simulation};

#[test]
fn a_flood_of_openings_leaves_an_open_session_as_it_was() {
    for one_source in [true, false] {
        let mut desk = Desk::new(clean());
        let client = address(true, 1_000_000);
        let token = desk.open(client, 1, 64).unwrap();
        let mut answered = 0;
        for index in 0..100_000_u32 {
            desk.pass(Duration::from_micros(100));
            let from = if one_source { address(false, index % 4096) } else { address(false, index) };
            let _ = desk.open(from, u64::from(index), 64);
            if index % 10 == 0 {
                let seq = u64::from(index / 10);
                answered += usize::from(desk.send(client, &probe(token, seq, 64)).is_some());
            }
        }
        let counters = desk.server.counters();
        assert_eq!(answered, 10_000);
        assert!(counters.dialect("native").clients <= 16_384, "{counters:?}");
        assert_eq!(counters.opened + counters.dialect("native").denied, 100_001);
        // One source has its limit; of many sources, silent sessions of the flood are evicted for the next.
        assert_eq!(counters.opened, counters.evicted + counters.dialect("native").clients);
        assert!(if one_source { counters.evicted == 0 } else { counters.evicted > 10_000 }, "{counters:?}");
        // Sessions without a probe expire soon, which makes room for others.
        desk.pass(Duration::from_secs(12));
        assert_eq!(desk.server.counters().dialect("native").clients, 1);
        assert!(desk.open(address(false, 7), 7, 64).is_ok());
    }
}

#[test]
fn one_source_has_a_limited_number_of_sessions() {
    let mut desk = Desk::new(reflect::Settings { max_source_sessions: 2, ..clean() });
    assert!(desk.open(address(true, 1), 1, 64).is_ok());
    assert!(desk.open(address(true, 2), 2, 64).is_ok());
    assert_eq!(desk.open(address(true, 3), 3, 64).unwrap_err().reason, DenyReason::Full);
    assert!(desk.open(address(true, 5000), 4, 64).is_ok());
    assert_eq!(desk.server.counters().dialect("native").denied, 1);
}

#[test]
fn hellos_beyond_the_rate_of_their_source_are_counted_and_not_answered() {
    let mut desk = Desk::new(reflect::Settings { source_rate: Some(1000), ..clean() });
    let flood = (0..5000).filter(|nonce| desk.send(address(true, 1), &hello(*nonce)).is_some()).count();
    assert!((100..=102).contains(&flood), "{flood}");
    assert!(desk.send(address(true, 5000), &hello(1)).is_some());
    let counters = desk.server.counters();
    assert_eq!(counters.unverified_refused, 5000 - flood as u64);
    assert_eq!(counters.cookies, flood as u64 + 1);
}

#[test]
fn the_rate_limit_of_unverified_peers_does_not_apply_to_sessions() {
    let mut desk = Desk::new(reflect::Settings { unverified_rate: Some(1000), ..clean() });
    let token = desk.open(address(true, 1), 1, 64).unwrap();
    for index in 0..5000 {
        desk.send(address(false, index), b"hello");
        assert!(desk.send(address(true, 1), &probe(token, u64::from(index), 64)).is_some());
    }
    assert!(desk.server.counters().unverified_refused > 4800);
}

#[test]
fn clients_are_told_that_a_rate_limit_refused_their_probes() {
    let limited = [
        reflect::Settings { session_rate: Some(50), ..clean() },
        reflect::Settings { max_rate: Some(50), ..clean() },
    ];
    for server in limited {
        let told = server.session_rate;
        let mut simulation = simulation(server, millis(2));
        simulation.add_client(settings(1000, millis(10)));
        simulation.run(Duration::from_secs(60));
        let events = simulation.take_events(0);
        assert_eq!(server_info(&events).session_rate, told);
        let rows = resolved(&events);
        let ok = rows.iter().filter(|row| row.outcome == Outcome::Ok).count();
        let refused = rows.iter().filter(|row| row.cause == Some(Cause::Refused)).count();
        assert_eq!(ok + refused, 1000);
        assert!((495..=515).contains(&ok), "{ok}");
        assert!(!events.iter().any(|event| matches!(event, Event::Forgotten { .. })));
    }
}

/// The statuses of the probes from `first` on.
fn outcomes(
    desk: &mut Desk,
    from: SocketAddr,
    token: Token,
    first: u64,
    count: u16,
) -> Vec<(ProbeStatus, bool)> {
    let question = emitted(|buffer| OutcomeQuery { token, question: 0, first, count }.emit(buffer));
    let answer = desk.send(from, &question).expect("an answer");
    let Ok(Message::Outcomes(outcomes)) = decode(&answer) else { panic!("no outcomes: {answer:?}") };
    (0..count).map(|offset| outcomes.status(offset)).collect()
}

#[test]
fn a_duplicate_that_a_limit_refuses_leaves_the_outcome_of_the_answered_original() {
    for (injection, outcome) in [("clean", ProbeStatus::Answered), ("delay=constant:50ms", ProbeStatus::Held)]
    {
        let limited = reflect::Settings { session_rate: Some(100), ..injecting(injection.parse().unwrap()) };
        let mut desk = Desk::new(limited);
        let client = address(true, 1);
        let token = desk.open(client, 1, 64).unwrap();
        desk.send(client, &probe(token, 0, 64));
        for _ in 0..100 {
            desk.send(client, &probe(token, 0, 64));
        }
        assert!(desk.server.counters().refused > 80);
        assert_eq!(outcomes(&mut desk, client, token, 0, 1), [(outcome, true)]);
        desk.pass(millis(60));
        assert_eq!(outcomes(&mut desk, client, token, 0, 1), [(ProbeStatus::Answered, true)]);
    }
}

#[test]
fn a_duplicate_that_is_answered_replaces_the_refusal_of_the_original() {
    let mut desk = Desk::new(reflect::Settings { session_rate: Some(10), ..clean() });
    let client = address(true, 1);
    let token = desk.open(client, 1, 64).unwrap();
    while desk.send(client, &probe(token, 0, 64)).is_some() {}
    assert_eq!(desk.send(client, &probe(token, 1, 64)), None);
    assert_eq!(outcomes(&mut desk, client, token, 1, 1), [(ProbeStatus::Refused, false)]);
    desk.pass(millis(500));
    assert!(desk.send(client, &probe(token, 1, 64)).is_some());
    assert_eq!(outcomes(&mut desk, client, token, 1, 1), [(ProbeStatus::Answered, true)]);
}

#[test]
fn clients_are_told_that_the_memory_for_held_replies_was_full() {
    let held = injecting("delay=constant:300ms".parse().unwrap());
    let mut simulation = simulation(reflect::Settings { max_held_bytes: 1000, ..held }, millis(1));
    simulation.add_client(settings(100, millis(10)));
    simulation.run(Duration::from_secs(60));
    let rows = resolved(&simulation.take_events(0));
    assert!(rows.iter().filter(|row| row.cause == Some(Cause::Refused)).count() > 70);
    assert!(rows.iter().all(|row| row.cause.is_none_or(|cause| cause == Cause::Refused)));
}

/// One source gets a quarter of it, and does not close the sessions of others.
#[test]
fn memory_for_outcomes_is_shared_and_bounded() {
    let mut desk = Desk::new(reflect::Settings { max_history_bytes: 1 << 20, ..clean() });
    for index in 0..100 {
        let client = address(true, index);
        let token = desk.open_remembering(client, u64::from(index), 1 << 22);
        desk.pass(Duration::from_secs(1));
        for seq in (0..100_000_000).step_by(1_000_000) {
            assert!(desk.send(client, &probe(token, seq, 64)).is_some());
            assert!(desk.send(client, &probe(token, seq + 1, 64)).is_some());
        }
    }
    let counters = desk.server.counters();
    assert!(
        (200 << 10..280 << 10).contains(&counters.in_all().history_bytes),
        "{}",
        counters.in_all().history_bytes
    );
    let other = address(true, 5000);
    let token = desk.open_remembering(other, 1, 1 << 12);
    for seq in 0..4096 {
        desk.send(other, &probe(token, seq, 64));
    }
    let known = outcomes(&mut desk, other, token, 0, 2000);
    assert!(known.iter().all(|outcome| *outcome == (ProbeStatus::Answered, false)));
    desk.pass(Duration::from_secs(100_000));
    assert_eq!(
        (desk.server.counters().dialect("native").clients, desk.server.counters().in_all().history_bytes),
        (0, 0)
    );
}

#[test]
fn three_distant_probes_of_each_of_264_sessions_take_little_memory() {
    let mut desk = Desk::new(clean());
    for index in 0..264 {
        let client = address(true, index);
        let token = desk.open_remembering(client, u64::from(index), 1 << 22);
        for seq in [0, 4_000_000, 4_000_001] {
            assert!(desk.send(client, &probe(token, seq, 64)).is_some());
        }
    }
    let taken = desk.server.counters().in_all().history_bytes;
    assert!(taken < 264 * (16 << 10), "{taken}");
}

#[test]
fn when_the_memory_for_outcomes_is_full_the_least_active_sessions_lose_theirs() {
    let mut desk = Desk::new(reflect::Settings { max_history_bytes: 1 << 20, ..clean() });
    for index in 0..8 {
        let heavy = address(true, index << 12);
        let token = desk.open_remembering(heavy, u64::from(index), 1 << 22);
        for seq in 0..300_000 {
            desk.send(heavy, &probe(token, seq, 64));
        }
    }
    assert!(desk.server.counters().in_all().history_bytes > 900 << 10);
    let client = address(true, 1_000_000);
    let token = desk.open_remembering(client, 9, 1 << 12);
    for seq in 0..4096 {
        desk.pass(millis(1));
        assert!(desk.send(client, &probe(token, seq, 64)).is_some());
    }
    let known = outcomes(&mut desk, client, token, 100, 2000);
    assert!(known.iter().all(|outcome| *outcome == (ProbeStatus::Answered, false)));
    assert!(desk.server.counters().in_all().history_bytes <= 1 << 20);
}

#[test]
fn a_server_full_of_sessions_of_four_addresses_still_accepts_others() {
    let mut desk = Desk::new(clean());
    let client = address(true, 1_000_000);
    let measuring = desk.open(client, 1, 64).unwrap();
    assert!(desk.send(client, &probe(measuring, 0, 64)).is_some());
    for index in 0..16_384 {
        desk.pass(Duration::from_micros(200));
        let from = address(false, index);
        if let Ok(token) = desk.open(from, u64::from(index), 64) {
            desk.send(from, &probe(token, 0, 64));
        }
    }
    assert_eq!(desk.server.counters().dialect("native").clients, 16_384);
    for index in 0..100 {
        let newcomer = address(true, 2_000_000 + (index << 12));
        assert!(desk.open(newcomer, u64::from(index), 64).is_ok(), "newcomer {index}");
        assert!(desk.send(client, &probe(measuring, 1 + u64::from(index), 64)).is_some());
    }
    // The four addresses get no more sessions than they have.
    assert!(desk.open(address(false, 3), 99, 64).is_err());
}

/// All later probes are answered, and their outcomes are right. With a key the corrupted probe would be ignored.
#[test]
fn one_flipped_bit_in_a_sequence_number_costs_no_later_probe() {
    for (bit, remember) in (0..64).flat_map(|bit| [64, 4096, 1 << 22].map(|remember| (bit, remember))) {
        let mut desk = Desk::new(clean());
        let client = address(true, 1);
        let token = desk.open_remembering(client, 1, remember);
        for seq in 0..200_u64 {
            desk.pass(millis(10));
            let corrupted = if seq == 100 { seq ^ 1 << bit } else { seq };
            let answer = desk.send(client, &probe(token, corrupted, 64));
            assert!(answer.is_some() || seq == 100, "probe {seq} after a flip of bit {bit}");
        }
        let known = outcomes(&mut desk, client, token, 140, 60);
        assert!(
            known.iter().all(|(fate, _)| *fate == ProbeStatus::Answered),
            "bit {bit} of {remember}: {known:?}"
        );
    }
}

#[test]
fn a_session_survives_an_outage_longer_than_its_history() {
    let mut desk = Desk::new(clean());
    let client = address(true, 1);
    let token = desk.open_remembering(client, 1, 64);
    for seq in (0..10).chain(5000..5010) {
        desk.pass(millis(10));
        assert!(desk.send(client, &probe(token, seq, 64)).is_some());
    }
    let known = outcomes(&mut desk, client, token, 5000, 10);
    assert_eq!(known, [(ProbeStatus::Answered, false); 10]);
    assert_eq!(desk.server.counters().implausible, 1);
}

#[test]
fn forged_text_clients_evict_no_active_one() {
    let mut desk = Desk::new(reflect::Settings { max_text_clients: 100, ..clean() });
    let client = address(false, 1);
    assert_eq!(desk.send(client, b"C 512").as_deref(), Some(CALIBRATED));
    assert_eq!(desk.send(client, b"one").as_deref(), Some(ACKNOWLEDGED));
    for index in 2..5000 {
        desk.pass(Duration::from_micros(100));
        assert_eq!(desk.send(address(false, index), b"C 512").as_deref(), Some(CALIBRATED));
    }
    assert_eq!(desk.send(client, b"two").as_deref(), Some(ACKNOWLEDGED));
    assert_eq!(desk.server.counters().dialect("text").clients, 100);
    // Clients that sent a packet are not evicted, but expire after 10 s of silence when the table is full.
    for index in 4950..5100 {
        desk.send(address(false, index), b"C 512");
        desk.send(address(false, index), b"packet");
    }
    assert!(desk.server.counters().dialect("text").denied > 0);
    desk.pass(Duration::from_secs(12));
    assert_eq!(desk.send(address(false, 9999), b"C 512").as_deref(), Some(CALIBRATED));
}

#[test]
fn the_message_relay_serves_private_addresses_and_no_one_who_did_not_ask() {
    let settings = reflect::Settings { message_relay: true, ..clean() };
    let mut desk = Desk::new(settings);
    // To a public address, whose datagrams may be forged, it is an echo of as many bytes.
    let public = address(true, 1);
    assert_eq!(desk.send(public, b"hii").as_deref(), Some(&b"hii"[..]));
    let [anna, bea] = [1, 2].map(|index| address(false, index));
    let greeted = desk.send(anna, b"hii").unwrap();
    assert_eq!(String::from_utf8(greeted).unwrap(), format!("('{}', {})", anna.ip(), anna.port()));
    for silent in [public, bea] {
        let message = format!("to:{}/{};content:x", silent.ip(), silent.port());
        let answer = desk.send(anna, message.as_bytes()).unwrap();
        assert!(answer.starts_with(b"405, "), "{}", answer.escape_ascii());
        assert!(desk.pass(millis(0)).is_empty());
    }
    desk.send(bea, b"hii").unwrap();
    let message = format!("to:{}/{};content:x", bea.ip(), bea.port());
    assert!(desk.send(anna, message.as_bytes()).unwrap().starts_with(b"200, "));
    let delivered = desk.pass(millis(0));
    assert_eq!(delivered.iter().map(|sent| sent.to).collect::<Vec<_>>(), [bea]);
}
