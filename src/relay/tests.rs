//! Flows, limits, fates and bottlenecks of the relay, in virtual time.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;

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

fn tos_of(decision: Decision) -> Option<u8> {
    match decision {
        Decision::Forward(leaving) => leaving.tos,
        decision => panic!("{decision:?}"),
    }
}

#[test]
fn what_is_longer_than_the_mtu_vanishes() {
    let mut relay = relay("mtu=1300", "clean");
    assert_eq!(cause(up(&mut relay, at(0), 1, 1_272)), None);
    assert_eq!(cause(up(&mut relay, at(0), 1, 1_273)), Some(DropCause::Mtu));
    let six = Endpoints { remote: "[2001:db8::1]:4000".parse().unwrap(), local: None };
    let mut long =
        |size| cause(relay.handle(at(0), 0, Side::Client(six), Header::default(), &mut vec![0; size]));
    assert_eq!((long(1_252), long(1_253)), (None, Some(DropCause::Mtu)));
}

#[test]
fn an_outage_meets_all_flows_and_both_directions_at_once() {
    for line in ["outage=fixed:on=100ms,off=50ms", "outage=exponential:on=100ms,off=50ms"] {
        let mut relay = relay(line, line);
        let gone = |decision| match cause(decision) {
            None => false,
            Some(DropCause::Outage) => true,
            Some(cause) => panic!("{cause:?}"),
        };
        let Decision::Forward(first) = up(&mut relay, at(0), 1, 10) else { panic!("not forwarded") };
        let mut times = 0;
        for ms in 1..2_000 {
            let now = gone(up(&mut relay, at(ms), 1, 10));
            assert_eq!(gone(up(&mut relay, at(ms), 2, 10)), now, "{line} {ms}");
            assert_eq!(gone(down(&mut relay, at(ms), first.flow, 10)), now, "{line} {ms}");
            times += u32::from(now);
        }
        assert!((300..1_100).contains(&times), "{line}: {times}");
    }
}

#[test]
fn marks_are_counted_and_the_rest_of_the_header_stays() {
    let mut relay = relay("ecn=mangle", "ecn=bleach dscp=bleach");
    let mut send = |side, tos| {
        let decision = relay.handle(at(0), 0, side, Header { tos: Some(tos), ttl: Some(9) }, &mut [0; 9]);
        if let Decision::Forward(leaving) = &decision {
            relay.sent(leaving, true);
        }
        decision
    };
    let side = Side::Client(client(1));
    assert_eq!([0xBA, 0xB8, 0xBB].map(|tos| tos_of(send(side, tos))), [0xBB, 0xB8, 0xBB].map(Some));
    let Decision::Forward(leaving) = send(side, 2) else { panic!("not forwarded") };
    assert_eq!(tos_of(send(Side::server(leaving.flow), 0xBA)), Some(0));
    let Counters { up, down, .. } = relay.counters(0);
    assert_eq!((up.marked, down.marked), (2, 1));
}

/// The first two long ones are lost; the short ones pass and do not count.
#[test]
fn losses_on_a_schedule_count_what_is_selected() {
    let mut relay = relay("loss=bursts:2@0 only=size:100-", "clean");
    let sizes = [10, 200, 10, 300, 10, 400];
    let lost: Vec<bool> = sizes.iter().map(|size| cause(up(&mut relay, at(0), 1, *size)).is_some()).collect();
    assert_eq!(lost, [false, true, false, true, false, false]);
}

#[test]
fn a_late_copy_follows_its_first() {
    let mut relay = relay("duplicate=100%,after=5s", "clean");
    up(&mut relay, at(0), 1, 10);
    let copies = |leaving: Vec<Leaving>| leaving.iter().map(|leaving| leaving.is_copy).collect::<Vec<_>>();
    assert_eq!(copies(release(&mut relay, at(0))), [false]);
    assert_eq!(release(&mut relay, at(4_999)), []);
    assert_eq!(copies(release(&mut relay, at(5_000))), [true]);
}

#[test]
fn idle_flows_close_the_unanswered_ones_sooner() {
    let mut relay = relay("clean", "clean");
    let Decision::Forward(answered) = up(&mut relay, at(0), 1, 10) else { panic!("not forwarded") };
    down(&mut relay, at(0), answered.flow, 10);
    let Decision::Forward(silent) = up(&mut relay, at(0), 2, 10) else { panic!("not forwarded") };
    relay.take_events();
    relay.handle_timeout(at(30_000));
    assert_eq!(relay.take_events(), [Event::FlowClosed { flow: silent.flow, mapping: 0 }]);
    relay.handle_timeout(at(299_000));
    assert_eq!(relay.take_events(), []);
    relay.handle_timeout(at(300_000));
    assert_eq!(relay.take_events(), [Event::FlowClosed { flow: answered.flow, mapping: 0 }]);
    assert_eq!(cause(down(&mut relay, at(300_001), answered.flow, 10)), Some(DropCause::Nat));
    assert_eq!(relay.poll_timeout(), None);
}

