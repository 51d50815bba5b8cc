//! Uniformly distributed delay between two ends.
//!
//! Without ends it is the delay of the classic UDP pinger exercise, 0.1 ms to 500 ms.

use std::fmt;
use std::str::FromStr;

use super::super::rounding::Length;
use super::super::spec::SpecError;
use super::EXAMPLE;
use crate::time::Duration;
use crate::units::UnitError;

/// Every delay between two bounds is as likely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uniform {
    low: Duration,
    high: Duration,
}

impl Uniform {
    pub(crate) fn new(low: Duration, high: Duration) -> Result<Self, UnitError> {
        if low > high {
            return Err(UnitError::new("the low end must not be above the high end", EXAMPLE));
        }
        Ok(Self { low: Length::new(low)?.get(), high: Length::new(high)?.get() })
    }

    pub(crate) const fn high(self) -> Duration {
        self.high
    }

    pub(crate) fn draw(self, unit: f64) -> Duration {
        self.low + (self.high - self.low).mul_f64(unit)
    }
}

impl Default for Uniform {
    fn default() -> Self {
        Self { low: Duration::from_micros(100), high: Duration::from_millis(500) }
    }
}

impl FromStr for Uniform {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let Some((low, high)) = text.split_once("..") else {
            return Err(SpecError::new(format!("'{text}' is not low..high"), EXAMPLE));
        };
        let end = |key: &str, text: &str| {
            text.parse::<Length>().map_err(|problem| SpecError::from(problem).within(key))
        };
        Ok(Self::new(end("low", low)?.get(), end("high", high)?.get())?)
    }
}

impl fmt::Display for Uniform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.low, self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::goodness_of_fit;
    use super::*;

    #[test]
    fn it_has_the_moments_and_the_shape_of_the_uniform_distribution() {
        let law = Uniform::default();
        let draws = goodness_of_fit::draws(100_000, |stream, seq| law.draw(stream.unit(seq)).as_millis_f64());
        let width = 499.9;
        goodness_of_fit::mean(&draws, 250.05, width / 12_f64.sqrt());
        goodness_of_fit::variance(&draws, width * width / 12.0, 1.8);
        goodness_of_fit::fits(&draws, |x| (x - 0.1) / width);
    }
}
