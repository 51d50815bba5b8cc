//! Turns the bytes of a fuzzer into datagrams for the decoders and into timelines for server and client.
#![allow(dead_code, reason = "each target uses its own part")]

#[path = "dialects.rs"]
mod dialects;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;

use udpecho::endpoints::Endpoints;
use udpecho::fleet::dns::{self, RecordKind, Resolvers};
use udpecho::fleet::{Config, read_file_sd, read_file_sd_yaml, read_rows};
use udpecho::impair::Impairment;
use udpecho::live::RecordedMetrics;
use udpecho::probe::{
    Client, Dialect, Event, IrttOptions, LoadMachine, LoadSettings, LoadTest, Outcome, SendError, Settings,
    SocketError, SocketErrorKind, SocketOperation, StampOptions, SteadyLoad, SteadySettings, Way,
    rate_search,
};
use udpecho::reflect::{self, Departure, HostNames, Incoming, Injection, LoadGrant, Server, ServerPort};
use udpecho::schedule::Schedule;
use udpecho::time::{Duration, Instant};
use udpecho::units::{BitRate, Interval};
use udpecho::wire::auth::{Key, TAG};
use udpecho::wire::native::{
    self, Accept, Cookie, Hello, Load, Message, Nonce, Open, Probe, Pull, SocketMark, Token,
};
use udpecho::wire::stamp::{HmacKey, TlvKind};
use udpecho::wire::{irtt, stun, text};

pub use dialects::{openings, stamp, stamp_reflector, stamp_sender, twamp};

pub const START: Instant = Instant::from_nanos(1_000_000_000_000);
const BUFFER: usize = 4096;

/// All parsers of input from the network.
pub fn decoders(data: &[u8]) {
    let _ = native::decode(data);
    let _ = native::keeps_payload(data);
    let _ = text::Request::parse(data);
    other_dialects(data);
    let key = Key::new(&[7; 32]);
    assert!(key.open(data).is_none());
    let mut sealed = data.to_vec();
    sealed.resize(data.len() + TAG, 0);
    key.seal(&mut sealed, data.len());
    assert_eq!(key.open(&sealed).map(|(length, _)| length), Some(data.len()));
    if let Some((kind, rest)) = data.split_first() {
        let message = [&[0xF5, 0x75, 0x10, *kind][..], rest].concat();
        if let Ok(Message::Outcomes(outcomes)) = native::decode(&message) {
            for offset in 0..outcomes.count {
                let _ = outcomes.status(offset);
            }
        }
    }
    for kind in [RecordKind::A, RecordKind::Aaaa, RecordKind::Srv] {
        let number = data.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes));
        let _ = dns::answer(data, number, kind);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        watch_files(text);
        let _ = Key::parse(text);
        if let Ok(impairment) = text.parse::<Impairment>() {
            let again: Impairment = impairment.to_string().parse().expect("a printed line parses again");
            assert_eq!(again.to_string(), impairment.to_string());
        }
    }
}

/// What `watch` reads: its configuration, lists of targets, the system's list of DNS servers, its record.
fn watch_files(text: &str) {
    let mut metrics = RecordedMetrics::default();
    let _ = read_rows(text.as_bytes(), |row| metrics.push(row));
    metrics.write(&mut io::sink()).expect("a sink takes all");
    let _ = Config::from_toml(text, &|name| Some(name.to_owned()));
    let json = read_file_sd(text);
    // JSON is YAML, but a parser of YAML may refuse what nests deeply.
    if let (Ok(json), Ok(yaml)) = (json, read_file_sd_yaml(text)) {
        assert_eq!(json.len(), yaml.len());
    }
    for name in Resolvers::parse(text).full_names("a.b") {
        assert!(name.starts_with("a.b"));
    }
    if let Ok(question) = dns::question(1, text, RecordKind::A) {
        assert!(dns::answer(&question, 1, RecordKind::A).is_err(), "a question is no answer");
    }
}

