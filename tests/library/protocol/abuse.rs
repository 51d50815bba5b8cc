//! Abuse of a server by unverified peers: no amplification, no control over other clients.

use std::collections::HashMap;
use std::net::SocketAddr;

use proptest::prelude::*;
use udpecho::probe::{Event, Outcome};
use udpecho::reflect::{self, LoadGrant, ServerPort};
use udpecho::sim::Simulation;
use udpecho::time::{Duration, Instant};
use udpecho::units::BitRate;
use udpecho::wire::native::{
    Message, Reply, SocketMark, Token, UnknownSession, VERSION, decode, emit_close, emit_stop, is_native,
};

use crate::common::desk::{Desk, address, emitted, hello, open, probe};
use crate::common::{clean, injecting, millis, resolved, settings, simulation};

const KINDS: std::ops::RangeInclusive<u8> = 0..=19;
const MAGIC: [u8; 2] = [0xF5, 0x75];

/// A datagram with the prefix of a native message; the bytes behind it are arbitrary.
pub fn native(version: u8, kind: u8, id: u64, rest: &[u8]) -> Vec<u8> {
    [&MAGIC[..], &[version << 4, kind], &id.to_be_bytes(), rest].concat()
}

#[derive(Debug, Clone)]
enum Act {
    Native {
        kind: u8,
        token: bool,
        rest: Vec<u8>,
    },
    Hello,
    /// With the cookie of another address.
    Open {
        size: u32,
    },
    Probe {
        seq: u64,
        length: usize,
    },
    Text(&'static [u8]),
    Junk(Vec<u8>),
    Wait(i64),
}

fn act() -> impl Strategy<Value = Act> {
    let rest = || {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..400),
            (0_usize..400).prop_map(|length| vec![0; length]),
        ]
    };
    prop_oneof![
        4 => (KINDS, any::<bool>(), rest()).prop_map(|(kind, token, rest)| Act::Native { kind, token, rest }),
        1 => Just(Act::Hello),
        1 => (0_u32..2000).prop_map(|size| Act::Open { size }),
        2 => (0_u64..50, 50_usize..70).prop_map(|(seq, length)| Act::Probe { seq, length }),
        2 => proptest::sample::select(vec!["C 512", "C 1", "exit", "", "C 512 "]).prop_map(|text| Act::Text(text.as_bytes())),
        1 => rest().prop_map(Act::Junk),
        1 => (0_i64..700).prop_map(Act::Wait),
    ]
}

/// Bytes that an address sent and received.
#[derive(Default)]
struct Account {
    received: usize,
    sent: usize,
    /// It calibrated in the text dialect, whose replies may be longer.
    speaks_text: bool,
}

