//! Both directions of one session of a server, which holds and drops on behalf of both.

use std::sync::Arc;

use super::direction::Direction;
use super::impairment::Impairment;
use super::link::{Link, Transit};
use super::packet::Packet;
use super::rate::Bottleneck;
use super::scenario::{Scenario, Span};
use super::treatment::Treatment;
use crate::rng::Seed;
use crate::time::{Duration, Instant};

/// Empty for a clean session, since a server keeps one for each client.
#[derive(Clone, Debug)]
pub struct SessionLinks(Option<Box<Active>>);

#[derive(Clone, Debug)]
struct Active {
    /// Shared by all sessions under the same impairment.
    impairment: Arc<Impairment>,
    playing: Option<Playing>,
    up: Link,
    up_bottleneck: Bottleneck,
    down: Link,
    down_bottleneck: Bottleneck,
}

/// A scenario under way, and the span of its current step.
#[derive(Clone, Debug)]
struct Playing {
    scenario: Scenario,
    start: Instant,
    span: Span,
}

impl SessionLinks {
    /// The same impairment for the whole session, in the directions that it names.
    pub fn new(impairment: impl Into<Arc<Impairment>>, seed: Seed) -> Self {
        let impairment = impairment.into();
        Self((!impairment.is_clean()).then(|| Box::new(Active::new(impairment, seed, None))))
    }

    /// Under an impairment that changes over time, counted from `start`.
    pub fn under_scenario(scenario: &Scenario, start: Instant, seed: Seed) -> Self {
        let (span, impairment) = scenario.at(Duration::ZERO);
        let playing = Playing { scenario: scenario.clone(), start, span };
        Self(Some(Box::new(Active::new(Arc::clone(impairment), seed, Some(playing)))))
    }

    /// The impairment that the last probe met.
    pub fn impairment(&self) -> &Impairment {
        self.0.as_ref().map_or(&Impairment::CLEAN, |active| &active.impairment)
    }

    /// Treats the probe with this number and size that arrives at `now`.
    pub fn admit(&mut self, now: Instant, seq: u64, bytes: usize) -> Treatment {
        let Some(active) = &mut self.0 else { return Treatment::default() };
        active.select_step(now);
        active.admit(&Packet::new(now, seq, bytes)).unwrap_or_else(|dropped| dropped)
    }

    /// Treats a packet that goes in one direction only.
    pub fn admit_one_way(&mut self, direction: Direction, now: Instant, seq: u64, bytes: usize) -> Treatment {
        let Some(active) = &mut self.0 else { return Treatment::default() };
        active.select_step(now);
        active.admit_one_way(direction, &Packet::new(now, seq, bytes))
    }
}

impl Active {
    fn admit_one_way(&mut self, direction: Direction, packet: &Packet) -> Treatment {
        let (link, bottleneck) = match direction {
            _ if !self.impairment.direction.has(direction) => return Treatment::default(),
            Direction::Up => (&mut self.up, &mut self.up_bottleneck),
            Direction::Down => (&mut self.down, &mut self.down_bottleneck),
        };
        link.admit_packet(bottleneck, packet)
    }

    fn new(impairment: Arc<Impairment>, seed: Seed, playing: Option<Playing>) -> Self {
        let link = |direction| Link::new(Arc::clone(&impairment), direction, seed);
        Self {
            up: link(Direction::Up),
            up_bottleneck: Bottleneck::default(),
            down: link(Direction::Down),
            down_bottleneck: Bottleneck::default(),
            impairment,
            playing,
        }
    }

    /// The error is the treatment of a dropped probe.
    fn admit(&mut self, probe: &Packet) -> Result<Treatment, Treatment> {
        let directions = self.impairment.direction;
        let mut transit = Transit::default();
        if directions.has(Direction::Up) {
            transit = self.up.pass(&mut self.up_bottleneck, probe, transit)?;
        }
        if directions.has(Direction::Down) {
            transit = self.down.pass(&mut self.down_bottleneck, probe, transit)?;
        }
        Ok(transit.treatment)
    }

