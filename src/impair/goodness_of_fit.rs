//! For tests of the models: draws at a fixed seed, and tests of fit with cited critical values.

use crate::rng::Stream;

/// The standard normal distribution exceeds this, on either side, with probability 0.001.
const CRITICAL_DEVIATIONS: f64 = 3.2905;

pub(super) fn draws(n: u64, draw: impl Fn(&Stream, u64) -> f64) -> Vec<f64> {
    let stream = Stream::new(7, "goodness of fit");
    (0..n).map(|seq| draw(&stream, seq)).collect()
}

/// The sample mean lies within the 99.9 % interval of the central limit theorem.
pub(super) fn mean(sample: &[f64], expected: f64, deviation: f64) {
    let n = sample.len() as f64;
    let mean = sample.iter().sum::<f64>() / n;
    let bound = CRITICAL_DEVIATIONS * deviation / n.sqrt();
    assert!((mean - expected).abs() < bound, "mean {mean}, expected {expected} ± {bound}");
}

/// The sample variance lies within its 99.9 % interval; its own variance is that of the squared
/// deviation, (kurtosis - 1) σ⁴ / n.
pub(super) fn variance(sample: &[f64], expected: f64, kurtosis: f64) {
    let n = sample.len() as f64;
    let mean = sample.iter().sum::<f64>() / n;
    let variance = sample.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let bound = CRITICAL_DEVIATIONS * expected * ((kurtosis - 1.0) / n).sqrt();
    assert!((variance - expected).abs() < bound, "variance {variance}, expected {expected} ± {bound}");
}

/// The count lies within the 99.9 % interval of this share of n.
pub(super) fn share(count: f64, n: f64, expected: f64) {
    let bound = CRITICAL_DEVIATIONS * (expected * (1.0 - expected) / n).sqrt();
    let share = count / n;
    assert!((share - expected).abs() <= bound, "share {share}, expected {expected} ± {bound}");
}

/// Kolmogorov-Smirnov: the distance exceeds 1.9495/√n with probability 0.001 for large n
/// (Smirnov: "Table for estimating the goodness of fit of empirical distributions", 1948).
pub(super) fn fits(sample: &[f64], cdf: impl Fn(f64) -> f64) {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let distance = sorted.iter().enumerate().fold(0.0_f64, |widest, (at, &x)| {
        let expected = cdf(x);
        widest.max(expected - at as f64 / n).max((at as f64 + 1.0) / n - expected)
    });
    assert!(distance < 1.9495 / n.sqrt(), "distance {distance} of {n}");
}

pub(super) fn chi_square(counts: &[f64], expected: &[f64], critical: f64) {
    assert_eq!(counts.len(), expected.len());
    let chi2: f64 = counts.iter().zip(expected).map(|(count, mean)| (count - mean).powi(2) / mean).sum();
    assert!(chi2 < critical, "chi-square {chi2}, critical {critical}");
}

/// Abramowitz, Stegun: "Handbook of Mathematical Functions", 26.2.17; its error is below 7.5e-8.
pub(super) fn normal_cdf(x: f64) -> f64 {
    const B: [f64; 5] = [0.319381530, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
    let t = 1.0 / (1.0 + 0.2316419 * x.abs());
    let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let tail = density * B.iter().rev().fold(0.0, |sum, b| (sum + b) * t);
    if x < 0.0 { tail } else { 1.0 - tail }
}

#[test]
fn the_normal_distribution_is_that_of_the_tables() {
    for (x, p) in [(-3.0, 0.001_349_9), (0.0, 0.5), (1.0, 0.841_344_7), (1.959_964, 0.975)] {
        assert!((normal_cdf(x) - p).abs() < 1e-7, "{x}");
    }
}
