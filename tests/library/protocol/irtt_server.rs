//! `serve --irtt`: the server, one datagram after another.

use std::net::SocketAddr;

use udpecho::impair::Impairment;
use udpecho::reflect::{self, Incoming, ServerPort, TextFrom, WallClock};
use udpecho::time::Duration;
use udpecho::wire::auth::Key;
use udpecho::wire::irtt::{Clocks, Echo, HmacKey, Packet, Params, ReceivedStats, StampAt};

use crate::common::desk::{Desk, address};
use crate::common::{clean, injecting, millis};

const TOS: u8 = 0xB9;
const MILLI: i64 = 1_000_000;

fn ask(desk: &mut Desk, from: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
    let (ttl, traffic_class) = (Some(64), Some(TOS));
    desk.hand_in(from, datagram, |incoming| Incoming {
        server_port: ServerPort::Irtt,
        ttl,
        traffic_class,
        ..incoming
    })
}

fn params() -> Params {
    Params { duration: 60_000 * MILLI, interval: 20 * MILLI, length: 100, ..Params::default() }
}

fn open_for(desk: &mut Desk, from: SocketAddr, params: &Params) -> Option<(u64, Params)> {
    let answer = ask(desk, from, &Packet::emit_open(params, false, None))?;
    let packet = Packet::parse(&answer, None).expect("a packet");
    assert!(packet.open && packet.reply && !packet.close);
    packet.opened()
}

/// From a private address.
fn opened(desk: &mut Desk, params: &Params) -> u64 {
    open_for(desk, address(false, 1), params).expect("a session").0
}

fn probe(token: u64, seq: u32, params: &Params) -> Vec<u8> {
    let mut datagram = vec![0xEE; params.reply_length(false)];
    Packet::emit_probe(token, seq, params, false, &mut datagram);
    datagram
}

fn echo(answer: &[u8], params: &Params) -> Echo {
    let packet = Packet::parse(answer, None).expect("a packet");
    assert!(packet.reply && !packet.open);
    packet.echo(params).expect("a reply")
}

fn ask_probe(desk: &mut Desk, token: u64, seq: u32) -> Option<Vec<u8>> {
    ask(desk, address(false, 1), &probe(token, seq, &params()))
}

fn clients(desk: &Desk) -> u64 {
    desk.server.counters().dialect("irtt").clients
}

#[test]
fn a_session_is_opened_measured_and_closed() {
    let mut desk = Desk::new(clean());
    let offset = Duration::from_secs(7);
    desk.server.set_wall_clock(WallClock { offset, ..WallClock::default() });
    let (token, granted) = open_for(&mut desk, address(false, 1), &params()).expect("a session");
    assert_eq!(granted, params());
    for (seq, window) in [(0, 0b1), (1, 0b11), (3, 0b1101), (2, 0b111), (4, 0b11111)] {
        let answer = ask_probe(&mut desk, token, seq).expect("a reply");
        let header = params().header(false);
        assert_eq!((answer.len(), &answer[header..header + 6]), (100, &b"irttir"[..]));
        let echo = echo(&answer, &params());
        assert_eq!((echo.token, echo.seq, echo.window), (token, seq, Some(window)));
        assert_eq!(
            (echo.received.wall, echo.sent.wall),
            (Some((desk.now + offset).as_nanos()), echo.received.wall)
        );
    }
    let last = ask_probe(&mut desk, token, 9).expect("a reply");
    assert_eq!(echo(&last, &params()).count, Some(6));
    assert_eq!(ask(&mut desk, address(false, 1), &Packet::emit_close(token, None)), None);
    assert_eq!(ask_probe(&mut desk, token, 10), None);
    assert_eq!(desk.server.counters().unknown_session, 1);
    desk.pass(Duration::from_secs(2));
    assert_eq!(clients(&desk), 0);
}

