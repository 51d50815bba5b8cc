//! A long run, made up and recorded as `ping` records it, then read again as `report` reads it.
//!
//! `cargo bench --bench long_run -- [PROBES [FOLDER]]`: the folder stays, for `udpecho report`.

#![allow(clippy::print_stdout, reason = "a bench tells its figures")]

use std::path::{Path, PathBuf};

use udpecho::net::Clock;
use udpecho::probe::{Cause, Outcome, Resolved};
use udpecho::record::{
    self, Config, Environment, Folder, Run, SCHEMA, SECONDS, SecondWriter, Server, Stamps, Summary,
};
use udpecho::rng::{Draws, Stream};
use udpecho::stats::RunStatistics;
use udpecho::time::Duration;

const PROBES: u64 = 1_000_000;
const INTERVAL: Duration = Duration::from_millis(1);
const SIZE: u32 = 512;

fn main() {
    // The first argument that is none of cargo's.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let probes = arguments.next().map_or(PROBES, |text| text.parse().expect("a number of probes"));
    let folder = arguments.next().map_or_else(default_folder, PathBuf::from);
    let clock = Clock::start();
    let begun = clock.now();
    record(&folder, probes);
    tell("recorded", probes, clock.now() - begun);
    let begun = clock.now();
    let read = read(&folder);
    assert_eq!(read, probes);
    tell("read and folded", probes, clock.now() - begun);
}

fn default_folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("long_run")
}

fn tell(what: &str, probes: u64, took: Duration) {
    let seconds = took.as_secs_f64();
    println!("{what} {probes} probes in {seconds:.2} s: {:.0} probes/s", probes as f64 / seconds);
}

fn record(path: &Path, probes: u64) {
    let folder = Folder::create(path, true).expect("a folder");
    let mut rows = folder.probe_writer().expect("probes.csv");
    let mut seconds = SecondWriter::new(folder.stream(SECONDS).expect("seconds.csv")).expect("a header");
    let mut statistics = RunStatistics::new();
    let mut run = run(probes);
    folder.write_run(&run).expect("run.json");
    let draws = Stream::new(1, "long run");
    for seq in 0..probes {
        let probe = probe(seq, &mut draws.at(seq));
        rows.write(&probe).expect("a row");
        statistics.push(&probe, |second| seconds.write(second).expect("a second"));
    }
    run.clock = record::Clock::of(&statistics);
    run.summary = Some(Summary::of(&statistics));
    seconds.write(&statistics.last_second().expect("a second")).expect("a second");
    rows.flush().and_then(|()| seconds.flush()).expect("room on the disk");
    folder.write_run(&run).expect("run.json");
}

fn read(path: &Path) -> u64 {
    let folder = Folder::open(path).expect("a run");
    let mut statistics = RunStatistics::new();
    for row in folder.probe_reader().expect("probes.csv") {
        statistics.push(&row.expect("a row"), |_| {});
    }
    let summary = Summary::of(&statistics);
    summary.sent + summary.send_errors
}

/// One of a hundred is lost; delays wander by the second and differ by the probe, so that no column
/// is easy to write or to read.
fn probe(seq: u64, draws: &mut Draws) -> Resolved {
    let due = INTERVAL * seq as i64;
    let sent = due + nanos(20_000.0 * draws.unit());
    let wander = 4e6 * (due.as_secs_f64() / 60.0).sin().abs();
    let up = nanos(10e6 + wander + 2e6 * draws.unit());
    let down = nanos(12e6 + 8e6 * draws.unit().powi(4));
    let hold = nanos(1e5 + 1e6 * draws.unit());
    let server = hold + nanos(30_000.0 * draws.unit());
    let lost = draws.unit() < 0.01;
    let rtt = up + server + down;
    let on_time = rtt <= Duration::from_millis(30);
    let replied = |value: Duration| (!lost).then_some(value);
    Resolved {
        seq,
        due,
        sent: Some(sent),
        interval: INTERVAL,
        size: SIZE,
        outcome: match (lost, on_time) {
            (true, _) => Outcome::Lost,
            (false, true) => Outcome::Ok,
            (false, false) => Outcome::Late,
        },
        cause: lost.then_some(if draws.unit() < 0.5 { Cause::Up } else { Cause::InjectedDown }),
        rtt: replied(rtt),
        hold: replied(hold),
        server: replied(server),
        owd_up: replied(up + CLOCK_OFFSET),
        owd_down: replied(down - CLOCK_OFFSET),
        copies: u32::from(!lost),
        injected_copies: Some(0),
        probe_copies: None,
        corrupted: None,
        impossible_times: false,
        skipped: false,
        reply_number: None,
    }
}

const CLOCK_OFFSET: Duration = Duration::from_micros(1_234_567);

fn nanos(nanos: f64) -> Duration {
    Duration::from_nanos(nanos as i64)
}

fn run(probes: u64) -> Run {
    Run {
        schema: SCHEMA,
        udpecho: env!("CARGO_PKG_VERSION").to_owned(),
        argv: vec!["udpecho".to_owned(), "ping".to_owned()],
        tlvs: None,
        hosts: None,
        rate: None,
        load: None,
        knows: None,
        started: "2026-01-01T00:00:00.000000Z".to_owned(),
        environment: Environment {
            os: "none".to_owned(),
            kernel: None,
            arch: "none".to_owned(),
            cpus: 2,
            receive_buffer: None,
        },
        config: Config {
            host: "made-up".to_owned(),
            address: "192.0.2.1:8080".to_owned(),
            dialect: udpecho::probe::Dialect::Native,
            embedded: false,
            count: Some(probes),
            interval_us: INTERVAL.as_micros_f64(),
            decay: None,
            min_interval_us: None,
            poisson_seed: None,
            size: SIZE,
            deadline_us: Some(30_000.0),
            total_us: None,
            source: None,
            dscp: None,
            ttl: None,
            dont_fragment: false,
        },
        server: Some(Server { injects: "delay=uniform:0.1ms..1.1ms".to_owned(), seed: 1, max_size: 65_527 }),
        stamps: Stamps {
            client_send: "program".to_owned(),
            client_receive: "kernel".to_owned(),
            server: Some("kernel".to_owned()),
        },
        clock: None,
        events: Vec::new(),
        summary: None,
    }
}
