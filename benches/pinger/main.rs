//! The pinger's clockwork beside irtt, sockperf, stamp-suite, nping and fping: how late probes leave,
//! where a tool tells it finely enough, beside a program in C that only meets the same moments, and
//! what each says of the RTT over loopback in the same placement. In turn on the same cores; the
//! table of all is `results/pinger.md`.
//!
//! `cargo bench --bench pinger -- [SECTION...] [ROUNDS]`: all sections and three rounds, or those of
//! `lateness`, `ahead`, `rtt`, `calls` and `rates` that are named, which are printed only.
#![allow(clippy::print_stdout, reason = "its result")]

#[path = "../echo/servers.rs"]
#[allow(dead_code, reason = "shared with another bench")]
mod servers;
mod tools;

use std::fmt::Write as _;

use tools::{Placement, Rank, Sends, Trip};

/// Text, from so many rounds.
type Section = fn(usize) -> String;
const SECTIONS: [(&str, Section); 5] = [
    ("lateness", |rounds| lateness(Rank::Ordinary, rounds)),
    ("ahead", |rounds| lateness(Rank::Ahead, rounds)),
    ("rtt", rtt),
    ("calls", |_| calls()),
    ("rates", |_| rates()),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let rounds = words.iter().find_map(|word| word.parse().ok()).unwrap_or(3);
    let named = |name: &str| words.iter().any(|word| word == name);
    let some = SECTIONS.iter().any(|(name, _)| named(name));
    let mut text = format!(
        "# The pinger's clockwork, {}\n\n`cargo bench --bench pinger` on {}; medians of {rounds} rounds in turn.\n",
        today(),
        machine()
    );
    for (_, section) in SECTIONS.iter().filter(|(name, _)| !some || named(name)) {
        text += &section(rounds);
    }
    println!("{text}");
    if !some {
        let path = format!("{}/results/pinger.md", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(&path, &text).expect("the results are written");
        println!("written to {path}");
    }
}

/// How late probes leave at 1 ms and at 100 us, client on core 0, server on core 1.
fn lateness(rank: Rank, rounds: usize) -> String {
    let (mut text, contestants) = match rank {
        Rank::Ordinary => (
            "\n## How late probes leave\n\nClient on core 0, server on core 1; us after they were due. Missed are the \
             probes that leave later than half an interval, and later than a whole one, which is what udpecho \
             counts; irtt leaves out the sends it is too late for. The rows in C are floors: a program that only \
             meets the same moments on core 0, so what it misses, the machine takes.\n\n"
                .to_owned(),
            &tools::SENDERS[..],
        ),
        Rank::Ahead => (
            "\n## The same, ahead of all\n\nEach client and server under `chrt --fifo 10`: threads of the kernel and \
             of the machine's services take a core for 2 to 8 ms a few times a second, and that is not the tools' \
             lateness. Who spins is left out, for nobody may have a whole core at that rank.\n\n"
                .to_owned(),
            &tools::SENDERS[..tools::SLEEPERS],
        ),
    };
    if !rank.is_allowed() {
        return text + "Not allowed here.\n";
    }
    text += "| interval | tool | p50 | p99 | max | missed by half | by a whole | of a core |\n\
             |:--|:--|--:|--:|--:|--:|--:|--:|\n";
    for (interval, probes) in [("1ms", 5_000), ("100us", 20_000)] {
        let round = |_| contestants.iter().map(|(_, tool)| tool(rank, interval, probes)).collect();
        let turns: Vec<Vec<Option<Sends>>> = (0..rounds).map(round).collect();
        for (index, (name, _)) in contestants.iter().enumerate() {
            let runs: Option<Vec<Sends>> = turns.iter().map(|turn| turn[index]).collect();
            match runs {
                None => writeln!(text, "| {interval} | {name} | absent | | | | | |"),
                Some(runs) => writeln!(
                    text,
                    "| {interval} | {name} | {:.1} | {:.1} | {:.0} | {} | {} | {:.1} % |",
                    median(&runs, |run| run.p50),
                    median(&runs, |run| run.p99),
                    median(&runs, |run| run.max),
                    percent(median(&runs, |run| run.by_half)),
                    percent(median(&runs, |run| run.by_whole)),
                    median(&runs, |run| run.core * 100.0),
                ),
            }
            .expect("text takes everything");
        }
    }
    text
}

fn rtt(rounds: usize) -> String {
    let mut text = "\n## The RTT over loopback\n\nEvery millisecond, us, as each tool reports it: sockperf, irtt and stamp-suite of \
                    their own servers, nping of our echo, fping of the kernel; 64 bytes each. \
                    sockperf waits for its next probe by spinning, wherever it is: its like is `--timer busy`. The others \
                    sleep, and a core that wakes finds its caches cold.\n\n\
                    | placement | tool | p50 | p99 | p50 to sockperf's |\n|:--|:--|--:|--:|--:|\n"
        .to_owned();
    for placement in [Placement::OneCore, Placement::TwoCores, Placement::Spinning] {
        let mut all = tools::TRIPS.map(|tool| (tool, Ok::<_, &str>(Vec::<Trip>::new())));
        for _ in 0..rounds {
            for (tool, trips) in &mut all {
                match (tool.run(placement), trips) {
                    (Ok(trip), Ok(trips)) => trips.push(trip),
                    (Ok(_), Err(_)) => {}
                    (Err(why), trips) => *trips = Err(why),
                }
            }
        }
        let p50 = |trips: &[Trip]| median(trips, |trip| trip.p50);
        let base = all
            .iter()
            .find(|(tool, _)| tool.name == "sockperf")
            .and_then(|(_, trips)| Some(p50(trips.as_ref().ok()?)));
        for (tool, trips) in &all {
            let name = tool.name;
            let trips = match trips {
                Ok(trips) => trips,
                Err(why) => {
                    let _ = writeln!(text, "| {placement} | {name} | {why} | | |");
                    continue;
                }
            };
            let ratio = base.map_or(String::new(), |base| format!("{:.2}", p50(trips) / base));
            let told = trips.iter().all(|trip| trip.p99.is_some());
            let p99 = if told {
                format!("{:.1}", median(trips, |trip| trip.p99.unwrap_or(f64::NAN)))
            } else {
                "not told".to_owned()
            };
            let _ = writeln!(text, "| {placement} | {name} | {:.1} | {p99} | {ratio} |", p50(trips));
        }
    }
    text
}

fn calls() -> String {
    let count = |interval| {
        tools::system_calls(interval).map_or("strace is not installed".into(), |n| format!("{n:.2}"))
    };
    format!(
        "\n## System calls of the client for each probe\n\nEvery millisecond: {}; every 100 ms: {}; every second: {}.\n",
        count("1ms"),
        count("100ms"),
        count("1s")
    )
}

fn rates() -> String {
    let mut text =
        "\n## High rates\n\nTwo seconds each, 64 bytes, client and server free to use both cores.\n\n\
                    | asked | | sent/s | on time | server overflow | own overflow | up or down | unknown |\n\
                    |--:|:--|--:|--:|--:|--:|--:|--:|\n"
            .to_owned();
    for (rate, record) in [("200k", true), ("300k", true), ("300k", false), ("1M", false)] {
        let run = tools::at_rate(rate, record);
        let how = if record { "recorded" } else { "--no-record" };
        let _ = writeln!(text, "| {rate} | {how} | {run} |");
    }
    text
}

fn percent(share: f64) -> String {
    if share.is_nan() { "not told".to_owned() } else { format!("{:.2} %", share * 100.0) }
}

pub fn median<T>(runs: &[T], value: impl Fn(&T) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[allow(clippy::disallowed_methods, reason = "the report bears its date")]
fn today() -> String {
    jiff::Zoned::now().strftime("%Y-%m-%d").to_string()
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("an unknown processor");
    let cores = info.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = udpecho::net::kernel_release().unwrap_or_default();
    format!("{cores} cores ({}), Linux {kernel}", model.trim_start_matches(['\t', ' ', ':']))
}
