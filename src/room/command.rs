//! Parses the lines of members: talk and commands.

use super::addressing::addressed;
use super::shelf::PlainOffer;
use crate::printable::is_printable;

/// A line of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// To everybody, or to those named, as typed.
    Say {
        /// Names as typed; empty is everybody.
        to: Vec<String>,
        /// Without the names in front.
        text: String,
    },
    /// Lists the members.
    Who,
    /// Shows the load of one host or of all.
    Load {
        /// `None` is all hosts.
        of: Option<String>,
    },
    /// Changes the member's own name.
    Rename {
        /// The new name, not yet checked.
        to: String,
    },
    /// Lists the shelf.
    Files,
    /// A file of the shelf, for clients that can take it.
    Get {
        /// The number of the file.
        number: u32,
    },
    /// Offers a file of the shelf in the clear to those who send a word.
    Plain {
        /// The number of the file.
        number: u32,
        /// `None` draws one.
        word: Option<String>,
    },
    /// Lists the commands.
    Help,
    /// Leaves the room.
    Quit,
    /// About a measurement.
    Order(OrderCommand),
}

/// Commands about orders: for members alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderCommand {
    /// `from` measures to `to`; without `from` the member who orders it does.
    Ping {
        /// The member that is to measure; `None` is the member who orders it.
        from: Option<String>,
        /// The member to measure to.
        to: String,
        /// As typed: `-n`, `-i`, `--rate` and `-s` with their values.
        options: Vec<String>,
    },
    /// `from` knocks at ports of `to`, which listens there meanwhile.
    Ports {
        /// The member that is to knock; `None` is the member who orders it.
        from: Option<String>,
        /// The member that is to listen.
        to: String,
        /// As typed, not yet checked.
        range: String,
        /// UDP, not TCP.
        udp: bool,
    },
    /// Agrees to an order.
    Yes {
        /// Its number.
        order: u32,
    },
    /// Refuses an order.
    No {
        /// Its number.
        order: u32,
    },
    /// Ends an order, one's own or one that one takes part in.
    Stop {
        /// Its number.
        order: u32,
    },
}

/// Why a line that begins with `/` is no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The word after the `/`.
    #[error("/{0} is no command; /help lists them")]
    Unknown(String),
    /// The command has other arguments.
    #[error("{usage}")]
    Usage {
        /// How it is typed, with an example.
        usage: &'static str,
    },
}

/// The lines of `/help`, one a command.
pub(super) const HELP: &[&str] = &[
    "text              say it to everybody",
    "@anna text        say it to anna; @anna @bea: text to both; //x says /x",
    "/who              the members",
    "/load [NAME]      how busy the hosts are",
    "/name NAME        change your name",
    "/ping A B [-n N -i TIME|--rate N -s BYTES]   A measures to B; /ping B: you do",
    "/ports A B RANGE [udp]   A knocks at ports of B; /ports B RANGE: you do",
    "/yes N, /no N     agree to order N, or refuse it",
    "/stop N           stop order N",
    "/files            what lies on the shelf",
    "/send FILE [@NAME], /get N   put a file on the shelf, fetch file N",
    "/plain N [WORD]   offer file N in the clear to clients that send WORD",
    "/quit or {quit}   leave",
    "Orders and files are for members: udpecho join, with the room's key",
];

pub(super) const PING_USAGE: &str =
    "/ping A B [-n N -i TIME|--rate N -s BYTES]; for example /ping anna bea -n 100 -i 50ms";

impl Command {
    /// Any line without a `/` is talk; `//` says a `/`.
    pub fn parse(line: &str) -> Result<Self, CommandError> {
        let line = line.trim_end_matches(['\r', '\n']);
        if line.trim() == "{quit}" {
            return Ok(Self::Quit);
        }
        match line.strip_prefix('/') {
            Some(rest) if !rest.starts_with('/') => Self::parse_slash(rest),
            // `//x` says `/x`.
            Some(rest) => Ok(Self::say(rest)),
            None => Ok(Self::say(line)),
        }
    }

    fn say(line: &str) -> Self {
        let addressed = addressed(line);
        let to = addressed.to.into_iter().map(str::to_owned).collect();
        Self::Say { to, text: addressed.text.to_owned() }
    }