#[test]
fn spoofed_sources_fill_no_table_and_close_no_answered_flow() {
    let mut relay =
        Relay::new(vec![mapping("clean", "clean")], Limits { flows: 100, ..Limits::default() }, at(0));
    let Decision::Forward(answered) = up(&mut relay, at(0), 1, 10) else { panic!("not forwarded") };
    down(&mut relay, at(0), answered.flow, 10);
    for source in 0..100_000_u32 {
        // A thousand networks; each opens 100 flows a second at most.
        up(&mut relay, at(i64::from(source) / 100), 0x1_0000 + (source % 1_000) * 256 + source / 1_000, 10);
        relay.take_events();
    }
    let counters = relay.counters(0);
    assert!(counters.flows <= 100, "{} flows", counters.flows);
    assert!(matches!(down(&mut relay, at(1_000), answered.flow, 10), Decision::Forward(_)));
    // One network alone: 200 at once, then 100 a second.
    let mut one =
        Relay::new(vec![mapping("clean", "clean")], Limits { flows: 9_999, ..Limits::default() }, at(0));
    for n in 0..256_u32 {
        up(&mut one, at(0), 0x2_0000 + n, 10);
    }
    assert_eq!(one.counters(0).flows, 200);
    assert_eq!(one.counters(0).up.dropped(DropCause::Limit), 56);
}

/// As for `serve`: no amplification toward an address that has not shown that it receives.
#[test]
fn an_unverified_client_gets_no_more_bytes_than_it_sent() {
    let limits = Limits { unverified_amplification: false, ..Limits::default() };
    let mut relay = Relay::new(vec![mapping("clean", "clean")], limits, at(0));
    let Decision::Forward(query) = up(&mut relay, at(0), 1, 50) else { panic!("not forwarded") };
    assert_eq!(cause(down(&mut relay, at(1), query.flow, 51)), Some(DropCause::Limit));
    up(&mut relay, at(2), 1, 50);
    assert_eq!(cause(down(&mut relay, at(3), query.flow, 101)), Some(DropCause::Limit));
    assert!(matches!(down(&mut relay, at(3), query.flow, 100), Decision::Forward(_)));
    // The client goes on after an answer that came through.
    up(&mut relay, at(4), 1, 50);
    assert!(matches!(down(&mut relay, at(3), query.flow, 5_000), Decision::Forward(_)));
}

fn under_nat(nat: &str) -> Relay {
    let settings = MappingSettings { nat: nat.parse().unwrap(), ..mapping("clean", "clean") };
    Relay::new(vec![settings], Limits::default(), at(0))
}

#[test]
fn a_nat_gives_a_flow_another_port_and_drops_what_comes_to_the_old_one() {
    let mut relay = under_nat("rebind=1s+5s");
    let Decision::Forward(first) = up(&mut relay, at(0), 1, 10) else { panic!("not forwarded") };
    let flow = first.flow;
    relay.take_events();
    let answer = |relay: &mut Relay, ms, port| {
        let side = Side::Server { flow, port, sender: Sender::Server };
        cause(relay.handle(at(ms), 0, side, Header::default(), &mut [1; 10]))
    };
    assert_eq!(answer(&mut relay, 999, 0), None);
    assert_eq!(answer(&mut relay, 1_000, 0), Some(DropCause::Nat));
    up(&mut relay, at(1_500), 1, 10);
    assert_eq!(relay.take_events(), [Event::Rebound { flow, mapping: 0, port: 1 }]);
    assert_eq!((answer(&mut relay, 1_501, 0), answer(&mut relay, 1_501, 1)), (Some(DropCause::Nat), None));
    let Counters { up, down, .. } = relay.counters(0);
    assert_eq!((up.rebound, down.dropped(DropCause::Nat)), (1, 2));
    // A flow that begins later has its own times.
    super::tests::up(&mut relay, at(3_000), 2, 10);
    relay.take_events();
    super::tests::up(&mut relay, at(3_999), 2, 10);
    assert_eq!(relay.take_events(), []);
}

