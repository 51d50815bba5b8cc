//! How large a change has to be to matter.

use std::str::FromStr;

use super::figure::{Figure, Unit};
use crate::time::Duration;
use crate::units::{Probability, UnitError, parse_duration};

/// A delay has changed if its difference reaches both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margin {
    /// Of the first run's value.
    pub share: f64,
    /// Of delays, beside the share.
    pub time: Duration,
}

/// One value of the flag: `5%` or `50us`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MarginPart {
    /// Of the first run's value.
    Share(f64),
    /// A difference of delays.
    Time(Duration),
}

/// A margin for one figure, in its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    /// The least difference that is a change.
    pub matters: f64,
    /// An interval within plus or minus this shows that nothing has changed.
    pub same: f64,
}

impl Default for Margin {
    /// 50 us is above the error of the time stamps of a host.
    fn default() -> Self {
        Self { share: 0.05, time: Duration::from_micros(50) }
    }
}

impl Margin {
    /// Loss that differs by less than a percentage point is the same, unless it is shown to differ:
    /// a share of a loss of zero is no margin.
    const POINT: f64 = 0.01;

    /// The defaults, with each part given in place of its own.
    pub fn with(parts: &[MarginPart]) -> Self {
        parts.iter().fold(Self::default(), |margin, part| match *part {
            MarginPart::Share(share) => Self { share, ..margin },
            MarginPart::Time(time) => Self { time, ..margin },
        })
    }

    /// `50 µs`, `2 ms`.
    pub fn time_text(self) -> String {
        match self.time.as_micros_f64() {
            micros if micros < 1000.0 => format!("{micros} µs"),
            micros => format!("{} ms", micros / 1e3),
        }
    }

    pub(crate) fn of(self, figure: Figure, before: f64) -> Bounds {
        let share = self.share * before.abs();
        match figure.unit() {
            Unit::Share => Bounds { matters: share, same: share.max(Self::POINT) },
            Unit::Time => {
                let matters = share.max(self.time.as_nanos() as f64);
                Bounds { matters, same: matters }
            }
            Unit::BitRate => Bounds { matters: share, same: share },
        }
    }
}

impl FromStr for MarginPart {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let has_unit = text.trim_end().ends_with(|c: char| c.is_ascii_alphabetic());
        let part = if has_unit {
            parse_duration(text).map(Self::Time)
        } else {
            text.parse().map(|share: Probability| Self::Share(share.get()))
        };
        part.map_err(|_| UnitError::new("it must be a share of A's value or a time", "5% or 50us"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_are_read_as_shares_or_times() {
        let time = |micros| Ok(MarginPart::Time(Duration::from_micros(micros)));
        for (text, part) in [
            ("5%", Ok(MarginPart::Share(0.05))),
            ("0.1", Ok(MarginPart::Share(0.1))),
            ("0%", Ok(MarginPart::Share(0.0))),
            ("50us", time(50)),
            ("2ms", time(2000)),
            ("0us", time(0)),
        ] {
            assert_eq!(text.parse::<MarginPart>(), part, "{text}");
        }
        for wrong in ["", "us", "often", "5 apples", "-5us", "-5%"] {
            assert!(wrong.parse::<MarginPart>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_delay_has_to_change_by_both_margins() {
        let margin = Margin::with(&["10%".parse().unwrap(), "20us".parse().unwrap()]);
        assert_eq!(margin.of(Figure::Rtt(0.5), 1e6).matters, 100e3);
        assert_eq!(margin.of(Figure::Rtt(0.5), 50e3).matters, 20e3);
        assert_eq!(margin.of(Figure::Loss, 0.5), Bounds { matters: 0.05, same: 0.05 });
        assert_eq!(margin.of(Figure::Loss, 0.0), Bounds { matters: 0.0, same: 0.01 });
        let texts = ["50us", "2ms"].map(|time| Margin::with(&[time.parse().unwrap()]).time_text());
        assert_eq!(texts, ["50 µs", "2 ms"]);
    }
}
