//! A relay of our own between the pinger and the server, with a delay and a fate for each packet,
//! drawn from a seed: the losses found are exactly those made, and the RTT is what was added.
//!
//! It looks at its socket and at the clock without pause, so it has a core of its own, and the server
//! behind it is the machine without a socket: with a process more, two cores would be too few.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use udpecho::endpoints::Endpoints;
use udpecho::impair::Impairment;
use udpecho::probe::Cause;
use udpecho::reflect::{Incoming, Injection, Server, Settings};
use udpecho::rng::Stream;
use udpecho::time::Instant as Virtual;
use udpecho::wire::native::{Message, decode};

use crate::process::{ping, read};
use crate::{Verdict, percentile, within};

const PROBES: u64 = 10_000;
const LOSS: f64 = 0.05;

/// What happens to a probe on its way up or to its reply on its way down.
#[derive(Clone, Copy)]
struct ProbeStatus {
    delay: Duration,
    lost: bool,
}

fn fate(direction: &str, seq: u64) -> ProbeStatus {
    let mut draws = Stream::new(1, direction).at(seq);
    let lost = draws.unit() < LOSS;
    ProbeStatus { delay: Duration::from_nanos(1_000_000 + (9e6 * draws.unit()) as u64), lost }
}

pub fn run() -> Vec<Verdict> {
    let front = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
    let relay_port = front.local_addr().expect("its address").port();
    let over = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&over);
    let relaying = thread::spawn(move || relay(&front, &seen));
    let folder = tempfile::tempdir().expect("a folder");
    let words = format!("-ip 127.0.0.1 -p {relay_port} -n {PROBES} -i 1ms -W 1");
    let status = ping(None, &words, &folder.path().join("run")).status().expect("udpecho ping");
    over.store(true, Ordering::Relaxed);
    relaying.join().expect("the relay");
    assert!(status.success());

    let (_, rows) = read(&folder.path().join("run"));
    let expected = |seq| match (fate("up", seq).lost, fate("down", seq).lost) {
        (true, _) => Some(Cause::Up),
        (false, true) => Some(Cause::Down),
        (false, false) => None,
    };
    let wrong = rows.iter().filter(|row| row.cause != expected(row.seq)).count();
    let lost = rows.iter().filter(|row| row.cause.is_some()).count();
    let mut beyond: Vec<f64> = rows
        .iter()
        .filter_map(|row| {
            let added = (fate("up", row.seq).delay + fate("down", row.seq).delay).as_nanos() as f64 / 1e3;
            Some(row.rtt?.as_micros_f64() - added)
        })
        .collect();
    let near = beyond.iter().filter(|us| (0.0..=100.0).contains(*us)).count() as f64 / beyond.len() as f64;
    vec![
        Verdict {
            text: format!(
                "{lost} of {} probes lost, {wrong} with another cause than the relay's",
                rows.len()
            ),
            good: wrong == 0 && rows.len() as u64 == PROBES,
        },
        within("RTT beyond the relay's delay, p50", percentile(&mut beyond, 0.5), 0.0, 100.0),
        within("RTT beyond the relay's delay, p99", percentile(&mut beyond, 0.99), 0.0, 100.0),
        Verdict { text: format!("within 100 us: {:.2} %", near * 100.0), good: near >= 0.99 },
    ]
}

/// A packet that waits for its time, and whom it came from or goes to.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    at: Instant,
    up: bool,
    client: SocketAddr,
    datagram: Vec<u8>,
}

#[allow(clippy::disallowed_methods, reason = "a benchmark keeps real time")]
fn relay(socket: &UdpSocket, over: &AtomicBool) {
    socket.set_nonblocking(true).expect("a socket that does not block");
    let settings = Settings { injection: Injection::steady(Impairment::clean()), ..Settings::default() };
    let mut server = Server::new(settings, [1; 32], Virtual::ZERO);
    let start = Instant::now();
    let mut waiting: BinaryHeap<Reverse<Waiting>> = BinaryHeap::new();
    let mut buffer = vec![0; 65_536];
    while !over.load(Ordering::Relaxed) {
        if let Ok((length, client)) = socket.recv_from(&mut buffer) {
            waiting.extend(take(true, client, &buffer[..length]));
        }
        while waiting.peek().is_some_and(|Reverse(next)| next.at <= Instant::now()) {
            let Some(Reverse(Waiting { up, client, datagram, .. })) = waiting.pop() else { break };
            if !up {
                let _ = socket.send_to(&datagram, client);
                continue;
            }
            let now = Virtual::from_nanos(start.elapsed().as_nanos() as i64);
            buffer[..datagram.len()].copy_from_slice(&datagram);
            let path = Endpoints { remote: client, local: None };
            if let Some(length) = server.handle(Incoming::new(now, path, &mut buffer, datagram.len())) {
                waiting.extend(take(false, client, &buffer[..length]));
            }
        }
        std::hint::spin_loop();
    }
}

/// The packet and when it is to go on; none if it is lost. What is neither a probe nor a reply goes on
/// at once.
#[allow(clippy::disallowed_methods, reason = "a benchmark keeps real time")]
fn take(up: bool, client: SocketAddr, datagram: &[u8]) -> Option<Reverse<Waiting>> {
    let fate = match decode(datagram) {
        Ok(Message::Probe(probe)) => fate("up", probe.seq),
        Ok(Message::Reply(reply)) => fate("down", reply.seq),
        _ => ProbeStatus { delay: Duration::ZERO, lost: false },
    };
    let at = Instant::now() + fate.delay;
    (!fate.lost).then(|| Reverse(Waiting { at, up, client, datagram: datagram.to_vec() }))
}
