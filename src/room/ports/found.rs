//! The fate of each port of a check, from the reports of both hosts: the one that listens and the one that knocks.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::{PortCheck, PortSet};

/// The fate of one port, in the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortFate {
    /// A knock reached the other host, and its answer came back.
    Open,
    /// A connection was taken, but not by the other host.
    Foreign,
    /// The other host listens, and yet it was refused: by a filter on the way.
    Refused,
    /// No answer, twice.
    Filtered,
    /// The knock reached the other host; its answer was lost.
    AnswerFiltered,
    /// Another program of the other host has this port.
    Busy,
    /// The other host may not listen there, or has no socket left.
    Denied,
    /// The check ended before.
    NotAsked,
}

/// The report of the knocking host.
pub type Knocked = BTreeMap<PortFate, PortSet>;

/// The report of the listening host: ports where it does not listen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Another program has them.
    pub busy: PortSet,
    /// It is not permitted, or there is no socket left.
    pub denied: PortSet,
}

impl Opened {
    /// Where the other host listens.
    pub(crate) fn listening(&self, check: &PortCheck) -> PortSet {
        check.ports().filter(|port| !self.busy.contains(*port) && !self.denied.contains(*port)).collect()
    }
}

/// Every port of a check, once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortsFound(BTreeMap<PortFate, PortSet>);

impl PortsFound {
    /// Of both hosts; neither is believed about ports that are not of this check.
    pub fn of(check: &PortCheck, opened: &Opened, heard: &PortSet, knocked: &Knocked) -> Self {
        let mut found = BTreeMap::<PortFate, PortSet>::new();
        for port in check.ports() {
            found.entry(fate(port, opened, heard, knocked)).or_default().insert(port);
        }
        Self(found)
    }

    /// Ports with this fate.
    pub fn count(&self, fate: PortFate) -> usize {
        self.0.get(&fate).map_or(0, PortSet::len)
    }

    /// `118 open (33001-33049), 1 busy at carl (33000)`.
    pub(crate) fn words(&self, answering: &str) -> String {
        let mut text = String::new();
        for (fate, ports) in self.0.iter().filter(|(_, ports)| !ports.is_empty()) {
            let comma = if text.is_empty() { "" } else { ", " };
            // Writing to a string does not fail.
            let _ = write!(text, "{comma}{} {} ({})", ports.len(), fate.words(answering), ports.brief());
        }
        text
    }

    /// Roughly its bytes as text.
    pub(crate) fn weight(&self) -> usize {
        const EACH: usize = 7;
        EACH * self.0.values().map(PortSet::len).sum::<usize>()
    }
}

fn fate(port: u16, opened: &Opened, heard: &PortSet, knocked: &Knocked) -> PortFate {
    if opened.busy.contains(port) {
        return PortFate::Busy;
    }
    if opened.denied.contains(port) {
        return PortFate::Denied;
    }
    let said = knocked.iter().find(|(_, ports)| ports.contains(port)).map(|(fate, _)| *fate);
    match said {
        Some(PortFate::Filtered) if heard.contains(port) => PortFate::AnswerFiltered,
        Some(fate @ (PortFate::Open | PortFate::Foreign | PortFate::Refused | PortFate::Filtered)) => fate,
        _ => PortFate::NotAsked,
    }
}

impl PortFate {
    fn words(self, answering: &str) -> String {
        match self {
            Self::Open => "open".to_owned(),
            Self::Foreign => format!("taken by something other than {answering}"),
            Self::Refused => "refused on the way".to_owned(),
            Self::Filtered => "filtered".to_owned(),
            Self::AnswerFiltered => "filtered on the way back".to_owned(),
            Self::Busy => format!("busy at {answering}"),
            Self::Denied => format!("not permitted at {answering}"),
            Self::NotAsked => "not asked".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::room::ports::PortProtocol;

    const FATES: [PortFate; 8] = [
        PortFate::Open,
        PortFate::Foreign,
        PortFate::Refused,
        PortFate::Filtered,
        PortFate::AnswerFiltered,
        PortFate::Busy,
        PortFate::Denied,
        PortFate::NotAsked,
    ];

    fn check() -> PortCheck {
        PortCheck { range: "1000-1009".parse().unwrap(), protocol: PortProtocol::Udp }
    }

    fn set(text: &str) -> PortSet {
        text.parse().unwrap()
    }

    #[test]
    fn each_port_has_the_fate_that_both_hosts_tell() {
        let opened = Opened { busy: set("1000"), denied: set("1001") };
        assert_eq!(opened.listening(&check()).to_string(), "1002-1009");
        let knocked: Knocked = [
            (PortFate::Open, set("1000-1003")),
            (PortFate::Foreign, set("1004")),
            (PortFate::Refused, set("1005")),
            (PortFate::Filtered, set("1006-1007, 1009")),
        ]
        .into();
        let found = PortsFound::of(&check(), &opened, &set("1002-1003, 1007"), &knocked);
        assert_eq!(
            found.words("carl"),
            "2 open (1002-1003), 1 taken by something other than carl (1004), 1 refused on the way (1005), \
             2 filtered (1006, 1009), 1 filtered on the way back (1007), 1 busy at carl (1000), \
             1 not permitted at carl (1001), 1 not asked (1008)"
        );
        let json = serde_json::to_string(&found).unwrap();
        assert!(json.contains(r#""answer_filtered":"1007""#), "{json}");
        assert_eq!(serde_json::from_str::<PortsFound>(&json).unwrap(), found);
    }

    proptest! {
        #[test]
        fn whatever_the_hosts_say_every_port_has_one_fate(
            said in proptest::collection::vec((0_usize..8, 990_u16..1_020), 0..60),
            sets in proptest::collection::vec(proptest::collection::vec(990_u16..1_020, 0..9), 3),
        ) {
            let mut knocked = Knocked::new();
            said.into_iter().for_each(|(fate, port)| knocked.entry(FATES[fate]).or_default().insert(port));
            let [busy, denied, heard] = [0, 1, 2].map(|index: usize| sets[index].iter().copied().collect());
            let found = PortsFound::of(&check(), &Opened { busy, denied }, &heard, &knocked);
            prop_assert_eq!(FATES.iter().map(|fate| found.count(*fate)).sum::<usize>(), 10);
        }
    }
}
