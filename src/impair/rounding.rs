//! Quantities of bounded precision, so that a specification's line has a bounded length and reads
//! back exactly.

use std::fmt;
use std::str::FromStr;

use crate::time::Duration;
use crate::units::{Probability, UnitError, parse_duration};

/// The longest delay of one model; longer draws are clamped.
pub const MAX_DELAY: Duration = Duration::from_secs(3600);

/// A share in steps of one in ten million (0.00001 %).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Share(f64);

impl Share {
    pub(crate) const ZERO: Self = Self(0.0);
    pub(crate) const ONE: Self = Self(1.0);
    const STEPS: f64 = 1e7;

    pub(crate) fn new(share: Probability) -> Result<Self, UnitError> {
        let rounded = (share.get() * Self::STEPS).round() / Self::STEPS;
        if rounded == 0.0 && share != Probability::ZERO {
            return Err(UnitError::new("the smallest share is 0.00001%", "0.1%"));
        }
        Ok(Self(rounded))
    }

    pub(crate) const fn get(self) -> f64 {
        self.0
    }

    /// Whether a uniform draw from [0, 1) falls within this share.
    pub fn takes(self, draw: f64) -> bool {
        draw < self.0
    }
}

impl FromStr for Share {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        Self::new(text.parse()?)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", (self.0 * Self::STEPS).round() / (Self::STEPS / 100.0))
    }
}

/// A duration of at most an hour, rounded to six digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Length(Duration);

impl Length {
    const EXAMPLE: &str = "20ms or 0.5";

    pub(super) fn new(length: Duration) -> Result<Self, UnitError> {
        if length.is_negative() {
            return Err(UnitError::new("must not be negative", Self::EXAMPLE));
        }
        if length > MAX_DELAY {
            return Err(UnitError::new("must be at most an hour", Self::EXAMPLE));
        }
        let step = 10_i64.pow((length.as_nanos().max(1).ilog10()).saturating_sub(5));
        Ok(Self(Duration::from_nanos((length.as_nanos() + step / 2) / step * step)))
    }

    pub(super) const fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for Length {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        Self::new(parse_duration(text)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_share_keeps_seven_places() {
        let share = |text: &str| text.parse::<Share>();
        assert_eq!(share("0.7%").unwrap(), share("0.007").unwrap());
        assert_eq!(share("12.345678%").unwrap().to_string(), "12.34568%");
        assert_eq!(share("100%").unwrap(), Share::ONE);
        assert_eq!(
            share("0.000001%").unwrap_err().to_string(),
            "the smallest share is 0.00001%; for example 0.1%"
        );
    }

    #[test]
    fn a_length_keeps_six_digits() {
        for (nanos, kept) in [
            (0, 0),
            (999_999, 999_999),
            (1_234_567, 1_234_570),
            (9_999_996, 10_000_000),
            (3_599_999_999_999, 3_600_000_000_000),
        ] {
            assert_eq!(Length::new(Duration::from_nanos(nanos)).unwrap().get().as_nanos(), kept);
        }
        assert!(Length::new(MAX_DELAY + Duration::from_nanos(1)).is_err());
        assert!(Length::new(Duration::from_nanos(-1)).is_err());
    }

    proptest! {
        #[test]
        fn both_read_back_what_they_print(share in 0.000_001_f64..=1.0, nanos in 0..=MAX_DELAY.as_nanos()) {
            let share = Share::new(Probability::new(share).unwrap()).unwrap();
            prop_assert_eq!(share.to_string().parse::<Share>().unwrap(), share);
            prop_assert!(share.to_string().len() <= 9);
            let length = Length::new(Duration::from_nanos(nanos)).unwrap();
            let text = length.get().to_string();
            prop_assert_eq!(text.parse::<Length>().unwrap(), length);
            prop_assert!(text.len() <= 9, "{}", text);
        }
    }
}