#[test]
fn others_than_the_server_are_let_in_as_the_filter_says() {
    for (nat, let_in) in [("none", false), ("filter=address", true)] {
        let mut relay = under_nat(nat);
        let Decision::Forward(first) = up(&mut relay, at(0), 1, 10) else { panic!("not forwarded") };
        let side = Side::Server { flow: first.flow, port: 0, sender: Sender::OtherPort };
        let decision = relay.handle(at(1), 0, side, Header::default(), &mut [1; 10]);
        assert_eq!(cause(decision).is_none(), let_in, "{nat}");
    }
}

#[test]
fn only_allowed_clients_are_relayed_and_they_need_not_prove_their_address() {
    let allow: Arc<[Network]> = vec!["10.0.0.0/30".parse().unwrap()].into();
    let settings = || MappingSettings { allow: Arc::clone(&allow), ..mapping("clean", "clean") };
    let mut closed = Relay::new(vec![settings()], Limits::default(), at(0));
    assert_eq!(cause(up(&mut closed, at(0), 1, 10)), None);
    assert_eq!(cause(up(&mut closed, at(0), 9, 10)), Some(DropCause::Limit));
    assert_eq!(closed.counters(0).flows_opened, 1);
    let public = Limits { unverified_amplification: false, ..Limits::default() };
    let mut open = Relay::new(vec![settings()], public, at(0));
    let answer = |relay: &mut Relay, host| {
        let Decision::Forward(first) = up(relay, at(0), host, 10) else { panic!("not forwarded") };
        cause(down(relay, at(1), first.flow, 1_000))
    };
    assert_eq!((answer(&mut open, 1), answer(&mut open, 9)), (None, Some(DropCause::Limit)));
}

#[test]
fn a_mapping_that_is_down_drops_and_says_why() {
    let mut relay = relay("clean", "clean");
    relay.set_down(0, true);
    assert_eq!(cause(up(&mut relay, at(0), 1, 10)), Some(DropCause::Down));
    relay.set_down(0, false);
    assert!(matches!(up(&mut relay, at(0), 1, 10), Decision::Forward(_)));
}

#[test]
fn other_impairments_apply_to_flows_that_are_open() {
    let mut relay = relay("clean", "clean");
    up(&mut relay, at(0), 1, 10);
    let lossy: Arc<Impairment> = Arc::new("loss=100%".parse().unwrap());
    relay.set_impairments(0, lossy, Arc::new(Impairment::clean()));
    assert_eq!(cause(up(&mut relay, at(1), 1, 10)), Some(DropCause::Lost));
    assert_eq!(cause(up(&mut relay, at(1), 2, 10)), Some(DropCause::Lost));
}

fn toxic(direction: Direction, kind: ToxicKind) -> Toxic {
    Toxic::new("t".into(), direction, 1.0, kind).unwrap()
}

#[test]
fn clients_of_a_network_meet_their_own_line() {
    let lines = |text: &str| Arc::new(text.parse::<Impairment>().unwrap());
    let network = "10.0.0.2/32".parse().unwrap();
    let clients = [ClientLines { network, up: lines("loss=100%"), down: lines("clean") }];
    let settings = MappingSettings { clients: clients.into(), ..mapping("clean", "clean") };
    let mut relay = Relay::new(vec![settings], Limits::default(), at(0));
    assert!(matches!(up(&mut relay, at(0), 1, 10), Decision::Forward(_)));
    assert_eq!(cause(up(&mut relay, at(0), 2, 10)), Some(DropCause::Lost));
    // The line of the mapping changes, theirs stays.
    relay.set_impairments(0, lines("delay=constant:1ms"), lines("clean"));
    assert_eq!(cause(up(&mut relay, at(0), 2, 10)), Some(DropCause::Lost));
    relay.change(at(1), 0, |settings| settings.clients = Arc::default());
    assert!(matches!(up(&mut relay, at(1), 2, 10), Decision::Held(_)));
}

