//! Load of a server: only to a proven address, only within a budget, never faster than granted, and for one client
//! at a time.

use std::net::SocketAddr;

use proptest::prelude::*;
use udpecho::reflect::{self, LoadGrant};
use udpecho::time::{Duration, Instant};
use udpecho::wire::auth::{Key, TAG};
use udpecho::wire::native::{Load, LoadReport, Message, Pull, Push, Token, decode, emit_close};

use crate::common::desk::{Desk, Sent, address, emitted, hello, open};
use crate::common::{clean, granting, injecting, millis};

const SIZE: u32 = 1_000;

fn pull(token: Token, number: u32, rate: u64) -> Pull {
    let budget = (rate / 8) as u32;
    Pull { token, phase: 1, number, rate, size: SIZE, budget }
}

fn load(token: Token, seq: u64) -> Load {
    Load { token, phase: 1, seq, sent: Instant::ZERO, report_every: 1 }
}

/// A client with a session, and its address.
fn client(desk: &mut Desk, index: u32) -> (SocketAddr, Token) {
    let from = address(true, index);
    let token = desk.open(from, u64::from(index) + 1, SIZE).expect("a session");
    (from, token)
}

fn ask(desk: &mut Desk, from: SocketAddr, pull: &Pull) -> Option<LoadReport> {
    let answer = desk.send(from, &emitted(|buffer| pull.emit(buffer)))?;
    let Ok(Message::LoadReport(report)) = decode(&answer) else { panic!("{answer:?}") };
    Some(report)
}

fn count(desk: &mut Desk, from: SocketAddr, load: &Load) -> Option<LoadReport> {
    let answer = desk.send(from, &emitted(|buffer| load.emit(buffer, SIZE as usize)))?;
    let Ok(Message::LoadReport(report)) = decode(&answer) else { panic!("{answer:?}") };
    Some(report)
}

fn bytes(sent: &[Sent]) -> usize {
    sent.iter().map(|sent| sent.datagram.len()).sum()
}

#[test]
fn what_is_asked_for_leaves_evenly_and_is_numbered() {
    let mut desk = Desk::new(granting(100_000_000));
    let (from, token) = client(&mut desk, 1);
    let (began, mut all) = (desk.now, Vec::new());
    for number in 1..=20 {
        assert_eq!(ask(&mut desk, from, &pull(token, number, 8_000_000)), None);
        all.extend(desk.pass(millis(50)));
    }
    assert!((995..=1_005).contains(&all.len()), "{} packets of 1 ms", all.len());
    for (seq, sent) in all.iter().enumerate() {
        assert_eq!((sent.to, sent.datagram.len()), (from, SIZE as usize));
        let Ok(Message::Push(push)) = decode(&sent.datagram) else { panic!("{:?}", sent.datagram) };
        assert_eq!(push, Push { token, phase: 1, seq: seq as u64, sent: sent.at, missed: 0 });
        assert!((sent.at - began - millis(seq as i64)).abs() <= millis(1), "{seq} at {}", sent.at - began);
    }
    let counters = desk.server.counters();
    assert_eq!((counters.load_sent_bytes, counters.load_refused), (bytes(&all) as u64, 0));
}

#[test]
fn no_load_leaves_200_ms_after_the_client_has_vanished() {
    for line in ["clean", "rate=8Mbit,queue=2M", "delay=constant:900ms"] {
        let injection = injecting(line.parse().unwrap()).injection;
        let mut desk = Desk::new(reflect::Settings { injection, ..granting(100_000_000) });
        let (from, token) = client(&mut desk, 1);
        let mut before = Vec::new();
        for number in 1..=40 {
            ask(&mut desk, from, &pull(token, number, 20_000_000));
            before.extend(desk.pass(millis(50)));
        }
        assert!(before.len() > 1_000, "{line}: {}", before.len());
        let vanished = desk.now - millis(50);
        let after = desk.pass(Duration::from_secs(10));
        let last = after.last().map_or(Duration::ZERO, |sent| sent.at - vanished);
        assert!(last <= millis(200), "{line}: the last {last} after the last request");
    }
}

#[test]
fn a_closed_session_ends_its_load_at_once() {
    let mut desk = Desk::new(granting(100_000_000));
    let (from, token) = client(&mut desk, 1);
    ask(&mut desk, from, &pull(token, 1, 8_000_000));
    assert!(!desk.pass(millis(10)).is_empty());
    desk.send(from, &emitted(|buffer| emit_close(token, buffer)));
    assert_eq!(desk.pass(Duration::from_secs(1)), []);
}

#[test]
fn load_goes_to_the_address_that_the_handshake_proved_alone() {
    let mut desk = Desk::new(granting(100_000_000));
    let (from, token) = client(&mut desk, 1);
    let spoofed = address(true, 2);
    assert_eq!(ask(&mut desk, spoofed, &pull(token, 1, 8_000_000)), None);
    assert_eq!(count(&mut desk, spoofed, &load(token, 0)), None);
    assert_eq!(ask(&mut desk, spoofed, &pull(token, 2, 0)), None);
    assert_eq!(desk.pass(Duration::from_secs(1)), []);
    assert_eq!(desk.server.counters().load_refused, 3);
    // The owner is not disturbed by it.
    assert_eq!(ask(&mut desk, from, &pull(token, 1, 8_000_000)), None);
    let sent = desk.pass(Duration::from_secs(1));
    assert!(sent.len() > 100 && sent.iter().all(|sent| sent.to == from));
}

