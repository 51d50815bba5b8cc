//! Paths whose truth is known, and the runs over them.

use udpecho::probe::{Cause, Outcome, Resolved};
use udpecho::record::Run;
use udpecho::report::compare::{Changes, Margin, Sample, changes};
use udpecho::rng::{Draws, Seed, Stream};
use udpecho::time::Duration;

use crate::fixtures::{MadeRun, Transit, exponential};

/// 5 %, and for delays 50 us.
pub const MARGIN: Margin = Margin { share: 0.05, time: Duration::from_micros(50) };

/// A path on which `memory` and bursts may last longer than a probe.
#[derive(Clone, Copy)]
pub struct Path {
    /// Nanoseconds, without what varies.
    pub base: f64,
    /// Of what varies: as a lognormal.
    pub spread: f64,
    /// How much of the variation is carried over from a probe to the next.
    pub memory: f64,
    /// The chances to fall into a burst of losses, and to get out of it.
    pub fall: f64,
    pub recover: f64,
    /// How often a reply takes longer, by how much on average.
    pub outliers: f64,
    pub slow: f64,
}

/// Every probe meets its own path: 1 % are lost, 2 % are outliers.
pub const STEADY: Path =
    Path { base: 8e6, spread: 2.5e6, memory: 0.0, fall: 0.01, recover: 0.99, outliers: 0.02, slow: 20e6 };

/// Delays come in waves of some twenty probes, losses in bursts of four.
pub const WAVES: Path = Path { memory: 0.9, fall: 0.005, recover: 0.25, ..STEADY };

/// Independent losses at this share.
pub fn losing(share: f64) -> Path {
    Path { fall: share, recover: 1.0 - share, ..STEADY }
}

impl Path {
    pub fn probes(self, seed: Seed, count: u64) -> impl Iterator<Item = Resolved> {
        let stream = Stream::new(seed, "path");
        let made = MadeRun::new(1, 0.1, |_, _, _| Transit::answered(1e6, 30e3));
        let template = made.probes().next().expect("one probe");
        let (mut level, mut lost) = (0.0, false);
        (0..count).map(move |seq| {
            let mut draws = stream.at(seq);
            level = self.memory * level + (1.0 - self.memory.powi(2)).sqrt() * normal(&mut draws);
            lost = draws.unit() < if lost { 1.0 - self.recover } else { self.fall };
            let slow = if draws.unit() < self.outliers { exponential(&mut draws, self.slow) } else { 0.0 };
            let rtt = self.base + self.spread * (0.5 * level).exp() + slow;
            probe(&template, seq, (!lost).then_some(rtt))
        })
    }

    pub fn sample(self, seed: Seed, count: u64) -> Sample {
        sample(self.probes(seed, count))
    }
}

fn normal(draws: &mut Draws) -> f64 {
    let radius = (-2.0 * (1.0 - draws.unit()).ln()).sqrt();
    radius * (std::f64::consts::TAU * draws.unit()).cos()
}

fn probe(template: &Resolved, seq: u64, rtt: Option<f64>) -> Resolved {
    let due = Duration::from_millis(100 * seq as i64);
    let rtt = rtt.map(|nanos| Duration::from_nanos(nanos as i64));
    Resolved {
        seq,
        due,
        sent: Some(due),
        outcome: if rtt.is_some() { Outcome::Ok } else { Outcome::Lost },
        cause: rtt.is_none().then_some(Cause::Down),
        rtt,
        server: rtt.and(template.server),
        ..*template
    }
}

/// What was asked.
pub fn run() -> Run {
    MadeRun::new(1, 0.1, |_, _, _| Transit::answered(1e6, 0.0)).run
}

pub fn sample(probes: impl IntoIterator<Item = Resolved>) -> Sample {
    let mut sample = Sample::new("run", run());
    probes.into_iter().for_each(|probe| sample.push(&probe));
    sample
}

pub fn differences(a: Sample, b: Sample) -> Changes {
    changes(&[a, b], MARGIN).remove(0)
}
