//! An impairment at work on one session: gives each probe its fate.
//!
//! A fate is a function of the seed and the probe's number: whatever other clients do, in whatever
//! order the probes come and however often one asks. Each model draws from a stream of its own, so
//! that turning one on does not change what another does. Three things depend on more: what waits
//! at a limited rate and what an ordered delay adds depend on the traffic, and under a scenario the
//! time says which impairment is on.

use std::sync::Arc;

use super::corrupt::corrupted;
use super::delay::Order;
use super::direction::Direction;
use super::duplicate::extra_copies;
use super::impairment::Impairment;
use super::loss::LossDraws;
use super::rate::Bottleneck;
use super::scenario::{Scenario, Span};
use super::treatment::Treatment;
use crate::rng::{Seed, Stream};
use crate::time::{Duration, Instant};

/// Small where nothing will ever happen, for a server has one for each of its clients.
#[derive(Clone, Debug)]
pub struct Pipeline(Option<Box<Works>>);

#[derive(Clone, Debug)]
struct Works {
    /// Shared with all who have the same, so that a server reads it from one place.
    impairment: Arc<Impairment>,
    play: Option<Box<Play>>,
    down: Way,
    up: Way,
}

/// A scenario under way, and until when its present step lasts.
#[derive(Clone, Debug)]
struct Play {
    scenario: Scenario,
    start: Instant,
    span: Span,
}

impl Pipeline {
    pub fn new(impairment: impl Into<Arc<Impairment>>, seed: Seed) -> Self {
        let impairment = impairment.into();
        Self((!impairment.is_clean()).then(|| Box::new(Works::new(impairment, seed))))
    }

    /// Under an impairment that changes over time, counted from `start`.
    pub fn playing(scenario: &Scenario, start: Instant, seed: Seed) -> Self {
        let (span, impairment) = scenario.at(Duration::ZERO);
        let works = Works::new(Arc::clone(impairment), seed);
        let play = Some(Box::new(Play { scenario: scenario.clone(), start, span }));
        Self(Some(Box::new(Works { play, ..works })))
    }

    /// What is on now, as far as the last probe told the time.
    pub fn impairment(&self) -> &Impairment {
        self.0.as_ref().map_or(&Impairment::CLEAN, |works| &works.impairment)
    }

    /// The fate of the probe with this number, of so many bytes, that came at `now`.
    pub fn fate(&mut self, now: Instant, seq: u64, bytes: usize) -> Treatment {
        self.0.as_mut().map_or_else(Treatment::default, |works| works.fate(now, seq, bytes))
    }
}

impl Works {
    fn new(impairment: Arc<Impairment>, seed: Seed) -> Self {
        Self {
            impairment,
            play: None,
            down: Way::new(Direction::Down, seed),
            up: Way::new(Direction::Up, seed),
        }
    }

    fn fate(&mut self, now: Instant, seq: u64, bytes: usize) -> Treatment {
        self.turn_to(now);
        let probe = Probe { now, seq, bytes };
        let mut passage = Passage::default();
        // A way that is not taken is not looked at.
        for (direction, way) in [(Direction::Up, &mut self.up), (Direction::Down, &mut self.down)] {
            if !self.impairment.direction.has(direction) {
                continue;
            }
            if let Err(dropped) = way.cross(direction, &self.impairment, probe, &mut passage) {
                return dropped;
            }
        }
        passage.fate
    }

    fn turn_to(&mut self, now: Instant) {
        let Some(play) = &mut self.play else { return };
        let elapsed = now - play.start;
        if play.span.contains(elapsed) {
            return;
        }
        let (span, impairment) = play.scenario.at(elapsed);
        play.span = span;
        self.impairment = Arc::clone(impairment);
        self.up.losses.forget();
        self.down.losses.forget();
    }
}

/// The randomness and the memory of one direction.
#[derive(Clone, Debug)]
struct Way {
    delays: Stream,
    losses: LossDraws,
    copies: Stream,
    corruptions: Stream,
    reorderings: Stream,
    bottleneck: Bottleneck,
    order: Order,
}

#[derive(Clone, Copy)]
struct Probe {
    now: Instant,
    seq: u64,
    bytes: usize,
}

/// What a probe has met so far.
#[derive(Default)]
struct Passage {
    fate: Treatment,
    /// The part of its hold that it spent at bottlenecks, which probes meet in their order.
    queued: Duration,
    /// The part of its hold by which it is out of order.
    held_back: Duration,
}

