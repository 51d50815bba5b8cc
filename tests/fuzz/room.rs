//! Turns the bytes of a fuzzer into connections to a room: what they send, frames of the encrypted protocol,
//! the JSON of members, orders and the shelf, archives of runs, and datagrams to the message relay.
#![allow(dead_code, reason = "each target uses its own part")]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use udpecho::endpoints::Endpoints;
use udpecho::impair::Impairment;
use udpecho::net::{Frame, Opener, Opening, Sealer, accept_handshake, unpack_run};
use udpecho::reflect::{self, Departure, Incoming, Injection, Server};
use udpecho::room::{
    Command, Connecting, ConnectionId, ContentHash, Direction, Event, FileName, FirstBytes, Framing, Message,
    Name, PortKnock, PortRange, PortSet, Role, Room, Shelf, Ticket, TranscriptLine, Via, WayProbe, shown,
    transcript_page,
};
use udpecho::time::{Duration, Instant};

/// Takes values from the front of the bytes; zeros when none are left.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (front, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        front
    }

    fn one_of<'t>(&mut self, words: &[&'t str]) -> &'t str {
        words[usize::from(self.byte()) % words.len()]
    }
}

/// Everything that reads what a peer of the room sends, and a room with its members.
pub fn room(data: &[u8]) {
    parsers(data);
    talk(data);
}

fn parsers(data: &[u8]) {
    assert!(data.len() < FirstBytes::ENOUGH || FirstBytes::decide(data).is_some());
    assert_eq!(WayProbe::parse(&[7; 32], data), None);
    let text = String::from_utf8_lossy(data);
    let _ = Command::parse(&text);
    assert_eq!(PortKnock::answer_to(&[7; 32], data), None);
    let _ = text.parse::<PortRange>();
    if let Ok(ports) = text.parse::<PortSet>() {
        assert_eq!(ports.to_string().parse(), Ok(ports));
    }
    if let Ok(message) = Message::parse(&text) {
        Message::parse(&message.line()).expect("a printed message parses again");
    }
    if let Ok(event) = serde_json::from_str::<Event>(&text) {
        serde_json::from_str::<Event>(&event.json()).expect("a printed event parses again");
        assert!(event.text().lines().all(|line| !shown(line).chars().any(char::is_control)));
    }
    let name = FileName::nearest(&text);
    let is_plain = |name: &str| !name.is_empty() && !name.starts_with('.') && name.len() < 255;
    assert!(is_plain(name.as_str()) && !name.as_str().contains(['/', '\\', ':', '\0']), "{name}");
    if let Ok(name) = Name::nearest(&text) {
        assert_eq!(Name::nearest(&name.to_string()), Ok(name));
    }
}

/// A connection, and how its bytes become messages.
struct Peer {
    id: ConnectionId,
    framing: Framing,
    is_program: bool,
}

impl Peer {
    fn connect(room: &mut Room, now: Instant, number: u8) -> Self {
        let (role, via) = [
            (Role::Guest, Via::Text),
            (Role::Guest, Via::Json),
            (Role::Member, Via::Client),
            (Role::Member, Via::Client),
        ][usize::from(number % 4)];
        let source = IpAddr::from([127, 0, 0, 1]);
        let is_program = via != Via::Text;
        let framing = if is_program { Framing::of_lines() } else { Framing::default() };
        let connecting = Connecting { source, role, via, encrypted: via == Via::Client };
        let id = room.connect(now, connecting).expect("a place");
        let mut peer = Self { id, framing, is_program };
        let name = format!("m{number}");
        peer.send(room, now, (if is_program { Message::Name(name).line() } else { name } + "\n").as_bytes());
        peer
    }

    fn send(&mut self, room: &mut Room, now: Instant, bytes: &[u8]) {
        for message in self.framing.read(bytes) {
            assert!(message.len() <= 3 * Room::LONGEST_LINE.max(bytes.len()) + 4);
            self.hear(room, now, &message);
        }
    }

    fn hear(&self, room: &mut Room, now: Instant, message: &str) {
        if self.is_program {
            room.hear_message(now, self.id, message);
        } else {
            room.hear(now, self.id, message);
        }
    }
}

