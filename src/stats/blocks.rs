//! A run cut into blocks of neighbouring probes, to measure how much neighbours resemble each other.
//!
//! Neighbouring probes are correlated: losses come in bursts, delays in waves. The variance between
//! blocks over that of independent probes is the design effect of Kish, "Survey Sampling", 1965.

use std::collections::BTreeMap;

use super::confidence::Level;
use super::timeline::{Join, Timeline};
use crate::time::Duration;

/// At most this many blocks are kept; a long run has at least half as many.
const MOST: usize = 64;

/// Blocks of equal numbers of items; the last may be shorter.
#[derive(Clone, Debug)]
pub struct Blocks<B> {
    items: u64,
    timeline: Timeline<B>,
}

impl<B: Join> Default for Blocks<B> {
    fn default() -> Self {
        Self { items: 0, timeline: Timeline::new(&POWERS_OF_TWO, MOST) }
    }
}

impl<B: Join> Blocks<B> {
    /// The block that the next item belongs to.
    pub fn next_item(&mut self) -> &mut B {
        self.items += 1;
        self.timeline.at(self.items - 1)
    }

    pub(crate) fn all(&self) -> &[B] {
        self.timeline.cells()
    }
}

const POWERS_OF_TWO: [u64; 58] = {
    let mut widths = [1; 58];
    let mut k = 1;
    while k < widths.len() {
        widths[k] = 2 * widths[k - 1];
        k += 1;
    }
    widths
};

/// Hits and trials.
impl Join for (u64, u64) {
    fn join(&mut self, later: &Self) {
        *self = (self.0 + later.0, self.1 + later.1);
    }
}

/// Delays, counted in buckets fine enough to tell a block's share below a percentile.
#[derive(Clone, Debug, Default)]
pub struct Counts(BTreeMap<i32, u64>);

impl Counts {
    pub(crate) fn record(&mut self, value: Duration) {
        *self.0.entry(bucket(value.as_nanos())).or_default() += 1;
    }

    /// Delays of at most this, and all delays. Delays in the same bucket count as at most this.
    pub fn at_most(&self, value: Duration) -> (u64, u64) {
        let below = self.0.range(..=bucket(value.as_nanos())).map(|(_, count)| count).sum();
        (below, self.0.values().sum())
    }
}

impl Join for Counts {
    fn join(&mut self, later: &Self) {
        for (bucket, count) in &later.0 {
            *self.0.entry(*bucket).or_default() += count;
        }
    }
}

/// 1000 buckets per doubling.
fn bucket(value: i64) -> i32 {
    const FINE: u32 = 10;
    let distance = value.unsigned_abs();
    let shift = (distance | 1 << FINE).ilog2() - FINE;
    let bucket = (shift << FINE) as i32 + (distance >> shift) as i32;
    if value < 0 { -bucket } else { bucket }
}

/// The sum and the number of values of a mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    pub(crate) n: u64,
    pub(crate) sum: f64,
}

impl Join for Mean {
    fn join(&mut self, later: &Self) {
        *self = Self { n: self.n + later.n, sum: self.sum + later.sum };
    }
}

impl Mean {
    pub(crate) fn record(&mut self, value: f64) {
        self.n += 1;
        self.sum += value;
    }

    pub(crate) fn value(self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }
}

/// The mean of durations, in nanoseconds, and how it varies along the run.
#[derive(Clone, Debug, Default)]
pub struct Average {
    all: Mean,
    blocks: Blocks<Mean>,
}

impl Average {
    pub(crate) fn record(&mut self, time: Duration) {
        let nanos = time.as_nanos() as f64;
        self.all.record(nanos);
        self.blocks.next_item().record(nanos);
    }

    pub(crate) fn n(&self) -> u64 {
        self.all.n
    }

    /// In nanoseconds.
    pub fn mean(&self) -> Option<f64> {
        self.all.value()
    }

    pub(crate) fn spread(&self) -> Spread {
        Spread::of_mean(self.blocks.all())
    }
}

