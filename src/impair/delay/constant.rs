//! The same delay for every packet.

use std::fmt;
use std::str::FromStr;

use super::super::rounding::Length;
use super::super::spec::SpecError;
use crate::time::Duration;
use crate::units::UnitError;

/// The same delay for every datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Constant(Duration);

impl Constant {
    pub(crate) const ZERO: Self = Self(Duration::ZERO);

    /// Refuses a negative delay, and one over `MAX_DELAY`.
    pub fn new(delay: Duration) -> Result<Self, UnitError> {
        Ok(Self(Length::new(delay)?.get()))
    }

    pub(crate) const fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for Constant {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        Ok(Self(text.parse::<Length>()?.get()))
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
