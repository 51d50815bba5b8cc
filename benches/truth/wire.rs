//! The RTT of each probe on the wire, as tshark saw it on the client's interface, beside probes.csv:
//! on loopback, and between two network namespaces, with the timestamps that are the default.
//!
//! The number of a probe stands in its payload behind the prefix and the token: bytes 12 to 20.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use udpecho::probe::Resolved;
use udpecho::wire::native::{Message, decode};

use crate::process::{Running, free_port, ping, read, serve};
use crate::{Verdict, percentile, within};

pub fn run() -> Vec<Verdict> {
    if let Err(error) =
        Command::new("tshark").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status()
    {
        println!("  NOT MEASURED: tshark cannot be started: {error}");
        return Vec::new();
    }
    let port = free_port();
    let loopback = Scene { name: "loopback", client: None, server: None, host: "127.0.0.1", wire: "lo" };
    let mut verdicts = each_pace(&loopback, port);
    match Pair::new() {
        Ok(pair) => {
            let (client, server) = (Some(pair.a.as_str()), Some(pair.b.as_str()));
            let apart = Scene { name: "namespaces", client, server, host: Pair::FAR, wire: Pair::WIRE };
            verdicts.extend(each_pace(&apart, port));
        }
        Err(why) => println!("  NOT MEASURED between namespaces: {why}"),
    }
    verdicts
}

/// Who measures whom, in which namespaces, and the client's interface.
struct Scene<'a> {
    name: &'static str,
    client: Option<&'a str>,
    server: Option<&'a str>,
    host: &'static str,
    wire: &'static str,
}

/// How often to send, how many, and how far from the wire the RTT may be at p50 and at p99.
struct Pace {
    interval: &'static str,
    probes: u64,
    p50: f64,
    p99: Option<f64>,
}

/// Further apart the caches are cold, and the kernel's own way from one timestamp to the next is longer.
const PACES: [Pace; 4] = [
    Pace { interval: "1ms", probes: 10_000, p50: 3.0, p99: Some(15.0) },
    Pace { interval: "5ms", probes: 4_000, p50: 3.0, p99: Some(15.0) },
    Pace { interval: "20ms", probes: 1_000, p50: 10.0, p99: None },
    Pace { interval: "100ms", probes: 300, p50: 10.0, p99: None },
];

/// Bytes of each probe.
const SIZE: usize = 64;

/// By the kernel's timestamps, at 1 ms.
const LATENESS_P50: f64 = 15.0;

fn each_pace(scene: &Scene, port: u16) -> Vec<Verdict> {
    PACES.iter().flat_map(|pace| compare(scene, pace, port)).collect()
}

/// Measures while tshark looks at the client's interface.
fn compare(scene: &Scene, pace: &Pace, port: u16) -> Vec<Verdict> {
    let Scene { client, server, host, wire, .. } = *scene;
    let Pace { interval, probes, p50, p99 } = *pace;
    let name = format!("{} every {interval}", scene.name);
    let _server = serve(server, port);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("wire.pcapng");
    let capture = Capture::start(client, wire, port, &file);
    let options: Vec<String> = std::env::args().filter(|word| is_option(word)).collect();
    let words =
        format!("-ip {host} -p {port} -n {probes} -i {interval} -W 1 -s {SIZE} {}", options.join(" "));
    let run = folder.path().join("run");
    assert!(ping(client, &words, &run).status().expect("udpecho ping").success());
    capture.stop();
    let (_, rows) = read(&run);
    let on_wire = rtts(&file);
    let mut differences: Vec<f64> = rows.iter().filter_map(|row| difference(row, &on_wire)).collect();
    let seen = differences.len();
    // A busy host skips probes, which were never on the wire.
    let answered = rows.iter().filter(|row| row.rtt.is_some()).count();
    let mut signed: Vec<f64> =
        rows.iter().filter_map(|row| Some(row.rtt?.as_micros_f64() - on_wire.get(&row.seq)?)).collect();
    let median = percentile(&mut signed, 0.5);
    let mut verdicts = vec![Verdict {
        text: format!(
            "{name}: {seen} of {answered} answered probes ({} due) seen on the wire both ways; ours minus the \
             wire's, median {median:.1} us",
            rows.len()
        ),
        good: answered > 0 && seen * 100 >= answered * 99,
    }];
    for (percent, bound) in [(50, Some(p50)), (99, p99)] {
        let difference = percentile(&mut differences, f64::from(percent) / 100.0);
        let text = format!("{name}: difference from the wire, p{percent}");
        verdicts.extend(bound.map(|bound| within(&text, difference, 0.0, bound)));
    }
    if interval == "1ms" {
        let mut late: Vec<f64> =
            rows.iter().filter_map(|row| Some((row.sent? - row.due).as_micros_f64())).collect();
        verdicts.push(within(
            &format!("{name}: lateness, p50"),
            percentile(&mut late, 0.5),
            0.0,
            LATENESS_P50,
        ));
    }
    verdicts
}

