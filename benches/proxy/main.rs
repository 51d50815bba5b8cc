//! `udpecho proxy` against the least relay in C and against socat, each in turn on core 1, an echo server and the
//! load on core 0: datagrams, trains, added RTT, the cost of the files; and its own accuracy: when held datagrams
//! leave, what a bottleneck delivers, memory of many flows.
//!
//! `cargo bench --bench proxy` prints a table of figures beside their goals.
#![allow(clippy::print_stdout, reason = "its result")]
#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]

#[allow(dead_code, reason = "shared with another bench")]
#[path = "../echo/load.rs"]
mod load;
mod own;
#[allow(dead_code, reason = "shared with another bench")]
#[path = "../echo/servers.rs"]
mod servers;

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use load::{Client, Dialect, Load, Measured};
use servers::{SERVER_CORE, Server, UDPECHO, build_c, free_port, pinned};

/// The load and the echo server have this core.
const LOAD_CORE: usize = 0;
const ROUNDS: usize = 15;
const SIZE: usize = 512;
const PINGS: usize = 20_000;

fn main() {
    servers::pin_this_thread_to(LOAD_CORE);
    let Some(echo) = build_c("echo/echo.c", "proxy-echo-c", &[]) else { return println!("no C compiler") };
    let Some(relay) = build_c("proxy/relay.c", "proxy-relay-c", &[]) else { return };
    let Some(trains) = build_c("echo/echo.c", "proxy-echo-c-trains", &["-DTRAINS"]) else { return };
    let [echo, trains] = [echo, trains].map(|echo| {
        let port = free_port();
        Server::start("echo", &mut pinned(Command::new(echo).arg(port.to_string()), LOAD_CORE), port)
    });
    println!("| figure | C relay | udpecho proxy | ratio | goal |\n|:--|--:|--:|--:|--:|");
    let c = || c_relay(&relay, echo.address);
    let own = || proxy(echo.address, &[]);
    let single = || Load::single(Dialect::Plain, SIZE, 1);
    compare("datagrams/s and core, one flow, 512 bytes", &c(), &own(), single, 0.90);
    let [c_of_trains, own_of_trains] = [c_relay(&relay, trains.address), proxy(trains.address, &[])];
    let load = || Load::trains(Dialect::Plain, SIZE);
    compare("the same in trains that the server echoes whole", &c_of_trains, &own_of_trains, load, 3.0);
    if let Some(socat) = socat(echo.address) {
        compare("the same, against socat instead of C", &socat, &own(), single, 4.0);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (ledger, pcap) = (folder.path().join("run"), folder.path().join("run.pcapng"));
    let files = ["-o", &ledger.to_string_lossy(), "--pcap", &pcap.to_string_lossy()].map(str::to_owned);
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let recording = proxy(echo.address, &files);
    compare("with ledger and capture, against without", &own(), &recording, single, 0.80);
    added_rtt(echo.address, &c(), &own());
    own::release_error();
    own::bottleneck();
    memory(&own());
}

fn c_relay(binary: &Path, echo: SocketAddr) -> Server {
    let port = free_port();
    let mut command = Command::new(binary);
    command.args([port.to_string(), echo.port().to_string()]);
    Server::start("C relay", &mut pinned(&command, SERVER_CORE), port)
}

fn proxy(echo: SocketAddr, options: &[&str]) -> Server {
    let port = free_port();
    let mut command = Command::new(UDPECHO);
    command.args(["proxy", "-l", &port.to_string(), "-t", &echo.to_string()]).args(options);
    Server::start("udpecho proxy", &mut pinned(&command, SERVER_CORE), port)
}

fn socat(echo: SocketAddr) -> Option<Server> {
    Command::new("socat").arg("-V").output().ok()?;
    let port = free_port();
    let line = format!("echo listens; exec socat UDP4-LISTEN:{port},bind=127.0.0.1 UDP4:{echo}");
    let mut command = Command::new("sh");
    command.args(["-c", &line]);
    let server = Server::start("socat", &mut pinned(&command, SERVER_CORE), port);
    std::thread::sleep(Duration::from_millis(300));
    Some(server)
}

/// Datagrams that a core relays in a second, both directions counted: the median of the turns.
fn compare(figure: &str, reference: &Server, own: &Server, load: impl Fn() -> Load, goal: f64) {
    let mut clients = [reference, own].map(|server| (server, Client::open(server.address, load())));
    [reference, own].into_iter().for_each(Server::freeze);
    let mut turns: [Vec<f64>; 2] = Default::default();
    for _ in 0..ROUNDS {
        for ((server, client), turns) in clients.iter_mut().zip(&mut turns) {
            server.wake();
            let Measured { server_nanos, .. } = client.measure(server);
            server.freeze();
            turns.push(2.0 * 1e9 / server_nanos);
        }
    }
    let [reference, own] = turns.map(median);
    println!("| {figure} | {reference:.0} | {own:.0} | {:.2} | >= {goal:.2} |", own / reference);
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Microseconds of a round trip beyond that without a relay.
fn added_rtt(echo: SocketAddr, c: &Server, own: &Server) {
    let direct = round_trips(echo);
    let added = |server: &Server| {
        let through = round_trips(server.address);
        [0.5, 0.99].map(|share| quantile(&through, share) - quantile(&direct, share))
    };
    let (c, own) = (added(c), added(own));
    for (name, at, goal) in [("p50", 0, 1.25), ("p99", 1, 2.0)] {
        println!(
            "| added RTT {name}, us | {:.1} | {:.1} | {:.2} | <= {goal:.2} |",
            c[at],
            own[at],
            own[at] / c[at]
        );
    }
}

fn round_trips(server: SocketAddr) -> Vec<f64> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(server).expect("a route");
    socket.set_read_timeout(Some(Duration::from_secs(1))).expect("a time-out");
    let mut buffer = [7; SIZE];
    let mut times: Vec<f64> = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let begin = Instant::now();
        socket.send(&buffer).expect("sent");
        if socket.recv(&mut buffer).is_ok() {
            times.push(begin.elapsed().as_secs_f64() * 1e6);
        }
    }
    times.sort_by(f64::total_cmp);
    times
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

/// Resident memory with a thousand flows.
fn memory(own: &Server) {
    let clients: Vec<UdpSocket> =
        (0..1_000).map(|_| UdpSocket::bind("127.0.0.1:0").expect("a socket")).collect();
    for client in &clients {
        client.connect(own.address).expect("a route");
        client.set_read_timeout(Some(Duration::from_secs(1))).expect("a time-out");
        client.send(&[1; SIZE]).expect("sent");
        client.recv(&mut [0; SIZE]).expect("an answer");
    }
    let megabytes = resident_kilobytes(own.child.id()) / 1e3;
    println!("| memory of 1,000 flows, MB | | {megabytes:.1} | | < 64 |");
}

fn resident_kilobytes(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kilobytes| kilobytes.parse().ok()).unwrap_or(f64::NAN)
}
