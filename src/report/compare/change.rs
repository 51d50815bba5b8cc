//! How each figure of a run differs from the same figure of the first, and whether that is a change.
//!
//! In at most one comparison of twenty of equal paths is any figure called changed. Loss may spend
//! most of that error, the median and the 99th percentile of the RTT most of the rest.

use super::figure::Figure;
use super::margin::Margin;
use super::sample::{Delays, Sample};
use crate::stats::{Average, Confidence, Level, Quantiles, Runs, Scatter, design_effect, quantile_shift};

/// A mean of fewer values has no interval.
const FEW: u64 = 20;

/// The parts of the error that a headline figure may spend; the others share what is left.
const PARTS: [(Figure, f64); 3] = [(Figure::Loss, 0.7), (Figure::Rtt(0.5), 0.12), (Figure::Rtt(0.99), 0.12)];

/// The verdict on the change of one figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// Changed for the worse, by the margin or more.
    Worse,
    /// Better by the margin at least, and surely.
    Better,
    /// The interval of the difference lies within the margin.
    Same,
    /// The interval is wider than the margin.
    Undecided,
    /// One of the runs has fewer values than an interval takes.
    TooFew {
        /// Probes per run that would decide it, by estimate.
        needed: u64,
    },
    /// Shown, but not tested.
    Untested,
    /// The dialect of one run, or of both, does not tell it.
    Unknown {
        /// Of the first run.
        before: bool,
        /// Of the other.
        after: bool,
    },
}

impl Verdict {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::Same => "same",
            Self::Undecided => "undecided",
            Self::TooFew { .. } => "too few",
            Self::Untested => "",
            Self::Unknown { .. } => "unknown",
        }
    }
}

/// Shares are fractions, times nanoseconds, rates bits a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The figure that is compared.
    pub figure: Figure,
    pub(crate) before: Option<f64>,
    pub(crate) after: Option<f64>,
    /// Of the difference.
    pub interval: Option<(f64, f64)>,
    /// The share of intervals like this one that hold the truth.
    pub confidence: Option<f64>,
    /// The least difference that matters.
    pub margin: f64,
    /// The conclusion from the interval and the margin.
    pub verdict: Verdict,
}

impl Change {
    /// The second value minus the first; `None` where one is missing.
    pub fn difference(&self) -> Option<f64> {
        Some(self.after? - self.before?)
    }

    /// As a share of what it was; none of nothing.
    pub fn relative(&self) -> Option<f64> {
        let before = self.before.filter(|before| *before > 0.0)?;
        Some(self.difference()? / before)
    }

    /// Whether the path has got worse: by loss or by delay.
    pub fn is_regression(&self) -> bool {
        let counts = match self.figure {
            Figure::Loss | Figure::Uninjected | Figure::Mean | Figure::Rtt(_) | Figure::Net(_) => true,
            Figure::Ipdv | Figure::Reordering | Figure::Throughput => false,
        };
        counts && self.verdict == Verdict::Worse
    }
}

/// How a run differs from the first.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes(pub Vec<Change>);

impl Changes {
    /// Changes that are surely worse by the margin.
    pub fn regressions(&self) -> impl Iterator<Item = &Change> {
        self.0.iter().filter(|change| change.is_regression())
    }
}

/// Each run but the first against the first.
pub fn changes(samples: &[Sample], margin: Margin) -> Vec<Changes> {
    let Some((first, others)) = samples.split_first() else { return Vec::new() };
    let level = Level::P95.part(1.0 / others.len().max(1) as f64);
    let pairs = others.iter().map(|other| Pair { before: first, after: other });
    pairs.map(|pair| pair.changes(level, margin)).collect()
}

