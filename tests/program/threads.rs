//! A server of several threads: each session is with one of them, its client at any source port.

#![cfg(target_os = "linux")]

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use udpecho::net::{Bind, Clock, Control, ServerThreads, Serving, random_bytes};
use udpecho::reflect::{Counters, Injection, Server, Settings};
use udpecho::time::{self, Instant};
use udpecho::wire::native::{Message, Probe, Token, decode};

use crate::common::desk::handshake;
use crate::common::process::{Serve, command, run};

const SIZE: u32 = 128;

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

/// The reply to this request.
fn answer<'a>(socket: &UdpSocket, server: SocketAddr, request: &[u8], buffer: &'a mut [u8]) -> Message<'a> {
    socket.send_to(request, server).unwrap();
    heard(socket, buffer)
}

fn heard<'a>(socket: &UdpSocket, buffer: &'a mut [u8]) -> Message<'a> {
    let length = socket.recv(buffer).unwrap();
    decode(&buffer[..length]).unwrap()
}

/// The token of a session that is opened from this socket.
fn opened(socket: &UdpSocket, server: SocketAddr, nonce: u64) -> Token {
    let ask = |request: &[u8]| {
        let mut buffer = [0; 1024];
        socket.send_to(request, server).unwrap();
        let length = socket.recv(&mut buffer).unwrap();
        Some(buffer[..length].to_vec())
    };
    handshake(ask, nonce, SIZE).unwrap()
}

/// Fails unless the server knows the session.
fn probe(socket: &UdpSocket, server: SocketAddr, token: Token, seq: u64) {
    let (mut request, mut reply) = ([0; SIZE as usize], [0; 1024]);
    Probe { token, seq, sent: Instant::ZERO }.emit(&mut request);
    let answer = answer(socket, server, &request, &mut reply);
    assert!(matches!(answer, Message::Reply(_)), "{answer:?}");
}

/// A server of three threads, while it runs.
struct Running<'a> {
    server: SocketAddr,
    control: &'a Control,
    /// Sessions and sent datagrams of each thread, as its views see them.
    shown: &'a [[AtomicU64; 2]; 3],
}

impl Running<'_> {
    fn sessions(&self) -> [u64; 3] {
        [0, 1, 2].map(|thread| self.shown[thread][0].load(Ordering::Relaxed))
    }

    fn sent(&self) -> u64 {
        self.shown.iter().map(|[_, sent]| sent.load(Ordering::Relaxed)).sum()
    }

    /// Waits until the views show this. Threads show their state when something comes.
    fn until(&self, is_shown: impl Fn(&Self) -> bool) {
        for _ in 0..200 {
            if is_shown(self) {
                return;
            }
            (0..64).for_each(|_| _ = socket().send_to(b"hello", self.server).unwrap());
            thread::sleep(Duration::from_millis(50));
        }
        panic!("sessions {:?}, sent {}", self.sessions(), self.sent());
    }
}

/// Has a server of three threads run while this goes on; its totals.
fn with_three_threads(measure: impl FnOnce(&Running) + Send) -> Counters {
    let clock = Clock::start();
    let settings =
        || Settings { injection: Injection::steady("clean".parse().unwrap()), ..Settings::default() };
    let make = || Ok(Server::new(settings(), random_bytes()?, clock.now()));
    let at = Bind::At("127.0.0.1:0".parse().unwrap());
    let mut threads =
        ServerThreads::bind(NonZero::new(3).unwrap(), at, Serving::default(), clock, make).unwrap();
    let control = Control::new().unwrap();
    let shown = Default::default();
    let running = Running { server: threads.local_addr().unwrap(), control: &control, shown: &shown };
    let watch = |thread: usize, server: &Server, _: Instant| {
        let now = server.counters();
        shown[thread][0].store(now.in_all().clients, Ordering::Relaxed);
        shown[thread][1].store(now.sent, Ordering::Relaxed);
    };
    thread::scope(|scope| {
        let served = scope.spawn(|| threads.run(&control, time::Duration::ZERO, watch).unwrap());
        let measured = scope.spawn(|| measure(&running)).join();
        control.abort();
        measured.unwrap();
        served.join().unwrap()
    })
}

#[test]
fn threads_share_the_sessions_and_know_their_own_from_any_port() {
    const SESSIONS: u64 = 24;
    let counters = with_three_threads(|running| {
        for number in 0..SESSIONS {
            let client = socket();
            let token = opened(&client, running.server, number);
            probe(&client, running.server, token, 0);
            // Its NAT has another port for it, then another one.
            (1..4).for_each(|seq| probe(&socket(), running.server, token, seq));
        }
        running.until(|now| now.sessions() == [SESSIONS / 3; 3]);
    });
    assert_eq!((counters.unknown_session, counters.moved), (0, 3 * SESSIONS));
}

#[test]
fn each_thread_tells_its_clients_of_its_end_and_shows_what_it_answers_meanwhile() {
    with_three_threads(|running| {
        let clients: Vec<_> = (0..6)
            .map(|number| {
                let client = socket();
                let token = opened(&client, running.server, number);
                probe(&client, running.server, token, 0);
                (client, token)
            })
            .collect();
        running.control.stop_gently();
        for (client, token) in &clients {
            let mut buffer = [0; 1024];
            assert_eq!(heard(client, &mut buffer), Message::Ending(*token));
        }
        // A cookie, an accept, a reply and word of the end each.
        running.until(|now| now.sent() >= 4 * 6);
    });
}

#[test]
fn watch_loses_nothing_by_sixteen_source_ports_to_several_threads() {
    for threads in [2, 3] {
        let serve = Serve::start(&format!("--clean --threads {threads}"));
        let folder = TempDir::new().unwrap();
        let group = format!(
            "[[group]]\nname = 'a'\ntargets = ['127.0.0.1:{}', '[::1]:{}']\ninterval = '5ms'\ndeadline = '5s'\n\
             give-up = '10s'\nflows = 16\n",
            serve.port, serve.port
        );
        fs::write(folder.path().join("watch.toml"), group).unwrap();
        let finished = run(command(folder.path(), "watch -f watch.toml -n 300 --json"));
        let told: Value = serde_json::from_str(&finished.stdout.join("\n")).unwrap();
        for target in [&told["targets"][0], &told["targets"][1]] {
            // A busy host skips probes.
            let [sent, skipped] = ["sent", "skipped"].map(|count| target[count].as_u64().unwrap());
            assert_eq!((sent + skipped, &target["lost"]), (300, &0.into()), "{threads}: {target}");
        }
    }
}
