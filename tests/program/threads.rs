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
use udpecho::reflect::{Injection, Server, Settings};
use udpecho::time::{self, Instant};
use udpecho::wire::native::{Hello, Message, Nonce, Open, Probe, Token, decode};

use crate::common::process::{Serve, command, run};

const SIZE: u32 = 128;

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

/// What this request is answered with.
fn answer<'a>(socket: &UdpSocket, server: SocketAddr, request: &[u8], buffer: &'a mut [u8]) -> Message<'a> {
    socket.send_to(request, server).unwrap();
    let length = socket.recv(buffer).unwrap();
    decode(&buffer[..length]).unwrap()
}

/// The token of a session that is opened from this socket.
fn opened(socket: &UdpSocket, server: SocketAddr, nonce: Nonce) -> Token {
    let (mut request, mut reply) = ([0; 1024], [0; 1024]);
    let length = Hello { nonce }.emit(&mut request);
    let Message::Cookie(cookie) = answer(socket, server, &request[..length], &mut reply) else {
        panic!("no cookie")
    };
    let open = Open {
        nonce,
        cookie: cookie.cookie,
        size: SIZE,
        remember: 64,
        idle_secs: 60,
        first_seq: 0,
        requested_impairment: "",
    };
    let length = open.emit(&mut request);
    let Message::Accept(accept) = answer(socket, server, &request[..length], &mut reply) else {
        panic!("no session")
    };
    accept.token
}

/// Fails unless the server knows the session.
fn probe(socket: &UdpSocket, server: SocketAddr, token: Token, seq: u64) {
    let (mut request, mut reply) = ([0; SIZE as usize], [0; 1024]);
    Probe { token, seq, sent: Instant::ZERO }.emit(&mut request);
    let answer = answer(socket, server, &request, &mut reply);
    assert!(matches!(answer, Message::Reply(_)), "{answer:?}");
}

#[test]
fn threads_share_the_sessions_and_know_their_own_from_any_port() {
    const SESSIONS: u64 = 24;
    let clock = Clock::start();
    let settings =
        || Settings { injection: Injection::steady("clean".parse().unwrap()), ..Settings::default() };
    let make = || Ok(Server::new(settings(), random_bytes()?, clock.now()));
    let at = Bind::At("127.0.0.1:0".parse().unwrap());
    let mut threads =
        ServerThreads::bind(NonZero::new(3).unwrap(), at, Serving::default(), clock, make).unwrap();
    let server = threads.local_addr().unwrap();
    let control = Control::new().unwrap();
    let clients = [(); 3].map(|()| AtomicU64::new(0));
    let now = || [0, 1, 2].map(|thread: usize| clients[thread].load(Ordering::Relaxed));
    let watch = |thread: usize, server: &Server, _: Instant| {
        clients[thread].store(server.counters().in_all().clients, Ordering::Relaxed);
    };
    let measure = || {
        for number in 0..SESSIONS {
            let client = socket();
            let token = opened(&client, server, Nonce(number));
            probe(&client, server, token, 0);
            // Its NAT has another port for it, then another one.
            (1..4).for_each(|seq| probe(&socket(), server, token, seq));
        }
        // Threads show their state when something comes.
        let hear = || (0..64).for_each(|_| _ = socket().send_to(b"hello", server).unwrap());
        for _ in 0..200 {
            if now().iter().sum::<u64>() == SESSIONS {
                return;
            }
            hear();
            thread::sleep(Duration::from_millis(50));
        }
    };
    let counters = thread::scope(|scope| {
        let running = scope.spawn(|| threads.run(&control, time::Duration::ZERO, watch).unwrap());
        let measured = scope.spawn(measure).join();
        control.stop();
        measured.unwrap();
        running.join().unwrap()
    });
    assert_eq!((counters.unknown_session, counters.moved), (0, 3 * SESSIONS));
    assert_eq!(now(), [SESSIONS / 3; 3]);
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
            assert_eq!((&target["sent"], &target["lost"]), (&300.into(), &0.into()), "{threads}: {target}");
        }
    }
}
