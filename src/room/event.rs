//! Events for a member: one stream, shown as text lines or as JSON.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::command::HELP;
use super::host_load::HostLoad;
use super::name::Name;
use super::order_event::OrderEvent;
use super::order_summary::OrderSummary;
use super::ports::PortsFound;
use super::shelf::{ContentHash, FileName, ShelfFile, Transfer};

/// One event; in JSON its `event` names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Sent to every plain connection first.
    Greeting,
    /// The name is accepted.
    Welcome {
        /// As the room spells it.
        name: Name,
        /// Guest or member.
        role: Role,
        /// Whether this connection is encrypted.
        encrypted: bool,
        /// The others.
        here: Vec<Presence>,
    },
    /// For those that were here before.
    Joined {
        /// The new member.
        name: Name,
    },
    /// For those that stay.
    Left {
        /// The member that left.
        name: Name,
        /// `None` if it left by itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<LeftReason>,
    },
    /// A member has another name.
    Renamed {
        /// The old name.
        from: Name,
        /// The new name.
        to: Name,
    },
    /// Talk.
    Said {
        /// The member that said it.
        from: Name,
        /// Empty: to everybody.
        to: Vec<Name>,
        /// One line, without control characters.
        text: String,
    },
    /// The answer to `/who`.
    Who {
        /// Everybody.
        here: Vec<Presence>,
    },
    /// The answer to `/load`.
    Load {
        /// The hosts that were asked for.
        hosts: Vec<HostLoad>,
    },
    /// The answer to `/help`: the list of commands.
    Help,
    /// The files of the shelf that this member sees.
    Files {
        /// Whole files, the oldest first.
        files: Vec<ShelfFile>,
    },
    /// A file lies on the shelf now.
    Shelved {
        /// The file, with its hash.
        file: ShelfFile,
    },
    /// Send the file that you offered, with this ticket.
    Put {
        /// The ticket, and where to begin.
        transfer: Transfer,
    },
    /// The file that the member offered does not come to the shelf.
    NotShelved {
        /// As it was offered.
        name: FileName,
        /// As it was offered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hash: Option<ContentHash>,
        /// In words.
        why: String,
    },
    /// Fetch the file that you asked for, with this ticket.
    Get {
        /// The ticket, and what comes.
        transfer: Transfer,
    },
    /// A file is offered in the clear to those who send the word.
    PlainOffer {
        /// The file on offer.
        file: ShelfFile,
        /// The word that a client sends for it.
        word: String,
    },
    /// The request of the member cannot be met.
    Refused {
        /// With an example that works.
        why: String,
    },
    /// Lines of the member were not passed on.
    Dropped {
        /// The limit that was reached.
        why: String,
    },
    /// An order goes on.
    Order(OrderEvent),
    /// An order was carried out.
    Measured(OrderSummary),
    /// The connection ends.
    Closed {
        /// `None` if the member asked for it.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<LeftReason>,
    },
}

/// The rights of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Talks, looks, reads results.
    Guest,
    /// Also measures, hands over files, scans: has the key, or is a client of ours where there is none.
    Member,
}

/// The kind of client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// `nc`, telnet, a ten-line client.
    Text,
    /// JSON lines.
    Json,
    /// The room's web page.
    Page,
    /// `udpecho join`.
    Client,
    /// `udpecho join` without a person.
    Agent,
    /// The person in front of the server.
    Operator,
}

/// Why the room ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftReason {
    /// Did not read what was sent: 256 kB or 500 events waited.
    SlowReader,
    /// Kept sending faster than the limit.
    Flood,
    /// Gave no name within ten seconds.
    NoName,
    /// The room's server stops.
    RoomClosed,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Presence {
    pub(crate) name: Name,
    pub(crate) role: Role,
    pub(crate) via: Via,
}

