//! A day at 1 kHz in virtual time: the client, the server and the network between them as they are
//! in the tests, each probe's row written by the writer of probes.csv (its bytes are counted, not
//! kept) and summed up as `ping` sums it up. Prints how long it took and the most memory it had.
//!
//! `cargo bench --bench day -- [SECONDS]`

#![allow(clippy::print_stdout, reason = "a bench tells its figures")]

use std::cell::Cell;
use std::io::{self, Write};
use std::rc::Rc;

use udpecho::impair::Impairment;
use udpecho::net::Clock;
use udpecho::probe::{Event, Settings};
use udpecho::record::{ProbeWriter, SecondWriter, Summary};
use udpecho::reflect::{self, Injection};
use udpecho::sim::{Conditions, Simulation};
use udpecho::stats::RunStatistics;
use udpecho::time::Duration;
use udpecho::units::Interval;

const RATE: u64 = 1000;
/// What the project promises.
const MOST_BYTES: u64 = 50 << 20;

fn main() {
    let seconds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(86_400_u64);
    let path = Conditions::impaired("delay=uniform:10ms..30ms loss=0.5% duplicate=0.1%");
    let injection = Injection::steady(Impairment::clean());
    let server = reflect::Settings { injection, ..reflect::Settings::default() };
    let mut simulation = Simulation::new(server, path.clone(), path, 1);
    simulation.add_client(Settings {
        count: Some(seconds * RATE),
        deadline: Some(Duration::from_millis(100)),
        ..Settings::every(Interval::new(Duration::from_millis(1)).expect("an interval"), 1)
    });
    let written = Counter::default();
    let mut probes = ProbeWriter::new(written.clone()).expect("a header");
    let mut rows = SecondWriter::new(written.clone()).expect("a header");
    let mut statistics = RunStatistics::new();
    let clock = Clock::start();
    let begun = clock.now();
    simulation.run_streaming(Duration::from_secs(seconds as i64 + 60), |_, event| {
        if let Event::Resolved(probe) = event {
            probes.write(&probe).expect("a row");
            statistics.push(&probe, |second| rows.write(second).expect("a row"));
        }
    });
    let took = (clock.now() - begun).as_secs_f64();
    let summary = Summary::of(&statistics);
    let most = most_resident_bytes();
    println!("{seconds} s of virtual time, {} probes, {} lost", summary.sent, summary.lost);
    println!(
        "in {took:.0} s: {:.0} probes/s; {:.2} GB of rows",
        summary.sent as f64 / took,
        written.gigabytes()
    );
    println!("most memory: {:.1} MB", most as f64 / 1e6);
    assert_eq!(summary.sent, seconds * RATE);
    assert!(most < MOST_BYTES, "more than {MOST_BYTES} bytes");
}

/// A file that nobody needs.
#[derive(Clone, Default)]
struct Counter(Rc<Cell<u64>>);

impl Counter {
    fn gigabytes(&self) -> f64 {
        self.0.get() as f64 / 1e9
    }
}

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.set(self.0.get() + bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn most_resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.map_or(0, |kilobytes| kilobytes * 1024)
}