/// How a figure varies between the blocks of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    /// The covariances of blocks so far apart, in the scale of the figure's variance.
    covariances: Vec<f64>,
    /// The figure's variance if the probes were independent.
    within: f64,
    blocks: f64,
}

impl Spread {
    /// Of the share of hits in blocks of (hits, trials).
    pub fn of_share(blocks: &[(u64, u64)]) -> Self {
        let mut all = (0, 0);
        blocks.iter().for_each(|block| all.join(block));
        let (hits, trials) = (all.0 as f64, all.1.max(1) as f64);
        let share = hits / trials;
        let apart: Vec<f64> = blocks.iter().map(|(h, n)| (*h as f64 - share * *n as f64) / trials).collect();
        Self::new(&apart, share * (1.0 - share) / trials)
    }

    /// Of the mean.
    pub fn of_mean(blocks: &[Mean]) -> Self {
        let mut all = Mean::default();
        blocks.iter().for_each(|block| all.join(block));
        let (mean, n) = (all.value().unwrap_or(0.0), all.n.max(1) as f64);
        let apart: Vec<f64> = blocks.iter().map(|block| (block.sum - mean * block.n as f64) / n).collect();
        Self::new(&apart, 0.0)
    }

    fn new(apart: &[f64], within: f64) -> Self {
        let covariance = |lag: usize| apart.iter().zip(&apart[lag..]).map(|(a, b)| a * b).sum();
        let lags = (apart.len() / 4).max(1).min(apart.len());
        Self { covariances: (0..lags).map(covariance).collect(), within, blocks: apart.len().max(2) as f64 }
    }
}

/// The variance of a figure's difference between two runs, and its degrees of freedom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scatter {
    pub(crate) variance: f64,
    pub(crate) freedom: f64,
}

impl Scatter {
    /// Covariances are summed up to the lag at which noise hides them (Geyer, "Practical Markov chain Monte
    /// Carlo", 1992: the initial monotone sequence). The bias from each run's own mean is corrected.
    pub fn of(spreads: [&Spread; 2]) -> Self {
        let [a, b] = spreads;
        let covariance = |lag| Some(a.covariances.get(lag)? + b.covariances.get(lag)?);
        let alone = covariance(0).unwrap_or(0.0);
        let (mut sum, mut lags, mut least) = (0.0, 0, f64::INFINITY);
        while let (Some(even), Some(odd)) = (covariance(lags), covariance(lags + 1)) {
            least = (even + odd).min(least);
            if least <= 0.0 {
                break;
            }
            sum += least;
            lags += 2;
        }
        let variance = if lags == 0 { alone } else { 2.0 * sum - alone };
        let blocks = (a.blocks + b.blocks) / 2.0;
        let reach = lags.saturating_sub(1) as f64;
        let lacking = (2.0 * reach + 1.0) / blocks - reach * (reach + 1.0) / blocks.powi(2);
        Self { variance: variance / (1.0 - lacking), freedom: (2.0 * blocks / (2.0 * reach + 1.0)).max(1.0) }
    }
}

/// The design effect of two runs, probes per independent probe, at least 1. It is estimated from few blocks,
/// so its standard error is added.
pub fn design_effect(spreads: [&Spread; 2], level: Level) -> f64 {
    let within = spreads[0].within + spreads[1].within;
    if within <= 0.0 {
        return 1.0;
    }
    let scatter = Scatter::of(spreads);
    let uncertain = level.t(scatter.freedom) / level.z();
    (scatter.variance / within * uncertain.powi(2)).max(1.0)
}

