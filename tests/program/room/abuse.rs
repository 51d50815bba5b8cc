//! Peers that misbehave, by mistake or on purpose: nobody else notices.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use super::{Peer, Room};

/// Whether the room still answers one member's line to another.
fn assert_alive(anna: &mut Peer, room: &Room) {
    let mut bea = room.member("bea");
    bea.send("@anna still there?\n");
    // bea-2, as long as the last one has not left.
    anna.line_with(" to anna: still there?");
}

#[test]
fn a_thousand_connections_leave_the_members_alone() {
    let room = Room::start("");
    let mut anna = room.member("anna");
    let port = room.port;
    let open: Vec<TcpStream> =
        (0..1_000).map(|_| TcpStream::connect(("127.0.0.1", port)).expect("a connection")).collect();
    anna.send("hello\n");
    assert_eq!(anna.line(), "anna: hello");
    drop(open);
    assert_alive(&mut anna, &room);
}

#[test]
fn a_member_beyond_the_rate_is_told_once_and_what_others_say_arrives() {
    let room = Room::start("");
    let mut anna = room.member("anna");
    let mut spammer = room.member("spam");
    spammer.send(&"buy\n".repeat(30));
    spammer.line_with("-- too fast: 3 lines and 4 kB a second; what you send meanwhile is dropped");
    assert_alive(&mut anna, &room);
}

#[test]
fn a_hundred_megabytes_without_an_end_of_line_take_no_memory_and_no_time_of_others() {
    let room = Room::start("");
    let mut anna = room.member("anna");
    let mut endless = room.member("endless").stream;
    let sending = thread::spawn(move || {
        // Until the room ends: it reads no faster than it drops.
        while endless.write_all(&[b'x'; 65_536]).is_ok() {}
    });
    for _ in 0..3 {
        assert_alive(&mut anna, &room);
    }
    let resident = resident_kilobytes(room.process.pid());
    assert!(resident < 100_000, "{resident} kB");
    drop(room);
    sending.join().unwrap();
}

pub fn resident_kilobytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    resident.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[test]
fn a_member_that_never_reads_is_disconnected_and_delays_nobody() {
    let room = Room::start("");
    let mut anna = room.member("anna");
    let slow = room.member("slow");
    let line = "x".repeat(3_900) + "\n";
    let mut talkers: Vec<Peer> = Vec::new();
    let mut told = false;
    // Each says what its burst allows: together more than the sockets and the queue of one member hold.
    for number in 0..60 {
        let mut talker = room.member(&format!("talker{number}"));
        talker.send(&line.repeat(4));
        talkers.push(talker);
        let own = format!("talker{number}: xxx");
        loop {
            let shown = anna.line();
            told |= shown == "-- slow was disconnected: did not read what was sent";
            if shown.starts_with(&own) {
                break;
            }
        }
    }
    assert!(told);
    drop(slow);
}

#[test]
fn a_peer_of_one_byte_a_packet_and_one_without_a_name_are_survived() {
    let room = Room::start("");
    let mut anna = room.member("anna");
    let mut dripping = room.connect();
    for byte in b"bea\nhello\n" {
        dripping.stream.write_all(&[*byte]).unwrap();
        thread::sleep(std::time::Duration::from_millis(1));
    }
    assert_alive(&mut anna, &room);
    let mut nameless = room.connect();
    nameless.line();
    assert_eq!(nameless.rest(), "-- disconnected: gave no name within 10 s\n");
}

#[test]
fn a_client_of_tls_gets_an_alert_and_takes_no_place() {
    const HELLO: [u8; 11] = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3];
    let room = Room::start("");
    let mut anna = room.member("anna");
    let mut browser = room.connect().stream;
    browser.write_all(&HELLO).unwrap();
    let mut alert = Vec::new();
    let _ = browser.read_to_end(&mut alert);
    assert_eq!(alert, [0x15, 3, 1, 0, 2, 2, 40]);
    anna.send("hello\n");
    assert_eq!(anna.line(), "anna: hello");
}
