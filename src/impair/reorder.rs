//! Reordering: a share of the packets is held longer, so that later ones overtake them.

use std::fmt;
use std::str::FromStr;

use super::rounding::{Length, Share};
use super::spec::{Fields, SpecError};
use crate::rng::Stream;
use crate::time::Duration;
use crate::units::UnitError;

const EXAMPLE: &str = "1%,by=10ms";

/// Comes on top of every other delay; an `ordered` delay does not wait for a reordered packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reorder {
    share: Share,
    by: Duration,
}

impl Reorder {
    pub(crate) const NONE: Self = Self { share: Share::ZERO, by: Duration::from_millis(10) };

    pub(crate) fn new(share: Share, by: Duration) -> Result<Self, UnitError> {
        if share == Share::ZERO {
            return Ok(Self::NONE);
        }
        if by == Duration::ZERO {
            return Err(UnitError::new("by= must be more than zero", EXAMPLE));
        }
        Ok(Self { share, by: Length::new(by)?.get() })
    }

    pub(crate) fn is_none(self) -> bool {
        self.share == Share::ZERO
    }

    pub(super) fn held_back(self, stream: &Stream, seq: u64) -> Duration {
        if !self.is_none() && self.share.takes(stream.unit(seq)) { self.by } else { Duration::ZERO }
    }

    pub(super) fn longest(self) -> Duration {
        if self.is_none() { Duration::ZERO } else { self.by }
    }
}

impl FromStr for Reorder {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let read = || {
            let (share, rest) = text.trim().split_once(',').unwrap_or((text.trim(), ""));
            if share == "none" {
                return Ok(Self::NONE);
            }
            let mut fields = Fields::read(rest, EXAMPLE)?;
            let by = fields.take("by")?.map_or(Self::NONE.by, Length::get);
            fields.finish()?;
            Ok(Self::new(share.parse()?, by)?)
        };
        read().map_err(|error: SpecError| error.within("reorder"))
    }
}

impl fmt::Display for Reorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return write!(f, "none");
        }
        write!(f, "{},by={}", self.share, self.by)
    }
}

#[cfg(test)]
mod tests {
    use super::super::goodness_of_fit;
    use super::*;

    #[test]
    fn the_configured_share_is_held_back() {
        let reorder: Reorder = "5%,by=10ms".parse().unwrap();
        let held =
            goodness_of_fit::draws(100_000, |stream, seq| reorder.held_back(stream, seq).as_millis_f64());
        goodness_of_fit::share(held.iter().filter(|&&by| by == 10.0).count() as f64, 100_000.0, 0.05);
        assert!(held.iter().all(|&by| by == 0.0 || by == 10.0));
    }

    #[test]
    fn it_reads_what_it_prints() {
        for (typed, printed) in
            [("1%", "1%,by=10ms"), ("1%,by=0.02", "1%,by=20ms"), ("0", "none"), ("none", "none")]
        {
            let reorder: Reorder = typed.parse().unwrap();
            assert_eq!(reorder.to_string(), printed);
            assert_eq!(printed.parse::<Reorder>().unwrap(), reorder);
        }
        for (text, error) in [
            ("1%,by=0", "reorder: by= must be more than zero; for example 1%,by=10ms"),
            ("1%,for=1ms", "reorder: for= is unknown or given twice; for example 1%,by=10ms"),
            ("by=1ms", "reorder: not a number; for example 10% or 0.1"),
        ] {
            assert_eq!(text.parse::<Reorder>().unwrap_err().to_string(), error);
        }
    }
}
