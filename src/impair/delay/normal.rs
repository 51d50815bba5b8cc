//! Normally distributed delay; a draw below zero is zero.
//!
//! The clamping raises the mean where the deviation is large beside it: by 0.4 % at a mean of two
//! deviations, by less than one part in 10,000 from three and a half on.

use std::fmt;
use std::str::FromStr;

use rand_distr::Distribution;

use super::super::rounding::Length;
use super::super::spec::SpecError;
use super::{TAIL_DEVIATIONS, cut, end_of_tail, mean_and_deviation};
use crate::rng::Draws;
use crate::time::Duration;
use crate::units::UnitError;

const EXAMPLE: &str = "normal:50ms±10ms";

/// Normal delays; what would be negative is zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normal {
    mean: Duration,
    deviation: Duration,
}

impl Normal {
    pub(crate) fn new(mean: Duration, deviation: Duration) -> Result<Self, UnitError> {
        Ok(Self { mean: Length::new(mean)?.get(), deviation: Length::new(deviation)?.get() })
    }

    pub(crate) fn draw(self, draws: &mut Draws) -> Duration {
        let deviations: f64 = rand_distr::StandardNormal.sample(draws);
        cut(self.at(deviations), self.longest())
    }

    pub(crate) fn longest(self) -> Duration {
        end_of_tail(self.at(TAIL_DEVIATIONS))
    }

    fn at(self, deviations: f64) -> f64 {
        self.mean.as_nanos() as f64 + self.deviation.as_nanos() as f64 * deviations
    }
}

impl FromStr for Normal {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (mean, deviation) = mean_and_deviation(text, EXAMPLE)?;
        Ok(Self::new(mean, deviation)?)
    }
}

impl fmt::Display for Normal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}±{}", self.mean, self.deviation)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::goodness_of_fit;
    use super::*;

    fn draws(mean: i64, deviation: i64) -> Vec<f64> {
        let law = Normal::new(Duration::from_millis(mean), Duration::from_millis(deviation)).unwrap();
        goodness_of_fit::draws(100_000, |stream, seq| law.draw(&mut stream.at(seq)).as_millis_f64())
    }

    #[test]
    fn it_has_the_moments_and_the_shape_of_the_normal_distribution() {
        let draws = draws(50, 10);
        goodness_of_fit::mean(&draws, 50.0, 10.0);
        goodness_of_fit::variance(&draws, 100.0, 3.0);
        goodness_of_fit::fits(&draws, |x| goodness_of_fit::normal_cdf((x - 50.0) / 10.0));
    }

    /// The mean of a normal variable clamped at zero: m F(m/s) + s f(m/s).
    #[test]
    fn below_zero_is_zero() {
        let draws = draws(10, 10);
        let density = (-0.5_f64).exp() / (2.0 * std::f64::consts::PI).sqrt();
        goodness_of_fit::mean(&draws, 10.0 * goodness_of_fit::normal_cdf(1.0) + 10.0 * density, 9.0);
        let zeros = draws.iter().filter(|&&draw| draw == 0.0).count() as f64;
        goodness_of_fit::share(zeros, draws.len() as f64, goodness_of_fit::normal_cdf(-1.0));
    }
}
