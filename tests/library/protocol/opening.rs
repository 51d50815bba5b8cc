//! The handshake: stateless until the address is proven, and the reasons for which it fails.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use udpecho::probe::{
    Client, Dialect, Event, Failure, Settings, SocketError, SocketErrorKind, SocketOperation,
};
use udpecho::reflect;
use udpecho::sim::{Conditions, Simulation};
use udpecho::time::{Duration, Instant};
use udpecho::wire::native::{Deny, DenyReason, MIN_SIZE, Message, Nonce, Open, decode};

use crate::common::desk::{Desk, address, emitted, hello, open, probe};
use crate::common::{clean, events_of, millis, settings, simulation};

const ONE_WAY: Duration = Duration::from_millis(20);

fn failure(events: &[Event]) -> &Failure {
    match events {
        [Event::Failed(failure), Event::Finished] => failure,
        other => panic!("not just a failure: {other:?}"),
    }
}

fn failure_over(up: Conditions, size: u32) -> Failure {
    let mut simulation = Simulation::new(clean(), up, Conditions::ideal(ONE_WAY), 1);
    simulation.add_client(Settings { size, ..settings(5, millis(100)) });
    simulation.run(Duration::from_secs(60));
    failure(&simulation.take_events(0)).clone()
}

#[test]
fn a_client_that_waits_asks_until_a_server_answers() {
    for dialect in [Dialect::Native, Dialect::Text] {
        for silent in [false, true] {
            let mut simulation = simulation(clean(), ONE_WAY);
            if silent {
                simulation.freeze_server(Duration::from_secs(1000), Duration::from_secs(30));
            } else {
                simulation.restart_server(Duration::ZERO, Duration::from_secs(30), clean());
            }
            let settings = settings(5, millis(100));
            simulation.add_client(Settings { dialect, wait_for_server: true, ..settings });
            simulation.run(Duration::from_secs(60));
            let events = simulation.take_events(0);
            assert!(matches!(&events[0], Event::Waiting(why) if why.is_silence()), "{events:?}");
            let waiting = events.iter().filter(|event| matches!(event, Event::Waiting(_))).count();
            let answered =
                events.iter().filter(|event| matches!(event, Event::Reply { copy: 1, .. })).count();
            assert_eq!((waiting, answered), (1, 5), "{dialect:?}, silent: {silent}: {events:?}");
        }
    }
}

/// Several servers may share an address, or a NAT may give each datagram another one.
#[test]
fn a_client_gives_up_after_five_cookies_that_the_server_gave_and_did_not_take() {
    let opens = Rc::new(Cell::new(0));
    let counted = Rc::clone(&opens);
    let mut simulation = simulation(clean(), ONE_WAY);
    simulation.alter_probes(move |_, datagram| {
        let of_another = match decode(datagram) {
            Ok(Message::Open(open)) => emitted(|buffer| Open { cookie: [0; 16], ..open }.emit(buffer)),
            _ => return,
        };
        counted.set(counted.get() + 1);
        *datagram = of_another;
    });
    simulation.add_client(settings(5, millis(100)));
    simulation.run(Duration::from_secs(60));
    assert_eq!(failure(&simulation.take_events(0)), &Failure::CookiesRefused);
    assert_eq!(opens.get(), 5);
}

#[test]
fn a_hundred_thousand_hellos_take_no_memory() {
    let mut desk = Desk::new(clean());
    for index in 0..100_000 {
        desk.now += Duration::from_micros(60);
        assert!(desk.send(address(true, index), &hello(u64::from(index))).is_some());
    }
    let counters = desk.server.counters();
    assert_eq!(
        (
            counters.dialect("native").clients,
            counters.opened,
            counters.dialect("text").clients,
            counters.held
        ),
        (0, 0, 0, 0)
    );
    assert_eq!(desk.server.poll_timeout(), None);
}

#[test]
fn only_the_address_that_got_the_cookie_can_open_a_session() {
    let mut desk = Desk::new(clean());
    let client = address(true, 1);
    let cookie = desk.cookie(client, 5);
    let bad = |nonce| Err(Deny { nonce: Nonce(nonce), reason: DenyReason::BadCookie, limit: 0 });
    let other_port = SocketAddr::new(client.ip(), client.port() + 1);
    for (from, nonce, cookie) in
        [(address(true, 5000), 5, cookie), (other_port, 5, cookie), (client, 6, cookie), (client, 5, [0; 16])]
    {
        assert_eq!(desk.open_with(from, nonce, 64, cookie), bad(nonce));
    }
    assert_eq!(desk.server.counters().dialect("native").clients, 0);
    let token = desk.open_with(client, 5, 64, cookie).unwrap();
    // Asked again, as after a lost accept: the same session.
    assert_eq!(desk.open_with(client, 5, 64, cookie), Ok(token));
    assert_eq!(desk.server.counters().dialect("native").clients, 1);
    // A cookie ages.
    desk.pass(Duration::from_secs(40));
    assert_eq!(desk.open_with(client, 5, 64, cookie), bad(5));
}

#[test]
fn an_open_shorter_than_its_size_is_malformed() {
    let mut desk = Desk::new(clean());
    let cookie = desk.cookie(address(true, 1), 5);
    let datagram = open(5, 1400, cookie);
    assert_eq!(desk.send(address(true, 1), &datagram[..1399]), None);
    assert_eq!((desk.server.counters().dialect("native").clients, desk.server.counters().malformed), (0, 1));
}