impl Way {
    fn new(direction: Direction, seed: Seed) -> Self {
        let way = match direction {
            Direction::Up => "up",
            Direction::Down => "down",
        };
        let stream = |purpose: &str| Stream::new(seed, &format!("{purpose} {way}"));
        Self {
            delays: stream("delay"),
            losses: LossDraws::new(seed, way),
            copies: stream("duplicate"),
            corruptions: stream("corrupt"),
            reorderings: stream("reorder"),
            bottleneck: Bottleneck::new(),
            order: Order::new(),
        }
    }

    /// Loss, then the bottleneck, then delay, as on a link; the error is the fate of what is dropped.
    fn cross(
        &mut self,
        direction: Direction,
        what: &Impairment,
        probe: Probe,
        passage: &mut Passage,
    ) -> Result<(), Treatment> {
        let Probe { now, seq, bytes } = probe;
        if self.losses.lost(&what.loss, seq) {
            return Err(Treatment::dropped(direction, false));
        }
        let fate = &mut passage.fate;
        if let Some(limit) = what.rate {
            let wait = self.bottleneck.pass(limit, now + passage.queued, bytes);
            let wait = wait.ok_or_else(|| Treatment::dropped(direction, true))?;
            passage.queued += wait;
            fate.hold += wait;
        }
        fate.hold += what.delay.draw(&self.delays, seq);
        if what.delay.is_ordered() {
            let in_order = now + (fate.hold - passage.held_back);
            fate.hold = self.order.keep(in_order) - now + passage.held_back;
        }
        let held_back = what.reorder.held_back(&self.reorderings, seq);
        passage.held_back += held_back;
        fate.hold += held_back;
        if direction == Direction::Up {
            fate.hold_up = fate.hold;
        }
        fate.extra_copies += extra_copies(what.duplicate, &self.copies, seq);
        fate.corrupted = fate.corrupted.or(corrupted(what.corrupt, &self.corruptions, seq));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::goodness_of_fit;
    use super::*;

    fn line(text: &str) -> Impairment {
        text.parse().unwrap()
    }

    fn at(millis: i64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn fates(text: &str, n: u64) -> Vec<Treatment> {
        let mut pipeline = Pipeline::new(line(text), 7);
        (0..n).map(|seq| pipeline.fate(at(seq as i64), seq, 512)).collect()
    }

    fn dropped(fates: &[Treatment]) -> Vec<Option<Direction>> {
        fates.iter().map(|fate| fate.dropped).collect()
    }

    const ALL_BUT_TRAFFIC: &str = "delay=normal:20ms±5ms loss=gilbert:p=5%,r=30%,h=20%,k=98% duplicate=10% \
                                   corrupt=10% reorder=10%,by=30ms direction=both";

    #[test]
    fn clean_does_nothing() {
        assert!(fates("clean", 1_000).iter().all(|&fate| fate == Treatment::default()));
    }

    #[test]
    fn classic_holds_and_withholds() {
        let fates = fates("classic", 100_000);
        let withheld = fates.iter().filter(|fate| fate.dropped == Some(Direction::Down)).count();
        goodness_of_fit::share(withheld as f64, 100_000.0, 0.1);
        assert!(fates.iter().all(|fate| fate.dropped != Some(Direction::Up)));
        let holds: Vec<f64> = fates
            .iter()
            .filter(|fate| fate.dropped.is_none())
            .map(|fate| fate.hold.as_millis_f64())
            .collect();
        goodness_of_fit::fits(&holds, |x| (x - 0.1) / 499.9);
    }

    proptest! {
        #[test]
        fn a_fate_depends_on_seed_and_number_only(
            order in Just((0_u64..200).collect::<Vec<_>>()).prop_shuffle(),
            times in prop::collection::vec(0_i64..10_000, 200),
        ) {
            let in_order = fates(ALL_BUT_TRAFFIC, 200);
            let mut pipeline = Pipeline::new(line(ALL_BUT_TRAFFIC), 7);
            for (seq, time) in order.into_iter().zip(times) {
                prop_assert_eq!(pipeline.fate(at(time), seq, 64), in_order[seq as usize]);
                prop_assert_eq!(pipeline.fate(at(time), seq, 64), in_order[seq as usize]);
            }
        }
    }

    #[test]
    fn another_seed_gives_other_fates() {
        let mut other = Pipeline::new(line(ALL_BUT_TRAFFIC), 8);
        let others: Vec<Treatment> = (0..200).map(|seq| other.fate(at(seq as i64), seq, 512)).collect();
        assert_ne!(others, fates(ALL_BUT_TRAFFIC, 200));
    }

    #[test]
    fn turning_one_model_on_changes_no_other() {
        let lost = dropped(&fates("loss=gilbert:p=5%,r=30%", 1_000));
        let with_all =
            "loss=gilbert:p=5%,r=30% delay=lognormal:9ms±25ms,ordered duplicate=9% corrupt=9% reorder=9%";
        assert_eq!(dropped(&fates(with_all, 1_000)), lost);

        let delayed = fates("delay=pareto:1ms,shape=2", 1_000);
        let lossy = fates("delay=pareto:1ms,shape=2 loss=50%", 1_000);
        assert!(delayed.iter().zip(&lossy).all(|(a, b)| b.dropped.is_some() || a == b));
    }

    #[test]
    fn each_direction_has_draws_of_its_own() {
        let both = fates("loss=30% delay=exponential:20ms direction=both", 10_000);
        let up = fates("loss=30% direction=up", 10_000);
        let down = fates("loss=30% direction=down", 10_000);
        for ((both, up), down) in both.iter().zip(&up).zip(&down) {
            assert_eq!(both.dropped, up.dropped.or(down.dropped));
        }
        let passed = both.iter().filter(|fate| fate.dropped.is_none());
        goodness_of_fit::share(passed.clone().count() as f64, 10_000.0, 0.49);
        let (ups, downs): (Vec<f64>, Vec<f64>) = passed
            .map(|fate| (fate.hold_up.as_millis_f64(), (fate.hold - fate.hold_up).as_millis_f64()))
            .unzip();
        goodness_of_fit::fits(&ups, |x| 1.0 - (-x / 20.0).exp());
        goodness_of_fit::fits(&downs, |x| 1.0 - (-x / 20.0).exp());
    }

    #[test]
    fn ordered_delay_releases_in_order_and_plain_jitter_does_not() {
        let releases = |text| -> Vec<Duration> {
            let fates = fates(text, 1_000);
            fates.iter().enumerate().map(|(ms, fate)| Duration::from_millis(ms as i64) + fate.hold).collect()
        };
        assert!(releases("delay=uniform:0..50ms,ordered").is_sorted());
        assert!(releases("delay=uniform:0..50ms,ordered direction=both").is_sorted());
        assert!(!releases("delay=uniform:0..50ms").is_sorted());
        // What is held back to be overtaken is overtaken, and nothing waits for it.
        let (free, reordered) = (
            releases("delay=constant:5ms,ordered"),
            releases("delay=constant:5ms,ordered reorder=10%,by=7ms"),
        );
        assert!(!reordered.is_sorted());
        let by = |(a, b): (&Duration, &Duration)| [0, 7].map(Duration::from_millis).contains(&(*b - *a));
        assert!(free.iter().zip(&reordered).all(by));
    }

    #[test]
    fn a_full_queue_says_that_it_overflowed() {
        let mut pipeline = Pipeline::new(line("rate=8Mbit,queue=2k direction=up"), 7);
        let fates: Vec<Treatment> = (0..3).map(|seq| pipeline.fate(at(0), seq, 1_000)).collect();
        assert_eq!(fates[0].hold, Duration::from_millis(1));
        assert_eq!((fates[1].hold, fates[1].hold_up), (Duration::from_millis(2), Duration::from_millis(2)));
        assert_eq!(fates[2], Treatment::dropped(Direction::Up, true));
    }

    #[test]
    fn no_hold_is_longer_than_the_longest() {
        for text in [
            "delay=pareto:5ms,shape=1.1,ordered rate=1Mbit,queue=20k reorder=20% direction=both",
            "delay=normal:5ms±50ms rate=1Mbit,queue=20k",
        ] {
            let longest = line(text).longest_hold();
            assert!(fates(text, 50_000).iter().all(|fate| fate.hold_up <= fate.hold && fate.hold <= longest));
        }
    }

    #[test]
    fn a_scenario_changes_what_is_on_and_keeps_the_numbers() {
        let script = "[[step]]\nfor = '1s'\nprofile = 'lossy'\n[[step]]\nfor = '1s'\nloss = '100%'\n";
        let scenario = Scenario::from_toml(script, &|_| Err(std::io::ErrorKind::NotFound.into())).unwrap();
        let start = at(5_000);
        let mut playing = Pipeline::playing(&scenario, start, 7);
        let mut steady = Pipeline::new(line("lossy"), 7);
        for seq in 0..4_000_u64 {
            let now = start + Duration::from_millis(seq as i64);
            let fate = playing.fate(now, seq, 512);
            if seq % 2_000 < 1_000 {
                assert_eq!(fate, steady.fate(now, seq, 512));
            } else {
                assert_eq!(fate, Treatment::dropped(Direction::Down, false));
            }
        }
    }
}
