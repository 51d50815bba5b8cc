//! A run in virtual time: a client, a server and the network between them, without a socket or a clock.
//!
//! `cargo run --example simulate` prints for each lost probe the cause that the client found, beside what the
//! simulated network really did to it. Only the core is used: `udpecho = { default-features = false }`.

#![allow(clippy::print_stdout, reason = "an example shows its result")]

use udpecho::impair::Impairment;
use udpecho::probe::{self, Event, Outcome, Resolved};
use udpecho::record::Summary;
use udpecho::reflect::{self, Injection};
use udpecho::sim::{Conditions, GroundTruth, Simulation};
use udpecho::stats::RunStatistics;
use udpecho::time::Duration;
use udpecho::units::{Interval, UnitError};

const SEED: u64 = 7;

fn main() -> Result<(), UnitError> {
    // The server drops and delays on purpose; the path loses in each direction.
    let injection = Injection::steady(Impairment::classic());
    let server = reflect::Settings { injection, ..reflect::Settings::default() };
    let up = Conditions::impaired("delay=uniform:5ms..9ms loss=4%");
    let down = Conditions::impaired("delay=uniform:5ms..9ms loss=2%");

    let interval: Interval = "20ms".parse()?;
    let deadline = Some(Duration::from_secs(1));
    let settings = probe::Settings { count: Some(500), deadline, ..probe::Settings::every(interval, SEED) };

    let mut network = Simulation::new(server, up, down, SEED);
    let client = network.add_client(settings);
    network.run(Duration::from_secs(60));

    let mut statistics = RunStatistics::default();
    for event in network.take_events(client) {
        if let Event::Resolved(probe) = event {
            statistics.push(&probe, |_| {});
            if probe.outcome == Outcome::Lost {
                println!("{}", verdict(&probe, network.ground_truth(client)));
            }
        }
    }
    let summary = Summary::of(&statistics);
    println!("{} sent, {} on time, {} late, {} lost", summary.sent, summary.ok, summary.late, summary.lost);
    Ok(())
}

fn verdict(probe: &Resolved, truth: &GroundTruth) -> String {
    let cause = probe.cause.map_or("unknown", |cause| cause.label());
    let reached = truth.probe(probe.seq).map_or(0, |truth| truth.reached_server.len());
    let answered = truth.probe(probe.seq).map_or(0, |truth| truth.replies_sent);
    format!(
        "probe {}: {cause}; copies that reached the server: {reached}, replies sent: {answered}",
        probe.seq
    )
}