/// The client of the handshake may be gone, and its address another host's.
#[test]
fn without_a_key_load_ends_five_minutes_after_the_last_handshake() {
    let mut desk = Desk::new(granting(100_000_000));
    let (from, token) = client(&mut desk, 1);
    let mut number = 0;
    let mut keep = |desk: &mut Desk, seconds: i64| {
        let last = |_: i64| {
            number += 1;
            let refused = ask(desk, from, &pull(token, number, 100_000));
            (refused.map(|report| report.limit), desk.pass(Duration::from_secs(1)).len())
        };
        (0..seconds).map(last).last().expect("a second")
    };
    assert_eq!(keep(&mut desk, 290), (None, 1));
    assert_eq!(desk.open(from, 2, SIZE), Ok(token), "the handshake again");
    assert_eq!(keep(&mut desk, 290), (None, 1));
    assert_eq!(keep(&mut desk, 12), (Some(0), 0));
    // What a server grants may still be asked, and load up is only counted.
    assert_eq!(ask(&mut desk, from, &pull(token, 1_000, 0)).expect("a grant").limit, 100_000_000);
    assert_eq!(count(&mut desk, from, &load(token, 0)).expect("a report").limit, 100_000_000);
}

#[test]
fn a_budget_that_is_spent_sends_nothing_more() {
    let mut desk = Desk::new(granting(100_000_000));
    let (from, token) = client(&mut desk, 1);
    let small = Pull { budget: 3 * SIZE + 500, ..pull(token, 1, 80_000_000) };
    ask(&mut desk, from, &small);
    assert_eq!(desk.pass(Duration::from_secs(1)).len(), 3);
    // A budget is not more than the rate gives while it lasts.
    let greedy = Pull { budget: u32::MAX, ..pull(token, 2, 800_000) };
    ask(&mut desk, from, &greedy);
    assert_eq!(desk.pass(Duration::from_secs(1)).len(), 15);
    // Nor is a packet longer than the path was shown to carry.
    ask(&mut desk, from, &Pull { size: 60_000, ..pull(token, 3, 8_000_000) });
    assert!(desk.pass(Duration::from_secs(1)).iter().all(|sent| sent.datagram.len() == SIZE as usize));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a client asks for and however often, the granted rate holds over every span of time.
    #[test]
    fn a_thousand_requests_bring_no_more_than_the_granted_rate(
        requests in proptest::collection::vec((any::<bool>(), 0_u64..40_000_000, 0_u32..2_000, any::<u32>(), 0_i64..2_000), 1_000),
        limit in 100_000_u64..20_000_000,
    ) {
        let mut desk = Desk::new(granting(limit));
        let (from, token) = client(&mut desk, 1);
        let (mut phase, mut number, mut sent) = (1, 0, Vec::new());
        for (anew, rate, size, budget, wait) in requests {
            if anew && wait % 7 == 0 {
                (phase, number) = (phase + 1, 0);
            }
            number += 1;
            ask(&mut desk, from, &Pull { token, phase, number, rate, size, budget });
            sent.extend(desk.pass(Duration::from_micros(wait)));
        }
        sent.extend(desk.pass(Duration::from_secs(1)));
        let mut total = 0;
        // The load is ahead of the rate by 20 ms and three packets at most.
        let ahead = limit as f64 / 8.0 * 0.020 + 3.0 * f64::from(SIZE);
        let mut least: f64 = 0.0;
        for Sent { at, datagram, .. } in &sent {
            let due = limit as f64 / 8.0 * (*at - sent[0].at).as_secs_f64();
            least = least.min(total as f64 - due);
            total += datagram.len();
            prop_assert!(total as f64 - due - least <= ahead, "{total} bytes at {at:?}");
        }
    }
}

#[test]
fn two_clients_have_the_load_one_after_the_other() {
    let mut desk = Desk::new(granting(100_000_000));
    let ((first, one), (second, other)) = (client(&mut desk, 1), client(&mut desk, 2));
    let granted = ask(&mut desk, first, &pull(one, 1, 0)).expect("a grant");
    assert_eq!((granted.limit, granted.busy, granted.sums), (100_000_000, false, None));
    ask(&mut desk, first, &pull(one, 2, 8_000_000));
    assert!(ask(&mut desk, second, &pull(other, 1, 8_000_000)).expect("a word").busy);
    assert!(count(&mut desk, second, &load(other, 0)).expect("a word").busy);
    assert!(desk.pass(millis(500)).iter().all(|sent| sent.to == first));
    desk.send(first, &emitted(|buffer| emit_close(one, buffer)));
    assert_eq!(ask(&mut desk, second, &pull(other, 2, 8_000_000)), None);
    let sent = desk.pass(millis(500));
    assert!(sent.len() > 100 && sent.iter().all(|sent| sent.to == second));
    // A client that is silent for long has lost it.
    desk.pass(Duration::from_secs(2));
    let (third, token) = client(&mut desk, 3);
    assert!(!ask(&mut desk, third, &pull(token, 1, 0)).expect("a grant").busy);
}