#[test]
fn a_flow_with_its_own_line_follows_its_mapping_only_after_that_is_taken_away() {
    let lossy = Arc::new("loss=100%".parse::<Impairment>().unwrap());
    let mut relay = relay("clean", "clean");
    let Decision::Forward(leaving) = up(&mut relay, at(0), 1, 10) else { panic!("it passes") };
    assert!(relay.set_flow_line(at(0), leaving.flow, Direction::Up, Some(Arc::clone(&lossy))));
    assert_eq!(cause(up(&mut relay, at(0), 1, 10)), Some(DropCause::Lost));
    assert!(matches!(up(&mut relay, at(0), 2, 10), Decision::Forward(_)));
    relay.change(at(0), 0, |settings| settings.scope = Scope::Mapping);
    assert_eq!(cause(up(&mut relay, at(0), 1, 10)), Some(DropCause::Lost));
    let figures = relay.flows(at(5), 0, 10);
    assert_eq!(figures.iter().map(|flow| flow.directions[0].is_own).collect::<Vec<_>>(), [true, false]);
    assert_eq!((figures[0].directions[0].datagrams, figures[0].age), (3, Duration::from_millis(5)));
    relay.set_flow_line(at(0), leaving.flow, Direction::Up, None);
    assert!(matches!(up(&mut relay, at(0), 1, 10), Decision::Forward(_)));
    let second = relay.flow_numbered(1).unwrap();
    assert!(relay.close_flow(second) && !relay.close_flow(second) && relay.flow_numbered(1).is_none());
}

#[test]
fn an_outage_ends_by_itself_and_is_counted_as_one() {
    let mut relay = relay("clean", "clean");
    relay.black_out(0, Direction::Up, at(20));
    for (millis, expected) in [(0, Some(DropCause::Outage)), (19, Some(DropCause::Outage)), (20, None)] {
        assert_eq!(cause(up(&mut relay, at(millis), 1, 10)), expected, "{millis}");
    }
    assert_eq!(relay.counters(0).up.dropped(DropCause::Outage), 2);
}

#[test]
fn a_toxic_cuts_a_flow_after_its_bytes_and_one_forgets_it_after_its_time() {
    let mut relay = relay("clean", "clean");
    let cut = toxic(Direction::Up, ToxicKind::LimitData { bytes: 25 });
    relay.change(at(0), 0, |settings| settings.toxics = vec![cut]);
    let fates: Vec<_> = (0..4).map(|_| cause(up(&mut relay, at(0), 1, 10))).collect();
    assert_eq!(fates, [None, None, Some(DropCause::Outage), Some(DropCause::Outage)]);
    let forget = toxic(Direction::Up, ToxicKind::Timeout { timeout: 50 });
    relay.change(at(100), 0, |settings| settings.toxics = vec![forget]);
    relay.take_events();
    assert_eq!(cause(up(&mut relay, at(120), 1, 10)), Some(DropCause::Outage));
    assert_eq!(relay.poll_timeout(), Some(at(150)));
    relay.handle_timeout(at(149));
    assert_eq!(relay.flow_count(), 1);
    relay.handle_timeout(at(150));
    assert!(matches!(relay.take_events()[..], [Event::FlowClosed { .. }]));
    // Without the toxic its client begins anew.
    relay.change(at(151), 0, |settings| settings.toxics.clear());
    assert!(matches!(up(&mut relay, at(151), 1, 10), Decision::Forward(_)));
    assert_eq!(relay.counters(0).flows_opened, 2);
}

#[test]
fn a_removed_mapping_closes_its_flows_and_keeps_its_counters() {
    let mut relay = relay("delay=constant:5ms", "clean");
    assert_eq!(relay.add_mapping(mapping("clean", "clean")), 1);
    up(&mut relay, at(0), 1, 10);
    relay.remove_mapping(0);
    assert_eq!(relay.flow_count(), 0);
    let mut buffer = [0; 64];
    let leaving = relay.poll_transmit(at(5), &mut buffer).unwrap();
    assert_eq!(relay.discard(&leaving, DropCause::Down).unwrap().cause, DropCause::Down);
    let tally = relay.counters(0).up;
    assert_eq!((tally.arrived, tally.dropped(DropCause::Down), tally.held), (1, 1, 0));
}

#[test]
fn a_queue_tells_how_long_a_new_datagram_would_wait() {
    let mut relay = relay("rate=8Mbit", "clean");
    // With 28 bytes of headers, 1 ms each.
    up(&mut relay, at(0), 1, 972);
    up(&mut relay, at(0), 1, 972);
    assert_eq!(relay.queues(0, at(0)), [Duration::from_millis(2), Duration::ZERO]);
    assert_eq!(relay.queues(0, at(9)), [Duration::ZERO; 2]);
    let queued: Vec<_> = release(&mut relay, at(9)).iter().map(|leaving| leaving.queued).collect();
    assert_eq!(queued, [1, 2].map(|millis| Some(Duration::from_millis(millis))));
}

fn scenario(text: &str) -> Option<Arc<RelayScenario>> {
    let clean = Arc::new(Impairment::clean());
    let none = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    Some(Arc::new(RelayScenario::from_toml(text, [&clean, &clean], &none).unwrap()))
}

