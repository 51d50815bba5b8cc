//! Flows, limits, fates and bottlenecks of the relay, in virtual time.

mod limits;
mod models;
mod nat;
mod scenarios;
mod steering;

use std::net::SocketAddr;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::impair::Impairment;
use crate::rng::Seed;

fn at(millis: i64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

fn client(host: u32) -> Endpoints {
    let ip = std::net::Ipv4Addr::from_bits(0x0A00_0000 + host);
    Endpoints { remote: SocketAddr::from((ip, 5_000)), local: None }
}

fn mapping(up: &str, down: &str) -> MappingSettings {
    let line = |text: &str| Arc::new(text.parse::<Impairment>().unwrap());
    MappingSettings::new("m1".into(), line(up), line(down), 7)
}

fn relay(up: &str, down: &str) -> Relay {
    Relay::new(vec![mapping(up, down)], Limits::default(), at(0))
}

/// Sends a datagram and lets all that is due leave at once.
fn up(relay: &mut Relay, now: Instant, host: u32, size: usize) -> Decision {
    let decision = relay.handle(now, 0, Side::Client(client(host)), Header::default(), &mut vec![7; size]);
    if let Decision::Forward(leaving) = &decision {
        relay.sent(leaving, true);
    }
    decision
}

fn down(relay: &mut Relay, now: Instant, flow: FlowId, size: usize) -> Decision {
    let decision = relay.handle(now, 0, Side::server(flow), Header::default(), &mut vec![7; size]);
    if let Decision::Forward(leaving) = &decision {
        relay.sent(leaving, true);
    }
    decision
}

fn release(relay: &mut Relay, now: Instant) -> Vec<Leaving> {
    let mut buffer = [0; 2_048];
    std::iter::from_fn(|| {
        let leaving = relay.poll_transmit(now, &mut buffer)?;
        relay.sent(&leaving, true);
        Some(leaving)
    })
    .collect()
}

fn cause(decision: Decision) -> Option<DropCause> {
    match decision {
        Decision::Dropped(dropped) => Some(dropped.cause),
        _ => None,
    }
}

#[test]
fn a_clean_relay_forwards_both_ways_and_opens_one_flow_a_client() {
    let mut relay = relay("clean", "clean");
    let Decision::Forward(first) = up(&mut relay, at(0), 1, 100) else { panic!("not forwarded") };
    assert_eq!((first.seq, first.length, first.direction), (0, 100, Direction::Up));
    let opened = Event::FlowOpened { flow: first.flow, mapping: 0, client: client(1) };
    assert_eq!(relay.take_events(), [opened]);
    let Decision::Forward(second) = up(&mut relay, at(1), 1, 100) else { panic!("not forwarded") };
    assert_eq!((second.seq, second.flow), (1, first.flow));
    let Decision::Forward(answer) = down(&mut relay, at(2), first.flow, 300) else { panic!("not forwarded") };
    assert_eq!((answer.client, answer.seq), (client(1), 0));
    up(&mut relay, at(3), 2, 100);
    let counters = relay.counters(0);
    assert_eq!((counters.up.passed, counters.down.passed, counters.flows), (3, 1, 2));
}

#[test]
fn each_direction_is_held_by_its_own_line() {
    let mut relay = relay("delay=constant:20ms", "delay=constant:5ms");
    up(&mut relay, at(0), 1, 100);
    assert_eq!(relay.next_release(), Some(at(20)));
    assert_eq!(release(&mut relay, at(19)), []);
    let released = release(&mut relay, at(20));
    assert_eq!((released.len(), released[0].due), (1, at(20)));
    down(&mut relay, at(30), released[0].flow, 100);
    assert_eq!(relay.next_release(), Some(at(35)));
}

/// With `nth:4` exactly a quarter is lost, whichever client sends: the count is the mapping's.
#[test]
fn losses_on_a_schedule_count_the_datagrams_of_all_flows() {
    let mut shared = relay("loss=nth:4", "clean");
    let lost =
        (0..100).filter(|n| cause(up(&mut shared, at(*n), (*n % 7) as u32, 50)) == Some(DropCause::Lost));
    assert_eq!(lost.count(), 25);
    let mut apart = Relay::new(
        vec![MappingSettings { scope: Scope::Flow, ..mapping("loss=bursts:1@0", "clean") }],
        Limits::default(),
        at(0),
    );
    let lost: Vec<bool> =
        (0..6).map(|n| cause(up(&mut apart, at(n), (n % 3) as u32, 50)).is_some()).collect();
    assert_eq!(lost, [true, true, true, false, false, false]);
}

/// 8 Mbit: 972 bytes and 28 of headers take 1 ms.
#[test]
fn the_flows_of_a_mapping_share_its_bottleneck() {
    let mut relay = relay("rate=8Mbit,queue=2k", "clean");
    let due = |relay: &mut Relay, host| {
        let decision = up(relay, at(0), host, 972);
        matches!(decision, Decision::Held(_)).then(|| relay.next_release())
    };
    assert_eq!(due(&mut relay, 1), Some(Some(at(1))));
    let Decision::Held(second) = up(&mut relay, at(0), 2, 972) else { panic!("not held") };
    assert_eq!(second.queued, Some(Duration::from_millis(2)));
    assert_eq!(cause(up(&mut relay, at(0), 3, 972)), Some(DropCause::Queue));
    let released: Vec<Instant> = release(&mut relay, at(10)).iter().map(|leaving| leaving.due).collect();
    assert_eq!(released, [at(1), at(2)]);
}

const ALL: &str =
    "delay=normal:20ms±5ms loss=gilbert:p=5%,r=30% duplicate=10% corrupt=10% reorder=10%,by=30ms";

/// Fates of ten datagrams of each of four flows, sent in this order at these times.
fn fates(seed: Seed, ports: u32, order: &[u32], pause: i64) -> Vec<(u64, Vec<Option<DropCause>>)> {
    let settings = MappingSettings { seed, ..mapping(ALL, "clean") };
    let mut relay = Relay::new(vec![settings], Limits::default(), at(0));
    for host in 0..4 {
        up(&mut relay, at(0), ports + host, 50);
    }
    let mut fates: Vec<(u64, Vec<Option<DropCause>>)> = (0..4).map(|host| (host, Vec::new())).collect();
    for (step, host) in (1..).zip(order) {
        let decision = up(&mut relay, at(step * pause), ports + host, 50);
        fates[*host as usize].1.push(cause(decision));
    }
    fates
}

proptest! {
    #[test]
    fn a_fate_depends_on_seed_flow_direction_and_number_alone(
        order in Just((0..40).map(|n| n % 4).collect::<Vec<u32>>()).prop_shuffle(), pause in 1_i64..500, ports in 1_u32..9_999,
    ) {
        let in_turn: Vec<u32> = (0..40).map(|n| n % 4).collect();
        prop_assert_eq!(fates(7, ports, &order, pause), fates(7, 1, &in_turn, 1));
    }

    /// Whatever comes from whom: arrived = passed + dropped + send errors + held, bytes held are bounded, and
    /// when all has left nothing is held.
    #[test]
    fn every_arrival_has_one_fate(
        steps in proptest::collection::vec((0_i64..40, 0_u32..12, 0_usize..1_500, any::<bool>(), any::<bool>()), 1..120),
        lines in (0..6_usize, 0..6_usize), flows in 1_usize..8, held in 0_usize..20_000,
    ) {
        const LINES: [&str; 6] = [
            "clean", ALL, "rate=1Mbit,queue=5k loss=nth:3", "delay=uniform:0..50ms duplicate=50%",
            "mtu=700 outage=exponential:on=50ms,off=50ms duplicate=50%,after=70ms ecn=mark:50%",
            "loss=50% duplicate=50% reorder=50%,by=9ms only=size:500-1000,byte:0=01 dscp=bleach",
        ];
        let limits = Limits { flows, held_bytes: held, unverified_amplification: false, ..Limits::default() };
        let nat = ["none", "rebind=50ms+70ms", "expire=60ms,old=pass"][lines.0 % 3].parse().unwrap();
        let settings = MappingSettings { nat, ..mapping(LINES[lines.0], LINES[lines.1]) };
        let mut relay = Relay::new(vec![settings], limits, at(0));
        let mut open: Vec<FlowId> = Vec::new();
        let mut now = at(0);
        let mut copies_sent = 0;
        for (pause, host, size, from_server, succeeds) in steps {
            now += Duration::from_millis(pause);
            let mut buffer = [0; 2_048];
            while let Some(leaving) = relay.poll_transmit(now, &mut buffer) {
                copies_sent += u64::from(leaving.is_copy && succeeds);
                relay.sent(&leaving, succeeds);
            }
            relay.handle_timeout(now);
            let side = match open.get(host as usize) {
                Some(flow) if from_server => Side::server(*flow),
                _ => Side::Client(client(host)),
            };
            if let Decision::Forward(leaving) = relay.handle(now, 0, side, Header::default(), &mut vec![1; size]) {
                relay.sent(&leaving, succeeds);
            }
            for event in relay.take_events() {
                match event {
                    Event::FlowOpened { flow, .. } => open.push(flow),
                    Event::FlowClosed { flow, .. } => open.retain(|known| *known != flow),
                    Event::Rebound { .. } => {}
                    Event::StateChanged { .. } => {}
                }
            }
            prop_assert!(open.len() <= flows);
            prop_assert!(relay.held_bytes() <= held);
            let Counters { up, down, .. } = relay.counters(0);
            for tally in [up, down] {
                prop_assert_eq!(tally.arrived, tally.passed + tally.dropped_in_all() + tally.send_errors + tally.held);
            }
        }
        let mut buffer = [0; 2_048];
        while let Some(leaving) = relay.poll_transmit(Instant::FAR_FUTURE, &mut buffer) {
            copies_sent += u64::from(leaving.is_copy);
            relay.sent(&leaving, true);
        }
        let Counters { up, down, .. } = relay.counters(0);
        prop_assert_eq!((up.held, down.held, relay.held_bytes()), (0, 0, 0));
        prop_assert_eq!(up.copies + down.copies, copies_sent);
    }
}
