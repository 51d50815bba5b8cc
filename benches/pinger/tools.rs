//! What is run, and how its figures are read. A tool that is not installed gives none.

use std::fmt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;

use super::servers::{Server, UDPECHO, build_c, free_port, pinned};

/// How late a run's probes left, in us.
#[derive(Clone, Copy)]
pub struct Sends {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
    /// Shares that were later than half an interval and than a whole one; NaN if not told.
    pub by_half: f64,
    pub by_whole: f64,
    /// The share of a core that the run took.
    pub core: f64,
}

/// RTTs, in us.
#[derive(Clone, Copy)]
pub struct Trip {
    /// Of a tool that tells no percentiles: the mean.
    pub p50: f64,
    pub p99: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    OneCore,
    TwoCores,
    Spinning,
}

impl Placement {
    /// Of the client and of the server.
    fn cores(self) -> (usize, usize) {
        if self == Self::OneCore { (0, 0) } else { (0, 1) }
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneCore => "one core",
            Self::TwoCores => "two cores",
            Self::Spinning => "two cores, both spinning",
        })
    }
}

/// Who goes first where two want to run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    Ordinary,
    /// Client and server before all ordinary processes and most of the kernel's threads.
    Ahead,
}

impl Rank {
    /// Whether it may be had.
    pub fn is_allowed(self) -> bool {
        self.command("true").stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    fn command(self, program: &str) -> Command {
        match self {
            Self::Ordinary => Command::new(program),
            Self::Ahead => {
                let mut chrt = Command::new("chrt");
                chrt.args(["--fifo", "10", program]);
                chrt
            }
        }
    }
}

type Sender = fn(Rank, &str, u32) -> Option<Sends>;
pub const SENDERS: [(&str, Sender); 8] = [
    ("C, only sleeps", |rank, interval, moments| floor(rank, "sleep", interval, moments)),
    ("C, sleeps and spins", |rank, interval, moments| floor(rank, "hybrid", interval, moments)),
    ("udpecho", |rank, interval, probes| Some(udpecho_sends(rank, "hybrid", interval, probes))),
    ("udpecho --timer sleep", |rank, interval, probes| Some(udpecho_sends(rank, "sleep", interval, probes))),
    ("irtt", |rank, interval, probes| irtt_sends(rank, "comp", interval, probes)),
    ("C, only spins", |rank, interval, moments| floor(rank, "busy", interval, moments)),
    ("udpecho --timer busy", |rank, interval, probes| Some(udpecho_sends(rank, "busy", interval, probes))),
    ("irtt --timer=busy", |rank, interval, probes| irtt_sends(rank, "busy", interval, probes)),
];
/// The first so many of them sleep between probes.
pub const SLEEPERS: usize = 5;

/// A tool that tells the RTT.
pub struct Tripper {
    pub name: &'static str,
    program: &'static str,
    /// It can do so without ever sleeping.
    spins: bool,
    trip: fn(Placement) -> Option<Trip>,
}

impl Tripper {
    /// What it tells, or why it tells nothing.
    pub fn run(&self, placement: Placement) -> Result<Trip, &'static str> {
        if !installed(self.program) {
            return Err("absent");
        }
        if placement == Placement::Spinning && !self.spins {
            return Err("does not spin");
        }
        (self.trip)(placement).ok_or("told nothing")
    }
}

pub const TRIPS: [Tripper; 7] = [
    Tripper { name: "udpecho", program: UDPECHO, spins: true, trip: udpecho_trip },
    // As sockperf does everywhere, with which it has to share the core.
    Tripper { name: "udpecho --timer busy", program: UDPECHO, spins: false, trip: udpecho_busy_trip },
    Tripper { name: "sockperf", program: "sockperf", spins: true, trip: sockperf_trip },
    Tripper { name: "irtt", program: "irtt", spins: true, trip: irtt_trip },
    Tripper { name: "stamp-suite", program: "stamp-suite", spins: false, trip: stamp_trip },
    Tripper { name: "nping (the mean)", program: "nping", spins: false, trip: nping_trip },
    Tripper { name: "fping (ICMP)", program: "fping", spins: false, trip: fping_trip },
];

