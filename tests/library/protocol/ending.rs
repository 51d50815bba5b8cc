//! A server that says that it ends, and the client that waits for its successor.

use std::cell::Cell;
use std::rc::Rc;

use udpecho::probe::{Cause, Client, Event, Outcome, Settings};
use udpecho::reflect;
use udpecho::sim::Simulation;
use udpecho::time::Duration;
use udpecho::wire::auth::Key;
use udpecho::wire::native::{
    Accept, Deny, DenyReason, Message, Token, UnknownSession, decode, emit_close, emit_ending,
};

use crate::common::desk::{Desk, address, emitted, hello, probe};
use crate::common::{clean, millis, resolved, settings, simulation};

const ONE_WAY: Duration = Duration::from_millis(20);

fn heeding(count: u64, every: Duration) -> Settings {
    Settings { heed_ending: true, ..settings(count, every) }
}

fn withheld(events: &[Event]) -> u64 {
    let probes = |event: &Event| if let Event::Withheld { probes } = event { *probes } else { 0 };
    events.iter().map(probes).sum()
}

fn lost(events: &[Event]) -> usize {
    resolved(events).iter().filter(|row| row.outcome == Outcome::Lost).count()
}

/// It says so at 3 s, is gone at 5 s, and another one is there at this time.
fn run(client: Settings, server: impl Fn() -> reflect::Settings, back: Duration) -> Vec<Event> {
    let mut simulation = simulation(server(), ONE_WAY);
    simulation.announce_end(millis(3_000));
    simulation.restart_server(millis(5_000), back, server());
    simulation.add_client(client);
    simulation.run(Duration::from_secs(300));
    simulation.take_events(0)
}

#[test]
fn a_client_that_heeds_it_loses_nothing_and_goes_on_with_the_successor() {
    let key = Key::new(&[7; 32]);
    for (key, flows) in [(None, None), (Some(key), None), (None, Some(16))] {
        let server = || reflect::Settings { key: key.clone(), ..clean() };
        let client = Settings { key: key.clone(), flows, size: 100, ..heeding(100, millis(100)) };
        let events = run(client, server, millis(12_300));
        assert_eq!((lost(&events), resolved(&events).len()), (0, 100));
        let ending = events.iter().find(|event| matches!(event, Event::Ending { .. }));
        // Probes leave at 80 ms and every 100 ms after.
        let at = Simulation::START + millis(3_000) + ONE_WAY;
        assert_eq!(ending, Some(&Event::Ending { at, next_seq: 30 }));
        let reopened = events.iter().find_map(|event| match event {
            Event::Reopened { at, first_seq } => Some((*at - Simulation::START, *first_seq)),
            _ => None,
        });
        let (reopened, first_seq) = reopened.expect("a session with the successor");
        assert!((millis(12_300)..millis(13_500)).contains(&reopened), "{reopened}");
        assert_eq!(first_seq, 30, "numbers have no gap");
        let away = (reopened - millis(3_020)).as_nanos() / 100_000_000;
        assert!(withheld(&events).abs_diff(away as u64) <= 1, "{}", withheld(&events));
    }
}

#[test]
fn a_run_whose_time_is_over_while_its_server_is_away_ends_then() {
    let client = Settings { count: None, total: Some(Duration::from_secs(10)), ..heeding(0, millis(100)) };
    let mut simulation = simulation(clean(), ONE_WAY);
    simulation.announce_end(millis(3_000));
    simulation.restart_server(millis(5_000), Duration::from_secs(100), clean());
    simulation.add_client(client);
    simulation.run(Duration::from_secs(12));
    let events = simulation.take_events(0);
    assert_eq!(events.last(), Some(&Event::Finished));
    assert_eq!((lost(&events), resolved(&events).len(), withheld(&events)), (0, 30, 70));
}

#[test]
fn a_client_that_does_not_heed_it_sends_on() {
    let events = run(settings(100, millis(100)), clean, millis(7_000));
    assert_eq!(withheld(&events), 0);
    assert!((20..=23).contains(&lost(&events)), "two seconds, and a handshake: {}", lost(&events));
}

