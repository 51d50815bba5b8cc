//! The models at work on datagrams: MTU, outages, ECN, selection, copies.

use super::*;

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
