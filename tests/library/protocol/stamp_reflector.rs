//! `serve --stamp`: the reflector, one datagram after another.

use std::net::SocketAddr;

use udpecho::impair::Impairment;
use udpecho::reflect::{self, Incoming, ServerPort, TextFrom, WallClock};
use udpecho::time::{Duration, Instant};
use udpecho::wire::auth::Key;
use udpecho::wire::stamp::{
    ClassOfService, DirectMeasurement, ErrorEstimate, FollowUp, Format, HmacKey, Mode, Reply, Request,
    Timestamp, TimestampInfo, TlvKind, TlvWriter, tlvs,
};

use crate::common::desk::{Desk, address};
use crate::common::{clean, injecting, millis};

const TOS: u8 = 0xB9;
const TTL: u8 = 250;

fn desk() -> Desk {
    Desk::new(clean())
}

fn ask(desk: &mut Desk, from: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
    let (ttl, traffic_class) = (Some(TTL), Some(TOS));
    desk.hand_in(from, datagram, |incoming| Incoming {
        server_port: ServerPort::Stamp,
        ttl,
        traffic_class,
        ..incoming
    })
}

fn request(seq: u32, at: Instant, format: Format) -> Request {
    let error = ErrorEstimate::new(true, format, millis(1));
    Request { seq, sent: Timestamp::from_unix(at.as_nanos(), format), error, ssid: 0xBEEF }
}

fn datagram(seq: u32, length: usize) -> Vec<u8> {
    let mut datagram = vec![0; length.max(44)];
    let at = Instant::from_nanos(1_000_000_000_000);
    request(seq, at, Format::Ntp).emit(Mode::Open, &mut datagram);
    datagram.truncate(length);
    datagram
}

fn reply(desk: &mut Desk, from: SocketAddr, datagram: &[u8]) -> Reply {
    let answer = ask(desk, from, datagram).expect("a reply");
    assert!(answer.len() <= datagram.len().max(44));
    Reply::parse(Mode::Open, &answer).expect("a reply")
}

fn numbers(desk: &mut Desk, from: SocketAddr, seqs: &[u32]) -> Vec<u32> {
    seqs.iter().map(|seq| reply(desk, from, &datagram(*seq, 44)).seq).collect()
}

#[test]
fn a_reply_tells_what_came_and_when_in_the_format_that_was_asked_in() {
    for format in [Format::Ntp, Format::Ptp] {
        let mut desk = desk();
        let offset = Duration::from_secs(7);
        desk.server.set_wall_clock(WallClock { offset, synchronized: true, error: millis(5) });
        let sent = desk.now - millis(3);
        let asked = request(5, sent, format);
        let mut datagram = vec![0; 44];
        asked.emit(Mode::Open, &mut datagram);
        let reply = reply(&mut desk, address(true, 1), &datagram);
        let wall = (desk.now + offset).as_nanos();
        assert_eq!(reply.received, Some(Timestamp::from_unix(wall, format)));
        assert_eq!(reply.sent, Timestamp::from_unix(wall, format));
        assert_eq!((reply.error.format, reply.error.synchronized), (format, true));
        assert!(reply.error.bound().unwrap() >= millis(5));
        let echoed = reply.echoed.unwrap();
        assert_eq!((echoed.seq, echoed.sent, echoed.error), (5, asked.sent, asked.error));
        assert_eq!((reply.ssid, reply.ttl, reply.tos), (0xBEEF, Some(TTL), Some(TOS)));
    }
}

/// Some senders copy a bit that says PTP and stamp in NTP.
#[test]
fn the_format_is_that_of_the_timestamp_and_not_that_of_the_claim() {
    let mut desk = desk();
    let sent = Timestamp::from_unix(desk.now.as_nanos(), Format::Ntp);
    let error = ErrorEstimate::new(true, Format::Ptp, millis(1));
    let mut datagram = vec![0; 44];
    Request { seq: 0, sent, error, ssid: 0 }.emit(Mode::Open, &mut datagram);
    assert_eq!(reply(&mut desk, address(true, 1), &datagram).error.format, Format::Ntp);
}

#[test]
fn each_session_has_numbers_of_its_own_which_count_what_came() {
    let mut desk = desk();
    assert_eq!(numbers(&mut desk, address(true, 1), &[0, 2, 3, 9]), [0, 1, 2, 3]);
    assert_eq!(numbers(&mut desk, address(true, 2), &[4]), [0]);
    let mut other_ssid = datagram(4, 44);
    other_ssid[14] ^= 1;
    assert_eq!(reply(&mut desk, address(true, 1), &other_ssid).seq, 0);
    assert_eq!(desk.server.counters().dialect("stamp").clients, 3);
    // The same sender runs again.
    assert_eq!(numbers(&mut desk, address(true, 1), &[0]), [4]);
    desk.pass(Duration::from_secs(2));
    assert_eq!(numbers(&mut desk, address(true, 1), &[0, 1]), [0, 1]);
    desk.pass(Duration::from_secs(302));
    assert_eq!(desk.server.counters().dialect("stamp").clients, 0);
}