impl Event {
    /// The event as lines of text, without the last end of line; empty if it is for programs alone. Talk begins with
    /// a name and a colon, a line of the room with `-- ` or with a name and no colon.
    pub fn text(&self) -> String {
        match self {
            Self::Greeting => "Greetings from the cave! Now type your name and press enter!".to_owned(),
            Self::Welcome { name, role, encrypted, here } => {
                let others = if here.is_empty() { "nobody else".to_owned() } else { list(here) };
                let encrypted = if *encrypted { "Encrypted" } else { "Not encrypted" };
                let role = role.words();
                format!(
                    "Welcome {name}! If you ever want to quit, type {{quit}} to exit.\n\
                     -- here: {others}. {encrypted}; you are a {role}. /help"
                )
            }
            Self::Joined { name } => format!("{name} has joined the chat!"),
            Self::Left { name, reason: None } => format!("{name} has left the chat."),
            Self::Left { name, reason: Some(reason) } => {
                format!("{name} has left the chat.\n-- {name} was disconnected: {}", reason.words())
            }
            Self::Renamed { from, to } => format!("-- {from} is {to} now"),
            Self::Said { from, to, text } if to.is_empty() => format!("{from}: {text}"),
            Self::Said { from, to, text } => {
                let names: Vec<&str> = to.iter().map(Name::as_str).collect();
                format!("{from} to {}: {text}", names.join(", "))
            }
            Self::Who { here } => format!("-- here: {}", list(here)),
            Self::Load { hosts } => lines(hosts.iter().map(HostLoad::line)),
            Self::Help => lines(HELP.iter().map(|line| (*line).to_owned())),
            Self::Files { files } if files.is_empty() => "-- the shelf is empty".to_owned(),
            Self::Files { files } => lines(files.iter().map(|file| format!("{file}, from {}", file.from))),
            Self::Shelved { file } => format!("-- {} put on the shelf: {file}", file.from),
            Self::Put { transfer: Transfer { file, offset: 0, .. } } => format!("-- sending {file}"),
            Self::Put { transfer: Transfer { file, offset, .. } } => {
                format!("-- sending {file}, from byte {offset} on")
            }
            Self::Get { transfer } => format!("-- fetching {}", transfer.file),
            Self::PlainOffer { file, word } => format!(
                "-- {file} is offered in the clear for 10 min or 3 fetches to clients that send: {word}"
            ),
            Self::Refused { why } | Self::Dropped { why } => format!("-- {why}"),
            Self::NotShelved { name, why, .. } => format!("-- {name} is not put on the shelf: {why}"),
            Self::Order(order) => order.text(),
            Self::Measured(_) => String::new(),
            Self::Closed { reason: None } => "{quit}".to_owned(),
            Self::Closed { reason: Some(reason) } => format!("-- disconnected: {}", reason.words()),
        }
    }

    /// The event as a JSON object, on one line.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("an event is JSON")
    }

    /// Roughly the memory and the bytes on the wire that it takes.
    pub(super) fn weight(&self) -> usize {
        const OVERHEAD: usize = 64;
        OVERHEAD
            + match self {
                Self::Said { to, text, .. } => text.len() + to.len() * 24,
                Self::Welcome { here, .. } | Self::Who { here } => here.len() * 40,
                Self::Load { hosts } => hosts.iter().map(HostLoad::weight).sum(),
                Self::Refused { why } | Self::Dropped { why } => why.len(),
                Self::Files { files } => files.len() * 400,
                Self::Shelved { .. }
                | Self::NotShelved { .. }
                | Self::Put { .. }
                | Self::Get { .. }
                | Self::PlainOffer { .. } => 400,
                Self::Help => 600,
                Self::Order(OrderEvent::Ports { ports, .. }) => 800 + ports.weight(),
                Self::Order(OrderEvent::Second { figures, .. }) => figures.to_string().len(),
                Self::Order(_) => 800,
                Self::Measured(summary) => 2_000 + summary.ports.as_ref().map_or(0, PortsFound::weight),
                _ => 0,
            }
    }
}

impl Role {
    fn words(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Member => "member",
        }
    }
}

impl Via {
    fn words(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "script",
            Self::Page => "page",
            Self::Client => "client",
            Self::Agent => "agent",
            Self::Operator => "operator",
        }
    }
}

impl LeftReason {
    fn words(self) -> &'static str {
        match self {
            Self::SlowReader => "did not read what was sent",
            Self::Flood => "sent too much for a minute",
            Self::NoName => "gave no name within 10 s",
            Self::RoomClosed => "the room is closed",
        }
    }
}

fn list(here: &[Presence]) -> String {
    let mut text = String::new();
    for (index, presence) in here.iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        // Writing to a string does not fail.
        let _ = write!(text, "{comma}{} ({})", presence.name, presence.via.words());
    }
    text
}

fn lines(each: impl Iterator<Item = String>) -> String {
    each.map(|line| format!("-- {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn text_lines_are_those_of_the_original_to_the_letter() {
        let presence = |text, via| Presence { name: name(text), role: Role::Guest, via };
        let said = |to: &[&str], text: &str| Event::Said {
            from: name("anna"),
            to: to.iter().map(|to| name(to)).collect(),
            text: text.into(),
        };
        for (event, text) in [
            (Event::Greeting, "Greetings from the cave! Now type your name and press enter!"),
            (
                Event::Welcome {
                    name: name("anna"),
                    role: Role::Guest,
                    encrypted: false,
                    here: vec![presence("bea", Via::Agent), presence("carl", Via::Page)],
                },
                "Welcome anna! If you ever want to quit, type {quit} to exit.\n\
                 -- here: bea (agent), carl (page). Not encrypted; you are a guest. /help",
            ),
            (Event::Joined { name: name("dora") }, "dora has joined the chat!"),
            (Event::Left { name: name("dora"), reason: None }, "dora has left the chat."),
            (said(&[], "hello"), "anna: hello"),
            (said(&["bea"], "which kernel?"), "anna to bea: which kernel?"),
            (said(&["bea", "carl"], "look at #4"), "anna to bea, carl: look at #4"),
            (Event::Closed { reason: None }, "{quit}"),
        ] {
            assert_eq!(event.text(), text);
        }
    }

    #[test]
    fn json_says_the_same_and_is_read_back() {
        let event = Event::Said { from: name("anna"), to: vec![name("bea")], text: "hi \"b\"".into() };
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(json, r#"{"event":"said","from":"anna","to":["bea"],"text":"hi \"b\""}"#);
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
    }
}
