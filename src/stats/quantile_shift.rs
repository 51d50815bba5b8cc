//! The confidence interval of a percentile's difference between two runs.
//!
//! The interval of each run's percentile lies between two of its values: that of the share of values below
//! it, inverted (Woodruff, "Confidence intervals for medians and other position measures", 1952). Both are
//! combined as Newcombe combines those of shares (Zou and Donner, "Construction of confidence limits about
//! effect measures", 2008).

use super::confidence::Confidence;
use super::proportion::Proportion;
use super::quantiles::Quantiles;
use crate::time::Duration;

/// The interval of the second run's percentile minus the first's. None where a run has fewer values
/// than [`Confidence::values_needed`].
pub fn quantile_shift(
    before: &Quantiles,
    after: &Quantiles,
    p: f64,
    confidence: Confidence,
) -> Option<(f64, f64)> {
    let [a, low_a, high_a] = within(before, p, confidence)?;
    let [b, low_b, high_b] = within(after, p, confidence)?;
    let difference = b - a;
    Some((difference - (b - low_b).hypot(high_a - a), difference + (high_b - b).hypot(a - low_a)))
}

/// The percentile and its interval, in nanoseconds.
fn within(run: &Quantiles, p: f64, confidence: Confidence) -> Option<[f64; 3]> {
    let n = run.n();
    if n < confidence.values_needed(p) {
        return None;
    }
    let shares = Proportion::wilson_of(p, n as f64 / confidence.design, confidence.level.z());
    let nanos = |rank: f64| {
        let share = rank.clamp(1.0, n as f64) / n as f64;
        run.at(share).map(Duration::as_nanos).map(|nanos| nanos as f64)
    };
    let at = run.at(p)?.as_nanos() as f64;
    Some([at, nanos((shares.low * n as f64).floor())?, nanos((shares.high * n as f64).floor() + 1.0)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Seed, Stream};

    fn run(values: impl IntoIterator<Item = i64>) -> Quantiles {
        let mut quantiles = Quantiles::new();
        values.into_iter().for_each(|value| quantiles.record(Duration::from_nanos(value)));
        quantiles
    }

    /// Values that scatter over 0 to 1,000,000, each so often in turn.
    fn scattered(seed: Seed, n: u64, repeat: u64, more: i64) -> Quantiles {
        let stream = Stream::new(seed, "scatter");
        run((0..n * repeat).map(|k| (stream.unit(k / repeat) * 1e6) as i64 + more))
    }

    /// Of 1 to 100, the share below the median lies within 0.4038 and 0.5962 (Wilson), so the median
    /// lies within the values 40 and 60; against a hundred zeros only this run's interval counts.
    #[test]
    fn an_interval_by_hand() {
        let (zeros, numbers) = (run([0; 100]), run(1..=100));
        assert_eq!(quantile_shift(&zeros, &numbers, 0.5, Confidence::P95), Some((40.0, 60.0)));
        assert_eq!(quantile_shift(&numbers, &zeros, 0.5, Confidence::P95), Some((-60.0, -40.0)));
        let (low, high) = quantile_shift(&numbers, &run(101..=200), 0.5, Confidence::P95).unwrap();
        assert!(
            (low - (100.0 - 200_f64.sqrt())).abs() < 1e-9 && (high - (100.0 + 200_f64.sqrt())).abs() < 1e-9
        );
    }

    /// The naive oracle: runs of a known truth. 190 of 200 are expected, give or take 3.
    #[test]
    fn the_interval_covers_the_truth_as_often_as_it_says() {
        for (p, n) in [(0.5, 20), (0.5, 400), (0.99, 1000), (0.99, 400)] {
            let covered = (0..200).filter(|k| {
                let (before, after) = (scattered(*k, n, 1, 0), scattered(k + 1000, n, 1, 50_000));
                let (low, high) = quantile_shift(&before, &after, p, Confidence::P95).unwrap();
                low <= 50_000.0 && 50_000.0 <= high
            });
            let covered = covered.count();
            assert!((181..=200).contains(&covered), "{p} of {n}: {covered}");
        }
    }

    #[test]
    fn values_that_say_the_same_count_once() {
        let shift = |repeat: u64| {
            let (before, after) = (scattered(1, 400, repeat, 0), scattered(2, 400, repeat, 50_000));
            let confidence = Confidence { design: repeat as f64, ..Confidence::P95 };
            quantile_shift(&before, &after, 0.5, confidence).unwrap()
        };
        let ((low, high), (low_4, high_4)) = (shift(1), shift(4));
        assert!((low - low_4).abs() < 8e3 && (high - high_4).abs() < 8e3);
    }

    #[test]
    fn too_few_values_have_no_interval() {
        let run = |n| scattered(1, n, 1, 0);
        assert_eq!(quantile_shift(&run(1000), &run(0), 0.5, Confidence::P95), None);
        assert_eq!(quantile_shift(&run(1000), &run(367), 0.99, Confidence::P95), None);
        assert!(quantile_shift(&run(1000), &run(368), 0.99, Confidence::P95).is_some());
    }
}
