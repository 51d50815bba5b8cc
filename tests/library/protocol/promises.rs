//! A server that says one thing of itself and does another: it is not believed for long, and it is told.

use udpecho::impair::Impairment;
use udpecho::probe::{Event, Settings};
use udpecho::sim::{Conditions, Simulation};
use udpecho::time::Duration;
use udpecho::wire::native::{Accept, Message, decode};

use crate::common::{clean, injecting, millis, resolved, settings, simulation};

/// Changes what each accept says.
fn accepting(simulation: &mut Simulation, change: fn(&mut Accept)) {
    simulation.alter_replies(move |_, datagram| {
        let mut old = datagram.clone();
        if let Ok(Message::Accept(mut accept)) = decode(&old.clone()) {
            change(&mut accept);
            accept.emit(&mut old, datagram.len());
            *datagram = old;
        }
    });
}

/// When the run was over, from the start.
fn ends(simulation: &mut Simulation) -> Duration {
    simulation.run(Duration::from_secs(3600));
    assert_eq!(simulation.take_events(0).last(), Some(&Event::Finished));
    simulation.now() - Simulation::START
}

/// The last reply is lost and nobody answers questions about it.
fn deaf_at_the_end(server: Impairment) -> Simulation {
    let down = Conditions {
        outages: vec![(millis(500), Duration::from_secs(7200))],
        ..Conditions::ideal(millis(10))
    };
    let mut simulation = Simulation::new(injecting(server), Conditions::ideal(millis(10)), down, 1);
    simulation.add_client(settings(6, millis(100)));
    simulation
}

#[test]
fn a_clean_server_that_claims_long_holds_keeps_no_run_waiting() {
    let mut simulation = deaf_at_the_end(Impairment::clean());
    accepting(&mut simulation, |accept| accept.longest_hold = Duration::from_secs(7200));
    let end = ends(&mut simulation);
    assert!(end < Duration::from_secs(6), "{end}");
}

#[test]
fn a_server_that_claims_to_hold_for_hours_keeps_a_run_for_a_minute() {
    let mut simulation = deaf_at_the_end("delay=constant:1ms".parse().unwrap());
    accepting(&mut simulation, |accept| accept.longest_hold = Duration::from_secs(7200));
    let end = ends(&mut simulation);
    assert!(end > Duration::from_secs(60) && end < Duration::from_secs(66), "{end}");
}

#[test]
fn a_run_that_is_stopped_waits_no_longer_than_ten_seconds_for_what_is_held() {
    let mut simulation = deaf_at_the_end("delay=constant:1ms".parse().unwrap());
    accepting(&mut simulation, |accept| accept.longest_hold = Duration::from_secs(7200));
    simulation.stop_client_at(millis(700), 0);
    let end = ends(&mut simulation);
    assert!(end > Duration::from_secs(10) && end < Duration::from_secs(16), "{end}");
}

/// How long a run takes whose last probes are lost and whose server answers queries like this.
fn asked_about_losses(answer: fn(&mut Vec<u8>)) -> Duration {
    let mut simulation = simulation(clean(), millis(10));
    simulation.alter_probes(|at, datagram| {
        if at > millis(300) && matches!(decode(&datagram.clone()), Ok(Message::Probe(_))) {
            datagram.clear();
        }
    });
    simulation.alter_replies(move |_, datagram| {
        if matches!(decode(&datagram.clone()), Ok(Message::Outcomes(_))) {
            answer(datagram);
        }
    });
    simulation.add_client(settings(6, millis(100)));
    ends(&mut simulation)
}

#[test]
fn a_server_whose_answers_to_queries_are_damaged_counts_as_silent() {
    let end = asked_about_losses(|datagram| datagram.truncate(20));
    assert!(end < Duration::from_secs(6), "{end}");
}

#[test]
fn a_server_that_answers_queries_with_nonsense_keeps_no_run_waiting() {
    // A sound message of the session that answers no query.
    let end = asked_about_losses(|datagram| {
        let at = datagram.len().min(19);
        datagram[12..at].iter_mut().for_each(|byte| *byte ^= 0x55);
    });
    assert!(end < Duration::from_secs(35), "{end}");
}

fn told_unclean(server: &str, change: fn(&mut Accept)) -> Vec<u64> {
    let mut simulation = simulation(injecting(server.parse().unwrap()), millis(10));
    accepting(&mut simulation, change);
    simulation.add_client(settings(40, millis(10)));
    simulation.run(Duration::from_secs(60));
    let events = simulation.take_events(0);
    assert_eq!(resolved(&events).len(), 40);
    let told = events.iter().filter_map(|event| match event {
        Event::NotClean { seq, .. } => Some(*seq),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_server_that_says_it_is_clean_and_drops_or_holds_is_told_once() {
    let lies: fn(&mut Accept) = |accept| (accept.injects, accept.longest_hold) = ("clean", Duration::ZERO);
    assert_eq!(told_unclean("loss=nth:4", lies), [3]);
    assert_eq!(told_unclean("loss=nth:4 direction=up", lies), [3]);
    assert_eq!(told_unclean("delay=constant:1ms", lies), [0]);
    assert!(told_unclean("loss=nth:4", |_| {}).is_empty());
    assert!(told_unclean("clean", |_| {}).is_empty());
}

#[test]
fn what_the_server_before_held_does_not_count_against_a_clean_one() {
    let holds = || injecting("delay=constant:300ms loss=nth:3".parse().unwrap());
    let mut simulation = simulation(holds(), millis(10));
    simulation.restart_server(millis(500), millis(600), clean());
    simulation.add_client(Settings { deadline: Some(millis(900)), ..settings(100, millis(20)) });
    simulation.run(Duration::from_secs(60));
    let events = simulation.take_events(0);
    assert!(events.iter().any(|event| matches!(event, Event::Reopened { .. })));
    assert!(!events.iter().any(|event| matches!(event, Event::NotClean { .. })));
}