const WORDS: [&str; 28] = [
    "/ping",
    "/yes",
    "/no",
    "/stop",
    "/load",
    "/who",
    "/name",
    "/plain",
    "/get",
    "/files",
    "m0",
    "m2",
    "m3",
    "M2",
    "1",
    "2",
    "-n",
    "-i",
    "10ms",
    "@m0",
    "@m2:",
    "{quit}",
    "hello",
    "\u{1b}[2J\u{202e}\u{301}\u{301}\u{301}",
    "/ports",
    "33000-33003",
    "udp",
    "--rate",
];
const MESSAGES: [&str; 18] = [
    r#"{"say":"/ping m2 m3"}"#,
    r#"{"say":"/yes N"}"#,
    r#"{"accept":{"up_to":{"bits_per_second":1e7,"seconds":60.0}}}"#,
    r#"{"accept":"nothing"}"#,
    r#"{"addresses":{"order":N,"candidates":["10.0.0.1:7","[::1]:9"],"port_varies":true}}"#,
    r#"{"found":{"order":N,"at":"10.0.0.1:7"}}"#,
    r#"{"result":{"order":N,"figures":{"sent":9,"failed":"\u001b[2J"}}}"#,
    r#"{"recorded":{"order":N}}"#,
    r#"{"second":{"order":N,"second":{"reasons":["steal 1 %","\u202ex"],"figures":{}}}}"#,
    r#"{"load":"busy: CPU 97 %\u0007"}"#,
    r#"{"offer":{"name":"../a\u0000","bytes":5,"kind":"run","order":N}}"#,
    r#"{"offer":{"name":"b","bytes":400,"to":"m2"}}"#,
    r#"{"name":"m9"}"#,
    r#"{"agent":true}"#,
    r#"{"say":"/ports m2 m3 33000-33003 udp"}"#,
    r#"{"opened":{"order":N,"opened":{"busy":"33000","denied":"1-9"}}}"#,
    r#"{"heard":{"order":N,"ports":"33001-33002"}}"#,
    r#"{"knocked":{"order":N,"ports":{"open":"33001, 80","filtered":"33000-33003"}}}"#,
];

/// Members that do all there is to do in a room.
fn talk(data: &[u8]) {
    const PEERS: u8 = 4;
    let mut script = Script(data);
    let mut now = Instant::ZERO;
    let mut room = Room::new([7; 32]);
    room.set_shelf(Shelf::new([7; 32], 1_000));
    room.keep_log();
    let mut peers: Vec<Peer> = (0..PEERS).map(|number| Peer::connect(&mut room, now, number)).collect();
    let mut tickets: Vec<(Ticket, u32)> = Vec::new();
    let mut lines = Vec::new();
    while !script.0.is_empty() {
        let (act, who) = (script.byte(), script.byte());
        let peer = &mut peers[usize::from(who % PEERS)];
        match act % 8 {
            0 => {
                now += Duration::from_millis(i64::from(script.byte()) << (act >> 4));
                room.handle_timeout(now);
                room.expire_files(now);
            }
            1 => {
                let length = usize::from(script.byte());
                peer.send(&mut room, now, script.take(length));
            }
            2 | 3 => {
                let words: Vec<&str> = (0..script.byte() % 8).map(|_| script.one_of(&WORDS)).collect();
                let line = words.join(" ");
                let line = if peer.is_program { Message::Say(line).line() } else { line };
                peer.send(&mut room, now, (line + "\n").as_bytes());
            }
            4 | 5 => {
                let message = script.one_of(&MESSAGES).replace('N', &(1 + who / 64).to_string());
                peer.send(&mut room, now, (message + "\n").as_bytes());
            }
            6 if act & 8 == 0 => transfer(&mut room, now, act, tickets.last()),
            6 => {
                room.disconnect(peer.id);
                check(&mut room, peer.id, &mut tickets);
                *peer = Peer::connect(&mut room, now, who % PEERS);
            }
            _ => check(&mut room, peer.id, &mut tickets),
        }
        let log = room.take_log();
        lines.extend(log.iter().map(|event| TranscriptLine {
            at: String::new(),
            event: (**event).clone(),
            kept: None,
        }));
    }
    peers.iter().for_each(|peer| check(&mut room, peer.id, &mut tickets));
    assert!(!transcript_page(&lines, 0, false).contains('\u{1b}'));
    room.close_all();
    assert!(room.here().is_empty());
    assert!(peers.iter().all(|peer| room.is_closed(peer.id)));
}

fn transfer(room: &mut Room, now: Instant, act: u8, ticket: Option<&(Ticket, u32)>) {
    let Some((ticket, number)) = ticket else { return };
    match act >> 4 & 3 {
        0 => drop(room.begin_transfer(now, ticket.as_str(), Direction::Put)),
        1 => drop(room.begin_transfer(now, ticket.as_str(), Direction::Get)),
        2 => room.pause_upload(now, *number, u64::from(act)),
        _ => drop(room.finish_upload(*number, ContentHash::of(&[act]))),
    }
}

