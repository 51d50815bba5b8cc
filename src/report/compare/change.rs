//! How each figure of a run differs from the same figure of the first, and whether that is a change
//! or chance.
//!
//! The intervals of all figures of all runs hold together at 95 %: a level shared by all of them
//! (Bonferroni), widened by how much neighbouring probes resemble each other. So what lies within
//! chance is called a change in no more than one comparison of twenty, however many figures there are.

use super::sample::{Average, Delays, Sample, Shares};
use crate::rng::Seed;
use crate::stats::{Confidence, Level, Quantiles, Scatter, design_effect, quantile_shift};
use crate::time::Duration;

/// The same runs give the same intervals.
const SEED: Seed = 1;

/// A mean of fewer is none to rely on.
const FEW: u64 = 20;

/// What is compared. All but `Throughput` are better when they are less.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    /// All that was not answered in time, of what was sent.
    Loss,
    /// The same without what was dropped on purpose.
    Uninjected,
    /// The mean RTT. It needs fewer probes than a percentile to tell a gross change.
    Mean,
    /// A percentile of the RTT.
    Rtt(f64),
    /// The same without the time at the server.
    Net(f64),
    /// The mean distance of the RTTs of neighbours.
    Jitter,
    Reordering,
    /// Follows from the loss and from what was asked, so nothing is tested.
    Throughput,
}

const PERCENTILES: [f64; 3] = [0.5, 0.9, 0.99];

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// Surely another value, and by the margin or more.
    Worse,
    Better,
    /// Surely another value, but by less than the margin.
    Small,
    /// Surely within the margin.
    Same,
    /// It may be chance.
    Noise,
    /// One of the runs has fewer values than it takes to tell.
    TooFew {
        needed: u64,
    },
    Untested,
}

impl Verdict {
    pub fn word(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::Small => "small",
            Self::Same => "same",
            Self::Noise => "noise",
            Self::TooFew { .. } => "too few",
            Self::Untested => "",
        }
    }
}

/// Shares are fractions, times nanoseconds, rates bits a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    pub figure: Figure,
    pub before: Option<f64>,
    pub after: Option<f64>,
    /// Of the difference.
    pub interval: Option<(f64, f64)>,
    pub verdict: Verdict,
}

impl Change {
    pub fn difference(&self) -> Option<f64> {
        Some(self.after? - self.before?)
    }

    /// As a share of what it was; none of nothing.
    pub fn relative(&self) -> Option<f64> {
        let before = self.before.filter(|before| *before > 0.0)?;
        Some(self.difference()? / before)
    }

    /// Whether a path that did this has got worse: by loss or by delay.
    pub fn is_regression(&self) -> bool {
        let counts = match self.figure {
            Figure::Loss | Figure::Uninjected | Figure::Mean | Figure::Rtt(_) | Figure::Net(_) => true,
            Figure::Jitter | Figure::Reordering | Figure::Throughput => false,
        };
        counts && self.verdict == Verdict::Worse
    }
}

/// How a run differs from the first.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes(pub Vec<Change>);

impl Changes {
    pub fn regressions(&self) -> impl Iterator<Item = &Change> {
        self.0.iter().filter(|change| change.is_regression())
    }
}

/// Each run but the first against the first. Relative differences below `margin` matter to nobody.
pub fn changes(samples: &[Sample], margin: f64) -> Vec<Changes> {
    let Some((first, others)) = samples.split_first() else { return Vec::new() };
    let pairs: Vec<Pair> = others.iter().map(|other| Pair { before: first, after: other }).collect();
    let tests: usize = pairs.iter().map(|pair| pair.figures().filter(|figure| tested(*figure)).count()).sum();
    let level = Level::P95.shared_by(tests);
    let change = |pair: &Pair, figure| pair.change(figure, level).judged(margin);
    pairs.iter().map(|pair| Changes(pair.figures().map(|figure| change(pair, figure)).collect())).collect()
}

fn tested(figure: Figure) -> bool {
    figure != Figure::Throughput
}

struct Pair<'a> {
    before: &'a Sample,
    after: &'a Sample,
}

