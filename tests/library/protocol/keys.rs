//! Keys: datagrams without the right tag get no reply, and a replay counts nothing.

use std::net::SocketAddr;

use udpecho::probe::{Cause, Event, Failure, Outcome, Settings};
use udpecho::reflect;
use udpecho::sim::{Conditions, Simulation};
use udpecho::time::Duration;
use udpecho::wire::auth::{Key, TAG};
use udpecho::wire::native::{
    Accept, Cookie, MIN_SIZE, Message, OutcomeQuery, Token, decode, emit_close, emit_stop,
};

use crate::common::desk::{Desk, address, emitted, hello, open, probe};
use crate::common::{clean, events_of, injecting, millis, path, resolved, server_info, settings};

fn key(byte: u8) -> Key {
    Key::new(&[byte; 32])
}

fn keyed() -> reflect::Settings {
    reflect::Settings { key: Some(key(1)), ..clean() }
}

fn sealed(message: &[u8]) -> Vec<u8> {
    let mut datagram = message.to_vec();
    datagram.resize(message.len() + TAG, 0);
    key(1).seal(&mut datagram, message.len());
    datagram
}

/// The message in the answer to a sealed one.
fn ask(desk: &mut Desk, from: SocketAddr, message: &[u8]) -> Option<Vec<u8>> {
    let answer = desk.send(from, &sealed(message))?;
    assert!(answer.len() <= message.len() + TAG);
    let (length, _) = key(1).open(&answer).expect("a sealed answer");
    Some(answer[..length].to_vec())
}

fn session(desk: &mut Desk, from: SocketAddr) -> Token {
    let answer = ask(desk, from, &hello(1)).expect("a cookie");
    let Ok(Message::Cookie(Cookie { cookie, .. })) = decode(&answer) else { panic!("{answer:?}") };
    let answer = ask(desk, from, &open(1, 64, cookie)).expect("an accept");
    let Ok(Message::Accept(Accept { token, .. })) = decode(&answer) else { panic!("{answer:?}") };
    token
}

fn client(size: u32, key: Option<Key>) -> Settings {
    Settings { size, key, ..settings(50, millis(100)) }
}

#[test]
fn a_run_with_a_key_is_like_one_without() {
    let without = events_of(clean(), millis(10), client(512 - TAG as u32, None));
    let with = events_of(keyed(), millis(10), client(512, Some(key(1))));
    let rows =
        |events: &[Event]| resolved(events).iter().map(|row| (row.outcome, row.rtt)).collect::<Vec<_>>();
    assert_eq!(rows(&with), rows(&without));
    assert!(resolved(&with).iter().all(|row| row.size == 512 && row.corrupted.is_none()));
    assert_eq!(server_info(&with).max_size, server_info(&without).max_size);
}

#[test]
fn injected_holds_drops_copies_and_corruption_are_reported_with_a_key_too() {
    let spec = "delay=uniform:1ms..50ms loss=10% duplicate=20% corrupt=20%";
    let server = reflect::Settings { key: Some(key(1)), ..injecting(spec.parse().unwrap()) };
    let rows = resolved(&events_of(server, millis(10), client(512, Some(key(1)))));
    assert!(rows.iter().all(|row| matches!(row.cause, None | Some(Cause::InjectedDown))));
    assert!(
        rows.iter().any(|row| row.injected_copies > Some(0))
            && rows.iter().any(|row| row.corrupted.is_some())
    );
}

#[test]
fn a_wrong_or_missing_key_gets_no_reply_and_is_counted() {
    for (server, client_key) in [(Some(1), Some(2)), (Some(1), None), (None, Some(1))] {
        let server = reflect::Settings { key: server.map(key), ..clean() };
        let with_key = server.key.is_some();
        let mut simulation =
            Simulation::new(server, Conditions::ideal(millis(5)), Conditions::ideal(millis(5)), 1);
        simulation.add_client(client(512, client_key.map(key)));
        simulation.run(Duration::from_secs(60));
        let events = simulation.take_events(0);
        assert!(matches!(events[0], Event::Failed(Failure::Silent { .. })), "{events:?}");
        let (server, client) = (simulation.server().unwrap().counters(), simulation.client(0).counters());
        if with_key {
            assert_eq!((server.unauthentic, server.sent), (5, 0));
        } else {
            assert_eq!(client.unauthentic, 5);
        }
    }
}