/// Those of other dialects than the native one.
fn other_dialects(data: &[u8]) {
    let _ = stun::parse_request(data);
    let _ = stun::parse_response([7; 12], data);
    stamp(data);
    twamp(data);
    openings(data);
    for key in [None, Some(irtt::HmacKey::new(b"secret"))] {
        let datagram = [&[0x14, 0xA7, 0x5B][..], data].concat();
        if let Ok(packet) = irtt::Packet::parse(&datagram, key.as_ref()) {
            let params =
                packet.open_params().or(packet.opened().map(|(_, params)| params)).unwrap_or_default();
            if let Some(echo) = packet.echo(&params) {
                let mut again = vec![0; params.header(false)];
                irtt::Packet::emit_echo(&echo, packet.close, &params, false, &mut again);
                assert_eq!(
                    irtt::Packet::parse(&again, None).ok().and_then(|again| again.echo(&params)),
                    Some(echo)
                );
            }
        }
    }
}

/// Takes values from the front of the bytes; zeros when none are left.
pub struct Script<'a>(pub &'a [u8]);

impl<'a> Script<'a> {
    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub fn number(&mut self) -> u64 {
        self.take(4).iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (front, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        front
    }

    pub fn datagram(&mut self) -> Vec<u8> {
        let length = usize::from(self.byte()) * 2;
        self.take(length).to_vec()
    }

    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }
}

pub fn server_settings(choice: u8, key: Option<Key>) -> reflect::Settings {
    let specs =
        ["clean", "classic", "delay=uniform:1ms..90ms duplicate=100% corrupt=50%", "loss=50% duplicate=50%"];
    reflect::Settings {
        injection: Injection::steady(specs[usize::from(choice & 3)].parse().expect("a specification")),
        allow_stop: choice & 4 != 0,
        client_impair: choice & 8 != 0,
        max_sessions: 8,
        max_text_clients: 8,
        max_held_bytes: 10_000,
        max_history_bytes: 4096,
        session_rate: (choice & 16 != 0).then_some(100),
        max_duration: (choice & 36 == 4).then_some(Duration::from_millis(500)),
        load: if choice & 64 != 0 { LoadGrant::Anybody(load_limit()) } else { LoadGrant::default() },
        host: HostNames { name: "n\x1b7".into(), rack: "r".repeat(40), zone: String::new() },
        key,
        ..reflect::Settings::default()
    }
}

/// Of a server that grants load.
fn load_limit() -> BitRate {
    BitRate::new(10_000_000).expect("more than zero")
}

