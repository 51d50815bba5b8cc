//! How sure the difference of a percentile between two runs is: a bootstrap interval.
//!
//! Deterministic: the draws come from a seed. Nothing is resampled value by value. The k-th smallest
//! of n values drawn with replacement from n sorted ones is the value at place n U, where U is the
//! k-th smallest of n uniform numbers, and that is one draw from the Beta distribution (k, n - k + 1).
//! So it takes as long for a million values as for ten, and a histogram serves as well as the values.

use super::confidence::Confidence;
use super::percentile;
use super::quantiles::{Quantiles, Step};
use crate::rng::{Draws, Seed, Stream};
use crate::time::Duration;

/// Enough for the ends of a 95 % interval: 50 replicates lie beyond each.
const REPLICATES: f64 = 2000.0;
/// No fewer lie beyond the ends of a surer one.
const BEYOND: f64 = 10.0;

/// The percentile of the second run minus that of the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    pub estimate: Duration,
    /// The interval.
    pub low: Duration,
    pub high: Duration,
}

/// None if either run is empty. Where a run has fewer than [`Confidence::values_needed`] the interval
/// is not to be trusted.
pub fn quantile_shift(
    before: &Quantiles,
    after: &Quantiles,
    p: f64,
    confidence: Confidence,
    seed: Seed,
) -> Option<Shift> {
    let estimate = after.at(p)? - before.at(p)?;
    let resampler = |run| Resampler::new(run, p, confidence.design);
    let (before, after) = (resampler(before)?, resampler(after)?);
    let tail = confidence.level.tail();
    let replicates = REPLICATES.max(BEYOND / tail) as u64;
    let (first, second) = (Stream::new(seed, "bootstrap before"), Stream::new(seed, "bootstrap after"));
    let replicate = |k| after.draw(&mut second.at(k)) - before.draw(&mut first.at(k));
    let mut shifts: Vec<Duration> = (0..replicates).map(replicate).collect();
    shifts.sort();
    let low = percentile::percentile(&shifts, 0, tail)?;
    let high = percentile::percentile(&shifts, 0, 1.0 - tail)?;
    Some(Shift { estimate, low, high })
}

/// Draws what a percentile would be in a run like this one.
struct Resampler {
    steps: Vec<Step>,
    rank: u64,
    n: u64,
    design: f64,
}

impl Resampler {
    fn new(run: &Quantiles, p: f64, design: f64) -> Option<Self> {
        Some(Self { steps: run.cumulative(), rank: percentile::rank(p, run.n())?, n: run.n(), design })
    }

    fn draw(&self, draws: &mut Draws) -> Duration {
        let place = resampled_place(self.rank, self.n, self.design, draws);
        let step = self.steps.partition_point(|step| step.count <= place);
        self.steps[step].value
    }
}

/// Where, counted from 0, the value of this rank in a resample lies in the sorted sample. Values that
/// resemble their neighbours are drawn as if there were fewer of them, by the factor `design`.
fn resampled_place(rank: u64, n: u64, design: f64, draws: &mut Draws) -> u64 {
    let below = gamma((rank as f64 / design).max(1.0), draws);
    let above = gamma(((n - rank + 1) as f64 / design).max(1.0), draws);
    ((below / (below + above) * n as f64) as u64).min(n - 1)
}