/// Clean, the classic injection, and injections that duplicate and hold as much as possible.
fn injection() -> impl Strategy<Value = reflect::Settings> {
    let specs = ["clean", "classic", "delay=uniform:1ms..900ms duplicate=100% loss=30%", "duplicate=100%"];
    proptest::sample::select(specs.to_vec()).prop_map(|spec| injecting(spec.parse().unwrap()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// No address that has not shown that it receives gets more bytes than it sent, at no time and not
    /// even by a session's token; private ones that speak the text dialect do. And no native answer
    /// that leaves at once is longer than its request.
    #[test]
    fn nothing_is_amplified(
        acts in proptest::collection::vec((act(), any::<bool>(), 0_u32..3), 1..80),
        base in injection(), allow_stop: bool, load_to_all: bool,
    ) {
        let load = if load_to_all {
            LoadGrant::Anybody(BitRate::new(1_000_000_000).unwrap())
        } else {
            LoadGrant::default()
        };
        let mut desk = Desk::new(reflect::Settings { allow_stop, load, ..base });
        let (proven, token) = (address(true, 100), desk.open(address(true, 100), 1, 64).unwrap());
        let cookie = desk.cookie(proven, 2);
        let mut accounts: HashMap<SocketAddr, Account> = HashMap::new();
        let ending = (Act::Wait(2000), false, 0);
        for (act, public, index) in acts.into_iter().chain([ending]) {
            let from = address(public, index);
            let sent = match act {
                Act::Native { kind, token: known, rest } => {
                    native(VERSION, kind, if known { token.0 } else { 7 }, &rest)
                }
                Act::Hello => hello(3),
                Act::Open { size } => open(2, size, cookie),
                Act::Probe { seq, length } => probe(token, seq, length),
                Act::Text(text) => text.to_vec(),
                Act::Junk(junk) => junk,
                Act::Wait(time) => {
                    for sent in desk.pass(Duration::from_millis(time)) {
                        accounts.entry(sent.to).or_default().sent += sent.datagram.len();
                    }
                    for (address, account) in &accounts {
                        let Account { received, sent, speaks_text } = account;
                        prop_assert!(*speaks_text || sent <= received, "{sent} bytes to {address} for {received}");
                    }
                    continue;
                }
            };
            let account = accounts.entry(from).or_default();
            account.received += sent.len();
            account.speaks_text |= !public && sent.starts_with(b"C ");
            let answer = desk.send(from, &sent).map_or(0, |answer| answer.len());
            account.sent += answer;
            prop_assert!(account.speaks_text || account.sent <= account.received);
            if is_native(&sent) {
                prop_assert!(answer <= sent.len(), "{answer} bytes for {}: {:?}", sent.len(), decode(&sent));
            }
        }
    }

    #[test]
    fn another_version_or_an_unknown_kind_is_counted_and_ignored(
        version in 0_u8..16, kind: u8, id: u64, rest in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        prop_assume!(version != VERSION || kind == 0 || kind > 19);
        let mut desk = Desk::new(clean());
        prop_assert_eq!(desk.send(address(false, 1), &native(version, kind, id, &rest)), None);
        prop_assert_eq!(desk.server.counters().malformed, 1);
    }
}

#[test]
fn a_stop_is_at_least_as_long_as_its_answer() {
    let mut desk = Desk::new(clean());
    let token = desk.open(address(true, 1), 1, 64).unwrap();
    let stop = emitted(|buffer| emit_stop(token, buffer));
    assert_eq!(desk.send(address(true, 1), &stop[..stop.len() - 1]), None);
    assert_eq!(desk.send(address(true, 1), &stop).map(|answer| answer.len()), Some(stop.len()));
}

#[test]
fn a_probe_of_an_unknown_session_gets_a_short_reply_and_takes_no_memory() {
    let mut desk = Desk::new(clean());
    let answer = desk.send(address(true, 1), &probe(Token(99), 5, 512)).unwrap();
    assert_eq!(
        decode(&answer),
        Ok(Message::UnknownSession(UnknownSession { token: Token(99), seq: Some(5) }))
    );
    assert_eq!(
        (desk.server.counters().dialect("native").clients, desk.server.counters().unknown_session),
        (0, 1)
    );
}

#[test]
fn a_probe_without_the_size_of_its_session_is_malformed() {
    let mut desk = Desk::new(clean());
    let token = desk.open(address(true, 1), 1, 512).unwrap();
    for (size, answered) in [(512, true), (511, false), (513, false), (64, false)] {
        let answer = desk.send(address(true, 1), &probe(token, 0, size));
        assert_eq!(answer.map(|answer| answer.len()), answered.then_some(size));
    }
    assert_eq!((desk.server.counters().in_all().probes, desk.server.counters().malformed), (1, 3));
}

#[test]
fn a_wrong_token_neither_stops_the_server_nor_closes_a_session() {
    let mut desk = Desk::new(reflect::Settings { allow_stop: true, ..clean() });
    let token = desk.open(address(true, 1), 1, 64).unwrap();
    let wrong = Token(token.0 ^ 1 << 40);
    assert_eq!(desk.send(address(true, 2), &emitted(|buffer| emit_stop(wrong, buffer))), None);
    assert_eq!(desk.send(address(true, 2), &emitted(|buffer| emit_close(wrong, buffer))), None);
    assert_eq!((desk.server.stop_asked(), desk.server.counters().dialect("native").clients), (false, 1));
    desk.send(address(true, 1), &emitted(|buffer| emit_close(token, buffer)));
    assert_eq!(desk.server.counters().dialect("native").clients, 0);
}

#[test]
fn port_zero_is_never_answered() {
    let mut desk = Desk::new(clean());
    let from = SocketAddr::new(address(true, 1).ip(), 0);
    assert_eq!(desk.send(from, b"hello"), None);
    assert_eq!(desk.server.counters().ignored, 1);
}

#[test]
fn injected_copies_of_a_plain_echo_use_only_bytes_that_were_dropped_before() {
    let mut desk = Desk::new(injecting("duplicate=100%".parse().unwrap()));
    assert_eq!(desk.send(address(true, 1), b"hello").as_deref(), Some(&b"hello"[..]));
    assert_eq!(desk.pass(Duration::from_secs(1)), []);
    let mut desk = Desk::new(injecting("delay=constant:1ms duplicate=100% loss=50%".parse().unwrap()));
    let mut sent = 0;
    for count in 1..=1000 {
        desk.send(address(true, 1), b"hello");
        sent += desk.pass(Duration::from_millis(2)).len();
        assert!(sent <= count);
    }
    assert!(sent > 900, "dropped bytes allow copies: {sent}");
}

#[test]
fn a_sessions_copies_go_to_the_address_that_opened_it() {
    let mut desk = Desk::new(injecting("duplicate=100%".parse().unwrap()));
    let token = desk.open(address(true, 1), 1, 64).unwrap();
    desk.send(address(true, 1), &probe(token, 0, 64));
    assert_eq!(desk.pass(Duration::from_secs(1)).len(), 2);
    let forged = desk.send(address(true, 2), &probe(token, 1, 64));
    assert_eq!((forged.is_some(), desk.pass(Duration::from_secs(1)).len()), (true, 0));
}

#[test]
fn ports_of_services_and_addresses_that_are_no_hosts_are_never_answered() {
    let mut desk = Desk::new(clean());
    desk.server.set_own_port(ServerPort::Main, 8080);
    for from in ["8.8.8.8:53", "8.8.8.8:7", "8.8.8.8:19", "224.0.0.1:4000", "255.255.255.255:4000"] {
        assert_eq!(desk.send(from.parse().unwrap(), b"hello"), None);
        assert_eq!(desk.send(from.parse().unwrap(), &hello(1)), None);
    }
    assert_eq!(desk.server.counters().ignored, 10);
    let mut desk = Desk::new(reflect::Settings { allow_low_ports: true, ..clean() });
    assert!(desk.send("8.8.8.8:53".parse().unwrap(), b"hello").is_some());
}

/// A client that is sent junk, forgeries and replies of the future goes on, and tells when they came.
#[test]
fn a_client_counts_what_is_none_of_its_own_and_tells_the_time() {
    let mut simulation = simulation(clean(), millis(10));
    let client = simulation.add_client(settings(50, millis(100)));
    let forged = |token, seq| {
        emitted(|buffer| {
            let times = (Instant::ZERO, Duration::ZERO);
            let reply = Reply {
                token,
                seq,
                sent: times.0,
                received: times.0,
                residence: times.1,
                hold: times.1,
                socket: SocketMark::default(),
                window: u32::MAX,
                copy: false,
                corrupted: false,
            };
            reply.emit(buffer);
            64
        })
    };
    for (after, datagram) in
        [(2000, vec![]), (2010, vec![7; 1]), (2020, vec![0xF5; 1400]), (4000, forged(Token(7), 3))]
    {
        simulation.forge_to_client(millis(after), client, datagram);
    }
    simulation.run(Duration::from_secs(60));
    let events = simulation.take_events(client);
    assert!(resolved(&events).iter().all(|row| row.outcome == Outcome::Ok));
    let told = events.iter().filter_map(|event| match event {
        Event::Unexpected { at, counters } => Some((*at - Simulation::START, counters.junk)),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [(millis(2000), 1), (millis(3060), 3), (millis(4060), 4)]);
}