/// A server and its peers: its limits hold, and no unverified peer gets more bytes than it sent.
pub fn reflect(data: &[u8]) {
    let mut script = Script(data);
    let choice = script.byte();
    let key = (choice & 32 != 0).then(|| Key::new(&[7; 32]));
    let mut server = Server::new(server_settings(choice, key.clone()), [7; 32], START);
    let mut now = START;
    let mut buffer = vec![0; BUFFER];
    let mut cookies: HashMap<SocketAddr, [u8; 16]> = HashMap::new();
    let mut proven: Vec<SocketAddr> = Vec::new();
    let mut tokens = vec![Token(7)];
    let mut balance: HashMap<SocketAddr, i64> = HashMap::new();
    while !script.is_over() {
        let (act, who) = (script.byte(), script.byte());
        // Public addresses: the text dialect's longer replies are for private ones.
        let from = SocketAddr::from(([8, 8, 8, who & 3], 40_000 + u16::from(who >> 4)));
        let token = tokens[usize::from(who) % tokens.len()];
        let nonce = Nonce(u64::from(who));
        let mut length = match act % 8 {
            0 => {
                now += Duration::from_micros(script.number() as i64);
                if act == 128 {
                    server.announce_end(now);
                }
                server.handle_timeout(now);
                while let Some(Departure { path, length, .. }) = server.poll_transmit(now, &mut buffer) {
                    *balance.entry(path.remote).or_default() -= length as i64;
                }
                let counters = server.counters();
                assert!(
                    counters.dialect("native").clients <= 8 && counters.dialect("text").clients <= 8,
                    "{counters:?}"
                );
                assert!(
                    counters.held_bytes <= 10_000 && counters.in_all().history_bytes <= 4096 + 8 * 128,
                    "{counters:?}"
                );
                continue;
            }
            1 => Hello { nonce }.emit(&mut buffer),
            2 => {
                let cookie = cookies.get(&from).copied().unwrap_or_default();
                let (size, remember) = (56 + u32::from(script.byte()), script.number() as u32);
                let first_seq = script.number();
                Open { nonce, cookie, size, remember, idle_secs: 1, first_seq, requested_impairment: "wifi" }
                    .emit(&mut buffer)
            }
            3 | 4 => {
                let (seq, size) = (script.number(), 56 + usize::from(script.byte()));
                Probe { token, seq, sent: now }.emit(&mut buffer[..size]);
                size
            }
            5 => {
                let body = script.datagram();
                let message =
                    [&[0xF5, 0x75, 0x10, act >> 3 & 15 | who << 4 & 16][..], &token.0.to_be_bytes(), &body]
                        .concat();
                buffer[..message.len()].copy_from_slice(&message);
                message.len()
            }
            6 if act & 8 != 0 => {
                let (phase, number) = (script.byte().into(), script.byte().into());
                let (rate, size, budget) = (script.number(), script.byte().into(), script.number() as u32);
                Pull { token, phase, number, rate, size, budget }.emit(&mut buffer)
            }
            6 if act & 16 != 0 => {
                let (phase, seq, report_every) =
                    (script.byte().into(), script.number(), script.byte().into());
                let length = Load::MIN + usize::from(script.byte());
                Load { token, phase, seq, sent: now, report_every }.emit(&mut buffer, length)
            }
            6 => text::emit_calibrate(script.number() as u32, &mut buffer),
            _ => {
                let datagram = script.datagram();
                buffer[..datagram.len()].copy_from_slice(&datagram);
                datagram.len()
            }
        };
        if let (Some(key), true) = (&key, act & 128 == 0) {
            length = key.seal(&mut buffer, length);
        }
        let asked = native::is_native(&buffer[..length]) || who & 12 == 12;
        *balance.entry(from).or_default() += length as i64;
        let path = Endpoints { remote: from, local: None };
        let ttl = (act & 64 == 0).then_some(60);
        let server_port = if who & 12 == 12 { ServerPort::Stamp } else { ServerPort::Main };
        let incoming = Incoming::new(now, path, &mut buffer, length);
        let Some(answered) = server.handle(Incoming { ttl, server_port, ..incoming }) else { continue };
        assert!(!asked || answered <= length);
        *balance.entry(from).or_default() -= answered as i64;
        match native::decode(&buffer[..answered]) {
            Ok(Message::Cookie(Cookie { cookie, .. })) => drop(cookies.insert(from, cookie)),
            Ok(Message::Accept(Accept { token, .. })) => {
                tokens.push(token);
                proven.push(from);
            }
            _ => {}
        }
        let sum = balance[&from];
        assert!(sum >= 0 || proven.contains(&from), "{from} was sent {} bytes more than it sent", -sum);
    }
}

/// A client, a server that answers it when the script says so, and other datagrams of the script.
pub fn probe(data: &[u8]) {
    client(data, None);
}

/// The same in the irtt dialect.
pub fn irtt_client(data: &[u8]) {
    client(data, Some(Dialect::Irtt));
}