#[test]
fn after_a_minute_a_server_that_announced_its_end_is_a_silent_one() {
    let hellos = Rc::new(Cell::new(0));
    let counted = Rc::clone(&hellos);
    let mut simulation = simulation(clean(), ONE_WAY);
    simulation.alter_probes(move |at, datagram| {
        let late = at > millis(64_000) && matches!(decode(datagram), Ok(Message::Hello(_)));
        counted.set(counted.get() + u32::from(late));
    });
    simulation.announce_end(millis(3_000));
    simulation.restart_server(millis(5_000), Duration::from_secs(200), clean());
    simulation.add_client(heeding(200, millis(1_000)));
    simulation.run(Duration::from_secs(400));
    let events = simulation.take_events(0);
    assert!((59..=60).contains(&withheld(&events)), "{}", withheld(&events));
    let rows = resolved(&events);
    let lost: Vec<_> = rows.iter().filter(|row| row.outcome == Outcome::Lost).collect();
    // From 63 s on until the successor is found: it knows no session of the one before.
    assert!((136..=139).contains(&lost.len()), "{}", lost.len());
    assert!(lost.iter().all(|row| row.cause == Some(Cause::Unknown)));
    assert!(lost.iter().all(|row| row.due > millis(62_000) && row.due < millis(201_000)));
    assert!(events.iter().any(|event| matches!(event, Event::Unreachable { .. })));
    assert!(hellos.get() < 12, "{}", hellos.get());
    assert_eq!(rows.last().map(|row| row.outcome), Some(Outcome::Ok));
}

#[test]
fn word_of_another_session_s_end_changes_nothing() {
    let mut simulation = simulation(clean(), ONE_WAY);
    simulation.alter_replies(|at, datagram| {
        // A forged one in the place of a reply.
        if (millis(2_000)..millis(2_100)).contains(&at) {
            datagram.resize(64, 0);
            let length = emit_ending(Token(7), datagram);
            datagram.truncate(length);
        }
    });
    simulation.add_client(heeding(60, millis(100)));
    simulation.run(Duration::from_secs(60));
    let events = simulation.take_events(0);
    assert!(!events.iter().any(|event| matches!(event, Event::Ending { .. })));
    assert_eq!((withheld(&events), lost(&events)), (0, 1));
    assert_eq!(simulation.client(0).counters().junk, 1);
}

#[test]
fn one_of_three_words_is_enough_and_a_server_that_ends_opens_no_session() {
    let mut simulation = simulation(clean(), ONE_WAY);
    let heard = Rc::new(Cell::new(0));
    let counted = Rc::clone(&heard);
    simulation.alter_replies(move |_, datagram| {
        if matches!(decode(datagram), Ok(Message::Ending(_))) {
            counted.set(counted.get() + 1);
            if counted.get() < 3 {
                datagram.clear();
            }
        }
    });
    simulation.announce_end(millis(3_000));
    simulation.restart_server(millis(5_000), millis(6_000), clean());
    simulation.add_client(heeding(60, millis(100)));
    simulation.run(Duration::from_secs(60));
    let events = simulation.take_events(0);
    assert_eq!((heard.get(), lost(&events)), (3, 0));
    let opened = events.iter().filter(|event| matches!(event, Event::Reopened { .. })).count();
    assert_eq!(opened, 1, "the one that ends answers no hello");
}

#[test]
fn word_follows_a_client_whose_port_has_changed() {
    let key = Key::new(&[7; 32]);
    for key in [None, Some(key)] {
        let server = || reflect::Settings { key: key.clone(), ..clean() };
        let mut simulation = simulation(server(), ONE_WAY);
        // No probe is on its way then.
        simulation.rebind_nat(millis(1_550), 0);
        simulation.announce_end(millis(3_000));
        simulation.restart_server(millis(5_000), millis(6_000), server());
        simulation.add_client(Settings { key: key.clone(), size: 100, ..heeding(60, millis(100)) });
        simulation.run(Duration::from_secs(60));
        let events = simulation.take_events(0);
        assert_eq!((lost(&events), resolved(&events).len()), (0, 60));
        assert!(events.iter().any(|event| matches!(event, Event::Ending { .. })));
    }
}

#[test]
fn word_goes_three_times_to_the_proven_address_at_the_port_of_the_newest_probe() {
    let mut desk = Desk::new(clean());
    let [proven, other] = [0, 1 << 12].map(|index| address(true, index));
    let token = desk.open(proven, 1, 64).unwrap();
    let moved = std::net::SocketAddr::new(proven.ip(), proven.port() + 1);
    assert!(desk.send(moved, &probe(token, 0, 64)).is_some());
    assert!(desk.server.announce_end(desk.now));
    let first = desk.pass(millis(100));
    assert_eq!(first.iter().map(|sent| sent.to).collect::<Vec<_>>(), [moved]);
    assert_eq!(decode(&first[0].datagram), Ok(Message::Ending(token)));
    // A holder of the token may write any source, a victim's too.
    assert!(desk.send(other, &probe(token, 1, 64)).is_some());
    let rest = desk.pass(Duration::from_secs(10));
    assert_eq!(rest.iter().map(|sent| sent.to).collect::<Vec<_>>(), [proven; 2]);
}

