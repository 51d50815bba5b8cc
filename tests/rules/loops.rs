//! Two servers that are set upon each other by a datagram with a forged source.

use std::net::SocketAddr;

use proptest::prelude::*;
use udpecho::reflect::{self, ANSWER_HOPS, TextFrom};
use udpecho::time::Duration;
use udpecho::wire::native::VERSION;

use crate::abuse::native;
use crate::common::desk::{Desk, address};
use crate::common::{clean, injecting};

/// Two servers on the ports of two addresses, and what flies between them.
struct Duel {
    servers: [Desk; 2],
    addresses: [SocketAddr; 2],
    /// What each is sent next.
    flying: [Vec<Vec<u8>>; 2],
    /// What an answer has left of its hops when it arrives, where the system tells.
    hops: Option<u8>,
    exchanged: u32,
}

impl Duel {
    fn new(settings: &reflect::Settings, hops: Option<u8>) -> Self {
        let addresses = [address(false, 1), address(false, 2)];
        let mut servers = [0, 1].map(|_| Desk::new(settings.clone()));
        for (server, address) in servers.iter_mut().zip(addresses) {
            server.server.set_own_port(address.port());
        }
        Self { servers, addresses, flying: [vec![], vec![]], hops, exchanged: 0 }
    }

    /// The first server is sent this, as if by the second.
    fn forge(&mut self, datagram: &[u8], hops: Option<u8>) {
        let answer = self.servers[0].send_with_hops(self.addresses[1], hops, datagram);
        self.flying[1].extend(answer);
    }

    /// Lets them talk for so many rounds of half a second.
    fn go_on(&mut self, rounds: usize) {
        for _ in 0..rounds {
            for (here, there) in [(0, 1), (1, 0)] {
                let held = self.servers[here].pass(Duration::from_millis(500));
                self.flying[there].extend(held.into_iter().map(|sent| sent.datagram));
                for datagram in std::mem::take(&mut self.flying[here]) {
                    self.exchanged += 1;
                    let answer =
                        self.servers[here].send_with_hops(self.addresses[there], self.hops, &datagram);
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

    /// Whatever the dialect, the payload and what both inject.
    #[test]
    fn one_forged_datagram_makes_two_servers_exchange_one_packet(
        settings in settings(), payload in payload(), path in 0_u8..40,
    ) {
        let mut duel = Duel::new(&settings, Some(ANSWER_HOPS - path));
        duel.forge(&payload, Some(64));
        duel.go_on(20);
        prop_assert!(duel.exchanged <= 1, "{} packets", duel.exchanged);
    }

    /// Not even when a text client's address is forged twice.
    #[test]
    fn a_forged_text_client_keeps_nobody_busy(settings in settings(), payload in payload()) {
        let mut duel = Duel::new(&settings, Some(ANSWER_HOPS));
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
        prop_assert!(so_far <= 2 * 256, "{so_far} packets");
        duel.go_on(10);
        prop_assert_eq!(duel.exchanged, so_far);
    }
}

#[test]
fn a_client_that_repeats_itself_is_echoed_every_time() {
    let mut desk = Desk::new(clean());
    for _ in 0..10_000 {
        desk.pass(Duration::from_micros(100));
        assert_eq!(desk.send(address(true, 1), b"hello").as_deref(), Some(&b"hello"[..]));
    }
    assert_eq!(desk.server.counters().ignored, 0);
}
