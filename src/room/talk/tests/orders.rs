//! Orders from the line of a member to the news for all.

use std::net::IpAddr;

use super::*;
use crate::room::event::Role;
use crate::room::{
    Accepted, ContentHash, Direction, FileKind, FileName, Knocked, Offer, Offered, Opened, OrderEvent,
    OrderFigures, PortFate, PortSet, ReportedSecond,
};

fn clients(names: &[&str]) -> (Room, Vec<ConnectionId>) {
    let mut room = Room::new([7; 32]);
    let ids: Vec<ConnectionId> = names
        .iter()
        .zip(1..)
        .map(|(name, last)| {
            let connecting = Connecting { role: Role::Member, via: Via::Client, ..guest(last) };
            let id = room.connect(at(0), connecting).unwrap();
            room.hear(at(0), id, name);
            id
        })
        .collect();
    ids.iter().for_each(|id| drop(room.take_events(*id)));
    (room, ids)
}

fn instructions(room: &mut Room, id: ConnectionId) -> Vec<OrderEvent> {
    let orders = room.take_events(id).into_iter().filter_map(|event| match &*event {
        Event::Order(order) if !order.is_for_all() => Some(order.clone()),
        _ => None,
    });
    orders.collect()
}

fn message(room: &mut Room, millis: i64, id: ConnectionId, message: &Message) {
    assert!(room.hear_message(at(millis), id, &message.line()));
}

#[test]
fn an_order_goes_its_way_from_consent_to_the_result() {
    let (mut room, ids) = clients(&["anna", "bea", "carl"]);
    let watching = room.connect(at(0), guest(9)).unwrap();
    room.hear(at(0), watching, "guest");
    drop(shown_to(&mut room, watching));
    message(&mut room, 0, ids[1], &Message::Accept(Accepted::UpTo { bits_per_second: 1e6, seconds: 30.0 }));
    room.hear(at(0), ids[0], "/ping bea carl -n 10 -i 20ms");
    let line = "-- #1 bea to carl: 10 probes, every 20 ms, 432 kbit/s for 0.2 s. asked carl";
    assert_eq!(shown_to(&mut room, watching), [line]);
    room.hear(at(0), ids[1], "/yes 1");
    assert_eq!(shown_to(&mut room, ids[1]).last().map(String::as_str), Some("-- nobody asks you about #1"));
    assert_eq!(instructions(&mut room, ids[2]), [OrderEvent::Ask { order: 1 }]);
    room.hear(at(1_000), ids[2], "/yes 1");
    let keys: Vec<String> = [1, 2]
        .map(|index| match &instructions(&mut room, ids[index])[..] {
            [OrderEvent::Prepare { order: 1, key, answers, .. }] => {
                assert_eq!(*answers, index == 2);
                key.clone()
            }
            other => panic!("{other:?}"),
        })
        .into();
    assert_eq!((keys[0].len(), &keys[0]), (64, &keys[1]));
    let [own, other] = [1, 2].map(|last| std::net::SocketAddr::from(([10, 0, 0, last], 4_000)));
    for (id, address) in [(ids[1], own), (ids[2], other)] {
        let candidates = vec![address];
        message(&mut room, 1_010, id, &Message::Addresses { order: 1, candidates, port_varies: false });
    }
    assert_eq!(instructions(&mut room, ids[1]), [OrderEvent::FindWay { order: 1, candidates: vec![other] }]);
    message(&mut room, 1_100, ids[1], &Message::Found { order: 1, at: other });
    assert!(matches!(instructions(&mut room, ids[1])[..], [OrderEvent::Measure { to, .. }] if to == other));
    assert_eq!(shown_to(&mut room, watching), ["-- #1 carl agrees, direct (members see the addresses)"]);
    assert!(shown_to(&mut room, ids[0]).contains(&"-- #1 carl agrees, direct to 10.0.0.2:4000".to_owned()));
    let second = |reasons: &[&str]| {
        let reasons = reasons.iter().map(|reason| (*reason).to_owned()).collect();
        Message::Second { order: 1, second: ReportedSecond { reasons, figures: serde_json::json!({}) } }
    };
    message(&mut room, 2_000, ids[2], &second(&["steal 9 %"]));
    message(&mut room, 3_000, ids[2], &second(&["steal 12 %"]));
    message(&mut room, 4_000, ids[2], &second(&[]));
    // Nobody else speaks for the measuring host.
    let figures = OrderFigures { sent: 10, on_time: 10, ..Default::default() };
    message(&mut room, 4_000, ids[0], &Message::Result { order: 1, figures: figures.clone() });
    assert_eq!(shown_to(&mut room, watching), Vec::<String>::new());
    message(&mut room, 4_000, ids[1], &Message::Recorded { order: 1 });
    message(&mut room, 4_000, ids[1], &Message::Result { order: 1, figures: figures.clone() });
    assert_eq!(shown_to(&mut room, watching), ["-- #1 10 sent, 10 on time"]);
    // The order ends with its run on the shelf; what happens meanwhile is no part of the measurement.
    message(&mut room, 5_000, ids[1], &Message::Result { order: 1, figures: figures.clone() });
    message(&mut room, 5_000, ids[2], &second(&["steal 99 %"]));
    put_run(&mut room, ids[1], 1);
    message(&mut room, 6_000, ids[2], &Message::Recorded { order: 1 });
    assert_eq!(shown_to(&mut room, watching), ["-- bea put on the shelf: run 1: order-1, 5 B"]);
    message(&mut room, 6_000, ids[1], &Message::Recorded { order: 1 });
    let told = room.take_events(watching);
    let busy = "-- #1 carl was BUSY: steal 12 % in 2 of 3 s: suspect the host first";
    assert_eq!(told.iter().map(|event| event.text()).collect::<Vec<_>>(), [busy, "", ""]);
    let Event::Measured(summary) = &*told[1] else { panic!("{told:?}") };
    assert_eq!((summary.order, summary.by.as_str(), &summary.runs[..]), (1, "anna", &[1][..]));
    assert_eq!((summary.results.len(), &summary.results[0].figures), (1, &figures));
    assert_eq!(summary.hosts.iter().map(|host| (host.busy, host.seconds)).collect::<Vec<_>>(), [(2, 3)]);
    let carls = instructions(&mut room, ids[2]);
    assert_eq!(
        carls,
        [OrderEvent::FindWay { order: 1, candidates: vec![own] }, OrderEvent::Close { order: 1 }]
    );
}

