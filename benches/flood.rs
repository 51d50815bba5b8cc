//! What a flood of openings costs those who measure: 100,000 from one address and 100,000 from as
//! many addresses (all of them on loopback), against a server that a client measures at 1,000 probes
//! a second meanwhile. Fails if a probe is lost or the memory grows by 50 MB.
//!
//! `cargo bench --bench flood -- [OPENINGS]`
#![allow(clippy::print_stdout, reason = "its result")]

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread;

use udpecho::net::{Bind, ClientEngine, Clock, Control, Observation, Outgoing, ServerEngine, Serving};
use udpecho::probe::{Event, Outcome, Settings};
use udpecho::reflect::{self, Injection, Server};
use udpecho::time::Duration;
use udpecho::wire::native::{Hello, Message, Nonce, Open, decode};

fn main() {
    let openings = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(100_000);
    let clock = Clock::start();
    let clean = Injection::steady("clean".parse().unwrap());
    let settings = reflect::Settings { injection: clean, ..reflect::Settings::default() };
    let server = Server::new(settings, [1; 32], clock.now());
    let at = Bind::At(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let mut engine = ServerEngine::bind(at, Serving::default(), server, clock).unwrap();
    let address = engine.local_addr().unwrap();
    let [stop_server, stop_client] = [0, 1].map(|_| Arc::new(Control::new().unwrap()));
    let stopping = Arc::clone(&stop_server);
    let serving = thread::spawn(move || engine.run(&stopping, |_, _| {}).unwrap());
    let stopping = Arc::clone(&stop_client);
    let measuring = thread::spawn(move || measure(address, &stopping, clock));
    thread::sleep(std::time::Duration::from_secs(1));

    let before = resident_bytes();
    let one = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let from_one = (0..openings).filter(|index| open(&one, address, *index)).count();
    let from_many = (0..openings).filter(|index| {
        let ip = Ipv4Addr::from_bits(0x7F01_0000 + *index as u32);
        open(&UdpSocket::bind((ip, 0)).unwrap(), address, *index)
    });
    let from_many = from_many.count();
    let grown = resident_bytes().saturating_sub(before);
    stop_client.stop();
    let (sent, lost) = measuring.join().unwrap();
    stop_server.stop();
    let counters = serving.join().unwrap();
    println!("{openings} openings from one address ({from_one} answered), from as many ({from_many})");
    println!(
        "sessions {}, denied {}, refused as strangers {}, overflows {}",
        counters.dialect("native").clients,
        counters.dialect("native").denied,
        counters.unverified_refused,
        counters.overflows
    );
    println!("memory grew by {} kB; of {sent} probes at 1,000 a second {lost} were lost", grown / 1000);
    assert!(grown < 50_000_000 && lost == 0);
}

fn measure(address: SocketAddr, control: &Control, clock: Clock) -> (u64, u64) {
    let settings = Settings {
        size: 64,
        deadline: Some(Duration::from_secs(1)),
        ..Settings::every("1ms".parse().unwrap(), 1)
    };
    let mut engine = ClientEngine::connect(address, settings, &Outgoing::default(), clock).unwrap();
    let (mut sent, mut lost) = (0, 0);
    let mut observe = |observation| {
        if let Observation::Event { event: Event::Resolved(probe), .. } = observation {
            sent += 1;
            lost += u64::from(probe.outcome == Outcome::Lost);
        }
    };
    engine.run(control, &mut observe).unwrap();
    (sent, lost)
}

/// Hello, cookie, open: whether there was an answer to both.
fn open(socket: &UdpSocket, address: SocketAddr, index: u64) -> bool {
    socket.set_read_timeout(Some(std::time::Duration::from_millis(1))).unwrap();
    let nonce = Nonce(index);
    let mut buffer = [0; 2048];
    let length = Hello { nonce }.emit(&mut buffer);
    let _ = socket.send_to(&buffer[..length], address);
    let Ok(length) = socket.recv(&mut buffer) else { return false };
    let Ok(Message::Cookie(cookie)) = decode(&buffer[..length]) else { return false };
    let open = Open {
        nonce,
        cookie: cookie.cookie,
        size: 64,
        remember: 1 << 22,
        idle_secs: 3600,
        first_seq: 0,
        requested_impairment: "",
    };
    let length = open.emit(&mut buffer);
    let _ = socket.send_to(&buffer[..length], address);
    socket.recv(&mut buffer).is_ok()
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}
