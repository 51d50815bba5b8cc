//! Caps: what a flood cannot take from those who measure, and what a limit tells those it refuses.

use std::net::SocketAddr;

use udpecho::probe::{Cause, Event, Outcome};
use udpecho::reflect;
use udpecho::time::Duration;
use udpecho::wire::native::{Ask, DenyReason, Fate, Message, Token, decode};
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
        assert!(counters.sessions <= 16_384 && counters.sessions_denied > 80_000, "{counters:?}");
        assert_eq!(counters.opened + counters.sessions_denied, 100_001);
        // Those who never sent a probe are soon forgotten, and others let in.
        desk.pass(Duration::from_secs(12));
        assert_eq!(desk.server.counters().sessions, 1);
        assert!(desk.open(address(false, 7), 7, 64).is_ok());
    }
}

#[test]
fn one_source_has_its_share_of_the_sessions_only() {
    let mut desk = Desk::new(reflect::Settings { max_source_sessions: 2, ..clean() });
    assert!(desk.open(address(true, 1), 1, 64).is_ok());
    assert!(desk.open(address(true, 2), 2, 64).is_ok());
    assert_eq!(desk.open(address(true, 3), 3, 64).unwrap_err().reason, DenyReason::Full);
    assert!(desk.open(address(true, 5000), 4, 64).is_ok());
    assert_eq!(desk.server.counters().sessions_denied, 1);
}

#[test]
fn hellos_beyond_the_limit_of_their_source_are_not_answered_but_counted() {
    let mut desk = Desk::new(reflect::Settings { source_rate: Some(1000), ..clean() });
    let flood = (0..5000).filter(|nonce| desk.send(address(true, 1), &hello(*nonce)).is_some()).count();
    assert!((100..=102).contains(&flood), "{flood}");
    assert!(desk.send(address(true, 5000), &hello(1)).is_some());
    let counters = desk.server.counters();
    assert_eq!(counters.strangers_refused, 5000 - flood as u64);
    assert_eq!(counters.cookies, flood as u64 + 1);
}

#[test]
fn the_limit_of_all_strangers_is_not_that_of_a_session() {
    let mut desk = Desk::new(reflect::Settings { stranger_rate: Some(1000), ..clean() });
    let token = desk.open(address(true, 1), 1, 64).unwrap();
    for index in 0..5000 {
        desk.send(address(false, index), b"hello");
        assert!(desk.send(address(true, 1), &probe(token, u64::from(index), 64)).is_some());
    }
    assert!(desk.server.counters().strangers_refused > 4800);
}

#[test]
fn what_a_rate_limit_refuses_is_told_as_the_cause() {
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

/// What the server tells of its probes from this number on.
fn outcomes(desk: &mut Desk, from: SocketAddr, token: Token, first: u64, count: u16) -> Vec<(Fate, bool)> {
    let question = emitted(|buffer| Ask { token, question: 0, first, count }.emit(buffer));
    let answer = desk.send(from, &question).expect("an answer");
    let Ok(Message::Tell(tell)) = decode(&answer) else { panic!("no tell: {answer:?}") };
    (0..count).map(|offset| tell.fate(offset)).collect()
}

#[test]
fn a_duplicate_that_a_limit_refuses_leaves_the_outcome_of_the_answered_original() {
    for (injection, outcome) in [("clean", Fate::Answered), ("delay=constant:50ms", Fate::Held)] {
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
        assert_eq!(outcomes(&mut desk, client, token, 0, 1), [(Fate::Answered, true)]);
    }
}

#[test]
fn a_duplicate_that_is_answered_replaces_the_refusal_of_the_original() {
    let mut desk = Desk::new(reflect::Settings { session_rate: Some(10), ..clean() });
    let client = address(true, 1);
    let token = desk.open(client, 1, 64).unwrap();
    while desk.send(client, &probe(token, 0, 64)).is_some() {}
    assert_eq!(desk.send(client, &probe(token, 1, 64)), None);
    assert_eq!(outcomes(&mut desk, client, token, 1, 1), [(Fate::Refused, false)]);
    desk.pass(millis(500));
    assert!(desk.send(client, &probe(token, 1, 64)).is_some());
    assert_eq!(outcomes(&mut desk, client, token, 1, 1), [(Fate::Answered, true)]);
}

#[test]
fn what_does_not_fit_the_memory_for_held_replies_is_told_as_refused() {
    let held = injecting("delay=constant:300ms".parse().unwrap());
    let mut simulation = simulation(reflect::Settings { max_held_bytes: 64 * 5, ..held }, millis(1));
    simulation.add_client(settings(100, millis(10)));
    simulation.run(Duration::from_secs(60));
    let rows = resolved(&simulation.take_events(0));
    assert!(rows.iter().filter(|row| row.cause == Some(Cause::Refused)).count() > 70);
    assert!(rows.iter().all(|row| row.cause.is_none_or(|cause| cause == Cause::Refused)));
}

#[test]
fn memory_of_fates_is_shared_and_bounded() {
    let mut desk = Desk::new(reflect::Settings { max_fates_bytes: 1 << 20, ..clean() });
    for index in 0..100 {
        let client = address(true, index);
        let token = desk.open_remembering(client, u64::from(index), 1 << 22);
        // One datagram that asks for all the memory at once.
        assert!(desk.send(client, &probe(token, 4_000_000, 64)).is_some());
        assert!(desk.send(client, &probe(token, 4_000_001, 64)).is_some());
    }
    let counters = desk.server.counters();
    assert!(counters.fates_bytes <= (1 << 20) + 100 * 64, "{}", counters.fates_bytes);
    desk.pass(Duration::from_secs(100_000));
    assert_eq!((desk.server.counters().sessions, desk.server.counters().fates_bytes), (0, 0));
}

#[test]
fn made_up_text_clients_drive_nobody_out() {
    let mut desk = Desk::new(reflect::Settings { max_text_clients: 100, ..clean() });
    let client = address(false, 1);
    assert_eq!(desk.send(client, b"C 512").as_deref(), Some(CALIBRATED));
    assert_eq!(desk.send(client, b"one").as_deref(), Some(ACKNOWLEDGED));
    for index in 2..5000 {
        desk.pass(Duration::from_micros(100));
        assert_eq!(desk.send(address(false, index), b"C 512").as_deref(), Some(CALIBRATED));
    }
    assert_eq!(desk.send(client, b"two").as_deref(), Some(ACKNOWLEDGED));
    assert_eq!(desk.server.counters().text_clients, 100);
    // Those that go on to send keep their places, but not for long when there are no more.
    for index in 4950..5100 {
        desk.send(address(false, index), b"C 512");
        desk.send(address(false, index), b"packet");
    }
    assert!(desk.server.counters().text_denied > 0);
    desk.pass(Duration::from_secs(12));
    assert_eq!(desk.send(address(false, 9999), b"C 512").as_deref(), Some(CALIBRATED));
}
