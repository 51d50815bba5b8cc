//! Outages: a path that is there and gone by turns, for fixed or exponentially distributed times, as
//! mahimahi's mm-onoff has it. It begins with a time in which it is there.

use std::fmt;
use std::str::FromStr;

use super::rounding::Length;
use super::spec::{Fields, SpecError};
use crate::rng::{Seed, Stream};
use crate::time::Duration;
use crate::units::UnitError;

const EXAMPLE: &str = "fixed:on=5s,off=2s";

/// How long a path is there and gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    law: Turns,
    on: Duration,
    off: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turns {
    Fixed,
    /// `on` and `off` are means.
    Exponential,
}

impl Outage {
    /// The shortest turn, on average: it bounds the draws to a moment.
    const LEAST: Duration = Duration::from_millis(10);

    fn new(law: Turns, on: Duration, off: Duration) -> Result<Self, UnitError> {
        if on < Self::LEAST || off < Self::LEAST {
            return Err(UnitError::new("on= and off= must be at least 10ms", EXAMPLE));
        }
        Ok(Self { law, on, off })
    }

    /// Fixed times.
    pub fn fixed(on: Duration, off: Duration) -> Result<Self, UnitError> {
        Self::new(Turns::Fixed, on, off)
    }

    /// Exponentially distributed times with these means.
    pub fn exponential(on: Duration, off: Duration) -> Result<Self, UnitError> {
        Self::new(Turns::Exponential, on, off)
    }

    /// How long the path is there, and then gone, in this turn.
    fn turn(self, stream: &Stream, number: u64) -> (Duration, Duration) {
        match self.law {
            Turns::Fixed => (self.on, self.off),
            Turns::Exponential => {
                let draw = |mean: Duration, index| mean.mul_f64(-(1.0 - stream.unit(index)).ln());
                (draw(self.on, 2 * number), draw(self.off, 2 * number + 1))
            }
        }
    }
}

/// Where a link stands in its turns: a function of the seed and the time, kept so that it goes on from there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turn {
    /// Of which the rest belongs to.
    of: Option<(Outage, Seed)>,
    number: u64,
    begin: Duration,
    gone: Duration,
    end: Duration,
}

impl Turn {
    /// Whether the path is gone at this time since it began.
    pub(super) fn is_out(&mut self, outage: Outage, seed: Seed, since: Duration) -> bool {
        let since = since.max(Duration::ZERO);
        let stream = Stream::new(seed, "outage");
        if self.of != Some((outage, seed)) || since < self.begin {
            *self = Self { of: Some((outage, seed)), ..Self::default() };
            if let Turns::Fixed = outage.law {
                self.number = (since.as_nanos() / (outage.on + outage.off).as_nanos()).unsigned_abs();
                self.begin = (outage.on + outage.off) * i64::try_from(self.number).unwrap_or(0);
            }
            self.measure(&stream);
        }
        while since >= self.end {
            (self.number, self.begin) = (self.number + 1, self.end);
            self.measure(&stream);
        }
        since >= self.gone
    }

    fn measure(&mut self, stream: &Stream) {
        let Some((outage, _)) = self.of else { return };
        let (on, off) = outage.turn(stream, self.number);
        self.gone = self.begin + on;
        // No turn is empty, however small the draws.
        self.end = (self.gone + off).max(self.begin + Duration::from_nanos(1));
    }
}

impl FromStr for Outage {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let read = || {
            let (law, rest) = text.trim().split_once(':').unwrap_or((text.trim(), ""));
            let law = match law {
                "fixed" => Turns::Fixed,
                "exponential" => Turns::Exponential,
                law => {
                    let why = format!("unknown outage '{law}' (fixed, exponential, none)");
                    return Err(SpecError::new(why, EXAMPLE));
                }
            };
            let mut fields = Fields::read(rest, EXAMPLE)?;
            let on = fields.need("on").map(Length::get)?;
            let off = fields.need("off").map(Length::get)?;
            fields.finish()?;
            Ok(Self::new(law, on, off)?)
        };
        read().map_err(|error: SpecError| error.within("outage"))
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let law = match self.law {
            Turns::Fixed => "fixed",
            Turns::Exponential => "exponential",
        };
        write!(f, "{law}:on={},off={}", self.on, self.off)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::goodness_of_fit;
    use super::*;

