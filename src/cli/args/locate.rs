//! The arguments of `udpecho locate`.

use clap::Args;

use crate::units::Interval;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  udpecho locate http://n1:9476 http://n2:9476 http://n3:9476
  udpecho locate --during 30s http://n1:9476 http://n2:9476
  udpecho locate --prometheus http://localhost:9090 --last 5m
  udpecho locate n1.json n2.json n3.json
  udpecho locate --json n*.json

A report is the output of watch --json, or the page of a running watch. The
hosts that watch each other have the names that they use for themselves; the
labels rack and zone of a watch let whole racks and links be named. Of a page
the last two minutes count, of a file all that is in it.

Exit codes: 0 nothing stands out; 2 a report cannot be read; 3 a fault was
found.")]
pub struct Locate {
    /// Reports of monitors: files, or addresses of pages as http://HOST:PORT
    #[arg(value_name = "REPORT")]
    pub reports: Vec<String>,
    /// Judge what the pages count during this time, instead of the last two minutes
    #[arg(long, value_name = "TIME")]
    pub during: Option<Interval>,
    /// Ask a Prometheus that scrapes the monitors, instead of reading reports
    #[arg(long, value_name = "URL", conflicts_with_all = ["reports", "during"])]
    pub prometheus: Option<String>,
    /// Judge what Prometheus has of this time up to now
    #[arg(long, value_name = "TIME", default_value = "2m", requires = "prometheus")]
    pub last: Interval,
    /// Print a JSON object instead of sentences; udpecho schema locate describes it
    #[arg(long)]
    pub json: bool,
}
