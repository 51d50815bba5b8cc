//! The arguments of every command. Each command decides what they mean.

mod find_rate;
pub(super) mod legacy_flags;
mod locate;
mod ping;
mod proxy;
#[cfg(all(feature = "control", feature = "tui"))]
mod room;
mod serve;
mod shared;
pub(super) mod short_help;
mod values;
#[cfg(feature = "control")]
mod watch;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

#[cfg(feature = "report")]
use crate::report::compare::MarginPart;
use crate::room::PortRange;
use crate::units::Interval;

pub(super) use find_rate::{FindRate, HowToLoad, SteadyRate};
pub(super) use locate::Locate;
pub(super) use ping::{Fail, Fragment, Ping, StampTime, StampTlv, Timer};
pub(super) use proxy::Proxy;
#[cfg(all(feature = "control", feature = "tui"))]
pub(super) use room::{GuestsFrom, Join, Room, Share};
pub(super) use serve::{Impair, Serve, TcpKind, TextFrom};
pub(super) use shared::Destination;
pub(super) use values::LoadLimit;
#[cfg(feature = "control")]
pub(super) use watch::Watch;

/// A release build knows its commit.
const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("UDPECHO_COMMIT"),
    "\nfeatures: ",
    env!("UDPECHO_FEATURES"),
    "\ntarget: ",
    env!("UDPECHO_TARGET")
);

#[derive(Debug, Parser)]
#[command(name = "udpecho", version, long_version = LONG_VERSION, about = env!("CARGO_PKG_DESCRIPTION"), propagate_version = true, arg_required_else_help = true)]
#[command(term_width = 80)]
#[command(
    after_help = "Help on a topic:\n  udpecho help impairments   the grammar of --delay, --loss, --impair ...\n\
                        \n\
                        Exit codes: 0 at least one reply; 1 no reply, or no server answers; 2 usage,\n\
                        name, socket or file error; 3 a --fail threshold was exceeded; 130 second\n\
                        interrupt."
)]
/// The command line: one command and its options.
pub struct Arguments {
    /// The command with its own arguments.
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer probes, with random delay and loss unless --clean
    Serve(Box<Serve>),
    /// Measure the path to a server; without a host, to one started here
    Ping(Box<Ping>),
    /// Impair any UDP program: relay between its clients and its server
    Proxy(Box<Proxy>),
    /// Measure many targets, for as long as it runs
    #[cfg(feature = "control")]
    Watch(Watch),
    /// Name the host, rack or path at fault, from several watches
    Locate(Locate),
    /// Bring two people and their hosts together: talk, load, measurements
    #[cfg(all(feature = "control", feature = "tui"))]
    Room(Room),
    /// Join a room, in person, as an agent or from a script
    #[cfg(all(feature = "control", feature = "tui"))]
    Join(Join),
    /// Find the largest unfragmented datagram, in each direction
    FindSize(FindSize),
    /// Show which ports of a host are open
    Ports(Ports),
    /// Make a key for --key-file of serve, ping, room and join
    Keygen(Keygen),
    /// List the impairments that serve --profile knows, with their numbers
    #[command(after_help = "\
Examples:
  udpecho profiles
  udpecho serve --profile wifi
  udpecho ping --impair \"lte loss=5%\"")]
    Profiles,
    /// Print a sample scenario, for serve --scenario
    #[command(after_help = "\
Examples:
  udpecho scenario > bad-hour.toml
  udpecho serve --scenario bad-hour.toml
  udpecho serve --scenario bad-hour.toml --impair-seed 7")]
    Scenario,
    /// Print the JSON schema of what another command prints or writes
    Schema(Schema),
    /// Draw a recorded run again, and print its summary
    #[cfg(feature = "report")]
    Report(Report),
    /// Show what changed between recorded runs
    #[cfg(feature = "report")]
    Compare(Compare),
    /// Print the completions of a shell
    Completions(Completions),
    /// Make a trace of a path's rate from a recorded run
    Trace(Trace),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  udpecho find-size 192.0.2.7
  udpecho find-size --json 192.0.2.7:9000
  udpecho find-size -6 --key-file udpecho.key example.net")]