#[test]
fn an_answering_host_that_cannot_answer_is_named_at_once() {
    let (mut room, ids) = clients(&["anna", "bea", "carl"]);
    for (order, to, failed) in [(1, ids[1], true), (2, ids[1], false), (3, ids[2], true)] {
        // Within the flood limit.
        let now = 10_000 * i64::from(order);
        let bounds = Accepted::UpTo { bits_per_second: 1e6, seconds: 30.0 };
        message(&mut room, now, ids[1], &Message::Accept(bounds));
        room.hear(at(now), ids[0], "/ping bea");
        let address = std::net::SocketAddr::from(([10, 0, 0, 2], 4_000));
        for id in &ids[..2] {
            let candidates = vec![address];
            message(&mut room, now, *id, &Message::Addresses { order, candidates, port_varies: false });
        }
        message(&mut room, now, ids[0], &Message::Found { order, at: address });
        drop(room.take_events(ids[2]));
        let figures = if failed { OrderFigures::failed("no\u{1b} port") } else { OrderFigures::default() };
        message(&mut room, now, to, &Message::Result { order, figures });
        let ended = format!("-- #{order} ended: bea cannot answer: no\\u{{1b}} port");
        let told = shown_to(&mut room, ids[2]);
        // Neither a result of its own nor the word of a third one ends it.
        assert_eq!(told, if order == 1 { vec![ended] } else { Vec::new() }, "{order}");
        room.hear(at(now), ids[0], &format!("/stop {order}"));
        drop(room.take_events(ids[2]));
    }
}