    fn parse_slash(rest: &str) -> Result<Self, CommandError> {
        let mut words = rest.split_whitespace();
        let command = words.next().unwrap_or_default();
        let words: Vec<&str> = words.collect();
        let usage = |usage| Err(CommandError::Usage { usage });
        let order = |build: fn(u32) -> OrderCommand, usage_text| match &words[..] {
            [number] => match number.trim_start_matches('#').parse() {
                Ok(number) => Ok(Self::Order(build(number))),
                Err(_) => usage(usage_text),
            },
            _ => usage(usage_text),
        };
        match (command, &words[..]) {
            ("who", []) => Ok(Self::Who),
            ("load", []) => Ok(Self::Load { of: None }),
            ("load", [name]) => Ok(Self::Load { of: Some((*name).to_owned()) }),
            ("name", [name]) => Ok(Self::Rename { to: (*name).to_owned() }),
            ("name", _) => usage("/name NAME; for example /name anna"),
            ("files", []) => Ok(Self::Files),
            ("get", [number]) => match number.parse() {
                Ok(number) => Ok(Self::Get { number }),
                Err(_) => usage("/get N; for example /get 3"),
            },
            ("get", _) => usage("/get N; for example /get 3"),
            ("send", _) => usage("a file is sent by udpecho join or by the page, not by this connection"),
            ("plain", [number, word @ ..])
                if word.len() < 2
                    && word.iter().all(|word| is_word(word))
                    && number.parse::<u32>().is_ok() =>
            {
                let number = number.parse().unwrap_or_default();
                Ok(Self::Plain { number, word: word.first().map(|word| (*word).to_owned()) })
            }
            ("plain", _) => usage("/plain N [WORD of at most 64 bytes]; for example /plain 3"),
            ("help", _) => Ok(Self::Help),
            ("quit", []) => Ok(Self::Quit),
            ("ping", words) => Ok(Self::Order(ping(words)?)),
            ("ports", words) => Ok(Self::Order(ports(words)?)),
            ("yes", _) => order(|order| OrderCommand::Yes { order }, "/yes N; for example /yes 4"),
            ("no", _) => order(|order| OrderCommand::No { order }, "/no N; for example /no 4"),
            ("stop", _) => order(|order| OrderCommand::Stop { order }, "/stop N; for example /stop 4"),
            _ => Err(CommandError::Unknown(command.chars().take(24).collect())),
        }
    }
}

fn is_word(word: &str) -> bool {
    word.len() <= PlainOffer::LONGEST_WORD && word.chars().all(is_printable)
}

/// A name as typed; with an `@` it is that of a member for sure.
fn owned(name: &str) -> String {
    name.trim_start_matches('@').to_owned()
}

fn ports(words: &[&str]) -> Result<OrderCommand, CommandError> {
    const USAGE: &str = "/ports A B RANGE [udp]; for example /ports anna bea 33000-33009";
    let (udp, words) = match words {
        [words @ .., "udp"] => (true, words),
        [words @ .., "tcp"] => (false, words),
        words => (false, words),
    };
    let (from, to, range) = match words {
        [to, range] => (None, to, range),
        [from, to, range] => (Some(owned(from)), to, range),
        _ => return Err(CommandError::Usage { usage: USAGE }),
    };
    Ok(OrderCommand::Ports { from, to: owned(to), range: (*range).to_owned(), udp })
}

fn ping(words: &[&str]) -> Result<OrderCommand, CommandError> {
    let names: Vec<&str> = words.iter().copied().take_while(|word| !word.starts_with('-')).collect();
    let options = words[names.len()..].iter().map(|word| (*word).to_owned()).collect();
    match names[..] {
        [to] => Ok(OrderCommand::Ping { from: None, to: owned(to), options }),
        [from, to] => Ok(OrderCommand::Ping { from: Some(owned(from)), to: owned(to), options }),
        _ => Err(CommandError::Usage { usage: PING_USAGE }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn say(to: &[&str], text: &str) -> Command {
        Command::Say { to: to.iter().map(|name| (*name).to_owned()).collect(), text: text.to_owned() }
    }

    #[test]
    fn lines_are_talk_and_slashes_commands() {
        let order = |order| Command::Order(order);
        for (line, command) in [
            ("hello\r\n", say(&[], "hello")),
            ("@bea hi", say(&["bea"], "hi")),
            ("//etc/hosts", say(&[], "/etc/hosts")),
            ("{quit}\n", Command::Quit),
            ("/quit", Command::Quit),
            ("/who", Command::Who),
            ("/load bea", Command::Load { of: Some("bea".into()) }),
            ("/name dora", Command::Rename { to: "dora".into() }),
            ("/yes #4", order(OrderCommand::Yes { order: 4 })),
            (
                "/ports anna @bea 33000-33009 udp",
                order(OrderCommand::Ports {
                    from: Some("anna".into()),
                    to: "bea".into(),
                    range: "33000-33009".into(),
                    udp: true,
                }),
            ),
            (
                "/ports bea 22",
                order(OrderCommand::Ports { from: None, to: "bea".into(), range: "22".into(), udp: false }),
            ),
            ("/stop 4", order(OrderCommand::Stop { order: 4 })),
            (
                "/ping anna @bea -n 1000 -i 20ms",
                order(OrderCommand::Ping {
                    from: Some("anna".into()),
                    to: "bea".into(),
                    options: ["-n", "1000", "-i", "20ms"].map(str::to_owned).to_vec(),
                }),
            ),
        ] {
            assert_eq!(Command::parse(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn a_mistake_is_answered_with_what_works() {
        for (line, told) in [
            ("/dance", "/dance is no command; /help lists them"),
            ("/name", "/name NAME; for example /name anna"),
            ("/plain 3 \u{1b}[2J", "/plain N [WORD of at most 64 bytes]; for example /plain 3"),
            (
                &format!("/plain 3 {}", "x".repeat(65)),
                "/plain N [WORD of at most 64 bytes]; for example /plain 3",
            ),
            ("/yes soon", "/yes N; for example /yes 4"),
            ("/ports bea", "/ports A B RANGE [udp]; for example /ports anna bea 33000-33009"),
            ("/ping", PING_USAGE),
        ] {
            assert_eq!(Command::parse(line).unwrap_err().to_string(), told);
        }
    }

    proptest! {
        #[test]
        fn any_line_is_survived(line: String) {
            let _ = Command::parse(&line);
            let _ = Command::parse(&format!("/{line}"));
        }
    }
}