#[test]
fn with_a_key_plain_echo_and_text_get_no_reply() {
    let mut desk = Desk::new(keyed());
    for datagram in [&b""[..], b"hello", b"C 512", b"exit", &hello(1), &[0; 65_507]] {
        assert_eq!(desk.send(address(false, 1), datagram), None);
    }
    assert_eq!(desk.server.counters().unauthentic, 6);
}

#[test]
fn replayed_datagrams_are_not_answered() {
    let mut desk = Desk::new(keyed());
    let (client, spy) = (address(true, 1), address(true, 2));
    let token = session(&mut desk, client);
    assert!(ask(&mut desk, client, &probe(token, 0, 64)).is_some());
    for from in [client, spy] {
        assert_eq!(ask(&mut desk, from, &probe(token, 0, 64)), None);
    }
    assert_eq!(desk.server.counters().replayed, 2);
    // A question is answered where the newest probe came from.
    let [question, next] = [0, 1].map(|number| query(token, number));
    assert_eq!(ask(&mut desk, spy, &question), None);
    assert!(ask(&mut desk, client, &question).is_some());
    assert!(ask(&mut desk, spy, &probe(token, 1, 64)).is_some());
    assert!(ask(&mut desk, spy, &next).is_some());
    desk.send(spy, &sealed(&emitted(|buffer| emit_close(token, buffer))));
    assert_eq!(desk.server.counters().dialect("native").clients, 0);
}

#[test]
fn an_open_or_a_stop_copied_by_an_eavesdropper_is_not_answered() {
    let mut desk = Desk::new(reflect::Settings { allow_stop: true, ..keyed() });
    let (client, spy) = (address(true, 1), address(true, 2));
    let answer = ask(&mut desk, client, &hello(1)).expect("a cookie");
    let Ok(Message::Cookie(Cookie { cookie, .. })) = decode(&answer) else { panic!("{answer:?}") };
    let opening = open(1, 64, cookie);
    let accept = ask(&mut desk, client, &opening).expect("an accept");
    let Ok(Message::Accept(Accept { token, .. })) = decode(&accept) else { panic!("{accept:?}") };
    // It may have been lost: until the first probe the client asks again.
    assert_eq!(ask(&mut desk, client, &opening), Some(accept));
    assert!(ask(&mut desk, client, &probe(token, 0, 64)).is_some());
    assert_eq!(ask(&mut desk, client, &opening), None);
    let stop = emitted(|buffer| emit_stop(token, buffer));
    assert_eq!(ask(&mut desk, spy, &stop), None);
    assert!(!desk.server.stop_asked());
    desk.send(client, &sealed(&emitted(|buffer| emit_close(token, buffer))));
    assert_eq!(ask(&mut desk, client, &opening), None);
    assert_eq!(ask(&mut desk, client, &stop), None);
    assert_eq!((desk.server.counters().dialect("native").clients, desk.server.counters().replayed), (0, 3));
}

fn query(token: Token, question: u32) -> Vec<u8> {
    emitted(|buffer| OutcomeQuery { token, question, first: 0, count: 10 }.emit(buffer))
}