/// A draw from the Gamma distribution of a shape of at least 1 (Marsaglia and Tsang, "A simple
/// method for generating gamma variables", 2000).
fn gamma(shape: f64, draws: &mut Draws) -> f64 {
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(draws);
        let v = (1.0 + c * x).powi(3);
        // One minus a draw is never zero, as a logarithm wants it.
        if v > 0.0 && (1.0 - draws.unit()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

/// A draw from the standard normal distribution (Box and Muller 1958).
fn normal(draws: &mut Draws) -> f64 {
    let radius = (-2.0 * (1.0 - draws.unit()).ln()).sqrt();
    radius * (std::f64::consts::TAU * draws.unit()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(values: impl IntoIterator<Item = i64>) -> Quantiles {
        let mut quantiles = Quantiles::new();
        values.into_iter().for_each(|value| quantiles.record(Duration::from_nanos(value)));
        quantiles
    }

    /// A run whose values scatter over 0 to 1_000_000.
    fn scattered(seed: Seed, n: u64, more: i64) -> Quantiles {
        let stream = Stream::new(seed, "scatter");
        run((0..n).map(|k| (stream.unit(k) * 1e6) as i64 + more))
    }

    /// The chance that a binomial variable of n trials is at least k.
    fn binomial_tail(n: u64, k: u64, chance: f64) -> f64 {
        let choose = |i: u64| (0..i).map(|j| (n - j) as f64 / (j + 1) as f64).product::<f64>();
        (k..=n).map(|i| choose(i) * chance.powi(i as i32) * (1.0 - chance).powi((n - i) as i32)).sum()
    }

    /// The k-th smallest of a resample lies at or below a place if at least k of its n draws do.
    #[test]
    fn the_resampled_place_has_the_distribution_of_a_resample() {
        for (rank, n) in [(1, 1), (1, 10), (10, 10), (5, 9), (36, 40)] {
            let stream = Stream::new(1, "place");
            let draws = 20_000;
            let places: Vec<u64> =
                (0..draws).map(|k| resampled_place(rank, n, 1.0, &mut stream.at(k))).collect();
            for place in 0..n {
                let got = places.iter().filter(|p| **p <= place).count() as f64 / draws as f64;
                let exact = binomial_tail(n, rank, (place + 1) as f64 / n as f64);
                assert!((got - exact).abs() < 0.015, "rank {rank} of {n} at {place}: {got} for {exact}");
            }
        }
    }

    /// Of two values drawn twice, the smaller is the lower one three times in four.
    #[test]
    fn every_value_is_drawn_as_often_as_it_should() {
        let resampler = Resampler::new(&run([10, 20]), 0.5, 1.0).unwrap();
        let stream = Stream::new(2, "two");
        let low = (0..10_000).filter(|k| resampler.draw(&mut stream.at(*k)) == Duration::from_nanos(10));
        assert!((7350..7650).contains(&low.count()));
    }

    /// The bootstrap as in a textbook: draw n of n, sort, look.
    #[test]
    fn agrees_with_resampling_value_by_value() {
        let (before, after) = (scattered(1, 200, 0), scattered(2, 300, 100_000));
        let stream = Stream::new(9, "naive");
        let resample = |run: &Quantiles, draws: &mut Draws| {
            let values: Vec<i64> = run.cumulative().iter().map(|step| step.value.as_nanos()).collect();
            let counts: Vec<u64> = run.cumulative().iter().map(|step| step.count).collect();
            let mut drawn: Vec<i64> = (0..run.n())
                .map(|_| (draws.unit() * run.n() as f64) as u64)
                .map(|place| values[counts.iter().position(|count| *count > place).unwrap()])
                .collect();
            drawn.sort_unstable();
            drawn[percentile::rank(0.9, run.n()).unwrap() as usize - 1]
        };
        let mut shifts: Vec<i64> = (0..1000)
            .map(|k| {
                let mut draws = stream.at(k);
                resample(&after, &mut draws) - resample(&before, &mut draws)
            })
            .collect();
        shifts.sort_unstable();
        let got = quantile_shift(&before, &after, 0.9, Confidence::P95, 5).unwrap();
        assert!((got.low.as_nanos() - shifts[24]).abs() < 12_000, "{got:?} {}", shifts[24]);
        assert!((got.high.as_nanos() - shifts[974]).abs() < 12_000, "{got:?} {}", shifts[974]);
    }

    #[test]
    fn the_interval_covers_the_truth_as_often_as_it_says() {
        let truth = Duration::from_nanos(50_000);
        let covered = (0..200).filter(|k| {
            let (before, after) = (scattered(*k, 400, 0), scattered(k + 1000, 400, 50_000));
            let shift = quantile_shift(&before, &after, 0.5, Confidence::P95, *k);
            shift.is_some_and(|shift| shift.low <= truth && truth <= shift.high)
        });
        let covered = covered.count();
        // 190 are expected, give or take 3.
        assert!((180..=200).contains(&covered), "{covered}");
    }

    /// Each value four times over, as neighbours that resemble each other would be: the interval is
    /// that of a quarter of the values.
    #[test]
    fn values_that_say_the_same_count_once() {
        let (before, after) = (scattered(1, 400, 0), scattered(2, 400, 50_000));
        let fourfold = |seed, more| {
            let stream = Stream::new(seed, "scatter");
            run((0..1600).map(|k| (stream.unit(k / 4) * 1e6) as i64 + more))
        };
        let single = quantile_shift(&before, &after, 0.5, Confidence::P95, 3).unwrap();
        let thinned = Confidence { design: 4.0, ..Confidence::P95 };
        let repeated = quantile_shift(&fourfold(1, 0), &fourfold(2, 50_000), 0.5, thinned, 3).unwrap();
        assert_eq!(single.estimate, repeated.estimate);
        for (a, b) in [(single.low, repeated.low), (single.high, repeated.high)] {
            assert!((a - b).abs() < Duration::from_micros(8), "{single:?} {repeated:?}");
        }
    }

    #[test]
    fn a_seed_gives_the_same_interval_again_from_a_long_run_too() {
        let (before, after) = (scattered(1, 10_000, 0), scattered(2, 10_000, 500_000));
        let shift = quantile_shift(&before, &after, 0.99, Confidence::P95, 7).unwrap();
        assert_eq!(quantile_shift(&before, &after, 0.99, Confidence::P95, 7), Some(shift));
        assert_ne!(quantile_shift(&before, &after, 0.99, Confidence::P95, 8), Some(shift));
        assert!(
            shift.low > Duration::from_micros(490) && shift.high < Duration::from_micros(510),
            "{shift:?}"
        );
        assert_eq!(quantile_shift(&before, &Quantiles::new(), 0.5, Confidence::P95, 7), None);
    }
}
