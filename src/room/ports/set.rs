//! A set of ports, short as text: `33000-33009, 33012`.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::PortRange;
use crate::units::UnitError;

/// At most as many ports as a range has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortSet(BTreeSet<u16>);

impl PortSet {
    /// How many ports it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this port is one of them.
    pub fn contains(&self, port: u16) -> bool {
        self.0.contains(&port)
    }

    /// From the lowest.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        self.0.iter().copied()
    }

    /// Adds a port; one that is there already, or too many, changes nothing.
    pub fn insert(&mut self, port: u16) {
        if self.0.len() < PortRange::MOST {
            self.0.insert(port);
        }
    }

    /// Its first runs of ports, and how many more there are.
    pub(super) fn brief(&self) -> String {
        const SHOWN: usize = 8;
        let spans = self.spans();
        let shown: Vec<String> = spans.iter().take(SHOWN).map(ToString::to_string).collect();
        let more: usize = spans.iter().skip(SHOWN).map(|span| span.len()).sum();
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        shown.join(", ") + &rest
    }

    /// Its runs of ports without a gap.
    fn spans(&self) -> Vec<PortRange> {
        let mut spans: Vec<PortRange> = Vec::new();
        for port in self.iter() {
            match spans.last_mut() {
                Some(last) if last.last + 1 == port => last.last = port,
                _ => spans.push(PortRange { first: port, last: port }),
            }
        }
        spans
    }
}

impl FromIterator<u16> for PortSet {
    fn from_iter<T: IntoIterator<Item = u16>>(ports: T) -> Self {
        let mut set = Self::default();
        ports.into_iter().for_each(|port| set.insert(port));
        set
    }
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, span) in self.spans().iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{span}")?;
        }
        Ok(())
    }
}

impl FromStr for PortSet {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let mut set = Self::default();
        let spans = text.split(',').map(str::trim).filter(|span| !span.is_empty());
        for span in spans {
            span.parse::<PortRange>()?.ports().for_each(|port| set.insert(port));
        }
        Ok(set)
    }
}

impl From<PortSet> for String {
    fn from(set: PortSet) -> Self {
        set.to_string()
    }
}

impl TryFrom<String> for PortSet {
    type Error = UnitError;
    fn try_from(text: String) -> Result<Self, UnitError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_set_is_written_as_its_runs() {
        let set: PortSet = [65_535, 33_012, 33_000, 33_001, 33_002, 33_001].into_iter().collect();
        assert_eq!(set.to_string(), "33000-33002, 33012, 65535");
        assert_eq!(PortSet::default().to_string(), "");
        let even: PortSet = (1..=20).map(|n| n * 2).collect();
        assert_eq!(even.brief(), "2, 4, 6, 8, 10, 12, 14, 16 and 12 more");
    }

    #[test]
    fn a_set_of_others_is_bounded() {
        let text = (1..=60).map(|n| format!("{}-{}", n * 1_000, n * 1_000 + 999)).collect::<Vec<_>>();
        assert_eq!(text.join(",").parse::<PortSet>().unwrap().len(), PortRange::MOST);
        assert!("33000-x".parse::<PortSet>().is_err());
        assert!(serde_json::from_str::<PortSet>("\"0\"").is_err());
    }

    proptest! {
        #[test]
        fn a_set_is_read_back(ports in proptest::collection::btree_set(1_u16.., 0..60)) {
            let set: PortSet = ports.into_iter().collect();
            let json = serde_json::to_string(&set).unwrap();
            prop_assert_eq!(serde_json::from_str::<PortSet>(&json).unwrap(), set);
        }
    }
}