    fn out(text: &str, seed: Seed, times: impl Iterator<Item = i64>) -> Vec<bool> {
        let (outage, mut turn) = (text.parse().unwrap(), Turn::default());
        times.map(|ms| turn.is_out(outage, seed, Duration::from_millis(ms))).collect()
    }

    #[test]
    fn fixed_outages_come_when_they_are_due() {
        let out = out(
            "fixed:on=5s,off=2s",
            1,
            [0, 4_999, 5_000, 6_999, 7_000, 11_999, 12_000, 700_004_999, 700_005_000].into_iter(),
        );
        assert_eq!(out, [false, false, true, true, false, false, true, false, true]);
    }

    #[test]
    fn exponential_outages_have_their_means() {
        let out = out("exponential:on=300ms,off=100ms", 1, 0..1_000_000);
        let begins = (1..out.len()).filter(|&ms| out[ms] && !out[ms - 1]).count() as f64;
        let gone = out.iter().filter(|out| **out).count() as f64;
        // 2,500 turns: the means are known to 2 % (one standard error), the test allows four.
        assert!((gone / begins - 100.0).abs() < 8.0, "{}", gone / begins);
        assert!(((1e6 - gone) / begins - 300.0).abs() < 24.0, "{}", (1e6 - gone) / begins);
        let mut lengths: Vec<f64> = Vec::new();
        let mut from = None;
        for (ms, out) in out.iter().enumerate() {
            match (out, from) {
                (true, None) => from = Some(ms),
                (false, Some(begin)) => {
                    lengths.push((ms - begin) as f64);
                    from = None;
                }
                _ => {}
            }
        }
        // Sampled each millisecond, so the shortest are missing: of those over 10 ms the excess is exponential.
        let excess: Vec<f64> =
            lengths.iter().filter(|length| **length > 10.0).map(|length| length - 10.5).collect();
        goodness_of_fit::fits(&excess, |x| 1.0 - (-x / 100.0).exp());
    }

    proptest! {
        #[test]
        fn the_path_is_a_function_of_seed_and_time(
            times in prop::collection::vec(0_i64..5_000, 1..40), seed in 0_u64..99,
        ) {
            for text in ["exponential:on=50ms,off=50ms", "fixed:on=70ms,off=30ms"] {
                let alone: Vec<bool> = times.iter().flat_map(|ms| out(text, seed, std::iter::once(*ms))).collect();
                prop_assert_eq!(out(text, seed, times.iter().copied()), alone);
            }
        }
    }

    #[test]
    fn it_reads_what_it_prints() {
        for (typed, printed) in [
            ("fixed:off=2,on=5s", "fixed:on=5s,off=2s"),
            ("exponential:on=300ms,off=100ms", "exponential:on=300ms,off=100ms"),
        ] {
            let outage: Outage = typed.parse().unwrap();
            assert_eq!(outage.to_string(), printed);
            assert_eq!(printed.parse::<Outage>().unwrap(), outage);
        }
        for (text, error) in [
            ("5s", "outage: unknown outage '5s' (fixed, exponential, none); for example fixed:on=5s,off=2s"),
            ("fixed:on=5s", "outage: off= is missing; for example fixed:on=5s,off=2s"),
            (
                "fixed:on=5s,off=1ms",
                "outage: on= and off= must be at least 10ms; for example fixed:on=5s,off=2s",
            ),
        ] {
            assert_eq!(text.parse::<Outage>().unwrap_err().to_string(), error);
        }
    }
}
