//! Echo loops: between two servers after a datagram with a forged source, and with other echo servers.

use std::net::SocketAddr;

use proptest::prelude::*;
use udpecho::reflect::{self, REPLY_TTL, ServerPort, TextFrom};
use udpecho::time::Duration;
use udpecho::wire::native::VERSION;

use super::abuse::native;
use crate::common::desk::{Desk, address};
use crate::common::{clean, injecting};

/// Two servers on two addresses, and the datagrams in flight between them.
struct Duel {
    servers: [Desk; 2],
    addresses: [SocketAddr; 2],
    /// What each is sent next.
    flying: [Vec<Vec<u8>>; 2],
    /// What an answer has left of its hops when it arrives, where the system tells.
    ttl: Option<u8>,
    exchanged: u32,
}

impl Duel {
    fn new(settings: &reflect::Settings, ttl: Option<u8>) -> Self {
        let addresses = [address(false, 1), address(false, 2)];
        let mut servers = [0, 1].map(|_| Desk::new(settings.clone()));
        for (server, address) in servers.iter_mut().zip(addresses) {
            server.server.set_own_port(ServerPort::Main, address.port());
        }
        Self { servers, addresses, flying: [vec![], vec![]], ttl, exchanged: 0 }
    }

    /// The first server is sent this, as if by the second.
    fn forge(&mut self, datagram: &[u8], ttl: Option<u8>) {
        let answer = self.servers[0].send_with_hops(self.addresses[1], ttl, datagram);
        self.flying[1].extend(answer);
    }

    /// Lets them exchange datagrams for this many rounds of half a second.
    fn go_on(&mut self, rounds: usize) {
        for _ in 0..rounds {
            for (here, there) in [(0, 1), (1, 0)] {
                let held = self.servers[here].pass(Duration::from_millis(500));
                self.flying[there].extend(held.into_iter().map(|sent| sent.datagram));
                for datagram in std::mem::take(&mut self.flying[here]) {
                    self.exchanged += 1;
                    let answer =
                        self.servers[here].send_with_hops(self.addresses[there], self.ttl, &datagram);
                    self.flying[there].extend(answer);
                }
            }
        }
    }
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let rest = || proptest::collection::vec(any::<u8>(), 0..400);
    prop_oneof![
        rest(),
        (0_u8..=15, any::<u64>(), rest()).prop_map(|(kind, id, rest)| native(VERSION, kind, id, &rest)),
        proptest::sample::select(vec!["C 512", "exit", "", "Packet Acknowledged", "Stopping the Server."])
            .prop_map(|text| text.as_bytes().to_vec()),
    ]
}