#[test]
fn without_a_way_each_is_measured_to_the_room_and_a_host_that_leaves_ends_the_order() {
    let (mut room, ids) = clients(&["anna", "bea"]);
    message(&mut room, 0, ids[1], &Message::Accept(Accepted::UpTo { bits_per_second: 1e6, seconds: 30.0 }));
    for (order, begin) in [(1, 0), (2, 10_000)] {
        room.hear(at(begin), ids[0], "/ping bea");
        for id in &ids {
            message(
                &mut room,
                begin,
                *id,
                &Message::Addresses { order, candidates: vec![], port_varies: false },
            );
        }
        room.handle_timeout(at(begin + 2_000));
        assert!(
            instructions(&mut room, ids[1])
                .iter()
                .any(|event| matches!(event, OrderEvent::MeasureRoom { .. }))
        );
        let shown = shown_to(&mut room, ids[0]);
        let none = format!(
            "-- #{order} bea agrees, no direct way: each is measured to the room, not the path between them"
        );
        assert!(shown.contains(&none), "{shown:#?}");
        if order == 1 {
            for id in &ids {
                message(&mut room, 2_000, *id, &Message::Result { order, figures: Default::default() });
                message(&mut room, 2_000, *id, &Message::Recorded { order });
            }
            let shown = shown_to(&mut room, ids[1]);
            assert!(shown.contains(&"-- #1 anna to the room: 0 sent, 0 on time".to_owned()), "{shown:#?}");
        }
    }
    room.disconnect(ids[1]);
    let shown = shown_to(&mut room, ids[0]);
    assert!(shown.contains(&"-- #2 ended: one of the two left".to_owned()), "{shown:#?}");
}

fn ports(text: &str) -> PortSet {
    text.parse().unwrap()
}

#[test]
fn a_check_of_ports_tells_what_both_hosts_found_and_no_host_speaks_for_another() {
    let (mut room, ids) = clients(&["anna", "bea", "carl"]);
    room.set_second_port(Some(33_001));
    for id in &ids {
        message(&mut room, 0, *id, &Message::Accept(Accepted::UpTo { bits_per_second: 1e6, seconds: 30.0 }));
    }
    room.hear(at(0), ids[0], "/ports bea carl 33000-33004 udp");
    assert_eq!(
        shown_to(&mut room, ids[0]),
        ["-- #1 bea to carl: UDP ports 33000-33004, 5 s at most. carl accepts"]
    );
    assert!(matches!(
        instructions(&mut room, ids[1])[..],
        [OrderEvent::Prepare { second_port: Some(33_001), .. }]
    ));
    let opened = |busy: &str| Opened { busy: ports(busy), denied: ports("") };
    message(&mut room, 0, ids[2], &Message::Opened { order: 1, opened: opened("33000") });
    message(&mut room, 0, ids[1], &Message::Opened { order: 1, opened: opened("33001-33004") });
    for id in [ids[1], ids[2]] {
        message(&mut room, 10, id, &Message::Addresses { order: 1, candidates: vec![], port_varies: false });
    }
    // No datagram comes through: carl is asked where the room sees it, which guests are not told.
    room.handle_timeout(at(2_010));
    let at_carl = IpAddr::from([10, 0, 0, 3]);
    let knock = OrderEvent::Knock { order: 1, at: at_carl, ports: ports("33001-33004") };
    assert_eq!(instructions(&mut room, ids[1])[1..], [knock]);
    message(&mut room, 2_500, ids[2], &Message::Heard { order: 1, ports: ports("33002-33003, 80") });
    message(&mut room, 2_500, ids[1], &Message::Heard { order: 1, ports: ports("33004") });
    let knocked: Knocked =
        [(PortFate::Open, ports("33001-33002, 443")), (PortFate::Filtered, ports("33003-33004"))].into();
    for id in [ids[0], ids[2], ids[1]] {
        message(&mut room, 5_000, id, &Message::Knocked { order: 1, ports: knocked.clone() });
    }
    let told = room.take_events(ids[0]);
    let Some(Event::Measured(summary)) = told.iter().rev().nth(1).map(|event| &**event) else {
        panic!("{told:?}")
    };
    let found = summary.ports.as_ref().unwrap();
    assert_eq!(
        (found.count(PortFate::Open), found.count(PortFate::Busy), &summary.results[..]),
        (2, 1, &[][..])
    );
    assert_eq!(
        told.iter().map(|event| event.text()).filter(|text| !text.is_empty()).collect::<Vec<_>>(),
        [
            "-- #1 carl agrees, no datagram comes through; its ports are asked at 10.0.0.3, where the room sees it",
            "-- #1 UDP ports 33000-33004: 2 open (33001-33002), 1 filtered (33004), \
             1 filtered on the way back (33003), 1 busy at carl (33000)"
        ]
    );
    assert!(instructions(&mut room, ids[2]).contains(&OrderEvent::Close { order: 1 }));
}

