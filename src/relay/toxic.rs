//! The toxics of Toxiproxy, as far as they make sense for datagrams: each changes a part of a line for a share of the
//! flows.

use std::sync::Arc;

use super::lines::Line;
use crate::impair::{Delay, Direction, Impairment, Loss, RateLimit, SpecError};
use crate::rng::{Seed, Stream};
use crate::time::Duration;

/// One toxic of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Toxic {
    /// Unique in its mapping.
    pub name: String,
    /// Toxiproxy calls it the stream.
    pub direction: Direction,
    /// Share of the flows that it changes.
    pub toxicity: f64,
    /// As it was requested.
    pub kind: ToxicKind,
    change: Change,
}

/// The type of a toxic and its attributes, in Toxiproxy's units.
#[derive(Clone, Debug, PartialEq)]
pub enum ToxicKind {
    /// Milliseconds.
    Latency {
        /// The mean delay.
        latency: u64,
        /// The delay is uniform between this much less and this much more.
        jitter: u64,
    },
    /// Kilobytes a second.
    Bandwidth {
        /// Zero passes nothing.
        rate: u64,
    },
    /// Nothing passes.
    Timeout {
        /// Milliseconds until the flow is closed; zero: never.
        timeout: u64,
    },
    /// Drops everything after the first bytes of a flow.
    LimitData {
        /// Payload in this direction.
        bytes: u64,
    },
    /// Datagrams are lost.
    PacketLoss {
        /// Probability.
        loss_rate: f64,
        /// Added to it after a loss.
        correlation: f64,
    },
    /// A whole line of udpecho.
    Line {
        /// As `--up` takes it.
        line: String,
    },
}

#[derive(Clone, Debug, PartialEq)]
enum Change {
    Delay(Delay),
    Loss(Loss),
    Rate(RateLimit),
    MostBytes(u64),
    Forget(Duration),
    Whole(Arc<Impairment>),
}

impl Toxic {
    /// Fails where no model has these numbers.
    pub fn new(
        name: String,
        direction: Direction,
        toxicity: f64,
        kind: ToxicKind,
    ) -> Result<Self, SpecError> {
        let change = kind.change()?;
        Ok(Self { name, direction, toxicity, kind, change })
    }

    /// Whether it changes the flow with this number: drawn once a flow, and the same however often it is changed.
    pub(super) fn takes(&self, seed: Seed, flow: u64) -> bool {
        Stream::new(seed, &format!("toxicity of {}", self.name)).unit(flow) < self.toxicity
    }

    pub(super) fn change(&self, line: &mut Line) {
        match &self.change {
            Change::Delay(delay) => Arc::make_mut(&mut line.impairment).delay = delay.clone(),
            Change::Loss(loss) => Arc::make_mut(&mut line.impairment).loss = loss.clone(),
            Change::Rate(rate) => Arc::make_mut(&mut line.impairment).rate = Some(*rate),
            Change::MostBytes(bytes) => line.most_bytes = Some(*bytes),
            Change::Forget(after) => (line.most_bytes, line.forget_after) = (Some(0), Some(*after)),
            Change::Whole(impairment) => line.impairment = Arc::clone(impairment),
        }
    }
}

impl ToxicKind {
    /// As Toxiproxy names it.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::Bandwidth { .. } => "bandwidth",
            Self::Timeout { .. } => "timeout",
            Self::LimitData { .. } => "limit_data",
            Self::PacketLoss { .. } => "packet_loss",
            Self::Line { .. } => "udpecho",
        }
    }

    fn change(&self) -> Result<Change, SpecError> {
        Ok(match *self {
            Self::Latency { latency, jitter: 0 } => Change::Delay(format!("constant:{latency}ms").parse()?),
            Self::Latency { latency, jitter } => {
                let (least, most) = (latency.saturating_sub(jitter), latency.saturating_add(jitter));
                Change::Delay(format!("uniform:{least}ms..{most}ms").parse()?)
            }
            Self::Bandwidth { rate: 0 } | Self::Timeout { timeout: 0 } => Change::MostBytes(0),
            Self::Bandwidth { rate } => Change::Rate(format!("{}kbit", rate.saturating_mul(8)).parse()?),
            Self::Timeout { timeout } => {
                Change::Forget(Duration::from_millis(i64::try_from(timeout).unwrap_or(i64::MAX)))
            }
            Self::LimitData { bytes } => Change::MostBytes(bytes),
            Self::PacketLoss { loss_rate, correlation: 0.0 } => {
                Change::Loss(loss_rate.clamp(0.0, 1.0).to_string().parse()?)
            }
            Self::PacketLoss { loss_rate, correlation } => {
                let lost = loss_rate.clamp(0.0, 1.0);
                let ends = 1.0 - (lost + correlation.clamp(0.0, 1.0)).min(1.0);
                Change::Loss(format!("gilbert:p={lost},r={ends}").parse()?)
            }
            Self::Line { ref line } => {
                let impairment: Impairment = line.parse()?;
                impairment.runnable()?;
                Change::Whole(Arc::new(impairment))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(kind: ToxicKind) -> Line {
        let toxic = Toxic::new("t".into(), Direction::Down, 1.0, kind).unwrap();
        let mut line = Line::from(Arc::new("delay=constant:1ms loss=1%".parse::<Impairment>().unwrap()));
        toxic.change(&mut line);
        line
    }

    #[test]
    fn each_toxic_replaces_its_part_of_the_line() {
        for (kind, line) in [
            (ToxicKind::Latency { latency: 100, jitter: 0 }, "delay=constant:100ms loss=1%"),
            (ToxicKind::Latency { latency: 100, jitter: 30 }, "delay=uniform:70ms..130ms loss=1%"),
            (ToxicKind::Latency { latency: 10, jitter: 30 }, "delay=uniform:0s..40ms loss=1%"),
            (ToxicKind::Bandwidth { rate: 125 }, "delay=constant:1ms loss=1% rate=1Mbit,queue=64000"),
            (ToxicKind::PacketLoss { loss_rate: 0.1, correlation: 0.0 }, "delay=constant:1ms loss=10%"),
            (
                ToxicKind::PacketLoss { loss_rate: 0.1, correlation: 0.5 },
                "delay=constant:1ms loss=gilbert:p=10%,r=40%",
            ),
            (ToxicKind::Line { line: "loss=nth:4".into() }, "loss=nth:4"),
        ] {
            assert_eq!(changed(kind).impairment.to_string(), line);
        }
        assert_eq!(changed(ToxicKind::LimitData { bytes: 9 }).most_bytes, Some(9));
        assert_eq!(changed(ToxicKind::Bandwidth { rate: 0 }).most_bytes, Some(0));
        let silent = changed(ToxicKind::Timeout { timeout: 500 });
        assert_eq!((silent.most_bytes, silent.forget_after), (Some(0), Some(Duration::from_millis(500))));
    }

    #[test]
    fn a_toxic_takes_the_same_share_of_the_flows_each_time() {
        let kind = ToxicKind::Timeout { timeout: 0 };
        let toxic = Toxic::new("t".into(), Direction::Up, 0.25, kind).unwrap();
        let taken: Vec<u64> = (0..4_000).filter(|flow| toxic.takes(7, *flow)).collect();
        assert!((900..1_100).contains(&taken.len()), "{}", taken.len());
        assert_eq!(taken, (0..4_000).filter(|flow| toxic.takes(7, *flow)).collect::<Vec<_>>());
        assert_ne!(taken, (0..4_000).filter(|flow| toxic.takes(8, *flow)).collect::<Vec<_>>());
    }
}
