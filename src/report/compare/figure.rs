//! The figures that are compared: their names, in the table and in JSON, and their units.

use crate::probe::{Knows, ServerTime};
use crate::report::format::{bit_rate, milliseconds, milliseconds_bare, percent, percent_bare};
use crate::time::Duration;

/// All but `Throughput` are better when they are less.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    /// Lost or late, of what was sent.
    Loss,
    /// The same without what the server dropped by injection.
    Uninjected,
    /// The mean RTT. It needs fewer probes than a percentile to tell a gross change.
    Mean,
    /// A percentile of the RTT.
    Rtt(f64),
    /// The same without the time at the server.
    Net(f64),
    /// The mean absolute IPDV.
    Ipdv,
    /// Share of replies that were reordered (RFC 4737).
    Reordering,
    /// Follows from the loss and the schedule, so nothing is tested.
    Throughput,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Share,
    Time,
    BitRate,
}

impl Figure {
    pub(crate) const ALL: [Self; 12] = [
        Self::Loss,
        Self::Uninjected,
        Self::Mean,
        Self::Rtt(0.5),
        Self::Rtt(0.9),
        Self::Rtt(0.99),
        Self::Net(0.5),
        Self::Net(0.9),
        Self::Net(0.99),
        Self::Ipdv,
        Self::Reordering,
        Self::Throughput,
    ];

    pub(crate) fn is_tested(self) -> bool {
        self != Self::Throughput
    }

    /// Whether a run of which this is known has it.
    pub(crate) fn is_known(self, knows: Knows) -> bool {
        match self {
            Self::Uninjected => knows.injection,
            Self::Net(_) => knows.server_time != ServerTime::Unknown,
            _ => true,
        }
    }

    pub(crate) fn is_headline(self) -> bool {
        [Self::Loss, Self::Rtt(0.5), Self::Rtt(0.99)].contains(&self)
    }

    pub(crate) fn unit(self) -> Unit {
        match self {
            Self::Loss | Self::Uninjected | Self::Reordering => Unit::Share,
            Self::Mean | Self::Rtt(_) | Self::Net(_) | Self::Ipdv => Unit::Time,
            Self::Throughput => Unit::BitRate,
        }
    }

    pub(crate) fn name(self) -> String {
        match self {
            Self::Loss => "loss".to_owned(),
            Self::Uninjected => "not injected".to_owned(),
            Self::Mean => "RTT mean".to_owned(),
            Self::Rtt(p) => format!("RTT p{}", p * 100.0),
            Self::Net(p) => format!("network p{}", p * 100.0),
            Self::Ipdv => "mean |IPDV|".to_owned(),
            Self::Reordering => "reordered".to_owned(),
            Self::Throughput => "throughput".to_owned(),
        }
    }

    /// Its name in JSON.
    pub fn key(self) -> String {
        match self {
            Self::Uninjected => "loss_not_injected".to_owned(),
            Self::Ipdv => "mean_abs_ipdv".to_owned(),
            figure => figure.name().to_lowercase().replace(' ', "_"),
        }
    }

    /// A value with its unit.
    pub fn amount(self, value: f64) -> String {
        match self.unit() {
            Unit::Share => percent(value),
            Unit::BitRate => bit_rate(value),
            Unit::Time => milliseconds(time(value)),
        }
    }

    /// A difference with its sign and unit.
    pub fn more(self, difference: f64) -> String {
        match self.unit() {
            Unit::BitRate => format!("{}{}", sign(difference), bit_rate(difference.abs())),
            Unit::Share => format!("{} pts", self.more_bare(difference)),
            Unit::Time => format!("{} ms", self.more_bare(difference)),
        }
    }

    /// The same without its unit.
    pub fn more_bare(self, difference: f64) -> String {
        let size = match self.unit() {
            Unit::Share => percent_bare(difference.abs()),
            _ => milliseconds_bare(time(difference.abs())),
        };
        format!("{}{size}", sign(difference))
    }
}

/// A relative difference in words.
pub fn factor(relative: f64) -> String {
    match relative {
        r if r.abs() < 0.005 => "±0 %".to_owned(),
        r if r >= 1.0 => format!("{:.1} times as much", r + 1.0),
        r => format!("{:+.0} %", r * 100.0),
    }
}

fn sign(difference: f64) -> &'static str {
    if difference < 0.0 { "-" } else { "+" }
}

fn time(nanos: f64) -> Duration {
    Duration::from_nanos(nanos.round() as i64)
}