impl Pair<'_> {
    /// Those that either run has something to say of.
    fn figures(&self) -> impl Iterator<Item = Figure> + use<> {
        let either = |is: fn(&Sample) -> bool| is(self.before) || is(self.after);
        let injected = either(|sample| sample.uninjected.trials() < sample.missed.trials());
        let net = either(Sample::waits_at_the_server);
        let reordered = either(|sample| sample.reordered.hits() > 0);
        let fixed = [Some(Figure::Loss), injected.then_some(Figure::Uninjected), Some(Figure::Mean)];
        let rtts = PERCENTILES.map(|p| Some(Figure::Rtt(p)));
        let nets = PERCENTILES.map(|p| net.then_some(Figure::Net(p)));
        let rest = [Some(Figure::Jitter), reordered.then_some(Figure::Reordering), Some(Figure::Throughput)];
        fixed.into_iter().chain(rtts).chain(nets).chain(rest).flatten()
    }

    fn change(&self, figure: Figure, level: Level) -> Change {
        let Self { before, after } = self;
        match figure {
            Figure::Loss => of_shares(figure, &before.missed, &after.missed, level),
            Figure::Uninjected => of_shares(figure, &before.uninjected, &after.uninjected, level),
            Figure::Reordering => of_shares(figure, &before.reordered, &after.reordered, level),
            Figure::Rtt(p) => of_delays(figure, p, &before.rtt, &after.rtt, level),
            Figure::Net(p) => of_delays(figure, p, &before.net, &after.net, level),
            Figure::Mean => of_averages(figure, &before.mean, &after.mean, level),
            Figure::Jitter => of_averages(figure, &before.jitter, &after.jitter, level),
            Figure::Throughput => Change {
                figure,
                before: before.throughput(),
                after: after.throughput(),
                interval: None,
                verdict: Verdict::Untested,
            },
        }
    }
}

fn of_averages(figure: Figure, before: &Average, after: &Average, level: Level) -> Change {
    let mut change = untold(figure, before.mean().value(), after.mean().value(), FEW);
    if let (Some(difference), true) = (change.difference(), before.mean().n.min(after.mean().n) >= FEW) {
        let scatter = Scatter::of([&before.spread(), &after.spread()]);
        let half = level.t(scatter.freedom) * scatter.variance.sqrt();
        change.interval = Some((difference - half, difference + half));
    }
    change
}

fn of_shares(figure: Figure, before: &Shares, after: &Shares, level: Level) -> Change {
    let design = design_effect([&before.spread(), &after.spread()], level);
    let (a, b) = (before.proportion(), after.proportion());
    let bounds = b.minus_within(a, Confidence { level, design });
    Change {
        interval: bounds.map(|bounds| (bounds.low, bounds.high)),
        ..untold(figure, a.value(), b.value(), 1)
    }
}

fn of_delays(figure: Figure, p: f64, before: &Delays, after: &Delays, level: Level) -> Change {
    let design = design_effect([&before.spread(p), &after.spread(p)], level);
    let confidence = Confidence { level, design };
    let needed = confidence.values_needed(p);
    let nanos = |delays: &Quantiles| delays.at(p).map(|delay| delay.as_nanos() as f64);
    let (a, b) = (&before.quantiles, &after.quantiles);
    let mut change = untold(figure, nanos(a), nanos(b), needed);
    if a.n().min(b.n()) >= needed {
        let bound = |bound: Duration| bound.as_nanos() as f64;
        change.interval =
            quantile_shift(a, b, p, confidence, SEED).map(|shift| (bound(shift.low), bound(shift.high)));
    }
    change
}

/// Without an interval there are too few values.
fn untold(figure: Figure, before: Option<f64>, after: Option<f64>, needed: u64) -> Change {
    Change { figure, before, after, interval: None, verdict: Verdict::TooFew { needed } }
}

impl Change {
    fn judged(self, margin: f64) -> Self {
        let (Some((low, high)), Some(before), Some(difference)) =
            (self.interval, self.before, self.difference())
        else {
            return self;
        };
        let matters = margin * before.abs();
        let verdict = match (low > 0.0 || high < 0.0, difference) {
            (true, more) if more >= matters && more > 0.0 => Verdict::Worse,
            (true, less) if -less >= matters && less < 0.0 => Verdict::Better,
            (true, _) => Verdict::Small,
            (false, _) if low >= -matters && high <= matters => Verdict::Same,
            (false, _) => Verdict::Noise,
        };
        Self { verdict, ..self }
    }
}
