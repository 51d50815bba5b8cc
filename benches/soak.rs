//! A long run under everything at once: 20,000 probes a second over loopback against a server that
//! holds, drops, doubles, reorders and corrupts. Prints memory and counts a minute, and fails if the
//! memory grows after the first tenth or if a count does not add up.
//!
//! `cargo bench --bench soak -- [SECONDS] [PROBES_PER_SECOND]`, 1800 and 20000 by default
#![allow(clippy::print_stdout, reason = "its result")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;

use udpecho::net::{Bind, ClientEngine, Clock, Control, Observation, Outgoing, ServerEngine, Serving};
use udpecho::probe::{Cause, Event, Outcome, Settings};
use udpecho::reflect::{self, Injection, Server};
use udpecho::time::{Duration, Instant};
use udpecho::units::Interval;
use udpecho::wire::seal::Key;

const EVERYTHING: &str = "delay=uniform:0.1ms..500ms loss=gilbert:p=3%,r=27% duplicate=5% reorder=2%,by=20ms corrupt=1% direction=both";

/// What became of all probes.
#[derive(Debug, Default)]
struct Sums {
    started: Option<Instant>,
    resolved: u64,
    ok: u64,
    late: u64,
    injected: u64,
    /// Lost by anything but what was injected.
    elsewhere: u64,
    not_sent: u64,
}

fn main() {
    let numbers: Vec<i64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let seconds = numbers.first().copied().unwrap_or(1800);
    let rate = numbers.get(1).copied().unwrap_or(20_000);
    let clock = Clock::start();
    let key = Some(Key::new(&[7; 32]));
    let injection = Injection::Steady(EVERYTHING.parse().unwrap());
    let settings = reflect::Settings { injection, key: key.clone(), ..reflect::Settings::default() };
    let server = Server::new(settings, [1; 32], clock.now());
    let at = Bind::At(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let mut engine = ServerEngine::bind(at, Serving::default(), server, clock).unwrap();
    let address = engine.local_addr().unwrap();
    let stop_server = Arc::new(Control::new().unwrap());
    let stopping = Arc::clone(&stop_server);
    let serving = thread::spawn(move || engine.run(&stopping, |_, _| {}).unwrap());

    let settings = Settings {
        size: 128,
        count: Some((seconds * rate) as u64),
        deadline: Some(Duration::from_millis(700)),
        key,
        ..Settings::every(Interval::new(Duration::from_secs(1) / rate).unwrap(), 1)
    };
    let mut client = ClientEngine::connect(address, settings, &Outgoing::default(), clock).unwrap();
    let (sums, early) = run(&mut client, seconds, rate);
    let grown = resident_bytes().saturating_sub(early);
    // The client's last word, that it closes its session, is still on its way.
    thread::sleep(std::time::Duration::from_millis(200));
    stop_server.stop();
    let counters = serving.join().unwrap();
    println!("{sums:?}\n{:?}\n{counters:?}", client.counters());
    println!("memory grew by {} kB after the first tenth", grown / 1000);
    let parts = sums.ok + sums.late + sums.injected + sums.elsewhere + sums.not_sent;
    assert_eq!((sums.resolved, parts), ((seconds * rate) as u64, sums.resolved));
    assert_eq!((counters.sessions, counters.held), (0, 0));
    assert!(grown < 10_000_000, "memory is not flat");
    assert!(sums.elsewhere * 1000 <= sums.resolved, "more than one in a thousand lost for other reasons");
}

/// Runs to the end; also the memory in use after the first tenth.
fn run(client: &mut ClientEngine, seconds: i64, rate: i64) -> (Sums, u64) {
    let mut sums = Sums::default();
    let mut early = 0;
    let mut observe = |observation| {
        let Observation::Event(event, _) = observation else { return };
        match event {
            Event::Started { zero } => sums.started = Some(zero),
            Event::Resolved(probe) => {
                sums.resolved += 1;
                match (probe.outcome, probe.cause) {
                    (Outcome::Ok, _) => sums.ok += 1,
                    (Outcome::Late, _) => sums.late += 1,
                    (Outcome::SendError, _) => sums.not_sent += 1,
                    (_, Some(Cause::InjectedUp | Cause::InjectedDown)) => sums.injected += 1,
                    _ => sums.elsewhere += 1,
                }
                if sums.resolved == (seconds * rate) as u64 / 10 {
                    early = resident_bytes();
                }
                if sums.resolved.is_multiple_of(60 * rate as u64) {
                    println!("{} s: {} kB, {sums:?}", sums.resolved / rate as u64, resident_bytes() / 1000);
                }
            }
            _ => {}
        }
    };
    client.run(&Control::new().unwrap(), &mut observe).unwrap();
    (sums, early)
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}