    fn select_step(&mut self, now: Instant) {
        let Some(playing) = &mut self.playing else { return };
        let elapsed = now - playing.start;
        if playing.span.contains(elapsed) {
            return;
        }
        let (span, impairment) = playing.scenario.at(elapsed);
        playing.span = span;
        self.impairment = Arc::clone(impairment);
        self.up.set_impairment(Arc::clone(impairment));
        self.down.set_impairment(Arc::clone(impairment));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::goodness_of_fit;
    use super::super::treatment::{DropCause, Dropped};
    use super::*;

    fn line(text: &str) -> Impairment {
        text.parse().unwrap()
    }

    fn at(millis: i64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn treatments(text: &str, n: u64) -> Vec<Treatment> {
        let mut links = SessionLinks::new(line(text), 7);
        (0..n).map(|seq| links.admit(at(seq as i64), seq, 512)).collect()
    }

    fn dropped(treatments: &[Treatment]) -> Vec<Option<Dropped>> {
        treatments.iter().map(|treatment| treatment.dropped).collect()
    }

    fn lost(direction: Direction) -> Dropped {
        Dropped { direction, cause: DropCause::Lost }
    }

    const ALL_BUT_TRAFFIC: &str = "delay=normal:20ms±5ms loss=gilbert:p=5%,r=30%,h=20%,k=98% duplicate=10% \
                                   corrupt=10% reorder=10%,by=30ms direction=both";

    #[test]
    fn clean_does_nothing() {
        assert!(treatments("clean", 1_000).iter().all(|&treatment| treatment == Treatment::default()));
    }

    #[test]
    fn classic_holds_and_drops_replies() {
        let treatments = treatments("classic", 100_000);
        let lost = lost(Direction::Down);
        let dropped = treatments.iter().filter_map(|treatment| treatment.dropped);
        assert!(dropped.clone().all(|dropped| dropped == lost));
        goodness_of_fit::share(dropped.count() as f64, 100_000.0, 0.1);
        let holds: Vec<f64> = treatments
            .iter()
            .filter(|treatment| treatment.dropped.is_none())
            .map(|treatment| treatment.hold.as_millis_f64())
            .collect();
        goodness_of_fit::fits(&holds, |x| (x - 0.1) / 499.9);
    }

    proptest! {
        #[test]
        fn a_treatment_depends_on_seed_and_number_only(
            order in Just((0_u64..200).collect::<Vec<_>>()).prop_shuffle(),
            times in prop::collection::vec(0_i64..10_000, 200),
        ) {
            let in_order = treatments(ALL_BUT_TRAFFIC, 200);
            let mut links = SessionLinks::new(line(ALL_BUT_TRAFFIC), 7);
            for (seq, time) in order.into_iter().zip(times) {
                prop_assert_eq!(links.admit(at(time), seq, 64), in_order[seq as usize]);
                prop_assert_eq!(links.admit(at(time), seq, 64), in_order[seq as usize]);
            }
        }
    }

    #[test]
    fn another_seed_gives_other_treatments() {
        let mut other = SessionLinks::new(line(ALL_BUT_TRAFFIC), 8);
        let others: Vec<Treatment> = (0..200).map(|seq| other.admit(at(seq as i64), seq, 512)).collect();
        assert_ne!(others, treatments(ALL_BUT_TRAFFIC, 200));
    }

    #[test]
    fn turning_one_model_on_changes_no_other() {
        let lost = dropped(&treatments("loss=gilbert:p=5%,r=30%", 1_000));
        let with_all =
            "loss=gilbert:p=5%,r=30% delay=lognormal:9ms±25ms,ordered duplicate=9% corrupt=9% reorder=9%";
        assert_eq!(dropped(&treatments(with_all, 1_000)), lost);

        let delayed = treatments("delay=pareto:1ms,shape=2", 1_000);
        let lossy = treatments("delay=pareto:1ms,shape=2 loss=50%", 1_000);
        assert!(delayed.iter().zip(&lossy).all(|(a, b)| b.dropped.is_some() || a == b));
    }

    #[test]
    fn each_direction_has_draws_of_its_own() {
        let both = treatments("loss=30% delay=exponential:20ms direction=both", 10_000);
        let up = treatments("loss=30% direction=up", 10_000);
        let down = treatments("loss=30% direction=down", 10_000);
        for ((both, up), down) in both.iter().zip(&up).zip(&down) {
            assert_eq!(both.dropped, up.dropped.or(down.dropped));
        }
        let passed = both.iter().filter(|treatment| treatment.dropped.is_none());
        goodness_of_fit::share(passed.clone().count() as f64, 10_000.0, 0.49);
        let (ups, downs): (Vec<f64>, Vec<f64>) = passed
            .map(|treatment| {
                (treatment.hold_up.as_millis_f64(), (treatment.hold - treatment.hold_up).as_millis_f64())
            })
            .unzip();
        goodness_of_fit::fits(&ups, |x| 1.0 - (-x / 20.0).exp());
        goodness_of_fit::fits(&downs, |x| 1.0 - (-x / 20.0).exp());
    }

    #[test]
    fn ordered_delay_releases_in_order_and_plain_jitter_does_not() {
        let releases = |text| -> Vec<Duration> {
            let treatments = treatments(text, 1_000);
            treatments
                .iter()
                .enumerate()
                .map(|(ms, treatment)| Duration::from_millis(ms as i64) + treatment.hold)
                .collect()
        };
        assert!(releases("delay=uniform:0..50ms,ordered").is_sorted());
        assert!(releases("delay=uniform:0..50ms,ordered direction=both").is_sorted());
        assert!(!releases("delay=uniform:0..50ms").is_sorted());
        // Reordered packets leave late and the others do not wait for them.
        let (free, reordered) = (
            releases("delay=constant:5ms,ordered"),
            releases("delay=constant:5ms,ordered reorder=10%,by=7ms"),
        );
        assert!(!reordered.is_sorted());
        let by = |(a, b): (&Duration, &Duration)| [0, 7].map(Duration::from_millis).contains(&(*b - *a));
        assert!(free.iter().zip(&reordered).all(by));
    }

    #[test]
    fn a_full_queue_is_the_cause_of_the_drop() {
        let mut links = SessionLinks::new(line("rate=8Mbit,queue=2k direction=up"), 7);
        let treatments: Vec<Treatment> = (0..3).map(|seq| links.admit(at(0), seq, 1_000)).collect();
        assert_eq!(treatments[0].hold, Duration::from_millis(1));
        assert_eq!(
            (treatments[1].hold, treatments[1].hold_up),
            (Duration::from_millis(2), Duration::from_millis(2))
        );
        assert_eq!(
            treatments[2],
            Treatment::dropped(Dropped { direction: Direction::Up, cause: DropCause::QueueFull })
        );
    }

    #[test]
    fn no_hold_is_longer_than_the_longest() {
        for text in [
            "delay=pareto:5ms,shape=1.1,ordered rate=1Mbit,queue=20k reorder=20% direction=both",
            "delay=normal:5ms±50ms rate=1Mbit,queue=20k",
        ] {
            let longest = line(text).longest_hold();
            assert!(
                treatments(text, 50_000)
                    .iter()
                    .all(|treatment| treatment.hold_up <= treatment.hold && treatment.hold <= longest)
            );
        }
    }

    #[test]
    fn a_scenario_changes_the_impairment_and_keeps_the_draws() {
        let script = "[[step]]\nfor = '1s'\nprofile = 'lossy'\n[[step]]\nfor = '1s'\nloss = '100%'\n";
        let scenario = Scenario::from_toml(script, &|_| Err(std::io::ErrorKind::NotFound.into())).unwrap();
        let start = at(5_000);
        let mut playing = SessionLinks::under_scenario(&scenario, start, 7);
        let mut steady = SessionLinks::new(line("lossy"), 7);
        for seq in 0..4_000_u64 {
            let now = start + Duration::from_millis(seq as i64);
            let treatment = playing.admit(now, seq, 512);
            if seq % 2_000 < 1_000 {
                assert_eq!(treatment, steady.admit(now, seq, 512));
            } else {
                assert_eq!(treatment, Treatment::dropped(lost(Direction::Down)));
            }
        }
    }
}