#[test]
fn the_address_of_a_host_in_the_rooms_own_network_is_not_asked_from_elsewhere() {
    let (mut room, mut ids) = clients(&["anna", "bea"]);
    let far =
        Connecting { source: [192, 0, 2, 7].into(), role: Role::Member, via: Via::Agent, encrypted: true };
    ids.push(room.connect(at(0), far).unwrap());
    room.hear(at(0), ids[2], "carl");
    room.hear(at(1), ids[2], "/ports bea 22");
    room.hear(at(1), ids[1], "/yes 1");
    for id in [ids[1], ids[2]] {
        message(&mut room, 10, id, &Message::Addresses { order: 1, candidates: vec![], port_varies: false });
    }
    room.handle_timeout(at(2_010));
    assert_eq!(
        shown_to(&mut room, ids[0]).last().map(String::as_str),
        Some(
            "-- #1 ended: no datagram comes through, and the room sees bea at an address that is not its own for carl"
        )
    );
}

#[test]
fn a_host_that_stands_still_during_an_order_is_named() {
    let (mut room, ids) = clients(&["anna", "bea"]);
    message(&mut room, 0, ids[1], &Message::Accept(Accepted::UpTo { bits_per_second: 1e6, seconds: 30.0 }));
    room.hear(at(0), ids[0], "/ping bea -n 500 --rate 100");
    for id in &ids {
        message(&mut room, 0, *id, &Message::Addresses { order: 1, candidates: vec![], port_varies: false });
    }
    message(&mut room, 0, ids[0], &Message::Found { order: 1, at: ([10, 0, 0, 2], 4_000).into() });
    drop(shown_to(&mut room, ids[0]));
    let second = ReportedSecond { reasons: Vec::new(), figures: serde_json::json!({}) };
    for millis in [1_000, 2_000, 3_000, 4_000, 5_000] {
        let second = Message::Second { order: 1, second: second.clone() };
        if millis < 3_000 {
            message(&mut room, millis, ids[1], &second);
        }
        message(&mut room, millis, ids[0], &second);
    }
    let figures = OrderFigures { sent: 500, on_time: 200, lost_up: 300, ..Default::default() };
    message(&mut room, 6_000, ids[0], &Message::Result { order: 1, figures });
    message(&mut room, 6_500, ids[0], &Message::Recorded { order: 1 });
    assert_eq!(
        shown_to(&mut room, ids[0]),
        [
            "-- #1 500 sent, 200 on time, lost up 300",
            "-- #1 bea was BUSY: no sign of life for 4 s in 4 of 6 s: suspect the host first"
        ]
    );
}

#[test]
fn an_order_that_cannot_be_is_refused_to_its_member_alone() {
    let (mut room, ids) = clients(&["anna", "bea"]);
    let guest = room.connect(at(0), guest(9)).unwrap();
    room.hear(at(0), guest, "gast");
    message(&mut room, 0, ids[1], &Message::Accept(Accepted::UpTo { bits_per_second: 1e5, seconds: 30.0 }));
    drop((shown_to(&mut room, ids[0]), shown_to(&mut room, ids[1]), shown_to(&mut room, guest)));
    for (second, line, why) in [
        (1, "/ping carl", "-- carl is not here; /who lists who is"),
        (2, "/ping gast", "-- gast cannot measure: only members with udpecho join can"),
        (3, "/ping anna anna", "-- a host is not measured to itself"),
        (4, "/ping bea -n 2000", "-- an order takes at most 60 s"),
        (5, "/ping bea -n x", "-- 'x' for -n: must be a number of probes"),
        (6, "/ping bea -i 1us", "-- an order has at least 1 probe, every 1 ms or more, of 80 to 1400 bytes"),
        (
            6,
            "/ping bea --rate 2k",
            "-- an order has at least 1 probe, every 1 ms or more, of 80 to 1400 bytes",
        ),
        (
            6,
            "/ping bea --find-rate",
            "-- a search for a rate is no order: use udpecho serve and ping --find-rate",
        ),
        (7, "/stop 7", "-- you have no order #7 to stop"),
        (8, "/ports bea 1-600", "-- an order asks at most 512 ports"),
        (
            9,
            "/ports bea 9-8",
            "-- '9-8': a range goes from a port to a higher one, within 1 to 65535; for example 33000-33119",
        ),
    ] {
        room.hear(at(second * 1_000), ids[0], line);
        assert_eq!(shown_to(&mut room, ids[0]), [why], "{line}");
    }
    for (second, line) in [(10, "/ping bea"), (11, "/ports anna bea 22")] {
        room.hear(at(second * 1_000), guest, line);
        let why = "-- only members can do this: join with udpecho join and the room's key";
        assert_eq!(shown_to(&mut room, guest), [why]);
    }
    assert_eq!(shown_to(&mut room, ids[1]), Vec::<String>::new());
}