/// The part of the error that a figure of these may spend.
fn part(figure: Figure, figures: &[Figure]) -> f64 {
    let own = |figure| PARTS.iter().find(|(headline, _)| *headline == figure).map(|(_, part)| *part);
    let spent: f64 = PARTS.iter().map(|(_, part)| part).sum();
    let others = figures.iter().filter(|figure| figure.is_tested() && own(**figure).is_none()).count();
    own(figure).unwrap_or((1.0 - spent) / others.max(1) as f64)
}

struct Pair<'a> {
    before: &'a Sample,
    after: &'a Sample,
}

impl Pair<'_> {
    fn changes(&self, level: Level, margin: Margin) -> Changes {
        let figures = self.figures();
        let change = |figure: &Figure| {
            let level = level.part(part(*figure, &figures));
            self.estimate(*figure, level).judged(*figure, level, margin)
        };
        Changes(figures.iter().map(change).collect())
    }

    /// Figures that at least one run has.
    fn figures(&self) -> Vec<Figure> {
        let either = |is: fn(&Sample) -> bool| is(self.before) || is(self.after);
        let injected = either(|sample| sample.uninjected.trials() < sample.lost_or_late.trials());
        let net = either(Sample::waits_at_the_server);
        let reordered = either(|sample| sample.reordered().hits() > 0);
        Figure::ALL
            .into_iter()
            .filter(|figure| match figure {
                Figure::Uninjected => injected,
                Figure::Net(_) => net,
                Figure::Reordering => reordered,
                _ => true,
            })
            .collect()
    }

    fn estimate(&self, figure: Figure, level: Level) -> Estimate {
        let known = [self.before, self.after].map(|sample| figure.is_known(sample.run.known()));
        let estimate = self.of_known(figure, level);
        match known {
            [true, true] => estimate,
            [before, after] => Estimate {
                before: estimate.before.filter(|_| before),
                after: estimate.after.filter(|_| after),
                difference: Difference::Unknown { before: !before, after: !after },
            },
        }
    }

    fn of_known(&self, figure: Figure, level: Level) -> Estimate {
        let Self { before, after } = self;
        match figure {
            Figure::Loss => of_shares(&before.lost_or_late, &after.lost_or_late, level),
            Figure::Uninjected => of_shares(&before.uninjected, &after.uninjected, level),
            Figure::Reordering => of_shares(&before.reordered(), &after.reordered(), level),
            Figure::Rtt(p) => self.unless_waves(of_delays(p, [before.rtt(), after.rtt()], level), level),
            Figure::Net(p) => self.unless_waves(of_delays(p, [before.net(), after.net()], level), level),
            Figure::Mean => self.unless_waves(of_averages(&before.mean, &after.mean, level), level),
            Figure::Ipdv => {
                let absolute = [before, after].map(|run| run.statistics.ipdv.absolute());
                self.unless_waves(of_averages(absolute[0], absolute[1], level), level)
            }
            Figure::Throughput => Estimate {
                before: before.throughput(),
                after: after.throughput(),
                difference: Difference::Untested,
            },
        }
    }
}

impl Pair<'_> {
    /// A run that sees few waves of its delays shows too little of how they vary for any interval.
    fn unless_waves(&self, estimate: Estimate, level: Level) -> Estimate {
        let (a, b) = (self.before.rtt(), self.after.rtt());
        let design = design_effect([&a.spread(0.5), &b.spread(0.5)], level);
        let fewest = a.quantiles.n().min(b.quantiles.n());
        match estimate.difference {
            Difference::Within { .. } if design > 1.5 && (fewest as f64) < FEW as f64 * design => {
                Estimate { difference: Difference::Unbounded, ..estimate }
            }
            _ => estimate,
        }
    }
}

/// A figure of both runs, before it is held against the margin.
struct Estimate {
    before: Option<f64>,
    after: Option<f64>,
    difference: Difference,
}

enum Difference {
    Within {
        interval: (f64, f64),
        /// Whether the test tells the runs apart.
        differs: bool,
    },
    /// The run is too short against the waves of its delays for an interval.
    Unbounded,
    TooFew {
        needed: u64,
    },
    Untested,
    /// Of the first, or of the other run.
    Unknown {
        before: bool,
        after: bool,
    },
}

