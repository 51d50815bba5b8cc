use udpecho::probe::{Event, Outcome, Settings};
use udpecho::sim::{Conditions, Simulation};
use udpecho::time::Duration;
use udpecho::units::UnitError;

pub fn about_one_probe_in_ten_is_lost_by_default() -> Result<(), UnitError> {
    let path = Conditions::ideal(Duration::from_millis(10));
    let mut network = Simulation::new(udpecho::reflect::Settings::default(), path.clone(), path, 7);
    let client = network.add_client(Settings { count: Some(100), ..Settings::every("0.5".parse()?, 1) });
    network.run(Duration::from_secs(60));
    let lost = |event: &Event| matches!(event, Event::Resolved(probe) if probe.outcome == Outcome::Lost);
    let losses = network.take_events(client).iter().filter(|event| lost(event)).count();
    assert!((2..=20).contains(&losses), "about one in ten: {losses}");
    Ok(())
}
