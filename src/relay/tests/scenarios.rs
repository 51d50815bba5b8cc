//! Lines over time, and fates of an earlier run.

use super::*;

fn scenario(text: &str) -> Option<Arc<RelayScenario>> {
    let clean = Arc::new(Impairment::clean());
    let none = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    Some(Arc::new(RelayScenario::from_toml(text, [&clean, &clean], &none).unwrap()))
}

const SCENES: &str = "
    [[step]]
    for = '1s'
    [[step]]
    for = '1s'
    blackhole = 'up'
    [[step]]
    for = '1s'
    up = 'loss=100%'
    [[step]]
    for = '1s'
    state = 'down'
";

/// The fate of a datagram every half second, in relay time.
fn played(clock: &str, late: i64) -> (Vec<Option<DropCause>>, Vec<Event>) {
    let text = format!("clock = '{clock}'\n{SCENES}");
    let settings = MappingSettings { scenario: scenario(&text), ..mapping("clean", "clean") };
    let mut relay = Relay::new(vec![settings], Limits::default(), at(0));
    let mut events = Vec::new();
    let fates = (0..9).map(|half| {
        let now = at(late + half * 500);
        relay.handle_timeout(now);
        events.extend(
            relay.take_events().into_iter().filter(|event| matches!(event, Event::StateChanged { .. })),
        );
        cause(up(&mut relay, now, 1, 10))
    });
    (fates.collect(), events)
}

#[test]
fn a_scenario_counts_from_the_first_datagram_of_its_mapping() {
    let (outage, lost) = (Some(DropCause::Outage), Some(DropCause::Lost));
    let expected = [None, None, outage, outage, lost, lost, None, None, None];
    let (fates, events) = played("first", 700);
    assert_eq!(fates, expected);
    let states = [(0, true), (0, false)].map(|(mapping, down)| Event::StateChanged { mapping, down });
    assert_eq!(events, states);
}

#[test]
fn a_scenario_may_count_from_the_start_or_for_each_flow() {
    let (outage, lost, down) = (Some(DropCause::Outage), Some(DropCause::Lost), Some(DropCause::Down));
    let (fates, _) = played("start", 1_000);
    assert_eq!(fates[..4], [outage, outage, lost, lost]);
    let (fates, events) = played("flow", 1_000);
    assert_eq!(fates, [None, None, outage, outage, lost, lost, down, down, None]);
    assert_eq!(events, []);
}

#[test]
fn a_step_gives_flows_other_ports_and_another_nat() {
    let text = "[[step]]\nfor = '1s'\n[[step]]\nfor = '1s'\nrebind = true\nnat = 'expire=100ms'\n";
    let settings = MappingSettings { scenario: scenario(text), ..mapping("clean", "clean") };
    let mut relay = Relay::new(vec![settings], Limits::default(), at(0));
    let rebound: Vec<i64> = [0, 990, 1_010, 1_100, 1_300, 1_990, 2_010, 2_400, 2_990, 3_010]
        .into_iter()
        .filter(|millis| {
            up(&mut relay, at(*millis), 1, 10);
            relay.take_events().iter().any(|event| matches!(event, Event::Rebound { .. }))
        })
        .collect();
    // As the second step begins, and in it after silences; as it begins again.
    assert_eq!(rebound, [1_010, 1_300, 1_990, 3_010]);
}

#[test]
fn a_scenario_that_is_given_while_the_relay_runs_is_played_at_once() {
    let mut relay = relay("clean", "clean");
    up(&mut relay, at(0), 1, 10);
    relay.change(at(500), 0, |settings| {
        settings.scenario = scenario("[[step]]\nfor = '1s'\nstate = 'down'\n")
    });
    assert_eq!(relay.poll_timeout(), Some(at(500)));
    relay.take_events();
    relay.handle_timeout(at(500));
    assert_eq!(relay.take_events(), [Event::StateChanged { mapping: 0, down: true }]);
}

#[test]
fn a_scenario_says_when_it_next_closes_a_port() {
    let settings = MappingSettings { scenario: scenario(SCENES), ..mapping("clean", "clean") };
    let mut relay = Relay::new(vec![settings], Limits::default(), at(0));
    up(&mut relay, at(100), 1, 10);
    relay.handle_timeout(at(100));
    assert_eq!(relay.next_scene, Some(at(1_100)));
}

#[test]
fn fates_of_an_earlier_run_come_again_and_what_it_did_not_have_meets_the_impairments() {
    let mut replay = Replay::default();
    let five = Duration::from_millis(5);
    replay.take((0, Direction::Up, 0), Fate::Dropped(DropCause::Queue), Duration::ZERO, 0, None);
    replay.take((0, Direction::Up, 1), Fate::Passed, five, 1, None);
    replay.take((0, Direction::Up, 2), Fate::Dropped(DropCause::Limit), Duration::ZERO, 0, None);
    assert_eq!(replay.len(), 3);
    let settings = MappingSettings { replay: Some(Arc::new(replay)), ..mapping("loss=100%", "clean") };
    let mut relay = Relay::new(vec![settings], Limits::default(), at(0));
    assert_eq!(cause(up(&mut relay, at(0), 1, 10)), Some(DropCause::Queue));
    assert!(matches!(up(&mut relay, at(0), 1, 10), Decision::Held(_)));
    assert!(matches!(up(&mut relay, at(0), 1, 10), Decision::Forward(_)));
    assert_eq!(cause(up(&mut relay, at(0), 1, 10)), Some(DropCause::Lost));
    assert_eq!(
        release(&mut relay, at(5)).iter().map(|leaving| leaving.is_copy).collect::<Vec<_>>(),
        [false, true]
    );
    // Another flow was not there.
    assert_eq!(cause(up(&mut relay, at(0), 2, 10)), Some(DropCause::Lost));
}
