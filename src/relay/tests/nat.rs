//! NAT between the relay and the server.

use super::*;

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
