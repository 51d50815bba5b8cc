//! Overflow of a socket as a cause: named only for what that socket dropped, when it dropped it.

use udpecho::probe::{Cause, Outcome, Resolved, Settings};
use udpecho::reflect;
use udpecho::sim::{Conditions, Overrun, ProbeTruth, Simulation};
use udpecho::time::Duration;

use crate::common::{clean, injecting, millis, path, resolved, settings};

const ONE_WAY: Duration = Duration::from_millis(10);
const EVERY: Duration = Duration::from_millis(10);
/// Six seconds of probes.
const COUNT: u64 = 600;

fn lossy() -> Conditions {
    path(ONE_WAY, ONE_WAY, 0.1, 0.0)
}

/// For 0.4 s in the middle of the run.
fn overrun(flooded: bool) -> Overrun {
    Overrun { from: millis(3_000), to: millis(3_400), flooded }
}

struct Ran {
    rows: Vec<(Resolved, ProbeTruth)>,
}

impl Ran {
    fn new(server: reflect::Settings, ways: [Conditions; 2], overruns: impl Fn(&mut Simulation)) -> Self {
        let [up, down] = ways;
        let mut simulation = Simulation::new(server, up, down, 5);
        simulation.add_client(Settings { deadline: Some(Duration::from_secs(1)), ..settings(COUNT, EVERY) });
        overruns(&mut simulation);
        simulation.run(Duration::from_secs(60));
        let rows = resolved(&simulation.take_events(0));
        assert_eq!(rows.len() as u64, COUNT);
        let truth = |row: &Resolved| simulation.ground_truth(0).probe(row.seq).unwrap().clone();
        Self { rows: rows.iter().map(|row| (*row, truth(row))).collect() }
    }

    fn lost(&self) -> impl Iterator<Item = &(Resolved, ProbeTruth)> {
        self.rows.iter().filter(|(row, _)| row.outcome == Outcome::Lost)
    }

    fn causes(&self, of: impl Fn(&ProbeTruth) -> bool) -> Vec<Cause> {
        self.lost().filter(|(_, truth)| of(truth)).map(|(row, _)| row.cause.unwrap()).collect()
    }
}

/// Whether the probe passed both sockets well before or after the overrun.
fn is_outside(truth: &ProbeTruth) -> bool {
    let sent = after_start(truth);
    sent < millis(2_900) || sent > millis(3_500)
}

fn after_start(truth: &ProbeTruth) -> Duration {
    truth.sent.unwrap() - Simulation::START
}

fn count(causes: &[Cause], cause: Cause) -> usize {
    causes.iter().filter(|found| **found == cause).count()
}

#[test]
fn a_flood_at_the_server_is_not_the_cause_of_what_the_path_up_lost() {
    let ran = Ran::new(clean(), [lossy(), Conditions::ideal(ONE_WAY)], |simulation| {
        simulation.overrun_server(overrun(true));
    });
    let outside = ran.causes(is_outside);
    assert!(outside.len() > 30 && outside.iter().all(|cause| *cause == Cause::Up), "{outside:?}");
    // The flood is another sender: whose datagrams were dropped nobody can tell.
    let inside = ran.causes(|truth| !is_outside(truth));
    assert_eq!(count(&inside, Cause::ServerOverflow), 0, "{inside:?}");
    let dropped = ran.causes(|truth| truth.dropped_at_server > 0);
    assert!(dropped.len() > 10 && dropped.iter().all(|cause| *cause == Cause::Unknown), "{dropped:?}");
}

#[test]
fn a_flood_at_the_client_is_not_the_cause_of_what_the_path_down_lost() {
    let ran = Ran::new(clean(), [Conditions::ideal(ONE_WAY), lossy()], |simulation| {
        simulation.overrun_client(0, overrun(true));
    });
    let outside = ran.causes(is_outside);
    assert!(outside.len() > 30 && outside.iter().all(|cause| *cause == Cause::Down), "{outside:?}");
    let inside = ran.causes(|truth| !is_outside(truth));
    assert_eq!(count(&inside, Cause::ClientOverflow), 0, "{inside:?}");
    let dropped = ran.causes(|truth| truth.dropped_at_client > 0);
    assert!(dropped.len() > 10 && dropped.iter().all(|cause| *cause == Cause::Unknown), "{dropped:?}");
}

