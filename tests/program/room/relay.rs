//! The message relay on the room's UDP port.

use std::net::UdpSocket;
use std::time::Duration;

use udpecho::wire::stun;

use super::Room;
use crate::common::process::{output, python};

fn client(room: &Room) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(("127.0.0.1", room.port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket
}

fn heard(socket: &UdpSocket) -> String {
    let mut datagram = [0; 2_048];
    let length = socket.recv(&mut datagram).unwrap();
    String::from_utf8_lossy(&datagram[..length]).into_owned()
}

fn ask(socket: &UdpSocket, text: &str) -> String {
    socket.send(text.as_bytes()).unwrap();
    heard(socket)
}

#[test]
fn messages_reach_those_who_said_hii_with_a_key_as_well() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "5".repeat(64)).unwrap();
    let keyed = format!("--allow-stop --key-file {}", folder.path().join("key").display());
    for options in ["--allow-stop", &keyed] {
        let room = Room::start(options);
        let [anna, bea] = [client(&room), client(&room)];
        let port = |socket: &UdpSocket| socket.local_addr().unwrap().port();
        let message = format!("to : 127.0.0.1 / {} ; content : hello", port(&bea));
        assert_eq!(ask(&anna, "HII"), format!("('127.0.0.1', {})", port(&anna)));
        assert_eq!(ask(&anna, &message), "405, Could not send the message to the requested address");
        assert_eq!(ask(&bea, "hii"), format!("('127.0.0.1', {})", port(&bea)));
        assert_eq!(ask(&anna, &message), "200, UDP Packet Sent Successfully");
        assert_eq!(heard(&bea), format!("127.0.0.1/{} ; content : hello", port(&anna)));
        assert_eq!(ask(&bea, "hello"), "400");
        anna.send(b"exit server").unwrap();
        assert_eq!(room.process.finish().code, Some(0));
    }
}

#[test]
fn the_closing_lines_count_what_was_answered() {
    let room = Room::start("");
    let [host, anna] = [client(&room), client(&room)];
    host.send(&stun::request([7; 12])).unwrap();
    host.recv(&mut [0; 64]).unwrap();
    ask(&anna, "hii");
    room.process.signal("TERM");
    let finished = room.process.finish();
    assert_eq!(
        finished.stdout[3..],
        [
            "0 joined, 0 lines said",
            "received 2 datagrams, sent 2: no probes",
            "1 STUN request answered, 1 relay message answered",
        ],
        "{finished:#?}"
    );
    let room = Room::start("");
    let probing = client(&room);
    assert_eq!(ask(&probing, "hello"), "hello");
    room.process.signal("TERM");
    let finished = room.process.finish();
    assert!(finished.has_line("received 1 datagram, sent 1: 1 plain probe"), "{finished:#?}");
}

#[test]
fn without_guests_there_is_no_relay_and_without_leave_nobody_stops_the_room() {
    let room = Room::start("--guests none");
    let anna = client(&room);
    // A plain echo, as of any server.
    assert_eq!(ask(&anna, "hii"), "hii");
    let room = Room::start("");
    let anna = client(&room);
    ask(&anna, "hii");
    assert_eq!(ask(&anna, "exit server"), "400");
}

#[test]
fn a_client_in_python_gets_the_codes_and_a_message_to_itself_through_another() {
    crate::needs!(Python);
    let room = Room::start("");
    let mut python = python("room_client.py");
    let other = client(&room);
    ask(&other, "hii");
    let to_other = format!("to:127.0.0.1/{};content:ping", other.local_addr().unwrap().port());
    python.args(["relay", &room.port.to_string(), "hii", "hello", "to:127.0.0.1/1;content:x", &to_other]);
    let answering = std::thread::spawn(move || {
        let message = heard(&other);
        let (from, content) = message.split_once(" ; content : ").unwrap();
        assert_eq!(content, "ping");
        let (ip, port) = from.split_once('/').unwrap();
        ask(&other, &format!("to : {ip} / {port} ; content : pong"))
    });
    let said = String::from_utf8(output(python, "").stdout).unwrap();
    assert_eq!(answering.join().unwrap(), "200, UDP Packet Sent Successfully");
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("answered ('127.0.0.1', "), "{lines:#?}");
    assert_eq!(
        lines[1..4],
        [
            "answered 400",
            "answered 405, Could not send the message to the requested address",
            "answered 200, UDP Packet Sent Successfully"
        ]
    );
    assert!(
        lines[4].starts_with("shown 127.0.0.1/") && lines[4].ends_with(" ; content : pong"),
        "{lines:#?}"
    );
}
