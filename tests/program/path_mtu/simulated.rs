//! Through simulated links: what is found is what they let pass.

use std::net::SocketAddr;

use proptest::prelude::*;
use udpecho::endpoints::Endpoints;
use udpecho::impair::Direction;
use udpecho::probe::{Down, Failure, PathSize, SizeFinder};
use udpecho::reflect::{Incoming, Server, Settings};
use udpecho::sim::{Conditions, SimulatedLink};
use udpecho::time::{Duration, Instant};
use udpecho::wire::auth::Key;

use crate::common::{clean, millis};

const MOST: u32 = 65_507;

#[derive(Clone, Debug)]
struct Paths {
    up: Conditions,
    down: Conditions,
    /// A question may come through in pieces.
    fragments: bool,
    seed: u64,
}

fn path(longest_up: usize, longest_down: usize) -> Paths {
    let link = |longest| Conditions { path_limit: longest, ..Conditions::ideal(millis(20)) };
    Paths { up: link(longest_up), down: link(longest_down), fragments: true, seed: 1 }
}

/// What is found, how long it took, and how many datagrams were sent.
fn find(paths: &Paths, server: Settings) -> (Result<PathSize, Failure>, Duration, u32) {
    let start = Instant::from_nanos(1_000_000_000);
    let key = server.key.clone();
    let mut server = Server::new(server, [1; 32], start);
    let mut finder = SizeFinder::new(MOST, paths.seed, key);
    let mut up = SimulatedLink::new(paths.up.clone(), Direction::Up, paths.seed);
    let mut down = SimulatedLink::new(paths.down.clone(), Direction::Down, paths.seed);
    let client = Endpoints { remote: SocketAddr::from(([10, 0, 0, 1], 10_000)), local: None };
    let mut coming: Vec<(Instant, Vec<u8>)> = Vec::new();
    let mut buffer = vec![0; 65_536];
    let (mut now, mut sent) = (start, 0);
    loop {
        while let Some(sizing) = finder.poll_transmit(now, &mut buffer) {
            sent += 1;
            if sizing.whole && sizing.length > up.conditions().send_limit {
                finder.too_long(now);
                continue;
            }
            let in_pieces = !sizing.whole && paths.fragments;
            let seen = if in_pieces { &buffer[..1] } else { &buffer[..sizing.length] };
            for (delay, _) in up.pass(now, seen) {
                let mut answer = buffer.clone();
                let incoming = Incoming::new(now + delay, client, &mut answer, sizing.length);
                if let Some(length) = server.handle(incoming) {
                    assert!(length <= sizing.length, "an answer longer than its question");
                    let back = down.pass(now + delay, &answer[..length]);
                    coming.extend(back.map(|(back, datagram)| (now + delay + back, datagram)));
                }
            }
        }
        if let Some(outcome) = finder.outcome() {
            return (outcome.clone(), now - start, sent);
        }
        let wake = finder.poll_timeout().expect("it waits for something");
        coming.sort();
        match coming.first() {
            Some((at, _)) if *at <= wake => {
                let (at, datagram) = coming.remove(0);
                now = at;
                finder.handle(now, &datagram);
            }
            _ => {
                now = wake;
                finder.handle_timeout(now);
            }
        }
    }
}

fn whole() -> Settings {
    Settings { unfragmented_replies: true, ..clean() }
}

#[test]
fn both_ways_alike_is_told_as_one() {
    let (found, took, sent) = find(&path(1472, 1472), whole());
    assert_eq!(found, Ok(PathSize { up: 1472, down: Down::Exactly(1472) }));
    // Half of the lengths of a bisection are black holes: three tries of 200 ms each.
    assert!(took < Duration::from_secs(12) && sent < 60, "{took}, {sent} datagrams");
}

#[test]
fn what_this_host_knows_costs_no_time() {
    let mut paths = path(usize::MAX, usize::MAX);
    paths.up.send_limit = 1472;
    let (found, took, _) = find(&paths, whole());
    assert_eq!(found.unwrap().up, 1472);
    // Down it goes on beyond, in pieces upwards.
    assert!(took < Duration::from_secs(2), "{took}");
}

#[test]
fn a_path_without_a_limit_takes_all_that_udp_carries() {
    let (found, _, sent) = find(&path(usize::MAX, usize::MAX), whole());
    assert_eq!((found, sent), (Ok(PathSize { up: MOST, down: Down::Exactly(MOST) }), 3));
    let small = Settings { max_size: 1000, ..whole() };
    let (found, ..) = find(&path(usize::MAX, usize::MAX), small);
    assert_eq!(found, Ok(PathSize { up: 1000, down: Down::Exactly(1000) }), "the server takes no more");
}

#[test]
fn the_ways_are_told_apart() {
    let (found, ..) = find(&path(1472, 1300), whole());
    assert_eq!(found, Ok(PathSize { up: 1472, down: Down::Exactly(1300) }));
    let (found, ..) = find(&path(1300, 1472), whole());
    assert_eq!(found, Ok(PathSize { up: 1300, down: Down::Exactly(1472) }));
}

#[test]
fn what_cannot_be_known_is_not_claimed() {
    let paths = Paths { fragments: false, ..path(1300, 1472) };
    let (found, ..) = find(&paths, whole());
    assert_eq!(found, Ok(PathSize { up: 1300, down: Down::AtLeast(1300) }));
    assert_eq!(found.unwrap().both_ways(), 1300);
    let (found, ..) = find(&path(1300, 1472), clean());
    assert_eq!(found, Ok(PathSize { up: 1300, down: Down::Unknown }));
}

#[test]
fn silence_is_told_as_silence() {
    let (found, ..) = find(&path(0, 0), whole());
    assert!(matches!(found, Err(Failure::Silent { tries: 5, .. })), "{found:?}");
}

#[test]
fn with_a_key_the_tag_is_part_of_the_length() {
    let key = Key::new(&[3; 32]);
    let server = Settings { key: Some(key), ..whole() };
    let (found, ..) = find(&path(1472, 1300), server);
    assert_eq!(found, Ok(PathSize { up: 1472, down: Down::Exactly(1300) }));
}

#[test]
fn injection_never_touches_it() {
    let server = Settings { unfragmented_replies: true, ..Settings::default() };
    let (found, took, _) = find(&path(usize::MAX, usize::MAX), server);
    assert_eq!((found.unwrap().both_ways(), took), (MOST, millis(120)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Losses each way and delays that differ: both limits are found all the same.
    #[test]
    fn loss_moves_no_limit(up in 56_usize..9000, down in 56_usize..9000, seed: u64) {
        let mut paths = path(up, down);
        paths.seed = seed;
        for link in [&mut paths.up, &mut paths.down] {
            link.impairment = Conditions::impaired("delay=uniform:20ms..60ms loss=2%").impairment;
        }
        let (found, ..) = find(&paths, whole());
        let found = found.unwrap();
        prop_assert!(found.up as usize <= up && found.both_ways() as usize <= up.min(down));
        // Three losses in a row, twice at the same length, are one in 10^8.
        prop_assert_eq!(found.up as usize, up);
        prop_assert!(matches!(found.down, Down::Exactly(found) | Down::AtLeast(found) if found as usize == down || found as usize >= up.min(down)));
    }
}