#[test]
fn a_full_server_denies_with_the_number_of_sessions() {
    let mut desk = Desk::new(reflect::Settings { max_sessions: 2, ..clean() });
    for index in 0..2 {
        assert!(desk.open(address(true, index), u64::from(index), 64).is_ok());
    }
    let full = Deny { nonce: Nonce(9), reason: DenyReason::Full, limit: 2 };
    assert_eq!(desk.open(address(true, 9), 9, 64), Err(full));
    // Silence frees the place, after the idle minute that the others asked for.
    desk.pass(Duration::from_secs(70));
    assert_eq!(desk.server.counters().expired, 2);
    assert!(desk.open(address(true, 9), 9, 64).is_ok());

    let events =
        events_of(reflect::Settings { max_sessions: 0, ..clean() }, ONE_WAY, settings(5, millis(100)));
    assert_eq!(failure(&events), &Failure::Full { sessions: 0 });
}

#[test]
fn the_server_caps_the_idle_time_and_tells_the_client() {
    let mut desk = Desk::new(reflect::Settings { max_idle: Duration::from_secs(40), ..clean() });
    let cookie = desk.cookie(address(true, 1), 1);
    let answer = desk.send(address(true, 1), &open(1, 64, cookie)).expect("an answer");
    let Ok(Message::Accept(accept)) = decode(&answer) else { panic!("{answer:?}") };
    assert_eq!(accept.idle_secs, 40);
    assert!(desk.send(address(true, 1), &probe(accept.token, 0, 64)).is_some());
    desk.pass(Duration::from_secs(39));
    assert_eq!(desk.server.counters().dialect("native").clients, 1);
    desk.pass(Duration::from_secs(3));
    assert_eq!(desk.server.counters().dialect("native").clients, 0);
}

#[test]
fn a_client_that_waits_does_so_for_a_broken_path_and_not_for_a_broken_socket() {
    for (kind, waits) in [
        (SocketErrorKind::HostUnreachable, true),
        (SocketErrorKind::Prohibited, true),
        (SocketErrorKind::NotPermitted, false),
        (SocketErrorKind::Other, false),
    ] {
        let now = Instant::ZERO;
        let mut client = Client::new(Settings { wait_for_server: true, ..settings(5, millis(100)) }, now);
        let error = SocketError { operation: SocketOperation::Receive, kind, code: None };
        client.obstructed(now, error);
        let why = Failure::Socket(error);
        let event = if waits { Event::Waiting(why) } else { Event::Failed(why) };
        assert_eq!((client.poll_event(), client.is_done()), (Some(event), !waits));
    }
}

#[test]
fn a_closed_session_makes_room_for_another() {
    let mut simulation = simulation(reflect::Settings { max_sessions: 1, ..clean() }, ONE_WAY);
    simulation.add_client(settings(3, millis(100)));
    simulation.run(Duration::from_secs(60));
    // The close is still under way when the client is done.
    let client = simulation.add_client(Settings { seed: 2, ..settings(3, millis(100)) });
    simulation.run(Duration::from_secs(60));
    assert!(matches!(simulation.take_events(client)[0], Event::Opened { .. }));
}

#[test]
fn a_size_too_large_or_too_small_is_refused_with_the_limit() {
    let server = || reflect::Settings { max_size: 1000, ..clean() };
    let client = |size| Settings { size, ..settings(5, millis(100)) };
    assert_eq!(failure(&events_of(server(), ONE_WAY, client(1001))), &Failure::TooLarge { limit: 1000 });
    assert!(matches!(events_of(server(), ONE_WAY, client(1000))[0], Event::Opened { .. }));
    let mut desk = Desk::new(clean());
    let small = Deny { nonce: Nonce(1), reason: DenyReason::TooSmall, limit: MIN_SIZE };
    assert_eq!(desk.open(address(true, 1), 1, MIN_SIZE - 1), Err(small));
}

#[test]
fn a_size_that_the_path_does_not_carry_is_told_apart_from_silence() {
    let ideal = || Conditions::ideal(ONE_WAY);
    assert_eq!(
        failure_over(Conditions { path_limit: 1400, ..ideal() }, 1401),
        Failure::SizeLost { size: 1401 }
    );
    assert_eq!(
        failure_over(Conditions { send_limit: 1400, ..ideal() }, 1401),
        Failure::SizeNotSent { size: 1401 }
    );
    let everything = vec![(Duration::ZERO, Duration::from_secs(60))];
    // Tries at 0, 0.2, 0.6, 1.4 and 2.4 s, the last given a second.
    assert_eq!(
        failure_over(Conditions { outages: everything, ..ideal() }, 64),
        Failure::Silent { tries: 5, after: millis(3400) }
    );
}

#[test]
fn that_nobody_listens_is_told_as_soon_as_it_is_heard() {
    let mut simulation = simulation(clean(), ONE_WAY);
    simulation.restart_server(Duration::ZERO, Duration::from_secs(60), clean());
    simulation.add_client(settings(5, millis(100)));
    simulation.run(ONE_WAY);
    assert_eq!(failure(&simulation.take_events(0)), &Failure::Unreachable);
}

#[test]
fn an_opening_survives_losses() {
    // The first two seconds are lost in both directions.
    let path = Conditions { outages: vec![(Duration::ZERO, millis(1000))], ..Conditions::ideal(ONE_WAY) };
    let mut simulation = Simulation::new(clean(), path.clone(), path, 1);
    simulation.add_client(settings(5, millis(100)));
    simulation.run(Duration::from_secs(60));
    assert!(matches!(simulation.take_events(0)[0], Event::Opened { .. }));
}