fn installed(tool: &str) -> bool {
    Command::new("which").arg(tool).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A server of another tool, ended when dropped.
struct Other(Child);

impl Other {
    fn start(command: &Command, core: usize) -> Self {
        let child = pinned(command, core).spawn().expect("it is installed");
        std::thread::sleep(Duration::from_millis(300));
        Self(child)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs it on core 0; what it printed, and the seconds of a core that it took.
fn run(rank: Rank, program: &str, arguments: &[&str], core: usize) -> (String, f64) {
    let mut command = rank.command(program);
    command.args(arguments);
    let before = children_seconds();
    let output = pinned(&command, core).stdout(Stdio::piped()).output().expect("it is installed");
    (String::from_utf8_lossy(&output.stdout).into_owned(), children_seconds() - before)
}

/// Of all children that have ended, from the kernel's count in hundredths of a second.
fn children_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("proc is mounted");
    let fields: Vec<&str> = stat[stat.rfind(')').expect("a name") + 1..].split_whitespace().collect();
    fields[13..15].iter().map(|ticks| ticks.parse::<f64>().expect("a number")).sum::<f64>() / 100.0
}

fn ping(rank: Rank, server: &Server, core: usize, arguments: &[&str]) -> (Value, f64) {
    let port = server.address.port().to_string();
    let mut all = quiet_ping(&port).to_vec();
    all.extend(["--no-record", "--json", "-s", "64"]);
    all.extend(arguments);
    let (text, seconds) = run(rank, UDPECHO, &all, core);
    let record: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    (record["summary"].clone(), seconds)
}

/// Values in ascending order, whose percentiles are those of the pinger itself.
struct Sorted(Vec<f64>);

impl Sorted {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    fn percentile(&self, p: f64) -> Option<f64> {
        let rank = udpecho::stats::percentile::rank(p, self.0.len() as u64)?;
        self.0.get(rank as usize - 1).copied()
    }

    fn share_above(&self, bound: f64) -> f64 {
        self.0.iter().filter(|value| **value > bound).count() as f64 / self.0.len() as f64
    }

    fn trip(&self) -> Option<Trip> {
        Some(Trip { p50: self.percentile(0.5)?, p99: self.percentile(0.99) })
    }
}

/// How late a program is that does nothing else than meet such moments.
fn floor(rank: Rank, timer: &str, interval: &str, moments: u32) -> Option<Sends> {
    static BINARY: LazyLock<Option<PathBuf>> = LazyLock::new(|| build_c("pinger/floor.c", "floor-c", &[]));
    let program = BINARY.as_ref()?.to_str()?;
    let micros = length(interval, 1) * 1e6;
    let (text, seconds) =
        run(rank, program, &[timer, &format!("{:.0}", micros * 1e3), &moments.to_string()], 0);
    let late =
        Sorted::of(text.lines().filter_map(|nanos| nanos.parse::<f64>().ok()).map(|nanos| nanos / 1e3));
    assert_eq!(late.0.len(), moments as usize, "it leaves none out");
    Some(Sends {
        p50: late.percentile(0.5)?,
        p99: late.percentile(0.99)?,
        max: late.percentile(1.0)?,
        by_half: late.share_above(micros / 2.0),
        by_whole: late.share_above(micros),
        core: seconds / length(interval, moments),
    })
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn udpecho_sends(rank: Rank, timer: &str, interval: &str, probes: u32) -> Sends {
    let server = Server::start_udpecho(&["--clean"]);
    if rank == Rank::Ahead {
        assert!(server.run_ahead(), "it was allowed a moment ago");
    }
    let count = probes.to_string();
    let (summary, seconds) =
        ping(rank, &server, 0, &["--timer", timer, "-i", interval, "-n", &count, "-W", "1"]);
    let error = &summary["schedule_error_us"];
    Sends {
        p50: number(&error["p50"]),
        p99: number(&error["p99"]),
        max: number(&error["max"]),
        by_half: f64::NAN,
        by_whole: number(&summary["missed"]) / f64::from(probes),
        core: seconds / length(interval, probes),
    }
}

fn length(interval: &str, probes: u32) -> f64 {
    let micros = if let Some(ms) = interval.strip_suffix("ms") {
        ms.parse::<f64>().unwrap() * 1e3
    } else {
        interval.strip_suffix("us").unwrap().parse().unwrap()
    };
    micros * f64::from(probes) / 1e6
}

fn irtt_sends(rank: Rank, timer: &str, interval: &str, probes: u32) -> Option<Sends> {
    let (record, seconds) = irtt(rank, Placement::TwoCores, timer, interval, probes)?;
    let micros = length(interval, 1) * 1e6;
    let trips = record["round_trips"].as_array()?;
    let sent: Vec<f64> = trips
        .iter()
        .filter_map(|trip| trip["timestamps"]["client"]["send"]["monotonic"].as_f64())
        .map(|nanos| nanos / 1e3)
        .collect();
    // Each send belongs to the tick that it is nearest to.
    let first = *sent.first()?;
    let ticks: Vec<(i64, f64)> = sent
        .iter()
        .map(|at| ((at - first) / micros, at - first))
        .map(|(tick, at)| (tick.round() as i64, at - tick.round() * micros))
        .collect();
    let late = Sorted::of(ticks.iter().map(|(_, late)| *late));
    let hit = ticks.iter().map(|(tick, _)| tick).collect::<std::collections::BTreeSet<_>>().len();
    Some(Sends {
        p50: late.percentile(0.5)?,
        p99: late.percentile(0.99)?,
        max: late.percentile(1.0)?,
        by_half: 1.0 - hit as f64 / f64::from(probes),
        by_whole: f64::NAN,
        core: seconds / length(interval, probes),
    })
}

fn irtt(rank: Rank, placement: Placement, timer: &str, interval: &str, probes: u32) -> Option<(Value, f64)> {
    if !installed("irtt") {
        return None;
    }
    let (client, server) = placement.cores();
    let target = format!("127.0.0.1:{}", free_port());
    let mut command = rank.command("irtt");
    command.args(["server", "-b", &target, "-i", "0"]);
    let _server = Other::start(&command, server);
    let duration = format!("{}ms", length(interval, probes) * 1e3);
    let timer = format!("--timer={timer}");
    let (text, seconds) = run(
        rank,
        "irtt",
        &["client", "-i", interval, "-d", &duration, "-l", "64", "-Q", &timer, "-o", "-", &target],
        client,
    );
    Some((serde_json::from_str(&text).ok()?, seconds))
}

fn udpecho_trip(placement: Placement) -> Option<Trip> {
    Some(udpecho_trip_with(placement, placement == Placement::Spinning))
}

fn udpecho_busy_trip(placement: Placement) -> Option<Trip> {
    Some(udpecho_trip_with(placement, true))
}

fn udpecho_trip_with(placement: Placement, spinning: bool) -> Trip {
    let (client, server) = placement.cores();
    let server = Server::start_udpecho_on(
        Some(server),
        if placement == Placement::Spinning { &["--clean", "--busy-poll"] } else { &["--clean"] },
    );
    let timer = if spinning { "busy" } else { "hybrid" };
    let (summary, _) =
        ping(Rank::Ordinary, &server, client, &["--timer", timer, "-i", "1ms", "-n", "2000", "-W", "1"]);
    Trip { p50: number(&summary["rtt_us"]["p50"]), p99: Some(number(&summary["rtt_us"]["p99"])) }
}

fn sockperf_trip(placement: Placement) -> Option<Trip> {
    let (client, server) = placement.cores();
    let port = free_port().to_string();
    let spin: &[&str] = if placement == Placement::Spinning { &["--nonblocked"] } else { &[] };
    let mut command = Command::new("sockperf");
    command.args(["server", "-i", "127.0.0.1", "-p", &port]).args(spin);
    let _server = Other::start(&command, server);
    let mut arguments =
        vec!["ping-pong", "-i", "127.0.0.1", "-p", &port, "-t", "2", "-m", "64", "--mps=1000", "--full-rtt"];
    arguments.extend(spin);
    let (text, _) = run(Rank::Ordinary, "sockperf", &arguments, client);
    let percentile = |which: &str| {
        let line = text.lines().find(|line| line.contains(&format!("percentile {which}")))?;
        line.rsplit('=').next()?.trim().parse::<f64>().ok()
    };
    Some(Trip { p50: percentile("50.000")?, p99: percentile("99.000") })
}

fn irtt_trip(placement: Placement) -> Option<Trip> {
    let timer = if placement == Placement::Spinning { "busy" } else { "comp" };
    let (record, _) = irtt(Rank::Ordinary, placement, timer, "1ms", 2000)?;
    let trips = record["round_trips"].as_array()?;
    let nanos = trips.iter().filter_map(|trip| trip["delay"]["rtt"].as_f64());
    Sorted::of(nanos.map(|nanos| nanos / 1e3)).trip()
}

/// Between its own two ends; 48 of its 64 bytes are the protocol's.
fn stamp_trip(placement: Placement) -> Option<Trip> {
    let (client, server) = placement.cores();
    let port = free_port().to_string();
    let mut command = Command::new("stamp-suite");
    command.args(["-i", "-S", "127.0.0.1", "-o", &port]);
    let _reflector = Other::start(&command, server);
    let send =
        ["-r", "127.0.0.1", "-p", &port, "-d", "1", "-c", "2000", "-L", "1", "--output-format", "json"];
    let (text, _) = run(Rank::Ordinary, "stamp-suite", &send, client);
    let told: Value = serde_json::from_str(&text).ok()?;
    let micros = |name: &str| told[name].as_f64().map(|ms| ms * 1e3);
    Some(Trip { p50: micros("median_rtt_ms")?, p99: micros("p99_rtt_ms") })
}

/// Of our echo: a sender whose datagrams are no probes gets them back as they are.
fn nping_trip(placement: Placement) -> Option<Trip> {
    let (client, server) = placement.cores();
    let server = Server::start_udpecho_on(Some(server), &["--clean"]);
    let port = server.address.port().to_string();
    let mut arguments = vec!["--udp", "--unprivileged", "-p", &port, "--count", "2000", "--delay", "1ms"];
    arguments.extend(["--data-length", "64", "-v-1", "127.0.0.1"]);
    let (text, _) = run(Rank::Ordinary, "nping", &arguments, client);
    let mean = text.split("Avg rtt: ").nth(1)?.split("ms").next()?;
    Some(Trip { p50: mean.parse::<f64>().ok()? * 1e3, p99: None })
}

fn fping_trip(_: Placement) -> Option<Trip> {
    // It asks the kernel, so there is no server to place.
    let (text, _) = run(Rank::Ordinary, "sh", &["-c", "fping -C 1000 -p 1 -i 1 -b 56 -q 127.0.0.1 2>&1"], 0);
    let millis = text.split(':').nth(1)?.split_whitespace().filter_map(|rtt| rtt.parse::<f64>().ok());
    Sorted::of(millis.map(|ms| ms * 1e3)).trip()
}

fn quiet_ping(port: &str) -> [&str; 6] {
    ["ping", "-ip", "127.0.0.1", "-port", port, "-q"]
}

/// For each probe, of the thread that measures.
pub fn system_calls(interval: &str) -> Option<f64> {
    if !installed("strace") {
        return None;
    }
    let server = Server::start_udpecho(&["--clean"]);
    let port = server.address.port().to_string();
    let folder = std::env::temp_dir().join(format!("udpecho-calls-{}", std::process::id()));
    let count = |probes: u32| -> Option<usize> {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).ok()?;
        let traces = folder.join("trace").display().to_string();
        let probes = probes.to_string();
        let mut strace = Command::new("strace");
        strace.args(["-ff", "-o", &traces, UDPECHO]).args(quiet_ping(&port));
        strace
            .args(["--no-record", "-i", interval, "-n", &probes, "-W", "1"])
            .stdout(Stdio::null())
            .status()
            .ok()?;
        let threads = std::fs::read_dir(&folder).ok()?.flatten();
        let calls = threads.filter_map(|thread| std::fs::read_to_string(thread.path()).ok());
        // The one that sends most.
        calls.max_by_key(|calls| calls.matches("sendto(").count()).map(|calls| calls.lines().count())
    };
    // What it takes to start and to end is in both, but for a call or two by how the threads fall.
    let median_of_three = |probes: u32| {
        let mut counts = [count(probes)?, count(probes)?, count(probes)?];
        counts.sort_unstable();
        Some(counts[1] as f64)
    };
    let (few, many) = match interval {
        "1ms" => (500, 2_500),
        "100ms" => (20, 60),
        _ => (3, 9),
    };
    let calls = median_of_three(many)? - median_of_three(few)?;
    let _ = std::fs::remove_dir_all(&folder);
    Some(calls / f64::from(many - few))
}

pub fn at_rate(rate: &str, record: bool) -> String {
    let server = Server::start_udpecho_on(None, &["--clean"]);
    let port = server.address.port().to_string();
    let folder = std::env::temp_dir().join(format!("udpecho-rate-{}", std::process::id()));
    let mut command = Command::new(UDPECHO);
    command.args(quiet_ping(&port)).args(["--json", "-s", "64", "-w", "2", "--rate", rate]);
    if record {
        command.arg("-o").arg(&folder)
    } else {
        command.arg("--no-record")
    };
    let output = command.stderr(Stdio::null()).output().expect("ping runs");
    let _ = std::fs::remove_dir_all(folder);
    let record: Value = serde_json::from_slice(&output.stdout).expect("its record");
    let summary = &record["summary"];
    let cause = |name: &str| summary["causes"][name].as_u64().unwrap_or(0);
    format!(
        "{:.0} | {} | {} | {} | {} | {}",
        number(&summary["sent"]) / 2.0,
        summary["ok"],
        cause("server_overflow"),
        cause("client_overflow"),
        cause("up") + cause("down"),
        cause("unknown")
    )
}