/// The same where the design effect is at least `known`: an excess counts above one standard error only.
pub fn design_beyond(known: f64, spreads: [&Spread; 2], level: Level) -> f64 {
    let within = spreads[0].within + spreads[1].within;
    let scatter = Scatter::of(spreads);
    let standard_error = (2.0 / scatter.freedom).sqrt();
    if scatter.variance > within * known * (1.0 + standard_error) {
        design_effect(spreads, level).max(known)
    } else {
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    fn blocks(hits: impl Iterator<Item = bool>) -> Blocks<(u64, u64)> {
        let mut blocks: Blocks<(u64, u64)> = Blocks::default();
        for hit in hits {
            blocks.next_item().join(&(u64::from(hit), 1));
        }
        blocks
    }

    #[test]
    fn blocks_hold_every_item_once_and_are_never_many() {
        for n in [0, 1, 10, 63, 64, 65, 100, 1000, 10_000, 100_000] {
            let blocks = blocks((0..n).map(|k| k % 3 == 0));
            let all = blocks.all();
            assert!(all.len() <= MOST && (n < 64 || all.len() > MOST / 2), "{n}");
            assert_eq!(all.iter().map(|block| block.1).sum::<u64>(), n);
            assert_eq!(all.iter().map(|block| block.0).sum::<u64>(), n.div_ceil(3));
        }
    }

    #[test]
    fn buckets_ascend_with_their_values() {
        let ascending: Vec<i64> = (0..62).flat_map(|e| [1 << e, (1 << e) + (1_i64 << e) / 5]).collect();
        for pair in ascending.windows(2).filter(|pair| pair[0] < pair[1]) {
            assert!(bucket(pair[0]) <= bucket(pair[1]) && bucket(-pair[1]) <= bucket(-pair[0]));
        }
        assert!(bucket(1_000_000) < bucket(1_001_000) && bucket(2047) + 1 == bucket(2048));
        assert_eq!((bucket(-1), bucket(0), bucket(1)), (-1, 0, 1));
        let mut counts = Counts::default();
        [5, -5, 7].into_iter().for_each(|value| counts.record(Duration::from_nanos(value)));
        assert_eq!(counts.at_most(Duration::from_nanos(5)), (2, 3));
    }

    /// Four blocks of ten with 1, 1, 3, 3 hits: the share is 0.2, each block is 1 of 40 from it. The
    /// squares add up to 4 / 1600, and 1 / 4 of what there is lacks.
    #[test]
    fn spread_by_hand() {
        let spread = Spread::of_share(&[(1, 10), (1, 10), (3, 10), (3, 10)]);
        assert_eq!(spread.covariances.len(), 1);
        assert!((spread.covariances[0] - 4.0 / 1600.0).abs() < 1e-12);
        assert!((spread.within - 0.2 * 0.8 / 40.0).abs() < 1e-12);
        let none = Spread::of_share(&[(0, 10); 4]);
        let scatter = Scatter::of([&spread, &none]);
        assert!((scatter.variance - 4.0 / 1600.0 / 0.75).abs() < 1e-12);
        assert_eq!(scatter.freedom, 8.0);
        let mean = |sum| Mean { n: 10, sum };
        let means = Spread::of_mean(&[mean(1.0), mean(1.0), mean(3.0), mean(3.0)]);
        assert_eq!(means.covariances, spread.covariances);
        assert_eq!(design_effect([&none, &none], Level::P95), 1.0);
    }

    /// The mean design effect of pairs of runs in which a draw holds for `repeat` probes.
    fn effect(n: u64, repeat: u64) -> f64 {
        let stream = Stream::new(5, "repeat");
        let run = |salt: u64| {
            let hits = (0..n).map(|k| stream.unit(k / repeat + (salt << 40)) < 0.3);
            Spread::of_share(blocks(hits).all())
        };
        let pairs = 40;
        (0..pairs).map(|k| design_effect([&run(2 * k), &run(2 * k + 1)], Level::P95)).sum::<f64>()
            / pairs as f64
    }

    /// Each outcome is repeated for `repeat` probes, within a block or beyond. The allowance for the
    /// estimate's own error makes the effect a little larger.
    #[test]
    fn the_design_effect_of_repetition_is_its_length() {
        for n in [300, 1000, 20_000] {
            for repeat in [1, 8, 20] {
                let (effect, true_effect) = (effect(n, repeat), repeat as f64);
                assert!((true_effect * 0.95..true_effect * 2.0).contains(&effect), "{n}, {repeat}: {effect}");
            }
        }
    }
}