/// In a dialect that the script chooses, unless it is given.
fn client(data: &[u8], dialect: Option<Dialect>) {
    let mut script = Script(data);
    let choice = script.byte();
    let key = (choice & 64 != 0).then(|| Key::new(&[7; 32]));
    let size = 80 + u32::from(script.byte());
    let dialect = dialect.unwrap_or(match (choice & 128 != 0 && key.is_none(), size % 4) {
        (true, 0) => Dialect::Text,
        (true, 1) => Dialect::Plain,
        (true, _) => Dialect::Stamp,
        (false, _) => Dialect::Native,
    });
    let irtt = IrttOptions { key: key.as_ref().map(|_| irtt::HmacKey::new(&[7; 32])), dscp: choice & 63 };
    let settings = Settings {
        dialect,
        size,
        schedule: Schedule::Fixed(
            Interval::new(Duration::from_millis(1 + i64::from(script.byte()))).expect("valid"),
        ),
        count: Some(u64::from(script.byte()) + 1),
        total: None,
        deadline: None,
        grace: Duration::from_millis(200),
        query: None,
        requested_impairment: None,
        wait_for_server: false,
        heed_ending: choice & 16 != 0,
        phase: None,
        flows: (size % 8 == 7).then_some(1 + (choice & 3)),
        stop_server: choice & 32 != 0,
        seed: 1,
        key: key.clone(),
        stamp: stamp_options(choice, size),
        irtt,
    };
    let server_port = match dialect {
        Dialect::Stamp => ServerPort::Stamp,
        Dialect::Irtt => ServerPort::Irtt,
        _ => ServerPort::Main,
    };
    let key = key.or(settings.stamp.key.is_some().then(|| Key::new(&[7; 32])));
    let count = settings.count;
    let channels = Client::channels(&settings);
    let mut server = Server::new(server_settings(choice, key), [7; 32], START);
    let mut client = Client::new(settings, START);
    if count.is_some_and(|count| count % 2 == 0) {
        (0..64).for_each(|seq| client.sent_offloaded(seq));
    }
    let mut now = START;
    let mut buffer = vec![0; BUFFER];
    let mut flying: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut rows = Rows::default();
    while !script.is_over() && !client.is_done() {
        let act = script.byte();
        match act % 8 {
            0 | 1 => now += Duration::from_micros(script.number() as i64 & 0xF_FFFF),
            // To the next moment that matters.
            2 => now = client.poll_timeout(now).map_or(now, |at| at.max(now)),
            3 => client.handle(now, usize::from(act >> 3) % channels, &script.datagram()),
            // A reply of the server, perhaps changed, perhaps duplicated.
            4 | 5 if !flying.is_empty() => {
                let index = usize::from(script.byte()) % flying.len();
                let (channel, mut datagram) = flying[index].clone();
                if act & 8 != 0 && !datagram.is_empty() {
                    let at = usize::from(script.byte()) % datagram.len();
                    datagram[at] ^= script.byte();
                }
                if act & 16 == 0 {
                    flying.swap_remove(index);
                }
                client.note_traffic_class((act & 64 == 0).then_some(act));
                client.handle(now, channel, &datagram);
            }
            6 if act & 8 != 0 => client.obstructed(now, no_way()),
            6 if act & 16 != 0 && !flying.is_empty() => {
                let datagram = flying[usize::from(act >> 5) % flying.len()].1.clone();
                client.handle_foreign(now, SocketAddr::from(([10, 0, 0, act >> 5], 7)), &datagram);
            }
            6 => client.unreachable(now),
            7 if act & 248 == 0 => client.stop(now),
            7 if act & 248 == 8 => server = Server::new(server_settings(act, None), [act; 32], now),
            _ => client.note_socket(SocketMark { drops: u16::from(act), turns: u16::from(act >> 6) }),
        }
        client.handle_timeout(now);
        exchange(&mut client, &mut server, server_port, now, act & 32 != 0, &mut buffer, &mut flying);
        rows.take(&mut client);
    }
    // Left alone it comes to its end.
    client.stop(now);
    for _ in 0..1_000_000 {
        if client.is_done() {
            break;
        }
        now = client.poll_timeout(now).expect("it waits for something").max(now);
        client.handle_timeout(now);
        while client.poll_transmit(now, &mut buffer).is_some() {}
        rows.take(&mut client);
    }
    rows.take(&mut client);
    assert!(client.is_done() && rows.finished, "it does not end");
    assert!(rows.next <= count.unwrap_or(u64::MAX));
}