#[test]
fn without_room_for_a_session_a_reply_copies_the_number() {
    let mut desk = Desk::new(reflect::Settings { max_sessions: 1, ..clean() });
    assert_eq!(numbers(&mut desk, address(true, 1), &[7]), [0]);
    assert_eq!(numbers(&mut desk, address(true, 2), &[7, 9]), [7, 9]);
    assert_eq!(numbers(&mut desk, address(true, 1), &[8]), [1]);
}

#[test]
fn a_reply_is_as_long_as_its_request_and_longer_for_private_addresses_only() {
    let mut desk = desk();
    for length in 0..200 {
        let public = ask(&mut desk, address(true, 1), &datagram(3, length)).map(|reply| reply.len());
        assert_eq!(public, (length >= 41).then_some(length), "{length} octets");
        let private = ask(&mut desk, address(false, 1), &datagram(3, length)).map(|reply| reply.len());
        let expected = if length >= 41 { length } else { 44 };
        assert_eq!(private, (length >= 14).then_some(expected), "{length} octets");
    }
    let mut any = Desk::new(reflect::Settings { text_from: TextFrom::Any, ..clean() });
    assert_eq!(ask(&mut any, address(true, 1), &datagram(3, 14)).unwrap().len(), 44);
}

/// A TWAMP-Light sender at the reflector's own port number, which pads at random from octet 14 on.
#[test]
fn random_padding_from_port_862_is_answered_and_comes_back() {
    let mut desk = desk();
    let from = SocketAddr::new(address(true, 1).ip(), 862);
    for seed in 0..200_u32 {
        let mut request = datagram(seed, 100);
        let padding = (14..100).map(|at| (seed.wrapping_mul(2_654_435_761) >> (at % 24)) as u8 ^ at as u8);
        request.splice(14..100, padding);
        let answer = ask(&mut desk, from, &request).expect("a reply");
        assert_eq!(answer.len(), 100);
        let headers = answer[44..].iter().zip(&request[44..]).filter(|(one, other)| one != other).count();
        // A header of padding that looks like a TLV may be marked.
        assert!(headers <= 8, "{headers} octets of padding changed");
    }
}

#[test]
fn two_reflectors_do_not_keep_a_forged_datagram_alive() {
    for (length, key) in [(44, None), (41, None), (200, None), (112, Some(key()))] {
        let mut desks = [9, 10].map(|_| Desk::new(reflect::Settings { key: key.clone(), ..clean() }));
        let mut datagram = datagram(0, length);
        if key.is_some() {
            datagram = authenticated(0);
        }
        let from = SocketAddr::new(address(true, 1).ip(), 862);
        let mut replies = 0;
        for turn in 0..10 {
            let Some(answer) = ask(&mut desks[turn % 2], from, &datagram) else { break };
            replies += 1;
            datagram = answer;
        }
        assert_eq!(replies, 1, "of {length} octets");
    }
}

fn key() -> Key {
    Key::new(&[7; 32])
}

fn secret(key: u8) -> HmacKey {
    HmacKey::new(&[key; 32])
}

/// With the key of `key()`.
fn authenticated(seq: u32) -> Vec<u8> {
    let mut datagram = vec![0; 112];
    request(seq, Instant::from_nanos(1_000_000_000_000), Format::Ntp)
        .emit(Mode::Authenticated, &mut datagram);
    secret(7).sign(&mut datagram);
    datagram
}

#[test]
fn with_a_key_only_authenticated_requests_are_answered() {
    let mut desk = Desk::new(reflect::Settings { key: Some(key()), ..clean() });
    let good = authenticated(3);
    let answer = ask(&mut desk, address(true, 1), &good).expect("a reply");
    assert!(secret(7).verifies(&answer));
    let reply = Reply::parse(Mode::Authenticated, &answer).unwrap();
    assert_eq!((reply.seq, reply.echoed.map(|echoed| echoed.seq)), (0, Some(3)));
    for bit in 0..8 * 112 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(ask(&mut desk, address(true, 1), &bad), None, "bit {bit}");
    }
    assert_eq!(ask(&mut desk, address(true, 1), &datagram(0, 44)), None);
    assert_eq!(desk.server.counters().unauthentic, 8 * 112);
}