pub struct FindSize {
    #[command(flatten)]
    pub destination: Destination,
    /// Print a JSON object instead of a line; udpecho schema size describes it
    #[arg(help_heading = "Display", long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  udpecho ports 192.0.2.7
  udpecho ports 192.0.2.7 1-1024
  udpecho ports --json localhost 8080

Asks at most 1024 ports, 32 at once and 200 a second. A port that does not answer within -W, twice, is \
filtered: give more than a second where round trips take longer. Exit codes: 0 at least one port is open; 1 none is; 2 usage or name error.")]
pub struct Ports {
    /// Host whose ports to ask
    #[arg(value_name = "HOST")]
    pub host: String,
    /// Ports to ask, as FIRST-LAST or one port
    #[arg(value_name = "RANGE", default_value = "33000-33119")]
    pub range: PortRange,
    /// Ask UDP ports: an open one that does not answer looks like a filter
    #[arg(long)]
    pub udp: bool,
    /// Time for the answer of a port, of each of two tries
    #[arg(short = 'W', long, value_name = "TIME", default_value = "1s", allow_negative_numbers = true)]
    pub deadline: Interval,
    /// IPv4 only
    #[arg(short = '4', conflicts_with = "ipv6")]
    pub ipv4: bool,
    /// IPv6 only
    #[arg(short = '6')]
    pub ipv6: bool,
    /// Print a JSON object instead of lines; udpecho schema ports describes it
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  udpecho schema > run.schema.json
  udpecho schema events
  udpecho schema size")]
pub struct Schema {
    /// Output to describe
    #[arg(value_name = "OUTPUT", default_value = "run")]
    pub which: Which,
}

/// The output that a schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// run.json, and ping --json
    Run,
    /// A line of ping --json-stream
    Events,
    /// find-size --json
    Size,
    /// ports --json
    Ports,
    /// proxy --json
    Proxy,
    /// watch --json
    #[cfg(feature = "control")]
    Watch,
    /// locate --json
    Locate,
    /// join --json
    #[cfg(all(feature = "control", feature = "tui"))]
    Join,
    /// compare --json
    #[cfg(feature = "report")]
    Compare,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  udpecho completions bash > ~/.local/share/bash-completion/completions/udpecho
  udpecho completions zsh > ~/.zfunc/_udpecho
  udpecho completions fish > ~/.config/fish/completions/udpecho.fish")]
pub struct Completions {
    /// The shell to complete for
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  udpecho keygen -o udpecho.key
  udpecho serve --key-file udpecho.key
  udpecho ping --key-file udpecho.key 192.0.2.7")]
pub struct Keygen {
    /// File to write, readable by its owner only; never overwrites an existing file [default: print the key]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[cfg(feature = "report")]
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  udpecho report results/evening
  udpecho report results/evening --format html
  udpecho report results/evening -o evening.svg --dark
  udpecho report /var/lib/udpecho
  udpecho report /var/lib/udpecho --format openmetrics -o history.om

A record that watch wrote (--record) is listed by target. OpenMetrics is one text of all \
its files, for promtool tsdb create-blocks-from openmetrics; without -o it is printed.")]
pub struct Report {
    /// Folders of recorded runs; of a record of watch, its folder or files
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// File for the report; - is standard output [default: report.png in the folder]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the file that -o names if it exists
    #[arg(long, requires = "output")]
    pub force: bool,
    /// A picture, a vector drawing, a page with tables, or the metrics of a record of watch [default: by the name of FILE, else png]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<ReportFormat>,
    /// Dark background; without it a page follows the reader's preference
    #[arg(long)]
    pub dark: bool,
}

/// The forms of a report.
#[cfg(feature = "report")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Png,
    Svg,
    Html,
    Openmetrics,
}

/// The forms of a report of a run.
#[cfg(feature = "report")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Format {
    Png,
    Svg,
    Html,
}

#[cfg(feature = "report")]
impl Format {
    pub(in crate::cli) fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Svg => "svg",
            Self::Html => "html",
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  udpecho trace results/lte > lte.down
  udpecho trace results/lte --up > lte.up
  udpecho proxy -l 5300 -t 192.0.2.53:53 --down rate=trace:lte.down,queue=300k

The run must have sent more than the path carries (ping --rate): then what came \
through, and when, is the path's rate. A line of the trace is the millisecond of \
an opportunity to send 1,500 bytes, as mahimahi has it.")]
pub struct Trace {
    /// Folder of a recorded run
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Toward the server, by its receive times, instead of toward the client
    #[arg(long)]
    pub up: bool,
}

#[cfg(feature = "report")]
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  udpecho compare results/before results/after
  udpecho compare results/before results/after --fail-regression --margin 10%
  udpecho compare results/before results/after --json > compare.json")]
pub struct Compare {
    /// Folders of recorded runs; each is compared with the first
    #[arg(value_name = "RUN", required = true, num_args = 2..=8)]
    pub runs: Vec<PathBuf>,
    /// File for the picture, .png or .svg; - is standard output [default: compare.png; none with --json]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print the comparison as JSON instead of the table
    #[arg(long)]
    pub json: bool,
    /// Replace the picture if it exists
    #[arg(long)]
    pub force: bool,
    /// Dark background
    #[arg(long)]
    pub dark: bool,
    /// Smallest change that counts: a share of the first run's value, a time for delays, or both, each with
    /// its own --margin [default: 5% and 50us]
    #[arg(long, value_name = "MARGIN")]
    pub margin: Vec<MarginPart>,
    /// Exit with 3 if loss, RTT or rate is worse by margin
    #[arg(long)]
    pub fail_regression: bool,
}
