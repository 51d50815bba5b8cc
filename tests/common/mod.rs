//! What several tests need: settings of the two machines, what a run told, a server at a desk, and
//! the program as a process.
#![allow(dead_code, reason = "each test uses its own part")]

pub mod cgroup;
pub mod chromium;
pub mod desk;
pub mod files;
pub mod mesh;
#[cfg(target_os = "linux")]
pub mod namespaces;
pub mod needs;
pub mod process;
pub mod relay;
pub mod relayed_truth;
pub mod watchdog;

use udpecho::impair::Impairment;
use udpecho::probe::{Event, Resolved, ServerInfo, Settings, SteadySettings};
use udpecho::reflect::{self, Injection, LoadGrant};
use udpecho::schedule::{Decay, Poisson, Schedule};
use udpecho::sim::{Conditions, Simulation};
use udpecho::time::Duration;
use udpecho::units::{BitRate, Interval, Probability};

pub fn millis(millis: i64) -> Duration {
    Duration::from_millis(millis)
}

pub fn interval(length: Duration) -> Interval {
    Interval::new(length).unwrap()
}

pub fn share(share: f64) -> Probability {
    Probability::new(share).unwrap()
}

pub fn settings(count: u64, every: Duration) -> Settings {
    watchdog::progress();
    Settings { size: 64, count: Some(count), ..Settings::every(interval(every), 1) }
}

/// The decay of the contract: each interval 5 % shorter.
pub fn decay(first: Duration, floor: Duration) -> Schedule {
    Schedule::Decay(Decay::new(interval(first), share(0.05), interval(floor)))
}

pub fn poisson(mean: Duration, seed: u64) -> Schedule {
    Schedule::Poisson(Poisson::new(interval(mean), interval(Duration::from_micros(1)), seed).unwrap())
}

pub fn clean() -> reflect::Settings {
    injecting(Impairment::clean())
}

pub fn injecting(impairment: Impairment) -> reflect::Settings {
    reflect::Settings { injection: Injection::steady(impairment), ..reflect::Settings::default() }
}

/// A clean server that grants every address this much load, in bits a second.
pub fn granting(bits_per_second: u64) -> reflect::Settings {
    reflect::Settings { load: LoadGrant::Anybody(BitRate::new(bits_per_second).unwrap()), ..clean() }
}

/// A load in both directions, until it is stopped.
pub fn steady_load(bits_per_second: f64) -> SteadySettings {
    SteadySettings {
        rate: bits_per_second,
        up: true,
        down: true,
        size: 1_200,
        packet: 1_228,
        after: Duration::ZERO,
        length: None,
        seed: 1,
        key: None,
    }
}

/// Holds as by default, and answers not one probe.
pub fn answers_nothing() -> Impairment {
    Impairment { loss: "100%".parse().unwrap(), ..Impairment::classic() }
}

/// A path with a delay between two bounds, which loses and duplicates these shares.
pub fn path(shortest: Duration, longest: Duration, loss: f64, duplicates: f64) -> Conditions {
    Conditions::impaired(&format!(
        "delay=uniform:{shortest}..{longest} loss={:.4}% duplicate={:.4}%",
        100.0 * loss,
        100.0 * duplicates
    ))
}

/// A path with this delay each way, and nothing else.
pub fn simulation(server: reflect::Settings, one_way: Duration) -> Simulation {
    watchdog::progress();
    Simulation::new(server, Conditions::ideal(one_way), Conditions::ideal(one_way), 7)
}

/// One client against such a server over such a path: what it told.
pub fn events_of(server: reflect::Settings, one_way: Duration, client: Settings) -> Vec<Event> {
    let mut simulation = simulation(server, one_way);
    simulation.add_client(client);
    simulation.run(Duration::from_secs(3600));
    simulation.take_events(0)
}

pub fn resolved(events: &[Event]) -> Vec<Resolved> {
    let rows = events.iter().filter_map(|event| match event {
        Event::Resolved(resolved) => Some(*resolved),
        _ => None,
    });
    rows.collect()
}

/// What the server said of itself.
pub fn server_info(events: &[Event]) -> ServerInfo {
    let info = events.iter().find_map(|event| match event {
        Event::Opened { server, .. } => Some(server.clone()),
        _ => None,
    });
    info.expect("an opening that told of the server")
}
