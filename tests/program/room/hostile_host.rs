//! A member whose client does what it likes in an order.

use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::json;
use udpecho::net::{RoomReceiver, RoomSender, join_room};
use udpecho::room::{Accepted, Event, Message, OrderEvent, OrderFigures, PortFate, ReportedSecond, WayProbe};

use super::{Room, order};

/// Eve, who accepts everything.
fn eve(room: &Room) -> (RoomSender, RoomReceiver) {
    let (mut sender, receiver) = join_room(([127, 0, 0, 1], room.port).into(), &[0; 32]).unwrap();
    let accept = Accepted::UpTo { bits_per_second: 1e12, seconds: 60.0 };
    for message in [Message::Agent(true), Message::Accept(accept), Message::Name("eve".to_owned())] {
        sender.send(&message).unwrap();
    }
    (sender, receiver)
}

#[test]
fn nonsense_of_a_host_reaches_no_terminal_and_few_datagrams_go_where_it_points() {
    let room = Room::start("");
    let port = room.port;
    let folder = tempfile::tempdir().unwrap();
    let _bea = room.agent(folder.path(), "--name bea");
    let mut anna = room.member("anna");
    let (mut sender, mut receiver) = eve(&room);
    anna.line_with("eve has joined the chat!");
    let victim = UdpSocket::bind("127.0.0.1:0").unwrap();
    victim.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let (stop, stopped) = channel::<()>();
    let pointed = victim.local_addr().unwrap();
    std::thread::scope(|scope| {
        let counting = scope.spawn(move || {
            let (mut count, mut buffer) = (0, [0; 2_048]);
            while stopped.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) {
                let Ok(length) = victim.recv(&mut buffer) else { continue };
                assert_eq!(length, WayProbe::LENGTH);
                count += 1;
            }
            count
        });
        scope.spawn(move || {
            while let Ok(event) = receiver.next_event() {
                let Event::Order(event) = event else { continue };
                misbehave(&event, pointed).iter().for_each(|message| drop(sender.send(message)));
                if matches!(event, OrderEvent::Close { .. }) {
                    return;
                }
            }
        });
        let ordered = order(port, "/ping bea eve -n 5 -i 10ms");
        // Bea is measured to the room, as with any host that no datagram reaches.
        assert_eq!(ordered.code, Some(0), "{ordered:#?}");
        drop(stop);
        let count = counting.join().unwrap();
        assert!((1..=60).contains(&count), "{count} datagrams in two seconds");
    });
    let lines = anna.lines_until_now();
    let is_plain = |line: &String| line.len() < 600 && !line.contains(char::is_control);
    assert!(lines.iter().all(is_plain), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("-- #1 bea to the room: 5 sent")), "{lines:#?}");
    assert!(lines.iter().all(|line| !line.contains("open")), "{lines:#?}");
}

/// Everything a host may say, and more.
fn misbehave(event: &OrderEvent, pointed: SocketAddr) -> Vec<Message> {
    let order = 1;
    let everything = [(PortFate::Open, "1-1024".parse().unwrap())].into();
    match event {
        OrderEvent::Prepare { .. } => {
            let claimed = ["224.0.0.1:4000", "255.255.255.255:4000", "127.0.0.1:53", "[::1]:22"];
            let mut candidates: Vec<SocketAddr> = claimed.iter().map(|text| text.parse().unwrap()).collect();
            candidates.extend([pointed; 40]);
            vec![
                Message::Found { order, at: "192.0.2.1:1".parse().unwrap() },
                Message::Addresses { order, candidates, port_varies: false },
            ]
        }
        OrderEvent::MeasureRoom { .. } => {
            let figures = OrderFigures {
                sent: u64::MAX,
                rtt_p50_us: Some(1e300),
                rtt_p99_us: Some(-1.0),
                failed: None,
                ..OrderFigures::default()
            };
            let reasons = vec!["\x1b[2J\u{202e}".repeat(90), "x".repeat(3_000)];
            let second = ReportedSecond { reasons, figures: json!({"second": "none", "deep": [[[]]]}) };
            vec![
                Message::Knocked { order, ports: everything },
                Message::Second { order, second },
                Message::Result { order, figures },
                Message::Result { order: 99, figures: OrderFigures::failed("\x1b[2J") },
                Message::Recorded { order },
            ]
        }
        _ => Vec::new(),
    }
}