fn settings() -> impl Strategy<Value = reflect::Settings> {
    let injected = ["clean", "classic loss=0%", "delay=uniform:1ms..900ms duplicate=100% corrupt=50%"];
    (proptest::sample::select(injected.to_vec()), any::<bool>()).prop_map(|(spec, stops)| reflect::Settings {
        text_from: TextFrom::Any,
        allow_stop: stops,
        ..injecting(spec.parse().unwrap())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// In every dialect, with every payload and injection.
    #[test]
    fn one_forged_datagram_makes_two_servers_exchange_one_packet(
        settings in settings(), payload in payload(), path in 0_u8..40,
    ) {
        let mut duel = Duel::new(&settings, Some(REPLY_TTL - path));
        duel.forge(&payload, Some(64));
        duel.go_on(20);
        prop_assert!(duel.exchanged <= 1, "{} packets", duel.exchanged);
    }

    /// Not even when a text client's address is forged twice.
    #[test]
    fn a_forged_text_client_keeps_nobody_busy(settings in settings(), payload in payload()) {
        let mut duel = Duel::new(&settings, Some(REPLY_TTL));
        duel.forge(b"C 512", Some(64));
        duel.forge(&payload, Some(64));
        duel.go_on(20);
        prop_assert!(duel.exchanged <= 3, "{} packets", duel.exchanged);
    }

    /// A system that does not tell the hops needs longer, but there is an end.
    #[test]
    fn without_hops_a_loop_ends_too(payload in payload()) {
        let mut duel = Duel::new(&clean(), None);
        duel.forge(&payload, None);
        duel.go_on(600);
        let so_far = duel.exchanged;
        prop_assert!(so_far <= 2 * 257, "{so_far} packets");
        duel.go_on(10);
        prop_assert_eq!(duel.exchanged, so_far);
    }
}

/// A program that echoes each datagram in some form.
type Echo = fn(&[u8]) -> Vec<u8>;

/// Connects a server and an echo server, half a millisecond apart, for `time`; returns how many datagrams the
/// echo server sent.
fn circle(settings: reflect::Settings, first: &[&[u8]], echo: Echo, time: Duration) -> (Desk, usize) {
    let remote = address(false, 1);
    let mut desk = Desk::new(settings);
    let mut flying: Vec<Vec<u8>> = first.iter().map(|datagram| datagram.to_vec()).collect();
    let end = desk.now + time;
    let mut sent = 0;
    while desk.now < end {
        for datagram in std::mem::take(&mut flying) {
            sent += 1;
            flying.extend(desk.send(remote, &datagram).map(|answer| echo(&answer)));
        }
        let held = desk.pass(Duration::from_micros(499));
        flying.extend(held.into_iter().map(|answer| echo(&answer.datagram)));
    }
    (desk, sent)
}

fn exact(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

fn upper_case(bytes: &[u8]) -> Vec<u8> {
    bytes.to_ascii_uppercase()
}

fn reversing(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().rev().copied().collect()
}

#[test]
fn a_loop_with_an_echo_server_ends_after_256_laps() {
    for (name, echo) in [("exact", exact as Echo), ("upper case", upper_case), ("reversing", reversing)] {
        for spec in ["clean", "delay=constant:3ms", "delay=uniform:1ms..20ms", "corrupt=100%"] {
            let settings = injecting(spec.parse().unwrap());
            let (desk, sent) = circle(settings, &[b"A forged datagram"], echo, Duration::from_secs(20));
            assert_eq!(sent, 257, "{name} {spec}");
            assert_eq!(desk.server.counters().loop_guard, 1, "{name} {spec}");
        }
    }
}

#[test]
fn a_loop_in_the_text_dialect_ends_after_256_laps() {
    for echo in [upper_case as Echo, reversing] {
        let (desk, sent) = circle(clean(), &[b"C 512"], echo, Duration::from_secs(2));
        assert!(sent <= 259, "{sent}");
        assert_eq!(desk.server.counters().loop_guard, 1);
    }
}

#[test]
fn a_native_reply_that_is_echoed_back_starts_no_loop() {
    for echo in [exact as Echo, upper_case, reversing] {
        let hello = crate::common::desk::hello(7);
        let (_, sent) = circle(clean(), &[&hello], echo, Duration::from_secs(2));
        assert!(sent <= 259, "{sent}");
    }
}

#[test]
fn two_servers_behind_a_relay_end_their_loop() {
    // The relay sends everything anew, so no mark of the hops is left.
    let mut duel = Duel::new(&clean(), Some(64));
    duel.forge(b"hello", Some(64));
    duel.go_on(600);
    assert!(duel.exchanged <= 2 * 257, "{}", duel.exchanged);
    let withheld: u64 = duel.servers.iter().map(|desk| desk.server.counters().loop_guard).sum();
    assert_eq!(withheld, 1);
}

/// A client with `window` equal datagrams in flight, spaced evenly over the RTT or in one burst; returns how
/// many it lost.
fn windowed(window: i64, spaced: bool, settings: reflect::Settings) -> usize {
    const MOST: usize = 20_000;
    let path = Duration::from_millis(4);
    let client = address(false, 1);
    let mut desk = Desk::new(settings);
    let step = if spaced { path / window } else { Duration::ZERO };
    let mut due: Vec<_> = (0..window).map(|index| desk.now + step * index).collect();
    let (mut sent, mut answered) = (0, 0);
    while let Some(next) = due.iter().copied().min() {
        let held = desk.pass(next - desk.now);
        due.extend(held.iter().map(|answer| answer.at + path));
        answered += held.len();
        let at = due.iter().position(|at| *at == next).unwrap();
        due.swap_remove(at);
        if sent < MOST {
            sent += 1;
            let answer = desk.send(client, b"always the same");
            answered += usize::from(answer.is_some());
            due.extend(answer.map(|_| desk.now + path));
        }
        if due.is_empty() {
            answered += desk.pass(Duration::from_secs(2)).len();
        }
    }
    assert_eq!(desk.server.counters().loop_guard, 0);
    sent - answered
}

#[test]
fn a_client_with_several_equal_datagrams_in_flight_loses_none() {
    for window in [2, 3, 8, 64] {
        for spaced in [false, true] {
            for spec in ["clean", "delay=constant:1ms", "delay=uniform:0ms..9ms"] {
                let lost = windowed(window, spaced, injecting(spec.parse().unwrap()));
                assert_eq!(lost, 0, "{window} on the way, spaced: {spaced}, {spec}");
            }
        }
    }
}

/// A client that sends the next datagram when the last is answered, or after a second.
fn stop_and_wait(settings: reflect::Settings, payload: impl Fn(u32) -> Vec<u8>) -> (Desk, usize) {
    let mut desk = Desk::new(settings);
    let mut lost = 0;
    for index in 0..2570 {
        let answer = desk.send(address(true, 1), &payload(index));
        let waits = Duration::from_millis(if answer.is_some() { 1 } else { 1000 });
        lost += usize::from(answer.is_none() & desk.pass(waits).is_empty());
    }
    (desk, lost)
}

#[test]
fn a_stop_and_wait_client_with_a_constant_payload_loses_one_in_256() {
    let (desk, lost) = stop_and_wait(clean(), |_| b"hello".to_vec());
    // The first datagram, and the first after each loss, repeat no answer.
    assert_eq!(lost, 2570 / 257);
    assert_eq!(desk.server.counters().loop_guard, lost as u64);
}

#[test]
fn a_stop_and_wait_client_with_numbers_in_its_payload_loses_none() {
    // Beyond 64 bytes the server looks at the middle in the last laps only.
    for padding in ["", &"x".repeat(100)] {
        let payload = |index| format!("{padding}{index:04}{padding}").into_bytes();
        let (desk, lost) = stop_and_wait(clean(), payload);
        assert_eq!((lost, desk.server.counters().loop_guard), (0, 0));
    }
}

#[test]
fn a_client_that_sends_at_a_fixed_rate_loses_none() {
    let mut desk = Desk::new(clean());
    let mut answered = 0;
    for _ in 0..10_000 {
        answered += desk.pass(Duration::from_micros(100)).len();
        answered += usize::from(desk.send(address(true, 1), b"hello").is_some());
    }
    assert_eq!(answered, 10_000);
    assert_eq!(desk.server.counters().loop_guard, 0);
}