#[test]
fn an_address_of_the_internet_gets_no_load_unless_it_was_asked_for() {
    let mut desk = Desk::new(clean());
    let (from, token) = client(&mut desk, 1);
    let refused = ask(&mut desk, from, &pull(token, 1, 8_000_000)).expect("a word");
    assert_eq!((refused.limit, refused.busy), (0, false));
    assert_eq!(count(&mut desk, from, &load(token, 0)).expect("a word").limit, 0);
    assert_eq!(count(&mut desk, from, &Load { report_every: 0, ..load(token, 0) }), None);
    assert_eq!(desk.pass(Duration::from_secs(1)), []);
    let private = address(false, 1);
    let token = desk.open(private, 9, SIZE).unwrap();
    assert_eq!(ask(&mut desk, private, &pull(token, 1, 0)).expect("a grant").limit, 1_000_000_000);
    let mut desk = Desk::new(reflect::Settings { load: LoadGrant::Nobody, ..clean() });
    let token = desk.open(private, 9, SIZE).unwrap();
    assert_eq!(ask(&mut desk, private, &pull(token, 1, 8_000_000)).expect("a word").limit, 0);
}

#[test]
fn a_report_sums_up_what_arrived_however_it_came() {
    let mut desk = Desk::new(granting(100_000_000));
    let (from, token) = client(&mut desk, 1);
    let quiet = |seq| Load { report_every: 0, ..load(token, seq) };
    for seq in [0, 2, 1, 2, 5] {
        assert_eq!(count(&mut desk, from, &quiet(seq)), None);
        desk.pass(millis(1));
    }
    let sums = count(&mut desk, from, &load(token, 4)).unwrap().sums.unwrap();
    assert_eq!((sums.number, sums.newest, sums.arrived, sums.bytes), (1, 6, 5, u64::from(SIZE) * 5));
    // One in 5 ms, or as often as the client wants them.
    assert_eq!(count(&mut desk, from, &load(token, 6)), None);
    desk.pass(millis(6));
    let rarely = Load { report_every: 20_000, ..load(token, 7) };
    assert_eq!(count(&mut desk, from, &rarely), None);
    let sums = count(&mut desk, from, &load(token, 8)).unwrap().sums.unwrap();
    assert_eq!((sums.number, sums.newest, sums.arrived), (2, 9, 8));
    // Numbers that no path brings change no sum by more than themselves.
    desk.pass(millis(6));
    let sums = count(&mut desk, from, &load(token, u64::MAX)).map(|report| report.sums);
    assert_eq!(sums, None);
}

#[test]
fn with_a_key_a_repeated_request_brings_nothing() {
    let key = || Key::new(&[1; 32]);
    let mut desk = Desk::new(reflect::Settings { key: Some(key()), ..clean() });
    let sealed = |message: &[u8]| {
        let mut datagram = message.to_vec();
        datagram.resize(message.len() + TAG, 0);
        key().seal(&mut datagram, message.len());
        datagram
    };
    let from = address(true, 1);
    let opened = |answer: Option<Vec<u8>>| {
        let answer = answer.expect("an answer");
        let (length, _) = key().open(&answer).expect("a sealed one");
        answer[..length].to_vec()
    };
    let cookie = opened(desk.send(from, &sealed(&hello(1))));
    let Ok(Message::Cookie(cookie)) = decode(&cookie) else { panic!("no cookie") };
    let accept = opened(desk.send(from, &sealed(&open(1, SIZE, cookie.cookie))));
    let Ok(Message::Accept(accept)) = decode(&accept) else { panic!("no accept") };
    assert!(accept.grants_load, "a key is reason enough");
    let request = sealed(&emitted(|buffer| pull(accept.token, 1, 8_000_000).emit(buffer)));
    assert_eq!(desk.send(from, &request), None);
    let sent = desk.pass(Duration::from_secs(1));
    assert!(sent.len() > 100 && sent.iter().all(|sent| key().open(&sent.datagram).is_some()));
    assert_eq!(desk.send(from, &request), None);
    assert_eq!(desk.pass(Duration::from_secs(1)), []);
    assert_eq!(desk.server.counters().replayed, 1);
    // Without the key nothing is answered at all.
    assert_eq!(desk.send(from, &emitted(|buffer| pull(accept.token, 2, 8_000_000).emit(buffer))), None);
    // With it a handshake need not be repeated.
    for number in 3..=35 {
        let request = sealed(&emitted(|buffer| pull(accept.token, number, 8_000_000).emit(buffer)));
        assert_eq!(desk.send(from, &request), None);
        assert!(desk.pass(Duration::from_secs(10)).len() > 100, "after {} s", 10 * number);
    }
}
