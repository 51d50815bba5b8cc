//! Turns the bytes of a fuzzer into a timeline of an irtt server and its peers.

use std::collections::HashMap;
use std::net::SocketAddr;

use udpecho::endpoints::Endpoints;
use udpecho::reflect::{Departure, Incoming, Server, ServerPort};
use udpecho::time::Duration;
use udpecho::wire::auth::Key;
use udpecho::wire::irtt::{Clocks, HmacKey, Packet, Params, ReceivedStats, StampAt};

use super::harness::{START, Script, server_settings};

const BUFFER: usize = 4096;

/// A peer: what it was granted, and how many bytes it sent more than it was sent.
#[derive(Default)]
struct Peer {
    session: Option<(u64, Params)>,
    balance: i64,
}

/// Its limits hold, no reply is longer than its probe, and no peer without a session gets more bytes than it sent.
pub fn irtt_server(data: &[u8]) {
    let mut script = Script(data);
    let choice = script.byte();
    let key = (choice & 32 != 0).then(|| Key::new(&[7; 32]));
    let hmac = key.as_ref().map(|_| HmacKey::new(&[7; 32]));
    let mut server = Server::new(server_settings(choice, key), [7; 32], START);
    let (mut now, mut buffer) = (START, vec![0; BUFFER]);
    let mut peers: HashMap<SocketAddr, Peer> = HashMap::new();
    while !script.is_over() {
        let (act, who) = (script.byte(), script.byte());
        let from = SocketAddr::from(([8, 8, 8, who & 7], 40_000 + u16::from(who >> 5)));
        if act % 8 == 0 {
            now += Duration::from_micros(script.number() as i64);
            server.handle_timeout(now);
            while let Some(Departure { path, length, .. }) = server.poll_transmit(now, &mut buffer) {
                peers.entry(path.remote).or_default().balance -= length as i64;
            }
            let counters = server.counters();
            assert!(counters.dialect("irtt").clients <= 8 && counters.held_bytes <= 10_000, "{counters:?}");
            continue;
        }
        let datagram = datagram(&mut script, act, peers.entry(from).or_default(), hmac.as_ref());
        buffer[..datagram.len()].copy_from_slice(&datagram);
        let peer = peers.entry(from).or_default();
        peer.balance += datagram.len() as i64;
        let path = Endpoints { remote: from, local: None };
        let incoming = Incoming::new(now, path, &mut buffer, datagram.len());
        let (ttl, traffic_class) = (Some(60), (who & 8 == 0).then_some(0xB8));
        let incoming = Incoming { ttl, traffic_class, server_port: ServerPort::Irtt, ..incoming };
        let Some(length) = server.handle(incoming) else { continue };
        peer.balance -= length as i64;
        let read = Packet::parse(&buffer[..length], hmac.as_ref()).expect("an answer is a packet");
        assert!(read.reply && (read.open || length <= datagram.len()));
        if read.open && !read.close {
            peer.session = read.opened();
        }
        assert!(peer.balance >= 0 || peer.session.is_some(), "{from} was sent {} bytes more", -peer.balance);
    }
}

fn datagram(script: &mut Script, act: u8, peer: &mut Peer, key: Option<&HmacKey>) -> Vec<u8> {
    let has_hmac = key.is_some();
    let mut datagram = match (act % 8, &peer.session) {
        (1, _) => return Packet::emit_open(&params(script), act & 64 != 0, key),
        (2, Some((token, _))) => return Packet::emit_close(*token, key),
        (3..=5, Some((token, params))) => {
            let mut probe = vec![act; params.reply_length(has_hmac).min(2048)];
            let seq = script.number() as u32;
            if probe.len() >= params.header(has_hmac) {
                Packet::emit_probe(*token, seq, params, has_hmac, &mut probe);
            }
            probe.truncate(if act & 128 != 0 { usize::from(script.byte()) } else { usize::MAX });
            probe
        }
        (6, _) => [&[0x14, 0xA7, 0x5B][..], &script.datagram()].concat(),
        _ => script.datagram(),
    };
    if let Some(key) = key.filter(|_| datagram.len() >= 20 && act & 16 == 0) {
        key.sign(&mut datagram);
    }
    datagram
}

fn params(script: &mut Script) -> Params {
    let bits = script.byte();
    let stamps = [StampAt::None, StampAt::Send, StampAt::Receive, StampAt::Both, StampAt::Midpoint];
    Params {
        version: i64::from(bits >> 7) + 1,
        duration: script.number() as i64 * 1_000 + 1,
        interval: script.number() as i64 + 1,
        length: i64::from(script.byte()) * 8,
        received: ReceivedStats { count: bits & 1 != 0, window: bits & 2 != 0 },
        stamp_at: stamps[usize::from(bits >> 4) % stamps.len()],
        clocks: Clocks { wall: bits & 4 != 0 || bits & 8 == 0, monotonic: bits & 8 != 0 },
        dscp: i64::from(script.byte()),
        fill: ["", "rand", "none"][usize::from(bits >> 2) % 3].to_owned(),
    }
}