#[test]
fn tlvs_are_answered() {
    let mut desk = desk();
    desk.server.set_wall_clock(WallClock { synchronized: true, ..WallClock::default() });
    let from = address(true, 1);
    let first = reply(&mut desk, from, &datagram(0, 44));
    let mut buffer = [0; 400];
    buffer[..44].copy_from_slice(&datagram(1, 44));
    let mut writer = TlvWriter::new(&mut buffer, 44);
    let class = ClassOfService { dscp_back: 46, dscp_received: 0, ecn_received: 0, refused: 0 };
    writer.push(TlvKind::ClassOfService, &class.emit());
    writer.push(TlvKind::TimestampInfo, &[0; 4]);
    let direct = DirectMeasurement { sent: 2, ..DirectMeasurement::default() };
    writer.push(TlvKind::DirectMeasurement, &direct.emit());
    writer.push(TlvKind::FollowUp, &[0; 16]);
    writer.push(TlvKind::Other(200), b"abc");
    writer.pad_to(200, 7);
    let length = writer.length();
    let answer = ask(&mut desk, from, &buffer[..length]).unwrap();
    let told: Vec<_> = tlvs(&answer[44..]).collect();
    assert!(told.iter().all(|tlv| tlv.unrecognized == (tlv.kind == TlvKind::Other(200))));
    assert!(told.iter().all(|tlv| !tlv.malformed && !tlv.wrong_hmac));
    assert_eq!(
        ClassOfService::parse(told[0].value),
        Some(ClassOfService { dscp_received: TOS >> 2, ecn_received: TOS & 3, refused: 0, ..class })
    );
    let info = TimestampInfo { clock_in: 1, method_in: 2, clock_out: 1, method_out: 2 };
    assert_eq!(TimestampInfo::parse(told[1].value), Some(info));
    let counted = DirectMeasurement { sent: 2, received: 2, reflected: 2 };
    assert_eq!(DirectMeasurement::parse(told[2].value), Some(counted));
    assert_eq!(FollowUp::parse(told[3].value), Some(FollowUp { seq: 0, sent: first.sent, method: 2 }));
    assert_eq!(
        (told[4].value, told[5].value),
        (&b"abc"[..], &[7; 200 - 44 - 64 - 4 + 17][..told[5].value.len()])
    );
}

#[test]
fn an_hmac_covers_the_tlvs_of_both_ways() {
    let mut desk = Desk::new(reflect::Settings { key: Some(key()), ..clean() });
    let from = address(true, 1);
    let mut build = |signer: &HmacKey| {
        let mut buffer = vec![0; 300];
        buffer[..112].copy_from_slice(&authenticated(0));
        let mut writer = TlvWriter::new(&mut buffer, 112);
        writer.push(TlvKind::DirectMeasurement, &DirectMeasurement::default().emit());
        writer.sign(signer);
        let length = writer.length();
        buffer.truncate(length);
        ask(&mut desk, from, &buffer).expect("a reply")
    };
    let answer = build(&secret(7));
    let told: Vec<_> = tlvs(&answer[112..]).collect();
    assert_eq!(DirectMeasurement::parse(told[0].value).unwrap().received, 1);
    assert_eq!(told[1].value, secret(7).tag(&[&answer[..4], &answer[112..128]]));
    let answer = build(&secret(8));
    assert!(tlvs(&answer[112..]).all(|tlv| tlv.wrong_hmac));
}

/// A request dropped on the way up never came; one whose reply is dropped has taken a number.
#[test]
fn injection_counts_as_the_networks() {
    for direction in ["up", "down"] {
        let line: Impairment = format!("loss=nth:3 direction={direction}").parse().unwrap();
        let mut desk = Desk::new(injecting(line));
        let from = address(true, 1);
        let answers: Vec<_> = (0..9).map(|seq| ask(&mut desk, from, &datagram(seq, 44))).collect();
        let lost: Vec<_> = (0..9).filter(|seq| answers[*seq].is_none()).collect();
        assert_eq!(lost.len(), 3);
        let own: Vec<u32> =
            answers.iter().flatten().map(|answer| Reply::parse(Mode::Open, answer).unwrap().seq).collect();
        let came = (0..9).filter(|seq| !lost.contains(&(*seq as usize)));
        let expected: Vec<u32> = if direction == "up" { (0..6).collect() } else { came.collect() };
        assert_eq!(own, expected, "{direction}");
    }
    let mut desk = Desk::new(injecting("delay=constant:10ms duplicate=100%".parse().unwrap()));
    assert_eq!(ask(&mut desk, address(true, 1), &datagram(0, 44)), None);
    let sent = desk.pass(millis(20));
    let reply = Reply::parse(Mode::Open, &sent[0].datagram).unwrap();
    let near = desk.now.as_nanos();
    let (received, _) = reply.received.unwrap().read(Format::Ntp, near).unwrap();
    let (left, _) = reply.sent.read(Format::Ntp, near).unwrap();
    assert_eq!((sent.len(), left - received), (1, 10_000_000), "no copies for an address that may be forged");
}
