//! Changes while a relay runs: lines, outages, toxics, mappings.

use super::*;

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

#[test]
fn ports_are_forgotten_on_request_and_open_flows_get_another_nat() {
    let mut relay = relay("clean", "clean");
    let flows = [1, 2].map(|host| match up(&mut relay, at(0), host, 10) {
        Decision::Forward(leaving) => leaving.flow,
        other => panic!("{other:?}"),
    });
    let rebound = |relay: &mut Relay, now, host| {
        relay.take_events();
        up(relay, at(now), host, 10);
        relay.take_events().iter().any(|event| matches!(event, Event::Rebound { .. }))
    };
    assert!(relay.rebind_flow(flows[0]));
    assert_eq!(cause(down(&mut relay, at(1), flows[0], 10)), Some(DropCause::Nat));
    assert_eq!([1, 2].map(|host| rebound(&mut relay, 2, host)), [true, false]);
    relay.rebind(0);
    assert_eq!([1, 2].map(|host| rebound(&mut relay, 3, host)), [true, true]);
    relay.change(at(10), 0, |settings| settings.nat = "rebind=1s".parse().unwrap());
    assert_eq!([1_009, 1_010, 9_000].map(|now| rebound(&mut relay, now, 1)), [false, true, false]);
    assert_eq!(relay.counters(0).up.rebound, 4);
    relay.close_flow(flows[0]);
    assert!(!relay.rebind_flow(flows[0]));
}

#[test]
fn where_nothing_passes_an_empty_datagram_does_not_either() {
    for kind in [ToxicKind::Timeout { timeout: 0 }, ToxicKind::Bandwidth { rate: 0 }] {
        let mut relay = relay("clean", "clean");
        relay.change(at(0), 0, |settings| settings.toxics = vec![toxic(Direction::Up, kind)]);
        assert_eq!(cause(up(&mut relay, at(0), 1, 0)), Some(DropCause::Outage));
    }
}