#[test]
fn a_reply_tells_what_was_agreed_and_no_more() {
    for stamp_at in [StampAt::None, StampAt::Send, StampAt::Receive, StampAt::Both, StampAt::Midpoint] {
        for (count, window, wall, monotonic) in [
            (true, true, true, true),
            (false, true, true, false),
            (true, false, false, true),
            (false, false, true, true),
        ] {
            let (received, clocks) = (ReceivedStats { count, window }, Clocks { wall, monotonic });
            let asked = Params { stamp_at, received, clocks, length: 0, ..params() };
            let mut desk = Desk::new(injecting("delay=constant:10ms".parse().unwrap()));
            let token = opened(&mut desk, &asked);
            assert_eq!(ask(&mut desk, address(false, 1), &probe(token, 0, &asked)), None);
            let sent = desk.pass(millis(20));
            assert_eq!(sent[0].datagram.len(), asked.header(false));
            let echo = echo(&sent[0].datagram, &asked);
            assert_eq!((echo.count, echo.window), (count.then_some(1), window.then_some(1)));
            let between = |clock: fn(&Echo) -> [Option<i64>; 2]| {
                let [from, to] = clock(&echo);
                from.zip(to).map(|(from, to)| to - from)
            };
            let apart = match stamp_at {
                StampAt::Both => Some(10 * MILLI),
                StampAt::Midpoint => Some(0),
                _ => None,
            };
            let wall_apart = between(|echo| [echo.received.wall, echo.sent.wall]);
            let monotonic_apart = between(|echo| [echo.received.monotonic, echo.sent.monotonic]);
            assert_eq!((wall_apart, monotonic_apart), (apart.filter(|_| wall), apart.filter(|_| monotonic)));
        }
    }
}

#[test]
fn parameters_are_restricted_to_the_limits_and_the_limits_hold() {
    let limits = reflect::Settings {
        session_rate: Some(100),
        max_duration: Some(Duration::from_secs(5)),
        max_size: 80,
        max_idle: Duration::from_secs(40),
        ..clean()
    };
    let mut desk = Desk::new(limits);
    let asked = Params { interval: MILLI, dscp: 0xB8, fill: "none".to_owned(), version: 1, ..params() };
    let (token, granted) = open_for(&mut desk, address(false, 1), &asked).expect("a session");
    let expected = Params {
        interval: 10 * MILLI,
        duration: 5_000 * MILLI,
        length: 80,
        dscp: 0xB8,
        fill: "pattern:69727474".to_owned(),
        ..params()
    };
    assert_eq!(granted, expected);
    let slow = Params { interval: 60_000 * MILLI, ..params() };
    let (_, slow) = open_for(&mut desk, address(false, 1), &slow).expect("a session");
    assert_eq!(slow.interval, 10_000 * MILLI);
    // A burst, and then the rate.
    let answered = (0..100).filter(|seq| {
        let probe = probe(token, *seq, &granted);
        ask(&mut desk, address(false, 1), &probe).is_some()
    });
    assert_eq!(answered.count(), 11);
    assert_eq!(desk.server.counters().refused, 89);
    // Longer than the server takes, and shorter than agreed.
    desk.pass(millis(500));
    for length in [79, 81] {
        let mut wrong = vec![0; length];
        Packet::emit_probe(token, 200, &granted, false, &mut wrong);
        assert_eq!(ask(&mut desk, address(false, 1), &wrong), None, "{length} octets");
    }
    // The last replies of a run that is too long bear a mark.
    desk.pass(Duration::from_secs(6));
    let good = probe(token, 201, &granted);
    let flags = |answer: Option<Vec<u8>>| answer.map(|answer| answer[3]);
    assert_eq!(flags(ask(&mut desk, address(false, 1), &good)), Some(2));
    desk.pass(Duration::from_secs(1));
    assert_eq!(flags(ask(&mut desk, address(false, 1), &good)), Some(6));
    assert_eq!(flags(ask(&mut desk, address(false, 1), &good)), None);
}

#[test]
fn random_octets_come_back_if_they_are_asked_for_and_the_clients_own_never() {
    let mut desk = Desk::new(clean());
    let asked = Params { fill: "rand".to_owned(), ..params() };
    let token = opened(&mut desk, &asked);
    let payload = |seq| probe(token, seq, &asked);
    let [one, other] = [0, 1].map(|seq| ask(&mut desk, address(false, 1), &payload(seq)).unwrap());
    let header = asked.header(false);
    assert_ne!(one[header..], other[header..]);
    assert!(!one[header..].starts_with(&[0xEE; 8]));
}

