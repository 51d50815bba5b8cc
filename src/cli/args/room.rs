//! The arguments of `udpecho room` and `udpecho join`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values::number;
use crate::room::Accepted;
use crate::units::{BitRate, ByteSize, UnitError, parse_duration};

const LISTENING: &str = "Listening";
const ACCESS: &str = "Access";
const FILES: &str = "Files";
const ROOM: &str = "Room";
const SCRIPTS: &str = "Scripts and agents";
const HOST: &str = "This host";

/// From where plain connections are let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GuestsFrom {
    None,
    /// Loopback, link-local and private addresses
    Private,
    Any,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  udpecho room
  udpecho room -p 33000 --key-file udpecho.key
  udpecho room --bind 192.0.2.7 --key-file udpecho.key --guests none

Two people at the two ends of a path meet here: with udpecho join, with nc HOST
33000, or with a program that writes lines or JSON. On the same port number it
answers UDP, so everybody can measure the path to it at once.

On a terminal you talk in the room, too, as host.")]
pub struct Room {
    /// TCP and UDP port to listen on; 0 takes a free one, and the first line names it
    #[arg(help_heading = LISTENING, short, long, value_name = "PORT", default_value_t = 33_000, allow_negative_numbers = true, value_parser = number::<u16>(0, 65_535, "33000"))]
    pub port: u16,
    /// Address to listen on [default: all addresses]
    #[arg(help_heading = LISTENING, short, long, value_name = "ADDRESS")]
    pub bind: Option<IpAddr>,
    /// IPv4 only
    #[arg(help_heading = LISTENING, short = '4', conflicts_with = "ipv6")]
    pub ipv4: bool,
    /// IPv6 only
    #[arg(help_heading = LISTENING, short = '6')]
    pub ipv6: bool,
    /// File with a key, as udpecho keygen writes it: clients that have it are members, from anywhere; without a key
    /// udpecho clients at private addresses are [default: the key in UDPECHO_KEY, if set]
    #[arg(help_heading = ACCESS, long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// From where to let in guests, who talk and look: nc, telnet, scripts
    #[arg(help_heading = ACCESS, long, value_name = "FROM", default_value = "private")]
    pub guests: GuestsFrom,
    /// Allow clients to stop the room: relay clients (exit server), text clients and ping --stop-server
    #[arg(help_heading = ACCESS, long)]
    pub allow_stop: bool,
    /// A word that makes the visitors of the page members, where the room has a key; the page sends it in the clear
    #[arg(help_heading = ACCESS, long, value_name = "WORD")]
    pub word: Option<String>,
    /// Host name by which browsers may request the page, besides addresses, localhost and this host's own names;
    /// can be given several times
    #[arg(help_heading = ACCESS, long, value_name = "NAME")]
    pub http_host: Vec<String>,
    /// Keep what is said, files and runs in this folder, and a page of it at the end [default: nothing is kept]
    #[arg(help_heading = FILES, long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Keep the text of private messages, too
    #[arg(help_heading = FILES, long, requires = "keep")]
    pub keep_private: bool,
    /// Bytes of all files on the shelf together; with --keep a run counts twice, since its folder is kept, too
    #[arg(help_heading = FILES, long, value_name = "SIZE", default_value = "1Gi")]
    pub quota: ByteSize,
    /// Print nothing but errors, and do not talk
    #[arg(help_heading = LISTENING, short, long)]
    pub quiet: bool,
}

/// How much of this host the others see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Share {
    /// Whether it is busy, and why
    Load,
    /// The same, and its three busiest processes
    Processes,
    Nothing,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  udpecho join room.example --name anna --key-file udpecho.key
  udpecho join room.example --agent --key-file udpecho.key
  udpecho join room.example --do '/ping anna bea -n 200' --json

Exit codes: 0 left, or --do was done; 1 the room is not reached, the connection
was lost, or a measurement had no reply; 2 usage, name or file error, or the
room refused.")]
pub struct Join {
    /// Room to join, as HOST or HOST:PORT; an IPv6 address with a port needs brackets
    #[arg(help_heading = ROOM, value_name = "HOST")]
    pub host: String,
    /// The room's port [default: 33000]
    #[arg(help_heading = ROOM, short, long, value_name = "PORT", allow_negative_numbers = true, value_parser = number::<u16>(1, 65_535, "33000"))]
    pub port: Option<u16>,
    /// File with the room's key, as udpecho keygen writes it [default: the key in UDPECHO_KEY, if set]
    #[arg(help_heading = ROOM, long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Name to be known by: 1 to 24 letters, digits or any of _ . -, and no - in front [default: the name of this
    /// host]
    #[arg(help_heading = ROOM, long, value_name = "NAME")]
    pub name: Option<String>,
    /// IPv4 only
    #[arg(help_heading = ROOM, short = '4', conflicts_with = "ipv6")]
    pub ipv4: bool,
    /// IPv6 only
    #[arg(help_heading = ROOM, short = '6')]
    pub ipv6: bool,
    /// Measurements to accept without asking: ask, nothing, or a rate and a time; rates count both directions
    /// [default: ask; with --agent 1Mbit,30s]
    #[arg(help_heading = HOST, long, value_name = "WHAT", value_parser = accepted)]
    pub accept: Option<Accepted>,
    /// Folder for files that you /get; nothing in it is replaced
    #[arg(help_heading = HOST, long, value_name = "DIR", default_value = "inbox")]
    pub inbox: PathBuf,
    /// What the others see of this host's load
    #[arg(help_heading = HOST, long, value_name = "WHAT", default_value = "load")]
    pub share: Share,
    /// Stay without a person: join again whenever the connection is lost, after 1 to 30 s
    #[arg(help_heading = SCRIPTS, long, conflicts_with = "do_command")]
    pub agent: bool,
    /// Give one command as it would be typed, print its answer, and leave
    #[arg(help_heading = SCRIPTS, long = "do", value_name = "COMMAND")]
    pub do_command: Option<String>,
    /// Print events as JSON objects, one a line, instead of text; udpecho schema join describes them
    #[arg(help_heading = SCRIPTS, long)]
    pub json: bool,
}

impl Join {
    /// What this host accepts; a script is there for one command only.
    pub fn accepted(&self) -> Accepted {
        const AGENT: Accepted = Accepted::UpTo { bits_per_second: 1e6, seconds: 30.0 };
        self.accept.unwrap_or(match (self.agent, &self.do_command) {
            (true, _) => AGENT,
            (false, Some(_)) => Accepted::Nothing,
            (false, None) => Accepted::Ask,
        })
    }
}

/// `ask`, `nothing`, or a bit rate and a time.
fn accepted(text: &str) -> Result<Accepted, UnitError> {
    match text {
        "ask" => return Ok(Accepted::Ask),
        "nothing" => return Ok(Accepted::Nothing),
        _ => {}
    }
    let example = "1Mbit,30s";
    let (rate, length) = text
        .split_once(',')
        .ok_or_else(|| UnitError::new("must be ask, nothing, or a rate and a time", example))?;
    let rate: BitRate = rate.parse()?;
    let seconds = parse_duration(length)?.as_secs_f64();
    Ok(Accepted::UpTo { bits_per_second: rate.get() as f64, seconds })
}