/// One of `ping`, and not that by which cargo runs a bench: `--no-tx-stamps` shows what the default is for.
fn is_option(word: &str) -> bool {
    word.starts_with("--") && word != "--bench"
}

fn difference(row: &Resolved, on_wire: &BTreeMap<u64, f64>) -> Option<f64> {
    Some((row.rtt?.as_micros_f64() - on_wire.get(&row.seq)?).abs())
}

/// A running tshark.
struct Capture(Running);

impl Capture {
    /// Waits until it captures.
    fn start(namespace: Option<&str>, interface: &str, port: u16, file: &Path) -> Self {
        let mut command = match namespace {
            None => Command::new("tshark"),
            Some(name) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", name, "tshark"]);
                command
            }
        };
        command.args(["-i", interface, "-f", &format!("udp port {port}"), "-w"]).arg(file);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("tshark");
        let lines = BufReader::new(child.stderr.take().expect("its remarks")).lines();
        let mut lines = lines.map_while(Result::ok);
        assert!(
            lines.any(|line| line.contains("Capture started") || line.contains("Capturing on")),
            "tshark does not capture"
        );
        std::thread::spawn(move || lines.for_each(drop));
        // It says so a little too early.
        std::thread::sleep(std::time::Duration::from_secs(2));
        Self(Running(child))
    }

    /// Lets it write down what it has.
    fn stop(mut self) {
        std::thread::sleep(std::time::Duration::from_secs(1));
        let interrupted = Command::new("kill").args(["-INT", &self.0.0.id().to_string()]).status();
        assert!(interrupted.is_ok_and(|status| status.success()));
        let _ = self.0.0.wait();
    }
}

/// The time between the first sight of each probe and of its reply, in microseconds.
fn rtts(file: &Path) -> BTreeMap<u64, f64> {
    let read = Command::new("tshark")
        .arg("-r")
        .arg(file)
        .args(["-d", "udp.port==1-65535,data", "-T", "fields", "-e", "frame.time_epoch", "-e", "data.data"])
        .stderr(Stdio::null())
        .output()
        .expect("tshark");
    let mut asked: BTreeMap<u64, i64> = BTreeMap::new();
    let mut rtts = BTreeMap::new();
    for line in String::from_utf8_lossy(&read.stdout).lines() {
        let Some((time, data)) = line.split_once('\t') else { continue };
        let (Some(at), Some(datagram)) = (nanos(time), bytes(data)) else { continue };
        // Where several leave at once, the kernel shows them as one packet (GSO).
        for message in datagram.chunks(SIZE) {
            match decode(message) {
                Ok(Message::Probe(probe)) => drop(asked.entry(probe.seq).or_insert(at)),
                Ok(Message::Reply(reply)) => {
                    if let Some(sent) = asked.get(&reply.seq) {
                        rtts.entry(reply.seq).or_insert((at - sent) as f64 / 1e3);
                    }
                }
                _ => {}
            }
        }
    }
    rtts
}

/// Of seconds with a fraction: as a floating-point number they would lose the nanoseconds.
fn nanos(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.')?;
    let fraction = format!("{fraction:0<9}");
    Some(seconds.parse::<i64>().ok()? * 1_000_000_000 + fraction.get(..9)?.parse::<i64>().ok()?)
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Two namespaces joined by a wire.
struct Pair {
    a: String,
    b: String,
}

impl Pair {
    const FAR: &str = "10.98.0.2";
    const WIRE: &str = "wire0";

    fn new() -> Result<Self, String> {
        let pair =
            Self { a: format!("truth{}a", std::process::id()), b: format!("truth{}b", std::process::id()) };
        let (a, b) = (&pair.a, &pair.b);
        for words in [
            format!("netns add {a}"),
            format!("netns add {b}"),
            format!("-n {a} link add {} type veth peer name {} netns {b}", Self::WIRE, Self::WIRE),
            format!("-n {a} addr add 10.98.0.1/24 dev {}", Self::WIRE),
            format!("-n {b} addr add {}/24 dev {}", Self::FAR, Self::WIRE),
            format!("-n {a} link set {} up", Self::WIRE),
            format!("-n {b} link set {} up", Self::WIRE),
        ] {
            ip(&words)?;
        }
        Ok(pair)
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for name in [&self.a, &self.b] {
            let _ = ip(&format!("netns del {name}"));
        }
    }
}

fn ip(words: &str) -> Result<(), String> {
    let output =
        Command::new("ip").args(words.split_whitespace()).output().map_err(|error| format!("ip: {error}"))?;
    let said = || format!("ip {words}: {}", String::from_utf8_lossy(&output.stderr).trim());
    if output.status.success() { Ok(()) } else { Err(said()) }
}
