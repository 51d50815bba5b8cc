//! The codecs and machines of other dialects than the native one.

use std::collections::HashMap;
use std::net::SocketAddr;

use udpecho::endpoints::Endpoints;
use udpecho::probe::{Opening, OtherDialect, TwampControl};
use udpecho::reflect::{Departure, Incoming, Server, ServerPort};
use udpecho::time::Duration;
use udpecho::wire::auth::Key;
use udpecho::wire::stamp::{self, HmacKey, Mode, TlvKind, Understood};
use udpecho::wire::twamp_control;

use super::{BUFFER, START, Script, probe, server_settings};

/// The codec of STAMP, both packets and their TLVs.
pub fn stamp(data: &[u8]) {
    let key = HmacKey::new(&[7; 32]);
    for mode in [Mode::Open, Mode::Authenticated] {
        let _ = stamp::Request::resembles_reply(mode, data);
        if let Some(reply) = stamp::Reply::parse(mode, data) {
            let _ = reply.sent.read(reply.error.format, reply.seq.into());
            let mut again = data.to_vec();
            again.resize(data.len().max(mode.base()), 0);
            reply.emit(mode, &mut again);
            let read = stamp::Reply::parse(mode, &again).expect("what is written is read");
            assert_eq!((read.seq, read.sent, read.ssid), (reply.seq, reply.sent, reply.ssid));
        }
        if let Some(request) = stamp::Request::parse(mode, data)
            && data.len() >= mode.base()
        {
            assert!(mode == Mode::Open || !key.verifies(data));
            let mut again = data.to_vec();
            request.emit(mode, &mut again);
            assert_eq!(stamp::Request::parse(mode, &again), Some(request));
            let _ = stamp::verifies_tlvs(&key, data, mode.base());
            stamp::sign_tlvs(&key, &mut again, mode.base());
            stamp::refuse_tlvs(&mut again[mode.base()..]);
        }
    }
    let mut tail = data.to_vec();
    stamp::answer_tlvs(&mut tail, |kind, value| match kind {
        TlvKind::Other(_) => Understood::No,
        _ if value.len() % 2 == 1 => Understood::Malformed,
        _ => Understood::Yes,
    });
    assert_eq!(stamp::tlvs(&tail).count(), stamp::tlvs(data).count());
    for tlv in stamp::tlvs(data) {
        let _ = stamp::ClassOfService::parse(tlv.value);
        let _ = stamp::DirectMeasurement::parse(tlv.value);
        let _ = stamp::TimestampInfo::parse(tlv.value);
        let _ = stamp::FollowUp::parse(tlv.value);
    }
}

/// The sender's machine: a client of this dialect, as `probe` runs it.
pub fn stamp_sender(data: &[u8]) {
    let mut script = data.to_vec();
    if let [choice, size, ..] = script.as_mut_slice() {
        *choice = 128 | *choice & 63;
        *size |= 2;
        probe(&script);
    }
}

