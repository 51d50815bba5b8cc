//! Quantities as people write them, parsed once and then always valid.
//!
//! Each type has a fallible constructor, a `FromStr`, and a `Display` that it reads back. An error says
//! what is wrong with the text and shows a valid one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::Duration;

/// Why a text is not valid, and a valid example.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}; for example {example}")]
pub struct UnitError {
    why: String,
    example: &'static str,
}

impl UnitError {
    /// Why a value is refused, and one that would not be.
    pub fn new(why: impl Into<String>, example: &'static str) -> Self {
        Self { why: why.into(), example }
    }
}

/// A share between 0 and 1: `10%` or `0.1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Probability(f64);

impl Probability {
    /// It never happens.
    pub const ZERO: Self = Self(0.0);
    /// It always happens.
    pub const ONE: Self = Self(1.0);
    const EXAMPLE: &str = "10% or 0.1";

    /// Refuses what is not a number from 0 to 1.
    pub fn new(share: f64) -> Result<Self, UnitError> {
        if (0.0..=1.0).contains(&share) {
            Ok(Self(share))
        } else {
            Err(UnitError::new("must be between 0 and 1 (0% and 100%)", Self::EXAMPLE))
        }
    }

    /// From 0 to 1.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Probability {
    type Error = UnitError;
    fn try_from(share: f64) -> Result<Self, UnitError> {
        Self::new(share)
    }
}

impl From<Probability> for f64 {
    fn from(share: Probability) -> f64 {
        share.0
    }
}

impl FromStr for Probability {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (number, percent) = match text.trim().strip_suffix('%') {
            Some(number) => (number.trim_end(), true),
            None => (text.trim(), false),
        };
        let value = decimal(number, Self::EXAMPLE)?;
        Self::new(if percent { value / 100.0 } else { value })
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nine digits hide the binary noise of a product by 100 and keep every typed digit.
        write!(f, "{}%", (self.0 * 1e11).round() / 1e9)
    }
}

/// A duration above zero: a bare number is seconds, also `20us`, `2m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval(Duration);

impl Interval {
    const EXAMPLE: &str = "0.5 or 500ms";

    /// Refuses zero and less.
    pub fn new(length: Duration) -> Result<Self, UnitError> {
        if length > Duration::ZERO {
            Ok(Self(length))
        } else {
            Err(UnitError::new("must be longer than zero", Self::EXAMPLE))
        }
    }

    /// Between probes at a rate: `200`, `200k` a second.
    pub fn of_rate(text: &str) -> Result<Self, UnitError> {
        const SECOND: i64 = 1_000_000_000;
        let none = || UnitError::new("must be a rate from 1 to 10M probes per second", "200k");
        let per_second: ByteSize = text.parse().map_err(|_| none())?;
        let per_second = i64::try_from(per_second.get()).ok().filter(|rate| (1..=10_000_000).contains(rate));
        Self::new(Duration::from_nanos(SECOND / per_second.ok_or_else(none)?))
    }

    /// Always positive.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for Interval {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        Self::new(parse_duration(text)?)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A length of time, zero included: a bare number is seconds, also `500ms`, `20us`, `2m`, `1h`.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    const EXAMPLE: &str = "0.5 or 500ms";
    const UNITS: [(&str, i64); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
        ("d", 86_400_000_000_000),
    ];
    let (number, unit) = split_unit(text);
    let scale = match unit {
        "" => 1_000_000_000,
        unit => match UNITS.iter().find(|(name, _)| *name == unit) {
            Some((_, scale)) => *scale,
            None => {
                return Err(UnitError::new(
                    format!("unknown unit of time '{unit}' (ns, us, ms, s, m, h, d)"),
                    EXAMPLE,
                ));
            }
        },
    };
    let nanos = decimal(number, EXAMPLE)? * scale as f64;
    // A century; beyond it sums of instants would saturate.
    if nanos > 3.2e18 {
        return Err(UnitError::new("must be at most a century", EXAMPLE));
    }
    Ok(Duration::from_nanos(nanos.round() as i64))
}

/// A number of bytes: `512`, `1k` (1000), `1Ki` (1024).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ByteSize(u64);

impl ByteSize {
    const EXAMPLE: &str = "512, 1k or 1Ki";

