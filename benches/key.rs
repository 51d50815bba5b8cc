//! What a key costs: the processor's time for each datagram at the server and at the client, with a
//! key and without, in turn (A B A B), medians. The client sleeps between probes, for to look at the
//! clock meanwhile would hide what a probe costs.
//!
//! `cargo bench --bench key -- [ROUNDS]`
#![allow(clippy::print_stdout, reason = "its result")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;

use udpecho::net::{Bind, ClientEngine, Clock, Control, Observation, Outgoing, ServerEngine, Serving, Timer};
use udpecho::probe::{Event, Outcome, Settings};
use udpecho::reflect::{self, Injection, Server};
use udpecho::time::Duration;
use udpecho::units::Interval;
use udpecho::wire::auth::Key;

const ROUNDS: usize = 5;
/// A steady run, one that has the processor work all the time, and one whose probes leave in trains.
const RATES: [i64; 3] = [20_000, 100_000, 300_000];
/// A run is a third of a second.
const RUNS_A_SECOND: i64 = 3;
const SIZES: [u32; 3] = [72, 512, 1400];

/// Nanoseconds for each datagram.
#[derive(Clone, Copy)]
struct Cost {
    server: f64,
    client: f64,
}

fn main() {
    let rounds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(ROUNDS);
    println!("| bytes | probes a second | server: no key | key | ratio | client: no key | key | ratio |");
    println!("|--:|--:|--:|--:|--:|--:|--:|--:|");
    for size in SIZES {
        for rate in RATES {
            let turns: Vec<[Cost; 2]> = (0..rounds)
                .map(|_| [None, Some(Key::new(&[7; 32]))].map(|key| run(size, rate, key)))
                .collect();
            let row = |part: fn(&Cost) -> f64| {
                let [without, with] = [0, 1].map(|which| median(turns.iter().map(|turn| part(&turn[which]))));
                format!("{without:.0} ns | {with:.0} ns | {:.2}", with / without)
            };
            println!("| {size} | {rate} | {} | {} |", row(|cost| cost.server), row(|cost| cost.client));
        }
    }
}

/// A server and a client, a thread each.
fn run(size: u32, rate: i64, key: Option<Key>) -> Cost {
    let clock = Clock::start();
    let injection = Injection::steady("clean".parse().unwrap());
    let settings = reflect::Settings { injection, key: key.clone(), ..reflect::Settings::default() };
    let server = Server::new(settings, [1; 32], clock.now());
    let at = Bind::At(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let mut engine = ServerEngine::bind(at, Serving::default(), server, clock).unwrap();
    let address = engine.local_addr().unwrap();
    let control = Arc::new(Control::new().unwrap());
    let stopping = Arc::clone(&control);
    let serving = thread::spawn(move || {
        let counters = engine.run(&stopping, |_, _| {}).unwrap();
        own_cpu_nanos() / counters.received as f64
    });
    let client = thread::spawn(move || measure(address, settings_of(size, rate, key), clock));
    let client = client.join().unwrap();
    control.stop();
    Cost { server: serving.join().unwrap(), client }
}

fn settings_of(size: u32, rate: i64, key: Option<Key>) -> Settings {
    Settings {
        size,
        count: Some((rate / RUNS_A_SECOND) as u64),
        deadline: Some(Duration::from_secs(1)),
        grace: Duration::from_millis(100),
        key,
        ..Settings::every(Interval::new(Duration::from_secs(1) / rate).unwrap(), 1)
    }
}

/// What each probe that was sent cost, its reply included.
fn measure(address: SocketAddr, settings: Settings, clock: Clock) -> f64 {
    let outgoing = Outgoing { timer: Timer::Sleep, ..Outgoing::default() };
    let mut engine = ClientEngine::connect(address, settings, &outgoing, clock).unwrap();
    let (mut sent, mut lost) = (0_u64, 0_u64);
    let mut observe = |observation| {
        if let Observation::Event { event: Event::Resolved(probe), .. } = observation {
            sent += u64::from(probe.outcome != Outcome::SendError);
            lost += u64::from(probe.outcome == Outcome::Lost);
        }
    };
    engine.run(&Control::new().unwrap(), &mut observe).unwrap();
    assert!(sent > 1000 && lost * 10 < sent, "{sent} sent, {lost} lost: too busy a machine");
    own_cpu_nanos() / sent as f64
}

/// How long this thread has been on a processor.
fn own_cpu_nanos() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts it");
    text.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("nanoseconds")
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
