//! Members and their events, in virtual time.

mod orders;

use proptest::prelude::*;

use std::net::IpAddr;

use super::*;
use crate::room::event::Role;

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
fn no_name_looks_like_the_begin_of_a_line_of_the_room() {
    let (mut room, ids) = room(&["anna", "--", "-x"]);
    assert_eq!(room.name(ids[1]), None);
    room.hear(at(0), ids[0], "/name --");
    room.hear(at(0), ids[2], "@anna #4 bea agrees");
    let shown = shown_to(&mut room, ids[0]);
    assert_eq!(shown.last().map(String::as_str), Some("x to anna: #4 bea agrees"));
}

#[test]
fn before_a_name_people_can_leave_and_a_command_is_no_name() {
    let mut room = Room::new([7; 32]);
    let anna = room.connect(at(0), guest(1)).unwrap();
    room.hear(at(0), anna, "/help");
    assert_eq!(shown_to(&mut room, anna)[1..], ["-- first give a name; for example anna"]);
    room.hear(at(0), anna, "{quit}\n");
    assert_eq!(shown_to(&mut room, anna), ["{quit}"]);
    assert!(room.is_closed(anna));
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
fn connections_that_wait_for_a_name_do_not_overfill_the_room() {
    let names: Vec<String> = (0..62).map(|n| format!("m{n}")).collect();
    let (mut room, _) = room(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let late: Vec<ConnectionId> = (0..4).map(|n| room.connect(at(0), guest(200 + n)).unwrap()).collect();
    late.iter().for_each(|id| drop(room.take_events(*id)));
    for id in &late[..3] {
        room.hear(at(0), *id, "late");
    }
    room.hear_message(at(0), late[3], r#"{"name":"later"}"#);
    assert_eq!(room.here().len(), 64);
    for id in &late[2..] {
        assert_eq!(shown_to(&mut room, *id), ["-- the room is full: 64 members are here", "{quit}"]);
    }
    assert_eq!(room.counters().refused, 2);
}

#[test]
fn loads_of_many_hosts_weigh_as_much_as_they_are_long() {
    let names: Vec<String> = (0..60).map(|n| format!("m{n}")).collect();
    let (mut room, ids) = room(&names.iter().map(String::as_str).collect::<Vec<_>>());
    ids.iter().for_each(|id| room.set_load(*id, &"\u{10FFFF}".repeat(300)));
    assert!((0..9).all(|_| room.hear(at(0), ids[0], "/load")));
    let told: usize = room.take_events(ids[0]).iter().map(|event| event.json().len()).sum();
    assert!(told < 2 * Room::QUEUED_BYTES, "{told}");
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
