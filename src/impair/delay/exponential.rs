//! Exponentially distributed delay: the wait for an event that has no memory, as in the M/M/1
//! queue (Kleinrock: "Queueing Systems", volume 1, 1975, chapter 3).

use std::fmt;
use std::str::FromStr;

use rand_distr::Distribution;

use super::super::rounding::Length;
use super::super::spec::SpecError;
use super::{TAIL, cut, end_of_tail};
use crate::rng::Draws;
use crate::time::Duration;
use crate::units::UnitError;

/// Exponential delays with this mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exponential {
    mean: Duration,
    longest: Duration,
}

impl Exponential {
    pub(crate) fn new(mean: Duration) -> Result<Self, UnitError> {
        if mean == Duration::ZERO {
            return Err(UnitError::new("the mean must be more than zero", "exponential:20ms"));
        }
        let mean = Length::new(mean)?.get();
        Ok(Self { mean, longest: end_of_tail(mean.as_nanos() as f64 * -TAIL.ln()) })
    }

    pub(crate) fn draw(self, draws: &mut Draws) -> Duration {
        let means: f64 = rand_distr::Exp1.sample(draws);
        cut(self.mean.as_nanos() as f64 * means, self.longest)
    }

    pub(crate) const fn longest(self) -> Duration {
        self.longest
    }
}

impl FromStr for Exponential {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        Ok(Self::new(text.parse::<Length>()?.get())?)
    }
}

impl fmt::Display for Exponential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mean.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::goodness_of_fit;
    use super::*;

    #[test]
    fn it_has_the_moments_and_the_shape_of_the_exponential_distribution() {
        let law = Exponential::new(Duration::from_millis(20)).unwrap();
        let draws =
            goodness_of_fit::draws(100_000, |stream, seq| law.draw(&mut stream.at(seq)).as_millis_f64());
        goodness_of_fit::mean(&draws, 20.0, 20.0);
        goodness_of_fit::variance(&draws, 400.0, 9.0);
        goodness_of_fit::fits(&draws, |x| 1.0 - (-x / 20.0).exp());
    }
}