const SCENES: &str = "
    [[step]]
    for = '1s'
    [[step]]
    for = '1s'
    blackhole = 'up'
    [[step]]
    for = '1s'
    up = 'loss=100%'
    [[step]]
    for = '1s'
    state = 'down'
";

/// The fate of a datagram every half second, in relay time.
fn played(clock: &str, late: i64) -> (Vec<Option<DropCause>>, Vec<Event>) {
    let text = format!("clock = '{clock}'\n{SCENES}");
    let settings = MappingSettings { scenario: scenario(&text), ..mapping("clean", "clean") };
    let mut relay = Relay::new(vec![settings], Limits::default(), at(0));
    let mut events = Vec::new();
    let fates = (0..9).map(|half| {
        let now = at(late + half * 500);
        relay.handle_timeout(now);
        events.extend(
            relay.take_events().into_iter().filter(|event| matches!(event, Event::StateChanged { .. })),
        );
        cause(up(&mut relay, now, 1, 10))
    });
    (fates.collect(), events)
}

#[test]
fn a_scenario_counts_from_the_first_datagram_of_its_mapping() {
    let (outage, lost) = (Some(DropCause::Outage), Some(DropCause::Lost));
    let expected = [None, None, outage, outage, lost, lost, None, None, None];
    let (fates, events) = played("first", 700);
    assert_eq!(fates, expected);
    let states = [(0, true), (0, false)].map(|(mapping, down)| Event::StateChanged { mapping, down });
    assert_eq!(events, states);
}

#[test]
fn a_scenario_may_count_from_the_start_or_for_each_flow() {
    let (outage, lost, down) = (Some(DropCause::Outage), Some(DropCause::Lost), Some(DropCause::Down));
    let (fates, _) = played("start", 1_000);
    assert_eq!(fates[..4], [outage, outage, lost, lost]);
    let (fates, events) = played("flow", 1_000);
    assert_eq!(fates, [None, None, outage, outage, lost, lost, down, down, None]);
    assert_eq!(events, []);
}

#[test]
fn a_scenario_that_is_given_while_the_relay_runs_is_played_at_once() {
    let mut relay = relay("clean", "clean");
    up(&mut relay, at(0), 1, 10);
    relay.change(at(500), 0, |settings| {
        settings.scenario = scenario("[[step]]\nfor = '1s'\nstate = 'down'\n")
    });
    assert_eq!(relay.poll_timeout(), Some(at(500)));
    relay.take_events();
    relay.handle_timeout(at(500));
    assert_eq!(relay.take_events(), [Event::StateChanged { mapping: 0, down: true }]);
}

#[test]
fn a_scenario_says_when_it_next_closes_a_port() {
    let settings = MappingSettings { scenario: scenario(SCENES), ..mapping("clean", "clean") };
    let mut relay = Relay::new(vec![settings], Limits::default(), at(0));
    up(&mut relay, at(100), 1, 10);
    relay.handle_timeout(at(100));
    assert_eq!(relay.next_scene, Some(at(1_100)));
}

#[test]
fn fates_of_an_earlier_run_come_again_and_what_it_did_not_have_meets_the_impairments() {
    let mut replay = Replay::default();
    let five = Duration::from_millis(5);
    replay.take((0, Direction::Up, 0), Fate::Dropped(DropCause::Queue), Duration::ZERO, 0, None);
    replay.take((0, Direction::Up, 1), Fate::Passed, five, 1, None);
    replay.take((0, Direction::Up, 2), Fate::Dropped(DropCause::Limit), Duration::ZERO, 0, None);
    assert_eq!(replay.len(), 3);
    let settings = MappingSettings { replay: Some(Arc::new(replay)), ..mapping("loss=100%", "clean") };
    let mut relay = Relay::new(vec![settings], Limits::default(), at(0));
    assert_eq!(cause(up(&mut relay, at(0), 1, 10)), Some(DropCause::Queue));
    assert!(matches!(up(&mut relay, at(0), 1, 10), Decision::Held(_)));
    assert!(matches!(up(&mut relay, at(0), 1, 10), Decision::Forward(_)));
    assert_eq!(cause(up(&mut relay, at(0), 1, 10)), Some(DropCause::Lost));
    assert_eq!(
        release(&mut relay, at(5)).iter().map(|leaving| leaving.is_copy).collect::<Vec<_>>(),
        [false, true]
    );
    // Another flow was not there.
    assert_eq!(cause(up(&mut relay, at(0), 2, 10)), Some(DropCause::Lost));
}
