//! Confidence levels, and the design effect of a sample.

use super::normal::erfc;

/// A confidence level, as the chance of a miss at each end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    tail: f64,
}

impl Level {
    pub(crate) const P95: Self = Self { tail: 0.025 };

    /// The level of an interval that may spend this part of the errors that this level allows. Where
    /// the parts of all intervals add up to 1, all hold at once at this level, however they depend on
    /// each other (weighted Bonferroni: Rosenthal and Rubin, "Ensemble-adjusted p values", 1983).
    pub fn part(self, part: f64) -> Self {
        Self { tail: self.tail * part }
    }

    /// The share of intervals that hold the truth.
    pub fn confidence(self) -> f64 {
        1.0 - 2.0 * self.tail
    }

    /// The chance that the truth lies beyond one end.
    pub fn tail(self) -> f64 {
        self.tail
    }

    /// The point of the normal distribution beyond which the tail lies.
    pub fn z(self) -> f64 {
        let beyond = |z: f64| erfc(z / std::f64::consts::SQRT_2) / 2.0;
        let (mut low, mut high) = (0.0, 40.0);
        for _ in 0..60 {
            let middle = (low + high) / 2.0;
            if beyond(middle) > self.tail { low = middle } else { high = middle }
        }
        low
    }

    /// The same point of Student's distribution, by the expansion of Cornish and Fisher
    /// (Abramowitz and Stegun 26.7.5).
    pub fn t(self, freedom: f64) -> f64 {
        let (z, v) = (self.z(), freedom.max(1.0));
        let first = (z.powi(3) + z) / 4.0;
        let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
        let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
        z + first / v + second / v.powi(2) + third / v.powi(3)
    }
}

/// The level of an interval, and the design effect of its sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Confidence {
    pub(crate) level: Level,
    /// The design effect: probes per independent probe, at least 1.
    pub design: f64,
}

impl Confidence {
    /// 95 %, for independent probes.
    pub const P95: Self = Self { level: Level::P95, design: 1.0 };

    /// How many values an interval of this percentile takes: of fewer, all may lie on one side.
    pub fn values_needed(self, p: f64) -> u64 {
        let chance = p.max(1.0 - p);
        (self.design * self.level.tail.ln() / chance.ln()).ceil() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the tables of any textbook.
    #[test]
    fn points_of_the_distributions() {
        assert!((Level::P95.z() - 1.959_964).abs() < 1e-5);
        assert!((Level::P95.part(0.2).z() - 2.575_829).abs() < 1e-5);
        for (freedom, t) in [(8.0, 2.306), (10.0, 2.228), (20.0, 2.086), (60.0, 2.000)] {
            assert!((Level::P95.t(freedom) - t).abs() < 2e-3, "{freedom}: {}", Level::P95.t(freedom));
        }
        assert!((Level::P95.part(0.2).t(20.0) - 2.845).abs() < 2e-3);
    }

    /// 0.99^368 is just below 0.025.
    #[test]
    fn a_fine_percentile_takes_many_values() {
        assert_eq!(Confidence::P95.values_needed(0.99), 368);
        assert_eq!(Confidence { design: 2.0, ..Confidence::P95 }.values_needed(0.99), 735);
        assert_eq!(Confidence::P95.values_needed(0.5), 6);
    }
}
