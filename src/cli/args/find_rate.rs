//! The arguments of `udpecho ping --find-rate` and `--load`.

use std::str::FromStr;

use clap::{Args, ValueEnum};

use crate::units::{BitRate, ByteSize, Interval, UnitError};

const RATE: &str = "Rate";

/// How the path is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HowToLoad {
    /// Up, then down, with a server that grants load.
    Each,
    /// Client to server only.
    Up,
    /// Server to client only.
    Down,
    /// Both at once by probes that the server sends back whole: the rate of the slower direction.
    Echo,
}

/// A steady load: `10Mbit`, `10Mbit,up`, `10Mbit,down`, `10Mbit,both`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SteadyRate {
    /// In each direction.
    pub rate: BitRate,
    pub up: bool,
    pub down: bool,
}

impl SteadyRate {
    /// Two packets a second: a server and its client notice each other's end by their silence.
    const LEAST: u64 = 25_000;
}

impl FromStr for SteadyRate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (rate, ways) = text.split_once(',').unwrap_or((text, "both"));
        let (up, down) = match ways.trim() {
            "up" => (true, false),
            "down" => (false, true),
            "both" => (true, true),
            _ => return Err(UnitError::new("the direction must be up, down or both", "10Mbit,down")),
        };
        let rate: BitRate = rate.parse()?;
        if rate.get() < Self::LEAST {
            return Err(UnitError::new("a load has 25kbit at least", "10Mbit,down"));
        }
        Ok(Self { rate, up, down })
    }
}

#[derive(Debug, Args)]
pub struct FindRate {
    /// Find the rate that the path carries, and what load does to delay: each direction by itself with a server that
    /// grants load (serve --load), or only up or down. echo loads both directions at once, against any server that
    /// echoes, and finds the rate of the slower one [default: each]
    #[arg(help_heading = RATE, long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "each", conflicts_with_all = NOT_WITH_IT)]
    pub find_rate: Option<HowToLoad>,
    /// The queue to hold while the rate is measured
    #[arg(help_heading = RATE, long, value_name = "TIME", requires = "find_rate", default_value = "10ms")]
    pub target_queue: Interval,
    /// Load the path with no more than this
    #[arg(help_heading = RATE, long, value_name = "RATE", requires = "find_rate", default_value = "1Gbit")]
    pub max_rate: BitRate,
    /// A longer queue ends the final push at once
    #[arg(help_heading = RATE, long, value_name = "TIME", requires = "find_rate", default_value = "1s")]
    pub max_queue: Interval,
    /// Spend no more than this in all
    #[arg(help_heading = RATE, long, value_name = "BYTES", requires = "find_rate", default_value = "2G")]
    pub max_bytes: ByteSize,
    /// Exit with 3 if the rate of a direction is lower
    #[arg(help_heading = RATE, long, value_name = "RATE", requires = "find_rate")]
    pub fail_rate: Option<BitRate>,
    /// Exit with 3 if the final push makes the other flow wait longer, in the mean of its delays
    #[arg(help_heading = RATE, long, value_name = "TIME", requires = "find_rate")]
    pub fail_queue: Option<Interval>,
    /// Load the path steadily beside the probes, which then show the latency under load: RATE, or RATE with the
    /// direction, as in 10Mbit,down; the server must grant it (serve --load) [default direction: both]
    #[arg(help_heading = RATE, long, value_name = "RATE[,up|down|both]", conflicts_with_all = ["find_rate", "text", "plain", "stamp", "twamp", "irtt"])]
    pub load: Option<SteadyRate>,
    /// Begin the load so long after the probes, so that the run shows the path before it, too
    #[arg(help_heading = RATE, long, value_name = "TIME", requires = "load")]
    pub load_after: Option<Interval>,
    /// End the load after this time, before the probes [default: with the probes]
    #[arg(help_heading = RATE, long, value_name = "TIME", requires = "load")]
    pub load_for: Option<Interval>,
}

/// A search has no schedule, no deadline and no views of its own.
const NOT_WITH_IT: [&str; 23] = [
    "count",
    "interval",
    "rate",
    "decay",
    "poisson",
    "deadline",
    "total",
    "fragment",
    "text",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_load_has_a_rate_and_perhaps_a_direction() {
        for (text, rate, up, down) in [
            ("10Mbit", 10_000_000, true, true),
            ("25kbit,up", 25_000, true, false),
            ("1Gbit,down", 1_000_000_000, false, true),
            ("5M, both", 5_000_000, true, true),
        ] {
            let steady = SteadyRate { rate: BitRate::new(rate).unwrap(), up, down };
            assert_eq!(text.parse(), Ok(steady), "{text}");
        }
        for text in ["", "10Mbit,sideways", "0,up", ",up", "fast", "24999bit"] {
            assert!(text.parse::<SteadyRate>().is_err(), "{text}");
        }
    }
}
