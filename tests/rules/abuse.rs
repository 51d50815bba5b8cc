//! What strangers can do with a server: get no more out of it than they put in.

use std::collections::HashMap;
use std::net::SocketAddr;

use proptest::prelude::*;
use udpecho::reflect;
use udpecho::time::Duration;
use udpecho::wire::native::{Forgotten, Message, Token, VERSION, decode, emit_close, emit_stop, is_native};

use crate::common::clean;
use crate::common::desk::{Desk, address, emitted, hello, open, probe};

const KINDS: std::ops::RangeInclusive<u8> = 0..=15;
const MAGIC: [u8; 2] = [0xF5, 0x75];

/// A datagram that begins like a native message; what follows the prefix is arbitrary.
fn native(version: u8, kind: u8, id: u64, rest: &[u8]) -> Vec<u8> {
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// No address gets more bytes than it sent, but private ones that speak the text dialect; and no
    /// native answer is longer than its request, not even within a session.
    #[test]
    fn nothing_is_amplified(
        acts in proptest::collection::vec((act(), any::<bool>(), 0_u32..3), 1..80),
        injects: bool, allow_stop: bool,
    ) {
        let base = if injects { reflect::Settings::default() } else { clean() };
        let mut desk = Desk::new(reflect::Settings { allow_stop, ..base });
        let (proven, token) = (address(true, 100), desk.open(address(true, 100), 1, 64).unwrap());
        let cookie = desk.cookie(proven, 2);
        let mut bytes: HashMap<SocketAddr, (usize, usize)> = HashMap::new();
        for (act, public, index) in acts {
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
                        bytes.entry(sent.to).or_default().1 += sent.datagram.len();
                    }
                    continue;
                }
            };
            let answer = desk.send(from, &sent).map_or(0, |answer| answer.len());
            let total = bytes.entry(from).or_default();
            *total = (total.0 + sent.len(), total.1 + answer);
            if is_native(&sent) {
                prop_assert!(answer <= sent.len(), "{answer} bytes for {}: {:?}", sent.len(), decode(&sent));
            }
        }
        for sent in desk.pass(Duration::from_secs(1)) {
            bytes.entry(sent.to).or_default().1 += sent.datagram.len();
        }
        for (address, (asked, answered)) in bytes {
            let is_public = address.ip() == self::address(true, 0).ip();
            prop_assert!(!is_public || answered <= asked, "{answered} bytes to {address} for {asked}");
        }
    }

    /// Whatever begins like a native message and is bounced between two servers dies at the second.
    #[test]
    fn two_servers_do_not_keep_each_other_busy(kind in KINDS, id: u64, rest in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut servers = [Desk::new(clean()), Desk::new(clean())];
        let addresses = [address(false, 1), address(false, 2)];
        let mut flying = Some(native(VERSION, kind, id, &rest));
        let mut exchanged = 0;
        for hop in 0..10 {
            let Some(datagram) = flying else { break };
            flying = servers[hop % 2].send(addresses[(hop + 1) % 2], &datagram);
            exchanged += u32::from(flying.is_some());
        }
        prop_assert!(exchanged <= 1, "{exchanged} packets");
    }

    #[test]
    fn another_version_or_an_unknown_kind_is_counted_and_ignored(
        version in 0_u8..16, kind: u8, id: u64, rest in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        prop_assume!(version != VERSION || kind == 0 || kind > 13);
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
fn a_probe_of_no_session_gets_a_short_word_and_no_memory() {
    let mut desk = Desk::new(clean());
    let answer = desk.send(address(true, 1), &probe(Token(99), 5, 512)).unwrap();
    assert_eq!(decode(&answer), Ok(Message::Forgotten(Forgotten { token: Token(99), seq: Some(5) })));
    assert_eq!((desk.server.counters().sessions, desk.server.counters().forgotten), (0, 1));
}

#[test]
fn a_probe_that_has_not_its_sessions_size_is_not_counted() {
    let mut desk = Desk::new(clean());
    let token = desk.open(address(true, 1), 1, 512).unwrap();
    for (size, answered) in [(512, true), (511, false), (513, false), (64, false)] {
        let answer = desk.send(address(true, 1), &probe(token, 0, size));
        assert_eq!(answer.map(|answer| answer.len()), answered.then_some(size));
    }
    assert_eq!((desk.server.counters().probes, desk.server.counters().malformed), (1, 3));
}

#[test]
fn strangers_stop_and_close_nothing() {
    let mut desk = Desk::new(reflect::Settings { allow_stop: true, ..clean() });
    let token = desk.open(address(true, 1), 1, 64).unwrap();
    let stranger = Token(token.0 ^ 1 << 40);
    assert_eq!(desk.send(address(true, 2), &emitted(|buffer| emit_stop(stranger, buffer))), None);
    assert_eq!(desk.send(address(true, 2), &emitted(|buffer| emit_close(stranger, buffer))), None);
    assert_eq!((desk.server.stop_asked(), desk.server.counters().sessions), (false, 1));
    desk.send(address(true, 1), &emitted(|buffer| emit_close(token, buffer)));
    assert_eq!(desk.server.counters().sessions, 0);
}

#[test]
fn nothing_goes_to_port_zero() {
    let mut desk = Desk::new(clean());
    let from = SocketAddr::new(address(true, 1).ip(), 0);
    assert_eq!(desk.send(from, b"hello"), None);
    assert_eq!(desk.server.counters().ignored, 1);
}