fn no_way() -> SocketError {
    SocketError { operation: SocketOperation::Send, kind: SocketErrorKind::HostUnreachable, code: None }
}

/// Of a request of at least 80 bytes.
fn stamp_options(choice: u8, size: u32) -> StampOptions {
    let tlvs =
        [TlvKind::DirectMeasurement, TlvKind::FollowUp, TlvKind::ClassOfService, TlvKind::TimestampInfo];
    let key = (size % 4 == 3).then(|| HmacKey::new(&[7; 32]));
    let count = if size >= 190 { usize::from(choice & 7).min(tlvs.len()) } else { 0 };
    StampOptions { tlvs: tlvs[..count].to_vec(), key: key.filter(|_| size >= 112), ..StampOptions::default() }
}

/// Datagrams of the client reach the server or fail to leave; replies may stay in flight for long.
fn exchange(
    client: &mut Client,
    server: &mut Server,
    server_port: ServerPort,
    now: Instant,
    fails: bool,
    buffer: &mut [u8],
    flying: &mut Vec<(usize, Vec<u8>)>,
) {
    while let Some(transmit) = client.poll_transmit(now, buffer) {
        if fails {
            client.send_failed(&transmit, SendError::TooLong);
            continue;
        }
        let remote = SocketAddr::from(([10, 0, 0, 1], 40_000 + transmit.channel as u16));
        let path = Endpoints { remote, local: None };
        let incoming = Incoming::new(now, path, buffer, transmit.length);
        if let Some(length) = server.handle(Incoming { ttl: Some(60), server_port, ..incoming }) {
            flying.push((transmit.channel, buffer[..length].to_vec()));
        }
    }
    server.handle_timeout(now);
    while let Some(Departure { path, length, .. }) = server.poll_transmit(now, buffer) {
        flying.push((usize::from(path.remote.port() - 40_000), buffer[..length].to_vec()));
    }
    let old = flying.len().saturating_sub(64);
    flying.drain(..old);
}

/// Checks the events of the client: each probe once, in order.
#[derive(Default)]
struct Rows {
    next: u64,
    finished: bool,
}

impl Rows {
    fn take(&mut self, client: &mut Client) {
        while let Some(event) = client.poll_event() {
            assert!(!self.finished, "{event:?} after the end");
            match event {
                Event::Resolved(row) => {
                    assert_eq!(row.seq, self.next);
                    assert_eq!(row.cause.is_some(), row.outcome == Outcome::Lost);
                    self.next += 1;
                }
                Event::Finished => self.finished = true,
                _ => {}
            }
        }
    }
}

/// A client that loads the path, a server that answers it when the script says so, and datagrams of a server that
/// lies.
pub fn load(data: &[u8]) {
    let mut script = Script(data);
    let choice = script.byte();
    let key = (choice & 32 != 0).then(|| Key::new(&[7; 32]));
    let (size, packet, seed) = (200, 228, 1);
    if choice & 1 != 0 {
        let (up, down) = (choice & 2 != 0, choice & 4 != 0 || choice & 2 == 0);
        let length = (choice & 8 != 0).then_some(Duration::from_millis(200));
        let after = if choice & 16 != 0 { Duration::from_millis(300) } else { Duration::ZERO };
        let key_of_it = key.clone();
        let settings =
            SteadySettings { rate: 1e6, up, down, size, packet, after, length, seed, key: key_of_it };
        return drive(SteadyLoad::new(settings, START), choice, key, script);
    }
    let ways = match choice & 6 {
        0 => vec![Way::Echo],
        2 => vec![Way::Up],
        4 => vec![Way::Down],
        _ => vec![Way::Up, Way::Down],
    };
    let search = rate_search::Settings { max_rate: 1e6, max_bytes: 200_000, packet, ..Default::default() };
    let dialect = if choice & 8 != 0 && key.is_none() { Dialect::Plain } else { Dialect::Native };
    let settings = LoadSettings { dialect, ways, search, size, other_size: 80, seed, key: key.clone() };
    drive(LoadTest::new(settings, START), choice, key, script);
}