#[test]
fn another_version_and_a_request_that_closes_get_the_parameters_and_no_session() {
    let mut desk = Desk::new(clean());
    for (version, close) in [(2, false), (1, true)] {
        let asked = Params { version, ..params() };
        let answer = ask(&mut desk, address(false, 1), &Packet::emit_open(&asked, close, None)).unwrap();
        let packet = Packet::parse(&answer, None).unwrap();
        assert!(packet.open && packet.reply && packet.close);
        assert_eq!(packet.opened(), Some((0, params())));
    }
    assert_eq!(clients(&desk), 0);
}

#[test]
fn a_request_that_is_repeated_opens_one_session_until_that_is_used() {
    let mut desk = Desk::new(clean());
    let first = opened(&mut desk, &params());
    assert_eq!(opened(&mut desk, &params()), first);
    assert_ne!(opened(&mut desk, &Params { length: 60, ..params() }), first);
    assert_ne!(open_for(&mut desk, address(false, 2), &params()).unwrap().0, first);
    assert!(ask_probe(&mut desk, first, 0).is_some());
    assert_ne!(opened(&mut desk, &params()), first);
    assert_eq!(clients(&desk), 4);
}

fn key() -> (Key, HmacKey) {
    (Key::new(&[7; 32]), HmacKey::new(&[7; 32]))
}

#[test]
fn with_a_key_only_signed_packets_are_answered_and_answers_are_signed() {
    let (shared, hmac) = key();
    let mut desk = Desk::new(reflect::Settings { key: Some(shared), ..clean() });
    let from = address(false, 1);
    let open = Packet::emit_open(&params(), false, Some(&hmac));
    let answer = ask(&mut desk, from, &open).expect("a session");
    let (token, granted) = Packet::parse(&answer, Some(&hmac)).expect("signed").opened().unwrap();
    let mut probe = vec![0; granted.reply_length(true)];
    Packet::emit_probe(token, 0, &granted, true, &mut probe);
    hmac.sign(&mut probe);
    for good in [open, probe] {
        for bit in 0..8 * good.len() {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(ask(&mut desk, from, &bad), None, "bit {bit}");
        }
        let answer = ask(&mut desk, from, &good).expect("a reply");
        assert!(Packet::parse(&answer, Some(&hmac)).is_ok());
    }
    assert_eq!(ask(&mut desk, from, &Packet::emit_open(&params(), false, None)), None);
}

/// Before its address is proven a peer is sent no more bytes than it sent.
#[test]
fn an_address_that_may_be_forged_is_sent_no_more_than_was_sent_in_its_name() {
    let mut desk = Desk::new(clean());
    let (mut sent, mut got) = (0, 0);
    let from = address(true, 1);
    let mut token = None;
    for request in 0..20 {
        let open = Packet::emit_open(&Params { length: 60 + request, ..params() }, false, None);
        sent += open.len();
        let answer = ask(&mut desk, from, &open);
        assert_eq!(answer.is_some(), got + open.len() + 8 <= sent, "{request}");
        got += answer.as_ref().map_or(0, Vec::len);
        assert!(got <= sent);
        token = answer.and_then(|answer| Packet::parse(&answer, None).unwrap().opened()).or(token);
    }
    let (token, granted) = token.expect("a session");
    for length in 0..200 {
        let mut datagram = vec![0; length.max(granted.header(false))];
        Packet::emit_probe(token, 0, &granted, false, &mut datagram);
        datagram.truncate(length);
        let answer = ask(&mut desk, from, &datagram).map_or(0, |answer| answer.len());
        assert!(answer <= length, "{answer} for {length}");
    }
    let mut any = Desk::new(reflect::Settings { text_from: TextFrom::Any, ..clean() });
    assert!(open_for(&mut any, from, &params()).is_some());
}

/// As our client sends it. Restricted values may take more bytes than those that were asked for.
#[test]
fn a_request_as_long_as_its_reply_is_answered_at_once_at_any_address() {
    for session_rate in [None, Some(1)] {
        let mut desk = Desk::new(reflect::Settings { session_rate, ..clean() });
        let asked = Params { interval: 1, ..params() };
        let open = Packet::emit_long_open(&asked, false, None);
        let answer = ask(&mut desk, address(true, 1), &open).expect("a session");
        assert!(answer.len() <= open.len());
        let (_, granted) = Packet::parse(&answer, None).unwrap().opened().unwrap();
        let interval = session_rate.map_or(1, |_| 1_000 * MILLI);
        assert_eq!(granted, Params { interval, ..params() });
    }
}

