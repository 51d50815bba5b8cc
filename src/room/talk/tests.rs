//! What members are shown, in virtual time.

use proptest::prelude::*;

use std::net::IpAddr;

use super::*;
use crate::room::event::Role;
use crate::room::{
    Accepted, ContentHash, Direction, FileKind, FileName, Offer, Offered, OrderEvent, ReportedSecond,
};

fn at(millis: i64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

fn guest(last: u8) -> Connecting {
    let source = IpAddr::from([10, 0, 0, last]);
    Connecting { source, role: Role::Guest, via: Via::Text, encrypted: false }
}

fn room(names: &[&str]) -> (Room, Vec<ConnectionId>) {
    let mut room = Room::new([7; 32]);
    let ids: Vec<ConnectionId> = names
        .iter()
        .zip(1..)
        .map(|(name, last)| {
            let id = room.connect(at(0), guest(last)).unwrap();
            room.hear(at(0), id, name);
            id
        })
        .collect();
    ids.iter().for_each(|id| drop(room.take_events(*id)));
    (room, ids)
}

fn shown_to(room: &mut Room, id: ConnectionId) -> Vec<String> {
    room.take_events(id)
        .iter()
        .flat_map(|event| event.text().lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn two_members_meet_as_in_the_transcript() {
    let mut room = Room::new([7; 32]);
    let anna = room.connect(at(0), guest(1)).unwrap();
    assert_eq!(shown_to(&mut room, anna), ["Greetings from the cave! Now type your name and press enter!"]);
    room.hear(at(0), anna, "anna");
    assert_eq!(
        shown_to(&mut room, anna),
        [
            "Welcome anna! If you ever want to quit, type {quit} to exit.",
            "-- here: nobody else. Not encrypted; you are a guest. /help"
        ]
    );
    let dora = room.connect(at(0), guest(2)).unwrap();
    room.hear(at(0), dora, "dora\n");
    assert_eq!(shown_to(&mut room, anna), ["dora has joined the chat!"]);
    drop(room.take_events(dora));
    room.hear(at(0), anna, "hello");
    for id in [anna, dora] {
        assert_eq!(shown_to(&mut room, id), ["anna: hello"]);
    }
    room.hear(at(0), dora, "{quit}");
    assert_eq!(shown_to(&mut room, dora), ["{quit}"]);
    assert_eq!(shown_to(&mut room, anna), ["dora has left the chat."]);
    room.disconnect(dora);
    assert_eq!(shown_to(&mut room, anna), Vec::<String>::new());
}

#[test]
fn a_private_message_reaches_its_members_and_its_sender_alone() {
    let (mut room, ids) = room(&["anna", "bea", "carl", "dora"]);
    room.hear(at(0), ids[0], "@bea @CARL: look at #4");
    for id in &ids[..3] {
        assert_eq!(shown_to(&mut room, *id), ["anna to bea, carl: look at #4"]);
    }
    assert!(!room.has_events(ids[3]));
    room.hear(at(0), ids[0], "@nobody hi");
    assert_eq!(shown_to(&mut room, ids[0]), ["-- nobody is not here; /who lists who is"]);
    // Names cost the room a bounded time, and one line.
    room.hear(at(0), ids[0], &format!("{}: hi", "@x ".repeat(1_300).trim_end()));
    let told = shown_to(&mut room, ids[0]);
    assert!(told.len() == 1 && told[0].matches('x').count() == Room::MEMBERS, "{told:?}");
    assert!(ids[1..].iter().all(|id| !room.has_events(*id)));
}

#[test]
fn no_line_of_a_member_looks_like_a_line_of_the_room() {
    let (mut room, ids) = room(&["anna", "bea"]);
    for forged in ["-- carl was BUSY", "bea has left the chat.", "x\nbea: I agree", "\u{1b}[1A-- yes"] {
        room.hear(at(0), ids[0], forged);
        for line in shown_to(&mut room, ids[1]) {
            assert!(line.starts_with("anna: "), "{line:?}");
        }
    }
}

#[test]
fn a_taken_name_gets_a_number_and_a_bad_one_is_asked_again() {
    let (mut room, _) = room(&["anna"]);
    let second = room.connect(at(0), guest(9)).unwrap();
    room.hear(at(0), second, "<>");
    room.hear(at(0), second, "Anna");
    assert_eq!(room.name(second).map(Name::as_str), Some("Anna-2"));
    room.hear(at(0), second, "/name anna");
    assert_eq!(shown_to(&mut room, second).last().map(String::as_str), Some("-- anna is here already"));
    room.hear(at(0), second, "/name bea");
    assert_eq!(shown_to(&mut room, second), ["-- Anna-2 is bea now"]);
}

#[test]
fn places_are_limited_by_members_by_source_and_by_names_not_given() {
    let mut room = Room::new([7; 32]);
    for _ in 0..Room::PER_SOURCE {
        room.connect(at(0), guest(1)).unwrap();
    }
    assert_eq!(room.connect(at(0), guest(1)), Err(NoRoom::Source { most: 8 }));
    for last in 2..=25 {
        room.connect(at(0), guest(last)).unwrap();
    }
    assert_eq!(room.connect(at(0), guest(26)), Err(NoRoom::Unnamed));
    // Ten seconds later those without a name are gone.
    assert_eq!(room.poll_timeout(), Some(at(10_000)));
    room.handle_timeout(at(10_000));
    assert!(room.connect(at(10_000), guest(26)).is_ok());
}

#[test]
fn a_full_room_says_so() {
    let names: Vec<String> = (0..64).map(|n| format!("m{n}")).collect();
    let (mut room, _) = room(&names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(room.here().len(), 64);
    assert_eq!(room.connect(at(0), guest(200)), Err(NoRoom::Members { most: 64 }));
}

#[test]
fn who_does_not_read_is_disconnected_and_the_others_are_told() {
    let (mut room, ids) = room(&["anna", "slow"]);
    let mut told = Vec::new();
    for second in 0..400 {
        for _ in 0..3 {
            room.hear(at(second * 1_000), ids[0], "x");
        }
        told.extend(shown_to(&mut room, ids[0]));
    }
    assert!(told.contains(&"-- slow was disconnected: did not read what was sent".to_owned()));
    let last = room.take_events(ids[1]);
    assert_eq!(last, [Arc::new(Event::Closed { reason: Some(LeftReason::SlowReader) })]);
}

#[test]
fn a_flood_is_dropped_with_one_notice_and_a_minute_of_it_ends_the_membership() {
    let (mut room, ids) = room(&["anna", "bea"]);
    for tick in 0..700 {
        room.hear(at(tick * 100), ids[0], "spam");
        drop(room.take_events(ids[1]));
    }
    let shown = shown_to(&mut room, ids[0]);
    assert_eq!(shown.iter().filter(|line| line.starts_with("-- too fast")).count(), 1);
    assert_eq!(shown.last().map(String::as_str), Some("-- disconnected: sent too much for a minute"));
}

#[test]
fn a_program_gives_a_name_before_it_talks_and_says_how_busy_its_host_is() {
    let (mut room, ids) = room(&["anna"]);
    let program = room.connect(at(0), Connecting { via: Via::Client, ..guest(2) }).unwrap();
    drop(room.take_events(program));
    for (message, answer) in [
        (r#"{"say":"hello"}"#, "-- first give a name: {\"name\":\"anna\"}"),
        (r#"hello"#, "-- no message: expected value at line 1 column 1; for example {\"say\":\"hello\"}"),
    ] {
        assert!(room.hear_message(at(0), program, message));
        assert_eq!(shown_to(&mut room, program), [answer]);
    }
    for message in [r#"{"agent":true}"#, r#"{"name":"bea"}"#, r#"{"load":"busy: steal 12 %\u001b"}"#] {
        assert!(room.hear_message(at(0), program, message));
    }
    drop(room.take_events(ids[0]));
    room.hear(at(0), ids[0], "/load bea");
    assert_eq!(shown_to(&mut room, ids[0]), ["-- bea: busy: steal 12 %\\u{1b}"]);
    room.hear(at(0), ids[0], "/who");
    assert_eq!(shown_to(&mut room, ids[0]), ["-- here: anna (text), bea (agent)"]);
}

#[test]
fn the_operator_is_host_whose_name_nobody_else_gets() {
    let (mut room, ids) = room(&["anna"]);
    let host =
        room.connect(at(0), Connecting { via: Via::Operator, role: Role::Member, ..guest(9) }).unwrap();
    assert_eq!(shown_to(&mut room, ids[0]).last().map(String::as_str), Some("host has joined the chat!"));
    room.hear(at(0), host, "hello");
    assert_eq!(shown_to(&mut room, ids[0]), ["host: hello"]);
    room.hear(at(0), ids[0], "/name host");
    assert_eq!(shown_to(&mut room, ids[0]), ["-- this name is reserved for the room; for example anna"]);
}

#[test]
fn a_room_that_closes_tells_everybody() {
    let (mut room, ids) = room(&["anna", "bea"]);
    room.close_all();
    for id in ids {
        let last = room.take_events(id).pop().unwrap();
        assert_eq!(last.text(), "-- disconnected: the room is closed");
        assert!(room.is_closed(id));
    }
}

#[test]
fn a_huge_line_is_cut_and_says_so() {
    assert!(cut(&"ä".repeat(5_000)).ends_with("...[cut]"));
    assert_eq!(cut("short"), "short");
}

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
        Event::Order(order) if order.for_all().is_none() => Some(order.clone()),
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
    let figures = crate::room::OrderFigures { sent: 10, on_time: 10, ..Default::default() };
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
        "-- a.txt is not put on the shelf: the shelf has room for 0 more of its 0 bytes; this file has 1";
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
        (7, "/stop 7", "-- you have no order #7 to stop"),
    ] {
        room.hear(at(second * 1_000), ids[0], line);
        assert_eq!(shown_to(&mut room, ids[0]), [why], "{line}");
    }
    room.hear(at(8_000), guest, "/ping bea");
    assert_eq!(
        shown_to(&mut room, guest),
        ["-- only members can do this: join with udpecho join and the room's key"]
    );
    assert_eq!(shown_to(&mut room, ids[1]), Vec::<String>::new());
}

#[test]
fn a_line_touches_those_whom_it_reaches_and_a_dropped_one_nobody() {
    let (mut room, ids) = room(&["anna", "bea", "carl"]);
    drop(room.take_touched());
    room.hear(at(0), ids[0], "hello");
    room.hear(at(0), ids[0], "hello again");
    assert_eq!(room.take_touched(), ids);
    room.hear(at(0), ids[1], "@anna psst");
    assert_eq!(room.take_touched(), [ids[0], ids[1]]);
    for _ in 0..20 {
        room.hear(at(0), ids[2], "buy");
    }
    drop(room.take_touched());
    room.hear(at(0), ids[2], "buy");
    assert_eq!(room.take_touched(), []);
}

proptest! {
    /// Whatever is said: private text stays with its members, lines of members begin with a name, and
    /// queues stay bounded.
    #[test]
    fn talk_keeps_its_promises(lines in proptest::collection::vec((0_usize..4, prop_oneof![
        "[a-z @:/{}-]{0,30}", "@(anna|bea|carl|dora)( @(anna|bea))?:? secret", "/[a-z]{1,5} ?[a-z]{0,5}", any::<String>(),
    ]), 0..60)) {
        let (mut room, ids) = room(&["anna", "bea", "carl", "dora"]);
        for (step, (who, line)) in (0_i64..).zip(lines) {
            room.hear(at(step * 400), ids[who], &line);
            for (index, id) in ids.iter().enumerate() {
                for event in room.take_events(*id) {
                    if let Event::Said { from, to, .. } = &*event {
                        let own = |name: &Name| room.name(ids[index]).is_none_or(|own| own == name);
                        prop_assert!(to.is_empty() || own(from) || to.iter().any(own));
                    }
                    let has_escape = event.text().contains(char::from(0x1B));
                    prop_assert!(!has_escape);
                    prop_assert!(serde_json::to_string(&*event).is_ok());
                }
            }
        }
    }
}
