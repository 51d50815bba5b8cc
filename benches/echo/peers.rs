//! Other tools' servers under their own clients' best load; one that is not installed is named so.

use std::fmt;
use std::net::Ipv4Addr;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use super::load::{Client, Dialect, Load};
use super::servers::{SERVER_CORE, Server, free_port, pinned};
use super::table::Spread;

pub struct Peer {
    name: &'static str,
    outcome: Outcome,
}

enum Outcome {
    Absent,
    /// Its echoes a second, and ours in the same turns under our load of the same size.
    Measured {
        theirs: Spread,
        ours: Spread,
    },
}

const SIZE: usize = 64;

pub fn measure(rounds: usize) -> Vec<Peer> {
    [("irtt", irtt as fn() -> Option<f64>), ("sockperf", sockperf)]
        .map(|(name, run)| compare(name, run, rounds))
        .into()
}

fn compare(name: &'static str, run: fn() -> Option<f64>, rounds: usize) -> Peer {
    let installed = Command::new("which").arg(name).stdout(Stdio::null()).status().is_ok_and(|s| s.success());
    if !installed {
        return Peer { name, outcome: Outcome::Absent };
    }
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        theirs.push(run().unwrap_or_else(|| panic!("{name} does not say how many replies it got")));
        let server = Server::start_udpecho(&["--clean"]);
        let mut client = Client::open(server.address, Load::single(Dialect::Native, SIZE, 1));
        ours.push(client.measure(&server).per_second);
    }
    let outcome =
        Outcome::Measured { theirs: Spread::of(theirs.into_iter()), ours: Spread::of(ours.into_iter()) };
    Peer { name, outcome }
}

/// The best over a few intervals, of two clients at once.
fn irtt() -> Option<f64> {
    let port = free_port().to_string();
    let mut command = Command::new("irtt");
    command.args(["server", "-b", &format!("127.0.0.1:{port}"), "-i", "0", "-d", "30s"]);
    let mut server = pinned(&command, SERVER_CORE).spawn().ok()?;
    std::thread::sleep(Duration::from_millis(300));
    let best = ["20us", "10us", "5us"].iter().filter_map(|interval| {
        let target = format!("127.0.0.1:{port}");
        let mut client = Command::new("irtt");
        client.args(["client", "-i", interval, "-d", "1s", "-l", "64", "-Q", "-o", "-", &target]);
        let output = output(&client)?;
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        let stats = &json["stats"];
        let seconds = stats["duration"].as_f64()? / 1e9;
        Some(stats["packets_received"].as_f64()? / seconds.max(1.0))
    });
    let best = best.max_by(f64::total_cmp);
    let _ = server.kill();
    let _ = server.wait();
    best
}

fn sockperf() -> Option<f64> {
    let port = free_port().to_string();
    let address = Ipv4Addr::LOCALHOST.to_string();
    let mut command = Command::new("sockperf");
    command.args(["server", "-i", &address, "-p", &port]);
    let mut server = pinned(&command, SERVER_CORE).spawn().ok()?;
    std::thread::sleep(Duration::from_millis(300));
    let mut client = Command::new("sockperf");
    client.args([
        "under-load",
        "-i",
        &address,
        "-p",
        &port,
        "-t",
        "2",
        "-m",
        "64",
        "--mps=max",
        "--reply-every=1",
    ]);
    let output = output(&client);
    let _ = server.kill();
    let _ = server.wait();
    let text = String::from_utf8_lossy(&output?.stdout).into_owned();
    // "[Valid Duration] RunTime=1.0 sec; SentMessages=123; ReceivedMessages=122"
    let line = text.lines().find(|line| line.contains("[Valid Duration]"))?;
    let number = |key: &str| {
        let rest = &line[line.find(key)? + key.len()..];
        rest.split(|c: char| c != '.' && !c.is_ascii_digit()).next()?.parse::<f64>().ok()
    };
    Some(number("ReceivedMessages=")? / number("RunTime=")?)
}

fn output(command: &Command) -> Option<Output> {
    pinned(command, 0).stdout(Stdio::piped()).output().ok()
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Absent => write!(f, "{}: not installed", self.name),
            Outcome::Measured { theirs, ours } => write!(
                f,
                "{}'s server under its own client's best load: {} thousand echoes a second; this one, in the same turns \
                 under the load above: {}, **{:.1}** times as many",
                self.name,
                theirs.in_thousands(),
                ours.in_thousands(),
                ours.median / theirs.median
            ),
        }
    }
}
