//! A share of trials: its confidence interval, and whether two shares differ.

use super::confidence::Confidence;
use super::normal::erfc;
use crate::wilson::{Bounds, Z95, wilson};

/// Hits among trials; more hits than trials cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proportion {
    hits: u64,
    trials: u64,
}

/// How two shares differ: the first minus the second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    pub(crate) estimate: f64,
    /// The 95 % interval of Newcombe (1998, method 10): from the two Wilson intervals.
    pub bounds: Bounds,
    /// The chance of a difference as large or larger if there were none: two-sided, by the N - 1
    /// chi-squared test (Campbell 2007), which holds down to expected counts of one.
    pub p_value: f64,
}

impl Proportion {
    pub(crate) fn new(hits: u64, trials: u64) -> Self {
        Self { hits: hits.min(trials), trials }
    }

    /// None of no trials.
    pub fn value(self) -> Option<f64> {
        (self.trials > 0).then(|| self.hits as f64 / self.trials as f64)
    }

    /// The 95 % interval of Wilson (1927).
    pub fn wilson(self) -> Option<Bounds> {
        self.wilson_at(Z95)
    }

    /// The interval of Wilson for `z` standard deviations.
    pub fn wilson_at(self, z: f64) -> Option<Bounds> {
        Some(wilson(self.value()?, self.trials as f64, z))
    }

    /// The same of a share; `trials` need not be a whole number.
    pub fn wilson_of(share: f64, trials: f64, z: f64) -> Bounds {
        wilson(share, trials, z)
    }

    /// The difference of two shares with its interval (Newcombe); `None` if either has no trials.
    pub fn minus(self, other: Self) -> Option<Difference> {
        let bounds = self.minus_within(other, Confidence::P95)?;
        Some(Difference { estimate: self.value()? - other.value()?, bounds, p_value: p_value(self, other) })
    }

    /// The interval of the difference for any confidence, by the same method.
    pub fn minus_within(self, other: Self, confidence: Confidence) -> Option<Bounds> {
        let (a, b) = (self.value()?, other.value()?);
        let z = confidence.level.z();
        let near = |share, trials| wilson(share, trials as f64 / confidence.design, z);
        let (near_a, near_b) = (near(a, self.trials), near(b, other.trials));
        let low = a - b - (a - near_a.low).hypot(near_b.high - b);
        let high = a - b + (near_a.high - a).hypot(b - near_b.low);
        Some(Bounds { low, high })
    }
}

fn p_value(a: Proportion, b: Proportion) -> f64 {
    let (n_a, n_b) = (a.trials as f64, b.trials as f64);
    let n = n_a + n_b;
    let pooled = (a.hits as f64 + b.hits as f64) / n;
    let variance = pooled * (1.0 - pooled) * (1.0 / n_a + 1.0 / n_b) * n / (n - 1.0);
    if variance <= 0.0 {
        // All hits or none in both: nothing tells them apart.
        return 1.0;
    }
    let apart = a.hits as f64 / n_a - b.hits as f64 / n_b;
    erfc((apart / variance.sqrt()).abs() / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(got: f64, expected: f64, tolerance: f64) -> bool {
        (got - expected).abs() <= tolerance
    }

    fn minus(a: (u64, u64), b: (u64, u64)) -> Difference {
        Proportion::new(a.0, a.1).minus(Proportion::new(b.0, b.1)).unwrap()
    }

    #[test]
    fn wilson_of_0_and_10_of_100() {
        let none = Proportion::new(0, 100).wilson().unwrap();
        assert!(none.low == 0.0 && close(none.high, 0.0370, 5e-5), "{none:?}");
        let ten = Proportion::new(10, 100).wilson().unwrap();
        assert!(close(ten.low, 0.0552, 5e-5) && close(ten.high, 0.1744, 5e-5), "{ten:?}");
        let all = Proportion::new(100, 100).wilson().unwrap();
        assert!(all.high == 1.0 && close(all.low, 0.9630, 5e-5), "{all:?}");
    }

    #[test]
    fn of_no_trials_nothing_is_known() {
        let nothing = Proportion::new(0, 0);
        assert_eq!((nothing.value(), nothing.wilson()), (None, None));
        assert_eq!(nothing.minus(Proportion::new(1, 2)), None);
        // A count gone wrong shows as all, never as more than all.
        assert_eq!(Proportion::new(3, 2).value(), Some(1.0));
    }

    /// Newcombe, "Interval estimation for the difference between independent proportions",
    /// Statistics in Medicine 17 (1998), table II, method 10.
    #[test]
    fn newcombe_1998_table_2() {
        for (a, b, low, high) in [
            ((56, 70), (48, 80), 0.0524, 0.3339),
            ((9, 10), (3, 10), 0.1705, 0.8090),
            ((6, 7), (2, 7), 0.0582, 0.8062),
            ((5, 56), (0, 29), -0.0381, 0.1926),
            ((0, 10), (0, 20), -0.1611, 0.2775),
            ((10, 10), (0, 20), 0.6791, 1.0),
        ] {
            let bounds = minus(a, b).bounds;
            assert!(close(bounds.low, low, 6e-5) && close(bounds.high, high, 6e-5), "{a:?} {b:?} {bounds:?}");
        }
    }

    #[test]
    fn the_p_value_by_hand() {
        // chi2 = 150 (56 x 32 - 14 x 48)^2 / (70 x 80 x 104 x 46) = 7.0234, times 149/150: 6.9766.
        assert!(close(minus((56, 70), (48, 80)).p_value, 0.008_259, 2e-6));
        assert_eq!(minus((0, 10), (0, 20)).p_value, 1.0);
        assert_eq!(minus((10, 10), (20, 20)).p_value, 1.0);
    }

    #[test]
    fn erfc_from_the_tables() {
        // Abramowitz and Stegun, table 7.1.
        for (x, expected) in [(0.0, 1.0), (0.5, 0.479_500_122), (1.0, 0.157_299_207), (2.0, 0.004_677_735)] {
            assert!(close(erfc(x), expected, expected * 1.2e-7 + 5e-10), "{x}");
        }
        assert!(close(erfc(Z95 / std::f64::consts::SQRT_2), 0.05, 1e-8));
    }

    proptest! {
        /// Wilson's interval is where the score test does not reject: its ends solve
        /// (share - x)^2 = z^2 x (1 - x) / n.
        #[test]
        fn wilson_solves_its_equation(trials in 1_u64..5000, hits in 0_u64..5000, z in 0.5_f64..4.0) {
            let proportion = Proportion::new(hits, trials);
            let share = proportion.value().unwrap();
            let bounds = proportion.wilson_at(z).unwrap();
            prop_assert!(0.0 <= bounds.low && bounds.low <= share);
            prop_assert!(share <= bounds.high && bounds.high <= 1.0);
            for x in [bounds.low, bounds.high] {
                let apart = (share - x).powi(2) - z * z * x * (1.0 - x) / trials as f64;
                prop_assert!(apart.abs() < 1e-12, "{x}: {apart}");
            }
        }
    }
}