    /// Any number of bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// In bytes.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (number, unit) = split_unit(text);
        let scale = scale_of(unit.strip_suffix('B').unwrap_or(unit)).ok_or_else(|| {
            UnitError::new(format!("unknown unit of size '{unit}' (k, Ki, M, Mi, G, Gi)"), Self::EXAMPLE)
        })?;
        Ok(Self(whole(decimal(number, Self::EXAMPLE)? * scale, "bytes", Self::EXAMPLE)?))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Bits in a second: `10Mbit`, `64kbit`, `1Gbit/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BitRate(u64);

impl BitRate {
    const EXAMPLE: &str = "10Mbit";

    /// Refuses zero.
    pub fn new(bits_per_second: u64) -> Result<Self, UnitError> {
        if bits_per_second == 0 {
            return Err(UnitError::new("must be more than zero", Self::EXAMPLE));
        }
        Ok(Self(bits_per_second))
    }

    /// In bits per second, never zero.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The transmission time of this many bytes.
    pub fn time_for(self, bytes: u64) -> Duration {
        let nanos = u128::from(bytes) * 8 * 1_000_000_000 / u128::from(self.0);
        Duration::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }
}

impl FromStr for BitRate {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (number, unit) = split_unit(text);
        let bits = unit.strip_suffix("/s").or(unit.strip_suffix("ps")).unwrap_or(unit);
        let prefix = bits.strip_suffix("bit").or(bits.strip_suffix('b')).unwrap_or(bits);
        let scale = scale_of(prefix).ok_or_else(|| {
            UnitError::new(format!("unknown unit of rate '{unit}' (kbit, Mbit, Gbit)"), Self::EXAMPLE)
        })?;
        Self::new(whole(decimal(number, Self::EXAMPLE)? * scale, "bits", Self::EXAMPLE)?)
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scale, prefix) = match self.0 {
            n if n % 1_000_000_000 == 0 => (1_000_000_000, "G"),
            n if n % 1_000_000 == 0 => (1_000_000, "M"),
            n if n % 1_000 == 0 => (1_000, "k"),
            _ => (1, ""),
        };
        write!(f, "{}{prefix}bit", self.0 / scale)
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end =
        text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-' || c == '+')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    // A text without a number is reported as such, whole.
    if number.is_empty() { (text, "") } else { (number, unit.trim_start()) }
}

fn decimal(number: &str, example: &'static str) -> Result<f64, UnitError> {
    match number.parse::<f64>() {
        Ok(value) if !value.is_finite() => Err(UnitError::new("must be a finite number", example)),
        Ok(value) if value < 0.0 || number.starts_with('-') => {
            Err(UnitError::new("must not be negative", example))
        }
        Ok(value) => Ok(value),
        Err(_) => Err(UnitError::new("not a number", example)),
    }
}

fn scale_of(prefix: &str) -> Option<f64> {
    Some(match prefix {
        "" => 1.0,
        "k" | "K" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    })
}

fn whole(value: f64, what: &str, example: &'static str) -> Result<u64, UnitError> {
    if value.fract() != 0.0 {
        return Err(UnitError::new(format!("must be a whole number of {what}"), example));
    }
    if value > 1e18 {
        return Err(UnitError::new("too large", example));
    }
    Ok(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(text: &str) -> i64 {
        parse_duration(text).unwrap().as_nanos()
    }

    #[test]
    fn a_bare_duration_is_seconds() {
        assert_eq!(nanos("0.5"), 500_000_000);
        assert_eq!(nanos("500ms"), 500_000_000);
        assert_eq!(nanos("20us"), 20_000);
        assert_eq!(nanos("20µs"), 20_000);
        assert_eq!(nanos("2m"), 120_000_000_000);
        assert_eq!(nanos("0"), 0);
        assert_eq!(nanos("0.1 ms"), 100_000);
    }

    #[test]
    fn an_error_says_why_and_shows_a_valid_duration() {
        for (text, why) in [
            ("-1", "must not be negative; for example 0.5 or 500ms"),
            ("-0", "must not be negative; for example 0.5 or 500ms"),
            ("nan", "must be a finite number; for example 0.5 or 500ms"),
            ("inf", "must be a finite number; for example 0.5 or 500ms"),
            ("soon", "not a number; for example 0.5 or 500ms"),
            ("", "not a number; for example 0.5 or 500ms"),
            (
                "5 parsecs",
                "unknown unit of time 'parsecs' (ns, us, ms, s, m, h, d); for example 0.5 or 500ms",
            ),
            ("200000d", "must be at most a century; for example 0.5 or 500ms"),
        ] {
            assert_eq!(parse_duration(text).unwrap_err().to_string(), why, "{text}");
        }
        assert!("0".parse::<Interval>().is_err());
    }

    #[test]
    fn shares_are_percent_or_fractions() {
        assert_eq!("10%".parse::<Probability>().unwrap().get(), 0.1);
        assert_eq!("0.1".parse::<Probability>().unwrap().get(), 0.1);
        assert_eq!("0.1".parse::<Probability>().unwrap().to_string(), "10%");
        assert_eq!("0.07%".parse::<Probability>().unwrap().to_string(), "0.07%");
        for text in ["101%", "1.5", "-1%", "nan", "ten"] {
            assert!(text.parse::<Probability>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_and_rates_take_prefixes() {
        assert_eq!("1k".parse::<ByteSize>().unwrap().get(), 1000);
        assert_eq!("1Ki".parse::<ByteSize>().unwrap().get(), 1024);
        assert_eq!("1.5KiB".parse::<ByteSize>().unwrap().get(), 1536);
        assert!("1.0001k".parse::<ByteSize>().is_err());
        assert!("5Q".parse::<ByteSize>().is_err());
        assert_eq!("10Mbit".parse::<BitRate>().unwrap().get(), 10_000_000);
        assert_eq!("10Mbps".parse::<BitRate>().unwrap().to_string(), "10Mbit");
        assert_eq!("64kbit/s".parse::<BitRate>().unwrap().get(), 64_000);
        assert!("0".parse::<BitRate>().is_err());
        assert_eq!(BitRate::new(8_000).unwrap().time_for(1000), Duration::from_secs(1));
    }
}