/// An eavesdropper can send from the client's address, too.
#[test]
fn a_query_is_answered_once_and_a_stop_as_often_as_a_client_repeats_it() {
    let mut desk = Desk::new(keyed());
    let client = address(true, 1);
    let token = session(&mut desk, client);
    assert!(ask(&mut desk, client, &probe(token, 0, 64)).is_some());
    for number in [3, 2, 4] {
        let query = query(token, number);
        let answers = (0..100).filter(|_| ask(&mut desk, client, &query).is_some()).count();
        assert_eq!(answers, 1, "query {number}");
    }
    let stop = emitted(|buffer| emit_stop(token, buffer));
    assert_eq!((0..100).filter(|_| ask(&mut desk, client, &stop).is_some()).count(), 4);
    assert_eq!(desk.server.counters().replayed, 3 * 99 + 96);
    // Without a key there is no secret to protect, and clients of older releases repeat their numbers.
    let mut desk = Desk::new(clean());
    let token = desk.open(client, 1, 64).expect("a session");
    assert_eq!((0..100).filter(|_| desk.send(client, &query(token, 3)).is_some()).count(), 100);
}

/// Queries are lost and repeated, answers are late and doubled: every loss has its cause.
#[test]
fn with_a_key_queries_survive_a_path_that_loses_doubles_and_reorders_them() {
    let lossy = || path(millis(5), millis(700), 0.3, 0.2);
    let mut simulation = Simulation::new(keyed(), lossy(), lossy(), 3);
    simulation.add_client(Settings { deadline: Some(millis(1500)), ..client(256, Some(key(1))) });
    simulation.run(Duration::from_secs(120));
    let rows = resolved(&simulation.take_events(0));
    let truth = simulation.ground_truth(0);
    let lost: Vec<_> = rows.iter().filter(|row| row.outcome == Outcome::Lost).collect();
    assert!(lost.len() > 10);
    for row in lost {
        let reached = !truth.probe(row.seq).unwrap().reached_server.is_empty();
        assert_eq!(row.cause, Some(if reached { Cause::Down } else { Cause::Up }), "seq {}", row.seq);
    }
}

#[test]
fn replayed_queries_keep_no_session_alive() {
    let mut desk = Desk::new(keyed());
    let client = address(true, 1);
    let token = session(&mut desk, client);
    assert!(ask(&mut desk, client, &probe(token, 0, 64)).is_some());
    for number in 0..70 {
        desk.pass(Duration::from_secs(1));
        desk.send(client, &sealed(&query(token, number)));
    }
    assert_eq!(desk.server.counters().dialect("native").clients, 0);
}

#[test]
fn changed_datagrams_are_ignored() {
    let mut desk = Desk::new(keyed());
    let token = session(&mut desk, address(true, 1));
    let good = sealed(&probe(token, 0, 64));
    for byte in 0..good.len() {
        let mut bad = good.clone();
        bad[byte] ^= 1;
        assert_eq!(desk.send(address(true, 1), &bad), None);
    }
    assert_eq!(desk.server.counters().unauthentic, good.len() as u64);
    assert!(desk.send(address(true, 1), &good).is_some());
}

#[test]
fn duplicates_of_the_network_are_answered_once() {
    let doubling = || path(millis(5), millis(5), 0.0, 1.0);
    let mut simulation = Simulation::new(keyed(), doubling(), Conditions::ideal(millis(5)), 1);
    simulation.add_client(client(512, Some(key(1))));
    simulation.run(Duration::from_secs(60));
    let rows = resolved(&simulation.take_events(0));
    assert!(rows.iter().all(|row| row.outcome == Outcome::Ok && row.copies == 1));
    assert_eq!(simulation.server().unwrap().counters().replayed, 50);
}

#[test]
fn sizes_are_those_of_the_datagram_with_its_tag() {
    let least = MIN_SIZE + TAG as u32;
    let failure = |server: reflect::Settings, size| {
        events_of(server, millis(5), client(size, Some(key(1)))).into_iter().find_map(|event| match event {
            Event::Failed(failure) => Some(failure),
            _ => None,
        })
    };
    assert_eq!(failure(keyed(), least), None);
    assert_eq!(failure(keyed(), least - 1), Some(Failure::TooSmall { limit: least }));
    let server = || reflect::Settings { max_size: 1000, ..keyed() };
    assert_eq!(failure(server(), 1000), None);
    assert_eq!(failure(server(), 1001), Some(Failure::TooLarge { limit: 1000 }));
}