impl Difference {
    fn within(interval: (f64, f64)) -> Self {
        Self::Within { interval, differs: interval.0 > 0.0 || interval.1 < 0.0 }
    }
}

fn of_averages(before: &Average, after: &Average, level: Level) -> Estimate {
    let difference = match (before.mean(), after.mean()) {
        (Some(a), Some(b)) if before.n().min(after.n()) >= FEW => {
            let scatter = Scatter::of([&before.spread(), &after.spread()]);
            let half = level.t(scatter.freedom) * scatter.variance.sqrt();
            Difference::within((b - a - half, b - a + half))
        }
        _ => Difference::TooFew { needed: FEW },
    };
    Estimate { before: before.mean(), after: after.mean(), difference }
}

fn of_shares(before: &Runs, after: &Runs, level: Level) -> Estimate {
    let difference = Runs::contrast(before, after, level).map(|contrast| Difference::Within {
        interval: (contrast.bounds.low, contrast.bounds.high),
        differs: contrast.differs,
    });
    Estimate {
        before: before.proportion().value(),
        after: after.proportion().value(),
        difference: difference.unwrap_or(Difference::TooFew { needed: 1 }),
    }
}

fn of_delays(p: f64, [before, after]: [Delays; 2], level: Level) -> Estimate {
    let (a, b) = (before.quantiles, after.quantiles);
    let needed = Confidence { level, design: 1.0 }.values_needed(p);
    let difference = if a.n().min(b.n()) < needed {
        Difference::TooFew { needed }
    } else {
        let design = design_effect([&before.spread(p), &after.spread(p)], level);
        let shift = quantile_shift(a, b, p, Confidence { level, design });
        shift.map_or(Difference::Unbounded, Difference::within)
    };
    let nanos = |delays: &Quantiles| delays.at(p).map(|delay| delay.as_nanos() as f64);
    Estimate { before: nanos(a), after: nanos(b), difference }
}

impl Estimate {
    fn judged(self, figure: Figure, level: Level, margin: Margin) -> Change {
        let Self { before, after, difference } = self;
        let margin = margin.of(figure, before.unwrap_or(0.0));
        let (interval, verdict) = match difference {
            Difference::Untested => (None, Verdict::Untested),
            Difference::Unknown { before, after } => (None, Verdict::Unknown { before, after }),
            Difference::TooFew { needed } => (None, Verdict::TooFew { needed }),
            Difference::Unbounded => (None, Verdict::Undecided),
            Difference::Within { interval, differs } => {
                let change = after.unwrap_or(0.0) - before.unwrap_or(0.0);
                let found = differs && change.abs() >= margin.matters;
                let same = interval.0 >= -margin.same && interval.1 <= margin.same;
                (Some(interval), judged(found.then_some(change), same))
            }
        };
        let confidence = interval.map(|_| level.confidence());
        Change { figure, before, after, interval, confidence, margin: margin.matters, verdict }
    }
}

/// All figures that are tested are better when they are less.
fn judged(found: Option<f64>, same: bool) -> Verdict {
    match found {
        Some(change) if change > 0.0 => Verdict::Worse,
        Some(_) => Verdict::Better,
        None if same => Verdict::Same,
        None => Verdict::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_all_figures_add_up_to_the_whole_error() {
        let few = [Figure::Loss, Figure::Mean, Figure::Rtt(0.5), Figure::Rtt(0.9), Figure::Rtt(0.99)];
        for figures in [&few[..], &Figure::ALL] {
            let tested = figures.iter().filter(|figure| figure.is_tested());
            let sum: f64 = tested.map(|figure| part(*figure, figures)).sum();
            assert!((sum - 1.0).abs() < 1e-12, "{sum}");
        }
        assert_eq!(part(Figure::Mean, &few), part(Figure::Rtt(0.9), &few));
    }
}