/// Takes what this peer is shown: nothing in it is a command to a terminal.
fn check(room: &mut Room, id: ConnectionId, tickets: &mut Vec<(Ticket, u32)>) {
    for event in room.take_events(id) {
        for line in event.text().lines() {
            assert_eq!(shown(line), line, "{event:?}");
        }
        serde_json::from_str::<Event>(&event.json()).expect("an event of the room");
        if let Event::Put { transfer } | Event::Get { transfer } = &*event {
            tickets.push((transfer.ticket.clone(), transfer.file.number));
        }
    }
}

type Ends = ((Sealer, Opener), (Sealer, Opener));

thread_local! {
    static CONNECTED: RefCell<Ends> = RefCell::new(connected());
}

fn connected() -> Ends {
    let (opening, sent) = Opening::begin(&[7; 32]).expect("an opening");
    let (answer, sealer, opener) = accept_handshake(&[7; 32], &sent[6..]).expect("an answer");
    (opening.finish(&answer[2..]).expect("a connection"), (sealer, opener))
}

/// Frames that nobody with the key has sealed are refused; those that are sealed arrive.
pub fn noise(data: &[u8]) {
    assert!(accept_handshake(&[7; 32], data).is_err());
    CONNECTED.with_borrow_mut(|((sealer, _), (_, opener))| {
        assert_eq!(opener.open(data), None);
        let frame = match std::str::from_utf8(data) {
            Ok(line) => Frame::Json(line.to_owned()),
            Err(_) => Frame::Data(data.to_vec()),
        };
        let sealed = sealer.seal(&frame);
        let at = 2 + data.first().map_or(0, |byte| usize::from(*byte) % (sealed.len() - 2));
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_eq!(opener.open(&changed[2..]), None);
        assert_eq!(opener.open(&sealed[2..]), Some(frame));
    });
}

const RELAYED: [&str; 12] =
    ["hii", "HII", "to", ":", "/", ";", "content", "10.0.0.1", "10.0.0.2", "4000", " ", "exit server"];

/// The message relay answers the sender, and sends on to members alone: those that said hii.
pub fn message_relay(data: &[u8]) {
    let mut script = Script(data);
    let injection = Injection::steady(Impairment::clean());
    let settings =
        reflect::Settings { injection, message_relay: true, allow_stop: true, ..Default::default() };
    let start = Instant::ZERO;
    let mut server = Server::new(settings, [7; 32], start);
    let mut now = start;
    let mut buffer = vec![0; 4_096];
    let mut members: BTreeSet<SocketAddr> = BTreeSet::new();
    while !script.0.is_empty() {
        let (act, who) = (script.byte(), script.byte());
        let from = SocketAddr::from(([10, 0, 0, who & 3], 4_000));
        let datagram = if act & 1 == 0 {
            (0..act >> 4).map(|_| script.one_of(&RELAYED)).collect::<String>().into_bytes()
        } else {
            script.take(usize::from(who)).to_vec()
        };
        if datagram.eq_ignore_ascii_case(b"hii") {
            members.insert(from);
        }
        now += Duration::from_millis(i64::from(act & 14));
        buffer[..datagram.len()].copy_from_slice(&datagram);
        let path = Endpoints { remote: from, local: None };
        if let Some(answered) = server.handle(Incoming::new(now, path, &mut buffer, datagram.len())) {
            assert!(answered <= datagram.len().max(64));
        }
        while let Some(Departure { path, length, .. }) = server.poll_transmit(now, &mut buffer) {
            assert!(members.contains(&path.remote) && members.contains(&from), "{from} to {}", path.remote);
            assert!(length <= datagram.len() + 40);
        }
    }
}

/// An archive of a hostile member leaves nothing but files of a run.
pub fn run_archive(data: &[u8]) {
    const FILES: [&str; 6] =
        ["run.json", "probes.csv", "seconds.csv", "report.png", "report.svg", "report.html"];
    let inbox = tempfile::tempdir().expect("a folder");
    let _ = unpack_run(data, inbox.path(), &FileName::nearest("order-1"));
    let names = |folder: &std::path::Path| -> Vec<std::fs::DirEntry> {
        std::fs::read_dir(folder).expect("a folder").collect::<Result<_, _>>().expect("its files")
    };
    let folders = names(inbox.path());
    assert_eq!(folders.len(), 1);
    for file in names(&folders[0].path()) {
        assert!(file.file_type().expect("a file").is_file());
        assert!(FILES.iter().any(|name| file.file_name() == *name), "{file:?}");
    }
}
