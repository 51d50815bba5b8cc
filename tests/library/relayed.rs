//! A relay between client and server: the losses that the client attributes to a direction are those that the relay's
//! ledger has, probe by probe, for every profile.

use std::sync::Arc;

use crate::common::relayed_truth::{Truths, sent_before};
use udpecho::impair::{Impairment, profiles};
use udpecho::probe::{Event, Resolved, Settings};
use udpecho::reflect::{self, Injection};
use udpecho::relay::{MappingSettings, families};
use udpecho::sim::{Conditions, Simulation};
use udpecho::time::Duration;
use udpecho::units::Interval;

const PROBES: u64 = 300;

/// Slow enough for the slowest link, so that no queue delays a reply beyond its deadline.
fn client() -> Settings {
    Settings {
        size: 128,
        count: Some(PROBES),
        deadline: Some(Duration::from_secs(4)),
        // Some profiles lose what opens a session, again and again.
        wait_for_server: true,
        ..Settings::every(Interval::new(Duration::from_millis(200)).unwrap(), 1)
    }
}

/// Every profile that `proxy --profile` takes: its name, and what it does.
fn mappings() -> Vec<(&'static str, MappingSettings)> {
    let mapping = |up: Impairment, down| MappingSettings::new("m1".into(), Arc::new(up), Arc::new(down), 7);
    let plain = profiles().iter().map(|profile| {
        let line = Impairment::of_profile(profile);
        (profile.name, mapping(line.clone(), line))
    });
    let paths = families().iter().flat_map(|family| family.profiles).map(|profile| {
        let [up, down] = [profile.up, profile.down].map(|line| line.parse().unwrap());
        let nat = profile.nat.parse().unwrap();
        (profile.name, MappingSettings { nat, ..mapping(up, down) })
    });
    plain.chain(paths).collect()
}

#[test]
fn the_causes_of_every_profile_are_those_of_the_ledger() {
    for (name, settings) in mappings() {
        let clean =
            reflect::Settings { injection: Injection::steady(Impairment::clean()), ..Default::default() };
        let path = Conditions::ideal(Duration::from_millis(1));
        let mut simulation = Simulation::new(clean, path.clone(), path, 3).behind_relay(settings);
        simulation.add_client(client());
        (0..sent_before(name)).for_each(|_| simulation.forge_to_server(Duration::ZERO, 0, vec![1; 10]));
        simulation.run(Duration::from_secs(3600));
        let rows = simulation.take_events(0).into_iter().filter_map(|event| match event {
            Event::Resolved(row) => Some(row),
            _ => None,
        });
        let mut truths = Truths::default();
        for datagram in simulation.relayed() {
            truths.note(
                datagram.direction,
                &datagram.payload,
                datagram.dropped.is_some(),
                datagram.corrupted,
            );
        }
        let rows: Vec<Resolved> = rows.collect();
        assert_eq!(rows.len() as u64, PROBES, "{name}");
        rows.iter().for_each(|row| truths.check(name, row));
    }
}