/// The reflector's machine: requests, with and without TLVs, and any other datagram. No reply is longer than its
/// request.
pub fn stamp_reflector(data: &[u8]) {
    let mut script = Script(data);
    let choice = script.byte();
    let key = (choice & 32 != 0).then(|| Key::new(&[7; 32]));
    let mode = if key.is_some() { Mode::Authenticated } else { Mode::Open };
    let mut server = Server::new(server_settings(choice, key), [7; 32], START);
    let mut now = START;
    let mut buffer = vec![0; BUFFER];
    let mut balance: HashMap<SocketAddr, i64> = HashMap::new();
    while !script.is_over() {
        let (act, who) = (script.byte(), script.byte());
        now += Duration::from_micros(i64::from(act >> 4) << (who >> 4));
        server.handle_timeout(now);
        while let Some(Departure { path, length, .. }) = server.poll_transmit(now, &mut buffer) {
            *balance.entry(path.remote).or_default() -= length as i64;
        }
        let tail = script.datagram();
        let length = if act & 1 == 0 { mode.base() + tail.len() } else { tail.len() };
        buffer[..length].fill(0);
        buffer[length - tail.len()..length].copy_from_slice(&tail);
        if act & 1 == 0 {
            let error = stamp::ErrorEstimate::from_bits(script.number() as u16);
            let sent = stamp::Timestamp(script.number() << 32 | script.number());
            stamp::Request { seq: script.number() as u32, sent, error, ssid: u16::from(who & 3) }
                .emit(mode, &mut buffer);
            if act & 2 == 0 && mode == Mode::Authenticated {
                let key = HmacKey::new(&[7; 32]);
                stamp::sign_tlvs(&key, &mut buffer[..length], mode.base());
                key.sign(&mut buffer[..length]);
            }
        }
        let from = SocketAddr::from(([8, 8, 8, who & 3], 40_000 + u16::from(act >> 6)));
        *balance.entry(from).or_default() += length as i64;
        let path = Endpoints { remote: from, local: None };
        let incoming = Incoming::new(now, path, &mut buffer, length);
        let (ttl, traffic_class) = (Some(act), (act & 4 == 0).then_some(who));
        let answered =
            server.handle(Incoming { ttl, traffic_class, server_port: ServerPort::Stamp, ..incoming });
        assert!(answered.is_none_or(|answered| answered <= length));
        *balance.entry(from).or_default() -= answered.unwrap_or(0) as i64;
        assert!(server.counters().dialect("stamp").clients <= 8);
        // Two replies to one request are injected on purpose, from the sender's credit.
        assert!(balance[&from] >= 0, "{from} was sent more than it sent");
    }
}

/// TWAMP-Control: its messages, and the client's conversation up to a session or to an end.
pub fn twamp(data: &[u8]) {
    if let Some(message) = data.first_chunk() {
        let _ = twamp_control::read_greeting(message);
        let _ = twamp_control::is_greeting(message);
    }
    if let Some(message) = data.first_chunk() {
        let _ = twamp_control::SessionRequest::parse(message);
    }
    if let Some(message) = data.first_chunk() {
        let _ = twamp_control::read_accept_session(message);
    }
    let mut script = Script(data);
    let [sender, receiver] = [script.byte(), script.byte()]
        .map(|who| SocketAddr::from(([10, 0, 0, who], 40_000 + u16::from(who))));
    let mut control = TwampControl::new(sender, receiver, script.number() as u32, script.byte(), 0);
    let mut messages = 0;
    while let Some(length) = control.awaits() {
        messages += 1;
        assert!(messages <= 4 && control.port().is_none());
        let mut message = script.take(length).to_vec();
        // A socket would not read a message that ends too early.
        message.resize(length, 0);
        if control.hear(&message).is_err() {
            return;
        }
    }
    assert!(control.port().is_some());
    let _ = control.stop();
}

/// Answers to the openings of `ping --dialect auto`: bytes of the fuzzer, and the openings with some changed.
pub fn openings(data: &[u8]) {
    let mut script = Script(data);
    let act = script.byte();
    let dialect = OtherDialect::ALL[usize::from(act) % OtherDialect::ALL.len()];
    let opening = Opening::new(dialect, script.number(), START);
    let mut answer = if act & 128 == 0 { script.0.to_vec() } else { opening.datagram().to_vec() };
    while act & 128 != 0 && !script.is_over() {
        let at = usize::from(script.byte());
        match answer.get_mut(at) {
            Some(octet) => *octet ^= script.byte(),
            None => answer.push(script.byte()),
        }
    }
    let heard = opening.hear(&answer);
    if answer == opening.datagram() && !answer.is_empty() {
        assert_eq!(heard, Some(OtherDialect::Plain));
    } else {
        assert!(heard.is_none() || heard == Some(dialect) && dialect != OtherDialect::Plain);
    }
}
