//! A mesh of 100 hosts with ten peers each, for an hour of virtual time: faults are named within two minutes, and
//! nothing is named without one.

use udpecho::fleet::locate::Suspect;
use udpecho::fleet::{Config, Span};
use udpecho::time::{Duration, Instant};

use crate::common::mesh::{Fault, SimulatedMesh};

const HOUR: i64 = 3_600;

fn named(mesh: &SimulatedMesh, second: i64) -> Vec<Suspect> {
    mesh.verdict(second).findings.into_iter().map(|finding| finding.suspect).collect()
}

#[test]
fn an_hour_of_a_quiet_mesh_has_no_false_alarm_and_no_probe_is_missing() {
    let mut mesh = SimulatedMesh::new(100, 10, 1);
    for second in 0..HOUR {
        mesh.second(second, &[]);
        if second % 30 == 29 {
            assert_eq!(named(&mesh, second), [], "after {second} s");
        }
    }
    let now = Instant::ZERO + Duration::from_secs(HOUR);
    let mut lost = 0;
    for target in &mesh.targets {
        lost += target.figures.lost();
        assert_eq!(target.figures.resolved(), HOUR as u64);
        for span in Span::ALL {
            let periods = target.history.span(span, now);
            let [sent, not_on_time] = [
                periods.iter().map(|period| period.sent).sum::<u64>(),
                periods.iter().flat_map(|period| &period.reasons).map(|(_, count)| count).sum(),
            ];
            assert_eq!((sent, not_on_time), (HOUR as u64, target.figures.lost()), "{span:?}");
        }
    }
    // A base loss of 1e-4 there and 1e-4 back, of 3.6 million probes: 720, give or take four deviations.
    assert!((610..830).contains(&lost), "{lost}");
}

/// Five minutes of a fault, four of rest.
#[test]
fn each_fault_is_named_within_two_minutes_and_forgotten_after_it() {
    let name = |text: &str| text.to_owned();
    let places = [
        (Suspect::HostIn(name("n7")), 0.02),
        (Suspect::HostOut(name("n41")), 0.02),
        (Suspect::RackOut(name("r2")), 0.02),
        (Suspect::RackIn(name("r6")), 0.02),
        (Suspect::Link(name("z0"), name("z1")), 0.01),
        (Suspect::Path(name("n5"), name("n8")), 0.1),
    ];
    let begins = |(at, (place, share)): (usize, (Suspect, f64))| {
        let from = 120 + 540 * at as i64;
        Fault { from, until: from + 300, place, share }
    };
    let faults: Vec<Fault> = places.into_iter().enumerate().map(begins).collect();
    let mut mesh = SimulatedMesh::new(100, 10, 2);
    let mut judged = [0; 2];
    for second in 0..faults.last().unwrap().until + 240 {
        mesh.second(second, &faults);
        if second % 10 != 9 {
            continue;
        }
        // A verdict of this second comes when its lost probes are given up.
        let now = second + SimulatedMesh::GIVE_UP;
        let is_named = |fault: &&Fault| (fault.from + 120..fault.until).contains(&now);
        let is_over = |fault: &Fault| (fault.from..fault.until + 160).contains(&now);
        if let Some(fault) = faults.iter().find(is_named) {
            judged[0] += 1;
            assert_eq!(
                named(&mesh, second),
                std::slice::from_ref(&fault.place),
                "{fault:?}, after {} s",
                now - fault.from
            );
        } else if !faults.iter().any(is_over) {
            judged[1] += 1;
            assert_eq!(named(&mesh, second), [], "after {now} s");
        }
    }
    assert!(judged.iter().all(|count| *count > 40), "{judged:?}");
}

/// Each example is a valid configuration with a target or a name to look up.
#[test]
fn shipped_configurations_are_read() {
    let contrib = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib");
    for file in ["watch.toml", "kubernetes/base/watch.toml", "examples/compose/watch.toml"] {
        let text = std::fs::read_to_string(contrib.join(file)).unwrap();
        let config = Config::from_toml(&text, &|_| Some("10.0.0.7".into()))
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(!config.groups.is_empty(), "{file}");
    }
}
