//! Two runs over the same unchanged path: at most one comparison in twenty may call anything changed.

use udpecho::impair::Impairment;
use udpecho::probe::Settings;
use udpecho::reflect;
use udpecho::report::compare::{Changes, Sample, Verdict};
use udpecho::rng::Seed;
use udpecho::sim::Simulation;
use udpecho::time::Duration;

use super::paths::{Path, STEADY, WAVES, differences, sample};
use crate::common::{injecting, millis, path, resolved, settings};

const PAIRS: u64 = 100;
const ALLOWED: usize = PAIRS as usize / 20;

fn alarms(pair: impl Fn(u64) -> Changes) -> usize {
    let alarm = |changes: Changes| {
        changes.0.iter().any(|change| matches!(change.verdict, Verdict::Worse | Verdict::Better))
    };
    (0..PAIRS).filter(|k| alarm(pair(*k))).count()
}

#[test]
fn a_path_of_independent_fates_raises_few() {
    let alarms = alarms(|k| differences(STEADY.sample(2 * k, 600), STEADY.sample(2 * k + 1, 600)));
    assert!(alarms <= ALLOWED, "{alarms}");
}

/// If each probe were taken to tell something of its own, every other comparison would cry wolf here.
#[test]
fn a_path_of_waves_and_bursts_raises_few() {
    let alarms = alarms(|k| differences(WAVES.sample(2 * k, 600), WAVES.sample(2 * k + 1, 600)));
    assert!(alarms <= ALLOWED, "{alarms}");
}

fn alarms_of(path: Path, count: u64) -> usize {
    alarms(|k| differences(path.sample(2 * k, count), path.sample(2 * k + 1, count)))
}

/// Bursts of ten, of which a run has six.
#[test]
fn long_bursts_of_loss_raise_few() {
    let alarms = alarms_of(Path { fall: 0.01, recover: 0.1, ..STEADY }, 600);
    assert!(alarms <= ALLOWED, "{alarms}");
}

/// Waves of two hundred probes, of which a run sees four.
#[test]
fn delays_in_long_waves_raise_few() {
    let alarms = alarms_of(Path { memory: 0.99, ..STEADY }, 800);
    assert!(alarms <= ALLOWED, "{alarms}");
}

/// The real client and server in virtual time: loss, reordering and duplicates both ways, and a server
/// that holds and withholds, so that every figure is compared.
#[test]
fn a_simulated_network_raises_few() {
    let pair = |k: u64| differences(simulated(2 * k), simulated(2 * k + 1));
    let figures = pair(0).0.len();
    assert_eq!(figures, 12, "loss, not injected, mean, 3 RTT, 3 network, jitter, reordering, throughput");
    let alarms = alarms(pair);
    assert!(alarms <= ALLOWED, "{alarms}");
}

fn simulated(seed: Seed) -> Sample {
    let conditions = path(millis(5), millis(30), 0.02, 0.01);
    let impairment = Impairment { loss: "5%".parse().unwrap(), ..Impairment::classic() };
    let server = reflect::Settings { impair_seed: Some(seed), ..injecting(impairment) };
    let mut simulation = Simulation::new(server, conditions.clone(), conditions, seed);
    let deadline = Some(Duration::from_secs(1));
    simulation.add_client(Settings { deadline, ..settings(400, millis(100)) });
    simulation.run(Duration::from_secs(3600));
    sample(resolved(&simulation.take_events(0)))
}
