//! The arguments of `udpecho ping --find-rate`.

use clap::{Args, ValueEnum};

use crate::units::{BitRate, ByteSize, Interval};

const RATE: &str = "Rate";

/// How the path is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Load {
    /// By probes that the server sends back whole: the rate of the slower direction.
    Echo,
}

#[derive(Debug, Args)]
pub struct FindRate {
    /// Find the rate that the path carries, and what load does to delay: echo loads both directions at once, against
    /// any server that echoes, and finds the rate of the slower one
    #[arg(help_heading = RATE, long, value_name = "HOW", require_equals = true, conflicts_with_all = NOT_WITH_IT)]
    pub find_rate: Option<Load>,
    /// The queue to hold while the rate is measured
    #[arg(help_heading = RATE, long, value_name = "TIME", requires = "find_rate", default_value = "10ms")]
    pub target_queue: Interval,
    /// Load the path with no more than this
    #[arg(help_heading = RATE, long, value_name = "RATE", requires = "find_rate", default_value = "1Gbit")]
    pub max_rate: BitRate,
    /// A longer queue ends the final push at once
    #[arg(help_heading = RATE, long, value_name = "TIME", requires = "find_rate", default_value = "1s")]
    pub max_queue: Interval,
    /// Receive no more than this in all
    #[arg(help_heading = RATE, long, value_name = "BYTES", requires = "find_rate", default_value = "2G")]
    pub max_bytes: ByteSize,
    /// Exit with 3 if the rate is lower
    #[arg(help_heading = RATE, long, value_name = "RATE", requires = "find_rate")]
    pub fail_rate: Option<BitRate>,
    /// Exit with 3 if the final push makes the other flow wait longer, in the mean of its delays
    #[arg(help_heading = RATE, long, value_name = "TIME", requires = "find_rate")]
    pub fail_queue: Option<Interval>,
}

/// A search has no schedule, no deadline and no views of its own.
const NOT_WITH_IT: [&str; 24] = [
    "count",
    "interval",
    "rate",
    "decay",
    "poisson",
    "deadline",
    "total",
    "fragment",
    "text",
    "plain",
    "stamp",
    "twamp",
    "irtt",
    "impair",
    "wait",
    "stop_server",
    "every",
    "outstanding",
    "flood",
    "tui",
    "http",
    "json_stream",
    "csv",
    "fail_loss",
];

impl FindRate {
    /// Bytes of UDP payload, unless others are asked for: whole packets of most paths.
    pub const SIZE: u64 = 1_200;
    pub const OTHER_SIZE: u32 = 80;
}
