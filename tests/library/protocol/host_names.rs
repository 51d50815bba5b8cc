//! A server tells clients what its host is called; clients and servers of releases before that go on as they did.

use udpecho::probe::{Event, HostNames};
use udpecho::reflect;
use udpecho::sim::Simulation;
use udpecho::time::Duration;
use udpecho::wire::native::{Message, decode};

use crate::common::desk::{Desk, address, open};
use crate::common::{clean, events_of, millis, server_info, settings, simulation};

const ONE_WAY: Duration = Duration::from_millis(5);

fn names(name: &str) -> HostNames {
    HostNames { name: name.into(), rack: "r2".into(), zone: "eu-1a".into() }
}

fn named(name: &str) -> reflect::Settings {
    reflect::Settings { host: names(name), ..clean() }
}

#[test]
fn a_client_is_told_the_names_without_control_characters() {
    let told = |server| server_info(&events_of(server, ONE_WAY, settings(3, millis(100)))).host;
    assert_eq!(told(named("n7")), names("n7"));
    assert_eq!(told(clean()), HostNames::default());
    assert_eq!(told(named("n7\x1b[2J\u{202e}")), names("n7\\u{1b}[2J\\u{202e}"));
}

#[test]
fn an_open_of_an_old_release_gets_an_accept_of_its_own_length() {
    let mut desk = Desk::new(named("n7"));
    for (nonce, length) in [(1, 302), (2, 306)] {
        let cookie = desk.cookie(address(true, 1), nonce);
        let answer = desk.send(address(true, 1), &open(nonce, 64, cookie)[..length]).expect("an answer");
        let Ok(Message::Accept(accept)) = decode(&answer) else { panic!("{answer:?}") };
        assert_eq!((answer.len(), accept.host), (length, HostNames::default()));
        assert_eq!(accept.injects, "clean");
    }
}

#[test]
fn a_restarted_server_may_have_another_name() {
    let renamed = |name: &str| {
        let mut simulation: Simulation = simulation(named("n7"), ONE_WAY);
        simulation.restart_server(millis(2_000), millis(3_000), named(name));
        simulation.add_client(settings(60, millis(100)));
        simulation.run(Duration::from_secs(60));
        let events = simulation.take_events(0);
        assert_eq!(events.iter().filter(|event| matches!(event, Event::Reopened { .. })).count(), 1);
        let told = events.into_iter().filter_map(|event| match event {
            Event::Renamed(host) => Some(host),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(renamed("n8"), [names("n8")]);
    assert_eq!(renamed("n7"), []);
}
