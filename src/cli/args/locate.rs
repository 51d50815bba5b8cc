//! The arguments of `udpecho locate`.

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  udpecho locate http://n1:9476 http://n2:9476 http://n3:9476
  udpecho locate n1.json n2.json n3.json
  udpecho locate --json n*.json

A report is the output of watch --json, or the page of a running watch. The
hosts that watch each other have the names that they use for themselves; the
labels rack and zone of a watch let whole racks and links be named.

Exit codes: 0 nothing stands out; 2 a report cannot be read; 3 a fault was
found.")]
pub struct Locate {
    /// Reports of monitors: files, or addresses of pages as http://HOST:PORT
    #[arg(value_name = "REPORT", required = true)]
    pub reports: Vec<String>,
    /// Print a JSON object instead of sentences; udpecho schema locate describes it
    #[arg(long)]
    pub json: bool,
}
