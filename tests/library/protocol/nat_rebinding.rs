//! Addresses that change in the middle of a run, as a translator's do that has forgotten them.

use udpecho::probe::{Event, Outcome, Settings};
use udpecho::reflect;
use udpecho::time::Duration;
use udpecho::wire::auth::Key;

use crate::common::{clean, injecting, millis, resolved, settings, simulation};

const ONE_WAY: Duration = Duration::from_millis(20);

fn lost(server: reflect::Settings, client: Settings, moves: &[i64]) -> (Vec<u64>, reflect::Counters) {
    let mut simulation = simulation(server, ONE_WAY);
    simulation.add_client(client);
    moves.iter().for_each(|at| simulation.rebind_nat(millis(*at), 0));
    simulation.run(Duration::from_secs(60));
    let events = simulation.take_events(0);
    assert!(!events.iter().any(|event| matches!(event, Event::Failed(_) | Event::Forgotten { .. })));
    let rows = resolved(&events);
    assert_eq!(rows.len(), 100);
    let lost = rows.iter().filter(|row| row.outcome == Outcome::Lost).map(|row| row.seq).collect();
    (lost, simulation.server().unwrap().counters())
}

/// Only what was on its way then is lost; the session goes on at the new address, with a key or none.
#[test]
fn a_session_follows_its_client() {
    for key in [None, Some(Key::new(&[7; 32]))] {
        let server = reflect::Settings { key: key.clone(), ..clean() };
        let client = Settings { key, size: 80, ..settings(100, millis(10)) };
        // Probes leave every 10 ms from 80 ms on, and their replies take 40 ms.
        let (lost, counters) = lost(server, client, &[285, 685]);
        assert_eq!(lost, [17, 18, 19, 20, 57, 58, 59, 60]);
        assert_eq!((counters.moved, counters.opened), (2, 1));
    }
}

#[test]
fn so_it_does_while_replies_are_held() {
    let server = injecting("delay=constant:100ms".parse().unwrap());
    let client = Settings { deadline: Some(millis(500)), ..settings(100, millis(10)) };
    let (lost, counters) = lost(server, client, &[585]);
    // Those that are held leave for the address that their probes came from.
    assert_eq!((lost.len(), counters.moved), (14, 1));
}

#[test]
fn an_opening_that_moves_begins_anew() {
    // After the cookie, which is of the address that is gone.
    let (lost, counters) = lost(clean(), settings(100, millis(10)), &[30]);
    assert_eq!((lost, counters.opened), (vec![], 1));
}
