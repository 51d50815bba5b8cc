//! Idle time-outs, caps, and clients that have not shown that they receive.

use super::*;

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
fn an_answer_brings_the_end_of_a_flow_no_later_than_a_short_idle_time() {
    let limits = Limits { idle: Duration::from_secs(5), ..Limits::default() };
    let mut relay = Relay::new(vec![mapping("clean", "clean")], limits, at(0));
    let flows = [1, 2].map(|host| {
        let Decision::Forward(leaving) = up(&mut relay, at(0), host, 10) else { panic!("not forwarded") };
        leaving.flow
    });
    down(&mut relay, at(0), flows[0], 10);
    relay.take_events();
    relay.handle_timeout(at(5_000));
    assert_eq!(relay.take_events(), flows.map(|flow| Event::FlowClosed { flow, mapping: 0 }));
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

/// Neither an eviction nor a look for idle flows goes through the table.
#[test]
fn a_full_table_costs_a_new_flow_and_an_idle_second_no_more_than_an_empty_one() {
    const FLOWS: u32 = 20_000;
    let limits = Limits { flows: FLOWS as usize, new_flows_per_second: u32::MAX, ..Limits::default() };
    let mut relay = Relay::new(vec![mapping("clean", "clean")], limits, at(0));
    let open = |relay: &mut Relay, milli, host| {
        let Decision::Forward(leaving) = up(relay, at(milli), host, 10) else { panic!("not forwarded") };
        leaving.flow
    };
    let flows: Vec<FlowId> = (0..FLOWS).map(|host| open(&mut relay, i64::from(host), host)).collect();
    assert_eq!(relay.flows.looked_at, 0);
    // Each has sent again when a new one comes, the first one last: the second one was silent for longest.
    (1..FLOWS).chain([0]).for_each(|host| _ = up(&mut relay, at(25_000), host, 10));
    up(&mut relay, at(25_001), 0, 10);
    relay.take_events();
    open(&mut relay, 25_002, FLOWS);
    let evicted = Event::FlowClosed { flow: flows[1], mapping: 0 };
    assert_eq!((relay.take_events()[0], relay.flows.looked_at), (evicted, 1));
    // A listed end is reached once; then it is as late as the flow's own.
    (25_003..50_000).for_each(|milli| relay.handle_timeout(at(milli)));
    assert_eq!(relay.flows.looked_at, 1 + u64::from(FLOWS) - 1);
    assert_eq!((relay.flow_count(), relay.counters(0).flows), (FLOWS as usize, u64::from(FLOWS)));
    relay.handle_timeout(at(55_002));
    assert_eq!((relay.flow_count(), relay.counters(0).flows), (0, 0));
    assert_eq!(relay.flows.looked_at, 2 * u64::from(FLOWS));
}
