//! The pinger's clockwork beside irtt, sockperf and fping: how late probes leave, and what each says
//! of the RTT over loopback in the same placement. In turn on the same cores; a dated table goes into
//! `results/`.
//!
//! `cargo bench --bench pinger`
#![allow(clippy::print_stdout, reason = "its result")]

#[path = "../echo/servers.rs"]
#[allow(dead_code, reason = "shared with another bench")]
mod servers;
mod tools;

use std::fmt::Write as _;

use tools::{Placement, Rank, Sends, Trip};

const ROUNDS: usize = 3;

fn main() {
    let mut text = format!(
        "# The pinger's clockwork, {}\n\n`cargo bench --bench pinger` on {}; medians of {ROUNDS} rounds in turn.\n",
        today(),
        machine()
    );
    text += &lateness(Rank::Ordinary);
    text += &lateness(Rank::Ahead);
    text += &rtt();
    text += &calls();
    text += &rates();
    let path = format!("{}/results/{}-pinger.md", env!("CARGO_MANIFEST_DIR"), today());
    std::fs::write(&path, &text).expect("the results are written");
    println!("{text}\nwritten to {path}");
}

/// How late probes leave at 1 ms and at 100 us, client on core 0, server on core 1.
fn lateness(rank: Rank) -> String {
    let (mut text, contestants) = match rank {
        Rank::Ordinary => (
            "\n## How late probes leave\n\nClient on core 0, server on core 1; us after they were due. A probe that \
             leaves later than half an interval is missed; irtt leaves out the sends it is too late for.\n\n"
                .to_owned(),
            &tools::SENDERS[..],
        ),
        Rank::Ahead => (
            "\n## The same, ahead of all\n\nEach client and server under `chrt --fifo 10`: threads of the kernel and \
             of the host's agent take a core for 2 to 8 ms a few times a second, and that is not the tools' \
             lateness. Who spins is left out, for nobody may have a whole core at that rank.\n\n"
                .to_owned(),
            &tools::SENDERS[..tools::SLEEPERS],
        ),
    };
    if !rank.is_allowed() {
        return text + "Not allowed here.\n";
    }
    text += "| interval | tool | p50 | p99 | max | missed | of a core |\n|:--|:--|--:|--:|--:|--:|--:|\n";
    for (interval, probes) in [("1ms", 5_000), ("100us", 20_000)] {
        for (name, tool) in contestants {
            let runs: Option<Vec<Sends>> = (0..ROUNDS).map(|_| tool(rank, interval, probes)).collect();
            match runs {
                None => writeln!(text, "| {interval} | {name} | not installed | | | | |"),
                Some(runs) => writeln!(
                    text,
                    "| {interval} | {name} | {:.1} | {:.1} | {:.0} | {:.2} % | {:.1} % |",
                    median(&runs, |run| run.p50),
                    median(&runs, |run| run.p99),
                    median(&runs, |run| run.max),
                    median(&runs, |run| run.missed * 100.0),
                    median(&runs, |run| run.core * 100.0),
                ),
            }
            .expect("text takes everything");
        }
    }
    text
}

fn rtt() -> String {
    let mut text = "\n## The RTT over loopback\n\n64 bytes every millisecond, us.\n\n\
                    | placement | tool | p50 | p99 | p50 to sockperf's |\n|:--|:--|--:|--:|--:|\n"
        .to_owned();
    for placement in [Placement::OneCore, Placement::TwoCores, Placement::Spinning] {
        let mut all: Vec<(&str, Option<Vec<Trip>>)> =
            tools::TRIPS.map(|(name, _)| (name, Some(Vec::new()))).into();
        for _ in 0..ROUNDS {
            for ((_, tool), (_, trips)) in tools::TRIPS.iter().zip(&mut all) {
                match tool(placement) {
                    Some(trip) => trips.iter_mut().for_each(|trips| trips.push(trip)),
                    None => *trips = None,
                }
            }
        }
        let p50 = |trips: &[Trip]| median(trips, |trip| trip.p50);
        let base = all
            .iter()
            .find(|(name, _)| *name == "sockperf")
            .and_then(|(_, trips)| Some(p50(trips.as_ref()?)));
        for (name, trips) in &all {
            let Some(trips) = trips else {
                let _ = writeln!(text, "| {placement} | {name} | not there | | |");
                continue;
            };
            let ratio = base.map_or(String::new(), |base| format!("{:.2}", p50(trips) / base));
            let p99 = median(trips, |trip| trip.p99);
            let _ = writeln!(text, "| {placement} | {name} | {:.1} | {p99:.1} | {ratio} |", p50(trips));
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