fn drive<L: LoadMachine>(mut load: L, choice: u8, key: Option<Key>, mut script: Script<'_>) {
    let mut server = Server::new(server_settings(choice | 64, key.clone()), [7; 32], START);
    let mut now = START;
    let mut buffer = vec![0; BUFFER];
    let mut flying: Vec<(usize, Vec<u8>)> = Vec::new();
    while !script.is_over() && !load.is_done() {
        let act = script.byte();
        match act % 8 {
            0 => now += Duration::from_micros(script.number() as i64 & 0xF_FFFF),
            1 | 2 => now = load.poll_timeout().map_or(now, |at| at.max(now)),
            // A message of a server that lies: a token that it has seen, and any fields.
            3 if !flying.is_empty() => {
                let mut datagram = flying[usize::from(act >> 3) % flying.len()].1.clone();
                datagram.truncate(12);
                datagram.extend(script.datagram());
                if datagram.len() > 3 {
                    datagram[3] = 16 + (act >> 6);
                }
                load.handle(now, 0, &datagram);
            }
            4..=6 if !flying.is_empty() => {
                let index = usize::from(script.byte()) % flying.len();
                let (channel, mut datagram) = flying.swap_remove(index);
                if act & 8 != 0 && !datagram.is_empty() {
                    let at = usize::from(script.byte()) % datagram.len();
                    datagram[at] ^= script.byte();
                }
                load.handle(now, channel, &datagram);
            }
            7 if act & 16 != 0 => load.note_drops(script.number()),
            7 if act & 32 != 0 => {
                server = Server::new(server_settings(act | 64, key.clone()), [act; 32], now)
            }
            _ => {}
        }
        load.handle_timeout(now);
        pass(&mut load, &mut server, now, &mut buffer, &mut flying);
    }
    // Left alone it comes to its end, and what it asks of nobody does not keep it.
    load.stop(now);
    for _ in 0..100_000 {
        if load.is_done() {
            return;
        }
        now = load.poll_timeout().map_or(now, |at| at.max(now));
        load.handle_timeout(now);
        while load.poll_transmit(now, &mut buffer).is_some() {}
    }
    panic!("it does not end");
}

/// What is due leaves, and is answered by the server.
fn pass<L: LoadMachine>(
    load: &mut L,
    server: &mut Server,
    now: Instant,
    buffer: &mut [u8],
    flying: &mut Vec<(usize, Vec<u8>)>,
) {
    while let Some(transmit) = load.poll_transmit(now, buffer) {
        // The longest is a sealed open.
        assert!(transmit.channel < L::CHANNELS && transmit.length <= 440 + TAG);
        let remote = SocketAddr::from(([10, 0, 0, 1], 40_000 + transmit.channel as u16));
        let incoming = Incoming::new(now, Endpoints { remote, local: None }, buffer, transmit.length);
        if let Some(length) = server.handle(Incoming { ttl: Some(60), ..incoming }) {
            flying.push((transmit.channel, buffer[..length].to_vec()));
        }
    }
    server.handle_timeout(now);
    while let Some(Departure { path, length, .. }) = server.poll_transmit(now, buffer) {
        flying.push((usize::from(path.remote.port() - 40_000), buffer[..length].to_vec()));
    }
    let old = flying.len().saturating_sub(64);
    flying.drain(..old);
}
