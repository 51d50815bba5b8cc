//! Log-normally distributed delay, given by its mean and its standard deviation: most packets are
//! quick, a few take long.
//!
//! With a mean m and a deviation s the logarithm has the variance ln(1 + s²/m²) and the mean
//! ln m less half of that (Aitchison, Brown: "The Lognormal Distribution", 1957, section 2.2).

use std::fmt;
use std::str::FromStr;

use rand_distr::Distribution;

use super::super::rounding::Length;
use super::super::spec::SpecError;
use super::{TAIL_DEVIATIONS, cut, end_of_tail, mean_and_deviation};
use crate::rng::Draws;
use crate::time::Duration;
use crate::units::UnitError;

const EXAMPLE: &str = "lognormal:9ms±25ms";

/// Log-normal delays, given by mean and standard deviation of the delay itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogNormal {
    mean: Duration,
    deviation: Duration,
    /// The mean and the standard deviation of the logarithm of the nanoseconds.
    log_mean: f64,
    log_deviation: f64,
    longest: Duration,
}

impl LogNormal {
    pub(crate) fn new(mean: Duration, deviation: Duration) -> Result<Self, UnitError> {
        if mean == Duration::ZERO {
            return Err(UnitError::new("the mean must be more than zero", EXAMPLE));
        }
        let (mean, deviation) = (Length::new(mean)?.get(), Length::new(deviation)?.get());
        let nanos = mean.as_nanos() as f64;
        let log_variance = (deviation.as_nanos() as f64 / nanos).powi(2).ln_1p();
        let log_mean = nanos.ln() - log_variance / 2.0;
        let log_deviation = log_variance.sqrt();
        let longest = end_of_tail((log_mean + log_deviation * TAIL_DEVIATIONS).exp());
        Ok(Self { mean, deviation, log_mean, log_deviation, longest })
    }

    pub(crate) fn draw(self, draws: &mut Draws) -> Duration {
        let deviations: f64 = rand_distr::StandardNormal.sample(draws);
        cut((self.log_mean + self.log_deviation * deviations).exp(), self.longest)
    }

    pub(crate) const fn longest(self) -> Duration {
        self.longest
    }
}

impl FromStr for LogNormal {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (mean, deviation) = mean_and_deviation(text, EXAMPLE)?;
        Ok(Self::new(mean, deviation)?)
    }
}

impl fmt::Display for LogNormal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}±{}", self.mean, self.deviation)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::goodness_of_fit;
    use super::*;

    #[test]
    fn it_has_the_moments_and_the_shape_of_the_log_normal_distribution() {
        let law = LogNormal::new(Duration::from_millis(50), Duration::from_millis(10)).unwrap();
        let draws =
            goodness_of_fit::draws(100_000, |stream, seq| law.draw(&mut stream.at(seq)).as_millis_f64());
        goodness_of_fit::mean(&draws, 50.0, 10.0);
        // With w = 1 + s²/m² = 1.04 the kurtosis is w⁴ + 2w³ + 3w² - 3 = 3.664.
        goodness_of_fit::variance(&draws, 100.0, 3.664);
        // The logarithm's variance is ln 1.04, its mean ln 50 less half of that.
        let (log_mean, log_deviation) = (3.892_413, 0.198_042);
        goodness_of_fit::fits(&draws, |x| goodness_of_fit::normal_cdf((x.ln() - log_mean) / log_deviation));
    }
}
