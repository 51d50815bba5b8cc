//! Duplication: a share of the packets leaves twice, the copy at once or later, like a replay.

use std::fmt;
use std::str::FromStr;

use super::rounding::{Length, Share};
use super::spec::{Fields, SpecError};
use crate::rng::Stream;
use crate::time::Duration;

const EXAMPLE: &str = "1% or 1%,after=5s";

/// How many packets leave twice, and when the copy leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Duplicate {
    share: Share,
    /// After the first.
    after: Duration,
}

impl Duplicate {
    /// No copies.
    pub const NONE: Self = Self { share: Share::ZERO, after: Duration::ZERO };

    /// This share leaves twice.
    pub fn new(share: Share) -> Self {
        Self { share, after: Duration::ZERO }
    }

    /// The copy leaves so much later.
    pub fn after(self, after: Duration) -> Result<Self, crate::units::UnitError> {
        if self.share == Share::ZERO {
            return Ok(Self::NONE);
        }
        Ok(Self { after: Length::new(after)?.get(), ..self })
    }

    pub(super) fn is_none(self) -> bool {
        self.share == Share::ZERO
    }

    pub(super) const fn delay(self) -> Duration {
        self.after
    }

    /// Copies that leave beyond the first.
    pub(super) fn extra_copies(self, stream: &Stream, seq: u64) -> u8 {
        u8::from(!self.is_none() && self.share.takes(stream.unit(seq)))
    }
}

impl FromStr for Duplicate {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let read = || {
            let (share, rest) = text.trim().split_once(',').unwrap_or((text.trim(), ""));
            if share == "none" {
                return Ok(Self::NONE);
            }
            let mut fields = Fields::read(rest, EXAMPLE)?;
            let after = fields.take("after")?.map_or(Duration::ZERO, Length::get);
            fields.finish()?;
            Ok(Self::new(share.parse()?).after(after)?)
        };
        read().map_err(|error: SpecError| error.within("duplicate"))
    }
}

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("none");
        }
        self.share.fmt(f)?;
        if self.after > Duration::ZERO { write!(f, ",after={}", self.after) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::goodness_of_fit;
    use super::*;

    #[test]
    fn the_configured_share_leaves_twice() {
        let duplicate: Duplicate = "3%".parse().unwrap();
        let copies =
            goodness_of_fit::draws(100_000, |stream, seq| f64::from(duplicate.extra_copies(stream, seq)));
        goodness_of_fit::share(copies.iter().sum(), 100_000.0, 0.03);
        assert!(copies.iter().all(|&copies| copies <= 1.0));
    }

    #[test]
    fn it_reads_what_it_prints() {
        for (typed, printed) in
            [("1%", "1%"), ("1%,after=5", "1%,after=5s"), ("0,after=5s", "none"), ("none", "none")]
        {
            let duplicate: Duplicate = typed.parse().unwrap();
            assert_eq!(duplicate.to_string(), printed);
            assert_eq!(printed.parse::<Duplicate>().unwrap(), duplicate);
        }
        for (text, error) in [
            ("2", "duplicate: must be between 0 and 1 (0% and 100%); for example 10% or 0.1"),
            ("1%,by=5s", "duplicate: by= is unknown or given twice; for example 1% or 1%,after=5s"),
        ] {
            assert_eq!(text.parse::<Duplicate>().unwrap_err().to_string(), error);
        }
    }
}