#[test]
fn what_the_probes_themselves_overran_is_named_so_and_nothing_else_is() {
    let lossy_up = [lossy(), Conditions::ideal(ONE_WAY)];
    let up = Ran::new(clean(), lossy_up, |simulation| simulation.overrun_server(overrun(false)));
    let lossy_down = [Conditions::ideal(ONE_WAY), lossy()];
    let down = Ran::new(clean(), lossy_down, |simulation| simulation.overrun_client(0, overrun(false)));
    let at_server = |truth: &ProbeTruth| truth.dropped_at_server > 0;
    let at_client = |truth: &ProbeTruth| truth.dropped_at_client > 0;
    for (ran, dropped, overflow, network) in [
        (up, &at_server as &dyn Fn(&ProbeTruth) -> bool, Cause::ServerOverflow, Cause::Up),
        (down, &at_client, Cause::ClientOverflow, Cause::Down),
    ] {
        for (row, truth) in ran.lost() {
            let cause = row.cause.unwrap();
            // Between two answers a drop of our own question looks like one of a probe.
            let wrong = if dropped(truth) { cause == network } else { is_outside(truth) && cause != network };
            assert!(!wrong, "{row:?} {truth:?}");
        }
        let causes = ran.causes(dropped);
        assert!(causes.len() > 10 && count(&causes, overflow) * 2 > causes.len(), "{causes:?}");
    }
}

#[test]
fn over_a_path_that_loses_nothing_every_drop_of_a_socket_is_named() {
    let ideal = || [Conditions::ideal(ONE_WAY), Conditions::ideal(ONE_WAY)];
    let up = Ran::new(clean(), ideal(), |simulation| simulation.overrun_server(overrun(false)));
    let causes = up.causes(|_| true);
    assert!(causes.len() > 10 && causes.iter().all(|cause| *cause == Cause::ServerOverflow), "{causes:?}");
    let down = Ran::new(clean(), ideal(), |simulation| simulation.overrun_client(0, overrun(false)));
    let causes = down.causes(|_| true);
    assert!(causes.len() > 10 && causes.iter().all(|cause| *cause == Cause::ClientOverflow), "{causes:?}");
}

/// No two replies are around the one that is missing.
#[test]
fn where_replies_are_held_a_drop_at_the_client_makes_what_is_lost_meanwhile_unknown() {
    let holds = injecting("delay=uniform:0ms..200ms".parse().unwrap());
    let ran = Ran::new(holds, [Conditions::ideal(ONE_WAY), lossy()], |simulation| {
        simulation.overrun_client(0, overrun(false));
    });
    let dropped = ran.causes(|truth| truth.dropped_at_client > 0);
    assert!(dropped.len() > 10 && dropped.iter().all(|cause| *cause == Cause::Unknown), "{dropped:?}");
    let after = ran.causes(|truth| after_start(truth) > millis(3_500));
    assert!(after.len() > 10 && after.iter().all(|cause| *cause == Cause::Down), "{after:?}");
}

/// Its probes and those of another come to one socket in turn.
#[test]
fn what_a_socket_drops_of_two_clients_is_unknown() {
    let ideal = Conditions::ideal(ONE_WAY);
    let mut simulation = Simulation::new(clean(), ideal.clone(), ideal, 5);
    for _ in 0..2 {
        simulation.add_client(Settings { deadline: Some(Duration::from_secs(1)), ..settings(COUNT, EVERY) });
    }
    simulation.overrun_server(Overrun { from: millis(3_000), to: millis(3_405), flooded: false });
    simulation.run(Duration::from_secs(60));
    let rows: Vec<Resolved> = [0, 1].map(|client| resolved(&simulation.take_events(client))).concat();
    let causes: Vec<Cause> = rows.iter().filter_map(|row| row.cause).collect();
    assert!(causes.len() > 10 && causes.iter().all(|cause| *cause == Cause::Unknown), "{causes:?}");
}
