//! Ports of a host: ranges and sets, the fate of each port, and a summary in words.

mod check;
mod found;
mod knock;
mod pace;
mod set;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use check::{PortCheck, PortProtocol};
pub use found::{Knocked, Opened, PortFate, PortsFound};
pub use knock::PortKnock;
pub use pace::Pace;
pub use set::PortSet;

use crate::units::UnitError;

/// A range of ports as typed: `22`, `33000-33119`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// The most ports of a scan.
    pub const MOST: usize = 1_024;
    const EXAMPLE: &str = "33000-33119";

    pub(crate) fn new(first: u16, last: u16) -> Result<Self, UnitError> {
        let range = Self { first, last };
        if first == 0 || last < first {
            return Err(UnitError::new(
                "a range goes from a port to a higher one, within 1 to 65535",
                Self::EXAMPLE,
            ));
        }
        if range.len() > Self::MOST {
            return Err(UnitError::new(
                format!("{} ports are more than the {} of a scan", range.len(), Self::MOST),
                Self::EXAMPLE,
            ));
        }
        Ok(range)
    }

    pub(crate) fn len(self) -> usize {
        usize::from(self.last) - usize::from(self.first) + 1
    }

    /// Always false: a range has at least one port.
    pub fn is_empty(self) -> bool {
        false
    }

    /// From the lowest.
    pub fn ports(self) -> impl Iterator<Item = u16> + Clone {
        self.first..=self.last
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            return write!(f, "{}", self.first);
        }
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl From<PortRange> for String {
    fn from(range: PortRange) -> Self {
        range.to_string()
    }
}

impl TryFrom<String> for PortRange {
    type Error = UnitError;
    fn try_from(text: String) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl FromStr for PortRange {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| {
            text.trim().parse().map_err(|_| {
                UnitError::new(format!("'{text}' must be a port from 1 to 65535"), Self::EXAMPLE)
            })
        };
        Self::new(port(first)?, port(last)?)
    }
}

/// The state of one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PortState {
    /// It accepted a connection, or answered a datagram.
    Open,
    /// The host refused: nothing listens there.
    Closed,
    /// No answer in time, twice: a filter on the way, or no host.
    Filtered,
    /// UDP only: no answer, which an open port gives as well as a filter.
    Silent,
}

impl PortState {
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Filtered => "filtered",
            Self::Silent => "open|filtered",
        }
    }
}

/// How many ports have each state, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortCounts(Vec<(PortState, usize)>);

impl PortCounts {
    /// Counts the results of a scan.
    pub fn of(states: impl IntoIterator<Item = PortState>) -> Self {
        let mut counts: Vec<(PortState, usize)> = Vec::new();
        for state in states {
            match counts.iter_mut().find(|(known, _)| *known == state) {
                Some((_, count)) => *count += 1,
                None => counts.push((state, 1)),
            }
        }
        counts.sort_unstable();
        Self(counts)
    }

    /// Ports in this state.
    pub fn count(&self, state: PortState) -> usize {
        self.0.iter().find(|(known, _)| *known == state).map_or(0, |(_, count)| *count)
    }
}

impl fmt::Display for PortCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no port was asked");
        }
        for (index, (state, count)) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{count} {}", state.label())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_bounded() {
        let range: PortRange = "33000-33119".parse().unwrap();
        assert_eq!(
            (range.len(), range.ports().next(), range.ports().last()),
            (120, Some(33_000), Some(33_119))
        );
        assert_eq!("22".parse::<PortRange>().unwrap().ports().collect::<Vec<_>>(), [22]);
        assert_eq!("64512-65535".parse::<PortRange>().unwrap().ports().count(), 1_024);
        for (text, why) in [
            ("0", "a range goes from"),
            ("9-8", "a range goes from"),
            ("1-2000", "2000 ports are more than"),
            ("x", "'x' must be a port"),
            ("1-70000", "'70000' must be a port"),
        ] {
            let error = text.parse::<PortRange>().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn counts_are_said_in_words() {
        use PortState::{Closed, Filtered, Open};
        let counts = PortCounts::of([Closed, Open, Closed, Filtered, Closed]);
        assert_eq!(counts.to_string(), "1 open, 3 closed, 1 filtered");
        assert_eq!((counts.count(Open), counts.count(PortState::Silent)), (1, 0));
        assert_eq!(PortCounts::of([]).to_string(), "no port was asked");
    }
}
