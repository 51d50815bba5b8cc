//! The arguments of `udpecho watch`.

use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;

use clap::Args;

use super::values::{http_address, number};
use crate::units::{ByteSize, Interval};

const TARGETS: &str = "Targets";
const PROBES: &str = "Probes (those of a file stand in the file)";
const DISPLAY: &str = "Display";

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  udpecho watch 192.0.2.7 192.0.2.8:9000 example.net
  udpecho watch -n 100 -i 20ms --json 192.0.2.7 192.0.2.8
  udpecho watch -f watch.toml --check
  udpecho watch -f watch.toml --http 9476
  udpecho watch -f watch.toml --http 0.0.0.0:9476 --peer-pages 9476
  udpecho watch -f watch.toml --record /var/lib/udpecho

udpecho watch --sample prints a file with every setting. HUP, and a change of
the file, reload it: targets that did not change keep their session, their
phase and their counters; a file with an error changes nothing.

Exit codes: 0 a target answered, or --check found no error; 1 none answered;
2 usage, file or socket error.")]
pub struct Watch {
    /// Servers to measure, as HOST or HOST:PORT
    #[arg(help_heading = TARGETS, value_name = "TARGET")]
    pub targets: Vec<String>,
    /// Configuration file
    #[arg(help_heading = TARGETS, short, long, value_name = "FILE", conflicts_with = "targets")]
    pub file: Option<PathBuf>,
    /// Read the file, print what it costs, and exit
    #[arg(help_heading = TARGETS, long, requires = "file")]
    pub check: bool,
    /// Print a sample file, and exit
    #[arg(help_heading = TARGETS, long, conflicts_with_all = ["file", "targets"])]
    pub sample: bool,
    /// File with the servers' key, as udpecho keygen writes it [default: the key in UDPECHO_KEY, if set]
    #[arg(help_heading = TARGETS, long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Answer the probes of others at this UDP port, too
    #[arg(help_heading = TARGETS, long, value_name = "PORT")]
    pub serve: Option<u16>,
    /// Probes to each target [default: until interrupted]
    #[arg(help_heading = PROBES, short = 'n', long, value_name = "N", value_parser = number::<u64>(1, u64::MAX, "100"))]
    pub count: Option<u64>,
    /// Time between two probes to one target [default: 1s]
    #[arg(help_heading = PROBES, short, long, value_name = "TIME", conflicts_with = "file")]
    pub interval: Option<Interval>,
    /// Source ports by which the probes to a target take turns, so that one bad path of several shows [default: 1]
    #[arg(help_heading = PROBES, long, value_name = "N", conflicts_with = "file", value_parser = number::<u8>(1, 64, "16"))]
    pub flows: Option<u8>,
    /// Bytes of UDP payload [default: 128]
    #[arg(help_heading = PROBES, short, long, value_name = "BYTES", conflicts_with = "file")]
    pub size: Option<ByteSize>,
    /// Serve a page and /metrics here; a bare port binds to localhost
    #[arg(help_heading = DISPLAY, long, value_name = "ADDRESS", value_parser = http_address)]
    pub http: Option<SocketAddr>,
    /// Take POST /-/reload and /probe?target=HOST:PORT here; a bare port binds to localhost
    #[arg(help_heading = DISPLAY, long, value_name = "ADDRESS", value_parser = http_address)]
    pub admin: Option<SocketAddr>,
    /// Write a row for each target and minute to files in this folder, a file a day, of which 30 days are kept unless the configuration says otherwise
    #[arg(help_heading = DISPLAY, long, value_name = "FOLDER")]
    pub record: Option<PathBuf>,
    /// Further names under which the page may be asked for
    #[arg(help_heading = DISPLAY, long, value_name = "NAME")]
    pub http_host: Vec<String>,
    /// Read the pages of the targets at this port too, for the verdict and the matrix of the whole mesh
    #[arg(help_heading = DISPLAY, long, value_name = "PORT")]
    pub peer_pages: Option<NonZero<u16>>,
    /// Print a JSON object at the end; udpecho schema watch describes it
    #[arg(help_heading = DISPLAY, long)]
    pub json: bool,
    /// Print nothing but errors
    #[arg(help_heading = DISPLAY, short, long, conflicts_with = "json")]
    pub quiet: bool,
    /// Rows of the table that is refreshed on a terminal [default: as many as fit]
    #[arg(help_heading = DISPLAY, long, value_name = "N")]
    pub rows: Option<NonZero<usize>>,
}
