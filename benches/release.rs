//! How exactly held replies are released: a server that holds 200,000 of them at once under
//! 100,000 probes a second, in the same process as its load. Prints the release error (the time a
//! reply left after it was due), what became of every probe, and the memory that a held reply took.
//!
//! `cargo bench --bench release -- [PROBES_PER_SECOND] [SECONDS]`
#![allow(clippy::print_stdout, reason = "its result")]

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::Instant as Real;

use udpecho::impair::Impairment;
use udpecho::net::{Bind, Clock, Control, ServerEngine, Serving};
use udpecho::reflect::{Injection, Server, Settings};
use udpecho::stats::Quantiles;
use udpecho::time::Instant;
use udpecho::wire::native::{Hello, Message, Nonce, Open, Probe, Token, decode};

const SIZE: u32 = 64;
const BURST: u64 = 20;

#[allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let rate = numbers.first().copied().unwrap_or(100_000);
    let seconds = numbers.get(1).copied().unwrap_or(8);
    let impairment: Impairment = "delay=uniform:0.1ms..4s".parse().unwrap();
    let settings = Settings { injection: Injection::steady(impairment), ..Settings::default() };
    let clock = Clock::start();
    let server = Server::new(settings, [1; 32], clock.now());
    let at = Bind::At(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let mut engine = ServerEngine::bind(at, Serving::default(), server, clock).unwrap();
    let address = engine.local_addr().unwrap();
    let control = Arc::new(Control::new().unwrap());
    let stop = Arc::clone(&control);
    let serving = thread::spawn(move || {
        let mut most_held = 0;
        let counters =
            engine.run(&stop, |server, _| most_held = most_held.max(server.counters().held)).unwrap();
        (counters, most_held)
    });

    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket2::SockRef::from(&socket).set_recv_buffer_size(8 << 20).unwrap();
    socket.connect(address).unwrap();
    let token = open(&socket);
    let memory_before = resident_bytes();
    let sending = socket.try_clone().unwrap();
    let sender = thread::spawn(move || send(&sending, token, rate, seconds));
    let (errors, memory_after) = receive(&socket, rate * seconds);
    let sent = sender.join().unwrap();
    control.stop();
    let (counters, most_held) = serving.join().unwrap();

    let micros = |p| errors.at(p).map_or(f64::NAN, |error| error.as_micros_f64());
    let max = errors.max().map_or(f64::NAN, |error| error.as_micros_f64());
    let mean = errors.moments().mean().map_or(f64::NAN, |error| error.as_micros_f64());
    println!("{rate} probes/s for {seconds} s, held 0.1 ms to 4 s, at most {most_held} at once");
    println!(
        "release error us: mean {mean:.1} p50 {:.1} p99 {:.1} p99.9 {:.1} max {max:.0}",
        micros(0.5),
        micros(0.99),
        micros(0.999)
    );
    println!(
        "sent {sent}, replies {}, refused {}, socket overflows {}, send errors {}",
        errors.n(),
        counters.refused,
        counters.overflows,
        counters.send_errors
    );
    let each = (memory_after.saturating_sub(memory_before)) as f64 / most_held.max(1) as f64;
    println!("memory for each held reply of {SIZE} bytes: {each:.0} bytes");
}

fn open(socket: &UdpSocket) -> Token {
    let mut buffer = [0; 2048];
    let nonce = Nonce(42);
    let length = Hello { nonce }.emit(&mut buffer);
    socket.send(&buffer[..length]).unwrap();
    let length = socket.recv(&mut buffer).unwrap();
    let Ok(Message::Cookie(cookie)) = decode(&buffer[..length]) else { panic!("no cookie") };
    let open = Open {
        nonce,
        cookie: cookie.cookie,
        size: SIZE,
        remember: 1 << 22,
        idle_secs: 60,
        first_seq: 0,
        requested_impairment: "",
    };
    let length = open.emit(&mut buffer);
    socket.send(&buffer[..length]).unwrap();
    let length = socket.recv(&mut buffer).unwrap();
    let Ok(Message::Accept(accept)) = decode(&buffer[..length]) else { panic!("no accept") };
    accept.token
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn send(socket: &UdpSocket, token: Token, rate: u64, seconds: u64) -> u64 {
    let start = Real::now();
    let mut sent = 0;
    let mut buffer = [0; SIZE as usize];
    while sent < rate * seconds {
        let due = (start.elapsed().as_secs_f64() * rate as f64) as u64;
        if due < sent + BURST {
            thread::sleep(std::time::Duration::from_micros(50));
            continue;
        }
        while sent < due.min(rate * seconds) {
            Probe { token, seq: sent, sent: Instant::ZERO }.emit(&mut buffer);
            if socket.send(&buffer).is_ok() {
                sent += 1;
            }
        }
    }
    sent
}

/// Takes replies until none comes for a second; the memory is looked at when half have come.
fn receive(socket: &UdpSocket, expected: u64) -> (Quantiles, u64) {
    socket.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    let mut errors = Quantiles::new();
    let mut buffer = [0; 2048];
    let mut memory = 0;
    while let Ok(length) = socket.recv(&mut buffer) {
        if let Ok(Message::Reply(reply)) = decode(&buffer[..length]) {
            errors.record(reply.residence - reply.hold);
            if errors.n() == expected / 2 {
                memory = resident_bytes();
            }
        }
        if errors.n() == expected {
            break;
        }
    }
    (errors, memory)
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = status.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096
}