#[test]
fn what_a_server_sends_is_not_answered_nor_is_what_is_no_packet() {
    let mut desk = Desk::new(clean());
    let from = address(false, 1);
    let token = opened(&mut desk, &params());
    let answer = ask_probe(&mut desk, token, 0).unwrap();
    assert_eq!(ask(&mut desk, from, &answer), None);
    let opened = Packet::emit_open_reply(5, &params(), false, None);
    assert_eq!(ask(&mut desk, from, &opened), None);
    for length in 0..64 {
        assert_eq!(ask(&mut desk, from, &vec![0x14; length]), None);
        assert_eq!(ask(&mut desk, from, &answer[..length]), None);
    }
    let guessed = probe(token ^ 1, 0, &params());
    assert_eq!(ask(&mut desk, from, &guessed), None);
}

/// Each opening from a port of its own, of one address and of many.
#[test]
fn twenty_thousand_openings_cost_a_bounded_number_of_sessions_and_disturb_no_client() {
    const OPENINGS: u32 = 20_000;
    let one = |index: u32| SocketAddr::new(address(false, 0).ip(), 30_000 + index as u16);
    let many =
        |index: u32| SocketAddr::from(([10, (index >> 16) as u8, (index >> 8) as u8, index as u8], 40_000));
    for (is_one, most) in [(true, 4096), (false, 16_384)] {
        let mut desk = Desk::new(reflect::Settings { source_rate: None, unverified_rate: None, ..clean() });
        let client = SocketAddr::from(([192, 168, 0, 1], 40_000));
        let (token, granted) = open_for(&mut desk, client, &params()).unwrap();
        assert!(ask(&mut desk, client, &probe(token, 0, &granted)).is_some());
        for index in 0..OPENINGS {
            open_for(&mut desk, if is_one { one(index) } else { many(index) }, &params());
            assert!(clients(&desk) <= most + 1);
        }
        let counters = desk.server.counters();
        let all = most + u64::from(is_one);
        assert_eq!((clients(&desk), counters.evicted), (all, u64::from(OPENINGS) + 1 - all));
        assert_eq!(counters.dialect("irtt").denied, 0);
        // A client that measures goes on, and another may begin.
        assert!(ask(&mut desk, client, &probe(token, 1, &granted)).is_some());
        let newcomer = if is_one { one(OPENINGS) } else { SocketAddr::from(([192, 168, 0, 2], 40_000)) };
        let (token, granted) = open_for(&mut desk, newcomer, &params()).expect("room");
        assert!(ask(&mut desk, newcomer, &probe(token, 0, &granted)).is_some());
        desk.pass(Duration::from_secs(12));
        assert_eq!(clients(&desk), 2);
        desk.pass(Duration::from_secs(61));
        assert_eq!(clients(&desk), 0);
    }
}

#[test]
fn a_client_that_moves_keeps_its_session_and_gets_no_copies_there() {
    let mut desk = Desk::new(injecting("duplicate=100%".parse().unwrap()));
    let token = opened(&mut desk, &params());
    let replies = |desk: &mut Desk, from, seq| {
        let at_once = ask(desk, from, &probe(token, seq, &params())).map_or(0, |_| 1);
        at_once + desk.pass(millis(10)).len()
    };
    assert_eq!(replies(&mut desk, address(false, 1), 0), 2);
    assert_eq!(replies(&mut desk, address(false, 2), 1), 1);
    assert_eq!(desk.server.counters().moved, 1);
}

/// A probe dropped on the way up never came; one whose reply is dropped was counted.
#[test]
fn injection_counts_as_the_networks() {
    for (direction, counts, window) in
        [("up", [1, 2, 3, 4, 5, 6], 0b1101_1011), ("down", [1, 2, 4, 5, 7, 8], 0xFF)]
    {
        let line: Impairment = format!("loss=nth:3 direction={direction}").parse().unwrap();
        let mut desk = Desk::new(injecting(line));
        let token = opened(&mut desk, &params());
        let answers: Vec<_> = (0..9).filter_map(|seq| ask_probe(&mut desk, token, seq)).collect();
        let echoes: Vec<Echo> = answers.iter().map(|answer| echo(answer, &params())).collect();
        let told: Vec<u32> = echoes.iter().map(|echo| echo.count.unwrap()).collect();
        assert_eq!(told, counts, "{direction}");
        assert_eq!(echoes.last().unwrap().window, Some(window), "{direction}");
    }
}
