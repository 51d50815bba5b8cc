//! A run cut into blocks of neighbours, to tell how much a probe's fate resembles that of the next.
//!
//! Losses come in bursts and delays in waves, so a thousand probes tell less than a thousand
//! strangers would. How much less shows in how far the blocks differ from each other (batch means:
//! Law and Kelton, "Simulation Modeling and Analysis", section 9.5.3; the ratio is the design effect
//! of Kish, "Survey Sampling", 1965). Memory does not grow with the run: when there are too many
//! blocks, neighbours are joined.

use std::collections::BTreeMap;

use super::confidence::Level;
use crate::time::Duration;

/// The most blocks that are kept, and twice the fewest of a long run.
const MOST: usize = 64;

/// What a block holds: the earlier block of two takes in the later.
pub trait Join: Default + Clone {
    fn join(&mut self, later: &Self);
}

/// Blocks of the same number of items, but for the last.
#[derive(Clone, Debug)]
pub struct Blocks<B> {
    length: u64,
    /// Items in the last block.
    filled: u64,
    blocks: Vec<B>,
}

impl<B> Default for Blocks<B> {
    fn default() -> Self {
        Self { length: 1, filled: 0, blocks: Vec::new() }
    }
}

impl<B: Join> Blocks<B> {
    /// The block that the next item belongs to.
    pub fn next_item(&mut self) -> &mut B {
        if self.blocks.is_empty() || self.filled == self.length {
            if self.blocks.len() == MOST {
                self.blocks = joined(&self.blocks, 2);
                self.length *= 2;
            }
            self.blocks.push(B::default());
            self.filled = 0;
        }
        self.filled += 1;
        self.blocks.last_mut().expect("one was pushed")
    }

    /// Blocks long enough to differ by more than chance between neighbours, and enough of them to
    /// tell: of n items about as many as each has items.
    pub fn long(&self) -> Vec<B> {
        let items = self.blocks.len().saturating_sub(1) as u64 * self.length + self.filled;
        let length = (items as f64).sqrt();
        joined(&self.blocks, ((length / self.length as f64).round() as usize).max(1))
    }
}

fn joined<B: Join>(blocks: &[B], group: usize) -> Vec<B> {
    let join = |group: &[B]| {
        let mut sum = B::default();
        group.iter().for_each(|block| sum.join(block));
        sum
    };
    blocks.chunks(group).map(join).collect()
}

/// So many hits of so many trials.
impl Join for (u64, u64) {
    fn join(&mut self, later: &Self) {
        *self = (self.0 + later.0, self.1 + later.1);
    }
}

/// Delays, counted in buckets fine enough to tell a block's share below a percentile.
#[derive(Clone, Debug, Default)]
pub struct Counts(BTreeMap<i32, u64>);

impl Counts {
    pub fn record(&mut self, value: Duration) {
        *self.0.entry(bucket(value.as_nanos())).or_default() += 1;
    }

    /// How many are at most this, and how many there are; what shares its bucket counts as at most.
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

/// A thousand buckets to every doubling.
fn bucket(value: i64) -> i32 {
    const FINE: u32 = 10;
    let distance = value.unsigned_abs();
    let shift = (distance | 1 << FINE).ilog2() - FINE;
    let bucket = (shift << FINE) as i32 + (distance >> shift) as i32;
    if value < 0 { -bucket } else { bucket }
}

/// What a mean is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    pub n: u64,
    pub sum: f64,
}

impl Join for Mean {
    fn join(&mut self, later: &Self) {
        *self = Self { n: self.n + later.n, sum: self.sum + later.sum };
    }
}

impl Mean {
    pub fn record(&mut self, value: f64) {
        self.n += 1;
        self.sum += value;
    }

    pub fn value(self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }

    /// The variance of the mean of these blocks, by how they differ.
    pub fn spread(blocks: &[Self]) -> Spread {
        let mut all = Self::default();
        blocks.iter().for_each(|block| all.join(block));
        let mean = all.value().unwrap_or(0.0);
        let squares: f64 = blocks.iter().map(|block| (block.sum - mean * block.n as f64).powi(2)).sum();
        Spread::new(squares, all.n as f64, blocks.len(), 0.0)
    }
}

/// How uncertain a figure of a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Its variance, by how the blocks differ.
    pub between: f64,
    /// What that would be if no probe knew of any other.
    pub within: f64,
    /// What `between` rests on.
    pub freedom: f64,
}

impl Spread {
    /// Of the share of hits in blocks of (hits, trials).
    pub fn of_share(blocks: &[(u64, u64)]) -> Self {
        let mut all = (0, 0);
        blocks.iter().for_each(|block| all.join(block));
        let (hits, trials) = (all.0 as f64, all.1.max(1) as f64);
        let share = hits / trials;
        let squares: f64 = blocks.iter().map(|(h, n)| (*h as f64 - share * *n as f64).powi(2)).sum();
        Self::new(squares, trials, blocks.len(), share * (1.0 - share) / trials)
    }

    fn new(squares: f64, trials: f64, blocks: usize, within: f64) -> Self {
        let blocks = blocks.max(2) as f64;
        Self {
            between: squares / trials.max(1.0).powi(2) * blocks / (blocks - 1.0),
            within,
            freedom: blocks - 1.0,
        }
    }
}

/// How many probes of two runs tell as much as one stranger would, at the least 1. That it is itself
/// a guess from few blocks is allowed for.
pub fn design_effect(spreads: [Spread; 2], level: Level) -> f64 {
    let [a, b] = spreads;
    let within = a.within + b.within;
    if within <= 0.0 {
        return 1.0;
    }
    let uncertain = level.t(a.freedom + b.freedom) / level.z();
    ((a.between + b.between) / within * uncertain.powi(2)).max(1.0)
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
            let long = blocks.long();
            assert!(blocks.blocks.len() <= MOST && (n < 64 || blocks.blocks.len() > MOST / 2), "{n}");
            assert_eq!(long.iter().map(|block| block.1).sum::<u64>(), n);
            assert_eq!(long.iter().map(|block| block.0).sum::<u64>(), n.div_ceil(3));
            let expected = (n as f64).sqrt().min(MOST as f64);
            assert!((long.len() as f64) < expected * 1.5 + 1.0 && long.len() as f64 >= expected / 2.0, "{n}");
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

    /// Two blocks with 1 and 3 hits of 10: the share is 0.2, the squares 1 + 1, over 20^2, times two.
    #[test]
    fn spread_by_hand() {
        let spread = Spread::of_share(&[(1, 10), (3, 10)]);
        assert!((spread.between - 0.01).abs() < 1e-12 && (spread.within - 0.008).abs() < 1e-12);
        let mean = Mean::spread(&[Mean { n: 10, sum: 1.0 }, Mean { n: 10, sum: 3.0 }]);
        assert_eq!((mean.between, mean.freedom), (spread.between, 1.0));
    }

    /// Every fate repeated eight times over tells an eighth.
    #[test]
    fn the_design_effect_of_repetition_is_its_length() {
        let stream = Stream::new(5, "repeat");
        let effect = |repeat: u64| {
            let run = |salt: u64| {
                Spread::of_share(&blocks((0..40_000).map(|k| stream.unit(k / repeat + salt) < 0.1)).long())
            };
            design_effect([run(0), run(1 << 40)], Level::P95)
        };
        let (alone, eight) = (effect(1), effect(8));
        assert!((1.0..1.4).contains(&alone), "{alone}");
        assert!((5.5..11.0).contains(&eight), "{eight}");
    }
}