/// A host offers the run of an order and sends it.
fn put_run(room: &mut Room, host: ConnectionId, order: u32) {
    room.set_shelf(Shelf::new([1; 32], 100));
    let (name, hash) = (FileName::nearest(&format!("order-{order}")), Some(ContentHash::of(b"hello")));
    let offer = Offer { name, bytes: 5, to: None, kind: FileKind::Run, order: Some(order), hash };
    let Ok(Offered::Upload(transfer)) = room.offer_file(at(5_000), host, offer) else { panic!("no upload") };
    room.begin_transfer(at(5_000), transfer.ticket.as_str(), Direction::Put).unwrap();
    room.finish_upload(transfer.file.number, ContentHash::of(b"hello")).unwrap();
}

#[test]
fn sixteen_orders_wait_at_most() {
    let (mut room, ids) = clients(&["anna", "bea"]);
    for second in 0..17 {
        room.hear(at(second * 1_000), ids[0], "/ping bea");
    }
    let told = shown_to(&mut room, ids[0]);
    assert_eq!(told.iter().filter(|line| line.ends_with(". queued")).count(), 15);
    assert_eq!(told.last().map(String::as_str), Some("-- 16 orders wait already; try again later"));
}

#[test]
fn only_a_host_of_an_order_puts_its_run_on_the_shelf() {
    let (mut room, ids) = clients(&["anna", "bea", "carl"]);
    message(&mut room, 0, ids[1], &Message::Accept(Accepted::UpTo { bits_per_second: 1e6, seconds: 30.0 }));
    room.hear(at(0), ids[0], "/ping bea");
    for (host, order) in [(ids[0], Some(1)), (ids[1], Some(1)), (ids[2], None)] {
        put_run(&mut room, host, 1);
        assert_eq!(room.files_for(ids[2])[0].order, order);
    }
}

#[test]
fn an_offer_without_a_place_is_refused_by_its_name() {
    let (mut room, ids) = clients(&["anna"]);
    let hash = Some(ContentHash::of(b"x"));
    let offer = Offer {
        name: FileName::nearest("a.txt"),
        bytes: 1,
        to: None,
        kind: FileKind::File,
        order: None,
        hash,
    };
    message(&mut room, 0, ids[0], &Message::Offer(offer));
    let told = room.take_events(ids[0]);
    assert!(matches!(&*told[0], Event::NotShelved { hash: told, .. } if *told == hash));
    let text =
        "-- a.txt is not put on the shelf: the shelf has room for 0 more of its 0 bytes; this file takes 1";
    assert_eq!(told[0].text(), text);
}

#[test]
fn a_host_that_leaves_after_its_result_has_done_its_part() {
    let (mut room, ids) = clients(&["anna", "bea"]);
    message(&mut room, 0, ids[1], &Message::Accept(Accepted::UpTo { bits_per_second: 1e6, seconds: 30.0 }));
    room.hear(at(0), ids[0], "/ping bea");
    let at_bea = std::net::SocketAddr::from(([10, 0, 0, 2], 4_000));
    for id in &ids {
        message(&mut room, 0, *id, &Message::Addresses { order: 1, candidates: vec![], port_varies: false });
    }
    message(&mut room, 0, ids[0], &Message::Found { order: 1, at: at_bea });
    message(&mut room, 0, ids[0], &Message::Result { order: 1, figures: Default::default() });
    drop(room.take_events(ids[1]));
    room.disconnect(ids[0]);
    let told = room.take_events(ids[1]);
    assert!(
        told.iter().any(|event| matches!(&**event, Event::Order(OrderEvent::Done { order: 1 }))),
        "{told:?}"
    );
    assert!(told.iter().any(|event| matches!(&**event, Event::Measured(_))), "{told:?}");
}