/// It accepts every session, and says of each that it ends instead of answering probes.
#[test]
fn a_server_that_announces_its_end_again_and_again_is_excused_for_a_minute() {
    let mut simulation = simulation(clean(), ONE_WAY);
    simulation.alter_replies(|at, datagram| {
        if let (true, Ok(Message::Reply(reply))) = (at > millis(1_000), decode(datagram)) {
            let length = emit_ending(reply.token, datagram);
            datagram.truncate(length);
        }
    });
    simulation.add_client(heeding(200, millis(100)));
    simulation.run(Duration::from_secs(300));
    let events = simulation.take_events(0);
    assert!((400..=600).contains(&withheld(&events)), "{}", withheld(&events));
    let rows = resolved(&events);
    let last_withheld = events.iter().rposition(|event| matches!(event, Event::Withheld { .. }));
    let after = resolved(&events[last_withheld.expect("probes that were withheld")..]);
    assert!(after.len() > 100 && after.iter().all(|row| row.outcome == Outcome::Lost), "{rows:?}");
}

/// How often a client opens a session in ten seconds at a server next door. The client gets the first `accepted` of
/// its answers, and this datagram after each of them.
fn opens_in_ten_seconds(accepted: u64, also: impl Fn(u64, &Accept) -> Vec<u8>) -> u64 {
    let mut desk = Desk::new(clean());
    let mut client = Client::new(heeding(1_000, millis(100)), desk.now);
    let (mut opens, mut buffer, end) = (0, vec![0; 65_536], desk.now + Duration::from_secs(10));
    while desk.now < end {
        client.handle_timeout(desk.now);
        let Some(transmit) = client.poll_transmit(desk.now, &mut buffer) else {
            desk.now += millis(1);
            continue;
        };
        desk.now += Duration::from_micros(100);
        let Some(reply) = desk.send(address(false, 1), &buffer[..transmit.length]) else { continue };
        let Ok(Message::Accept(accept)) = decode(&reply) else {
            client.handle(desk.now, 0, &reply);
            continue;
        };
        if opens < accepted {
            client.handle(desk.now, 0, &reply);
        }
        client.handle(desk.now, 0, &also(opens, &accept));
        opens += 1;
    }
    assert!(!client.is_done());
    opens
}

#[test]
fn a_server_that_ends_each_session_at_once_makes_no_client_open_one_after_another() {
    let ending = |_, accept: &Accept| emitted(|buffer| emit_ending(accept.token, buffer));
    let unknown =
        |_, accept: &Accept| emitted(|buffer| UnknownSession { token: accept.token, seq: None }.emit(buffer));
    let bad_cookie = |opens, accept: &Accept| {
        if opens == 0 {
            return unknown(opens, accept);
        }
        let mut deny = emitted(|buffer| emit_ending(Token(accept.nonce.0), buffer));
        deny[3] = 5;
        deny.extend([1, 0, 0, 0, 0]);
        assert!(matches!(decode(&deny), Ok(Message::Deny(Deny { reason: DenyReason::BadCookie, .. }))));
        deny
    };
    // Three at once, and one a second.
    assert_eq!(opens_in_ten_seconds(u64::MAX, ending), 12);
    assert_eq!(opens_in_ten_seconds(u64::MAX, unknown), 12);
    // One each 0.2 s: in the middle of a run the client does not give up.
    assert_eq!(opens_in_ten_seconds(1, bad_cookie), 51);
}

#[test]
fn without_a_session_there_is_nothing_to_wait_for() {
    let mut desk = Desk::new(clean());
    assert!(!desk.server.announce_end(desk.now));
    assert_eq!(desk.server.next_release(), None);
    assert_eq!(desk.send(address(false, 0), &hello(1)), None, "its successor may answer");
}

#[test]
fn word_to_many_clients_leaves_evenly_and_none_to_those_that_have_closed() {
    let mut desk = Desk::new(reflect::Settings { unverified_rate: None, ..clean() });
    let clients: Vec<_> = (0..1_000).map(|index| address(true, index << 12)).collect();
    let tokens: Vec<_> = clients.iter().map(|client| desk.open(*client, 1, 64).unwrap()).collect();
    assert!(desk.server.announce_end(desk.now));
    let mut sent = desk.pass(millis(499));
    assert_eq!(sent.len(), 999);
    desk.send(clients[0], &emitted(|buffer| emit_close(tokens[0], buffer)));
    sent.extend(desk.pass(Duration::from_secs(10)));
    for client in &clients {
        let words = sent.iter().filter(|sent| sent.to == *client).map(|sent| sent.at).collect::<Vec<_>>();
        assert_eq!(words.len(), if *client == clients[0] { 1 } else { 3 }, "{client}");
        assert!(words.windows(2).all(|pair| pair[1] - pair[0] == millis(500)), "{client}: {words:?}");
    }
    let gaps = sent.windows(2).map(|pair| pair[1].at - pair[0].at);
    assert_eq!(gaps.max(), Some(Duration::from_millis(1)), "where the closed one's turn was");
    assert!(sent.last().unwrap().at - sent[0].at < millis(1_500), "half a second remains");
}
