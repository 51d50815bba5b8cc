//! Messages of a program to the room: JSON objects with one field, each on a line or in an encrypted frame.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::order_event::OrderFigures;
use super::orders::{Accept, OrderNumber};
use super::ports::{Knocked, Opened, PortSet};
use super::shelf::{Offer, Ticket};
use crate::time::Duration;

/// One message of a program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// Runs without a person in front of it; sent before the name.
    Agent(bool),
    /// The name to be known by; the first of a guest.
    Name(String),
    /// A line as a person would type it, commands included.
    Say(String),
    /// How busy this host is, in words.
    Load(String),
    /// A file for the shelf.
    Offer(Offer),
    /// The first message of a connection that brings a file, with the ticket from the room.
    PutFile(Ticket),
    /// The first message of a connection that fetches a file from this byte on.
    GetFile {
        /// From the room.
        ticket: Ticket,
        /// The first byte to send: the bytes before it are there already.
        offset: u64,
    },
    /// The orders that this host accepts without being asked.
    Accept(Accepted),
    /// Where this host may be reached for an order.
    Addresses {
        /// Its number.
        order: OrderNumber,
        /// Own addresses, and the one that a server outside saw.
        candidates: Vec<SocketAddr>,
        /// Two servers saw different ports.
        port_varies: bool,
    },
    /// The other host of an order answers at this address.
    Found {
        /// Its number.
        order: OrderNumber,
        /// The address.
        at: SocketAddr,
    },
    /// This host has done its part.
    Result {
        /// Of the order.
        order: OrderNumber,
        /// The result.
        figures: OrderFigures,
    },
    /// The run of this host is on the shelf, or does not come there.
    Recorded {
        /// Of the order.
        order: OrderNumber,
    },
    /// Where this host does not listen though a check of ports asks it to.
    Opened {
        /// Its number.
        order: OrderNumber,
        /// Its own ports.
        opened: Opened,
    },
    /// Knocks came to these ports of this host.
    Heard {
        /// Its number.
        order: OrderNumber,
        /// Since it last said so.
        ports: PortSet,
    },
    /// This host has knocked.
    Knocked {
        /// Its number.
        order: OrderNumber,
        /// The fate of each port.
        ports: Knocked,
    },
    /// A second of this host during an order.
    Second {
        /// Its number.
        order: OrderNumber,
        /// Why it was busy, and its figures.
        second: ReportedSecond,
    },
}

/// The orders that a host accepts, in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accepted {
    /// None without its consent.
    Ask,
    /// None.
    Nothing,
    /// Orders within these bounds.
    UpTo {
        /// Both directions together.
        bits_per_second: f64,
        /// Of the whole measurement.
        seconds: f64,
    },
}

impl From<Accepted> for Accept {
    fn from(accepted: Accepted) -> Self {
        match accepted {
            Accepted::Ask => Self::Ask,
            Accepted::Nothing => Self::Nothing,
            Accepted::UpTo { bits_per_second, seconds } => {
                let length = Duration::from_nanos((seconds.clamp(0.0, 86_400.0) * 1e9) as i64);
                Self::UpTo { bits_per_second, length }
            }
        }
    }
}

/// One second of a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportedSecond {
    /// Why it counts as busy; empty if it does not.
    pub reasons: Vec<String>,
    /// As `run.json` has it.
    pub figures: serde_json::Value,
}

impl Message {
    /// Reads one line. The error says what is wrong and what works.
    pub fn parse(line: &str) -> Result<Self, String> {
        serde_json::from_str(line)
            .map_err(|error| format!("no message: {error}; for example {{\"say\":\"hello\"}}"))
    }

    /// The line that says the same, without its end.
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("a message is JSON")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_are_objects_with_one_field() {
        for (line, message) in [
            (r#"{"name":"anna"}"#, Message::Name("anna".into())),
            (r#"{"say":"/who"}"#, Message::Say("/who".into())),
            (r#"{"load":"busy: steal 12 %"}"#, Message::Load("busy: steal 12 %".into())),
            (r#"{"agent":true}"#, Message::Agent(true)),
        ] {
            assert_eq!(Message::parse(line), Ok(message.clone()));
            assert_eq!(message.line(), line);
        }
        let error = Message::parse(r#"{"shout":"x"}"#).unwrap_err();
        assert!(error.starts_with("no message: unknown variant `shout`"), "{error}");
        assert!(error.ends_with(r#"for example {"say":"hello"}"#), "{error}");
    }

    proptest! {
        #[test]
        fn any_line_is_survived(line: String) {
            if let Ok(message) = Message::parse(&line) {
                prop_assert_eq!(Message::parse(&message.line()), Ok(message));
            }
        }
    }
}
