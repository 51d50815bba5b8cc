//! One direction of a path with a shared bottleneck, and how it treats the loaded flow.

use super::others::{Others, Source};
use crate::impair::{Bottleneck, Direction, Impairment, Link, RateLimit};
use crate::rng::Seed;
use crate::time::{Duration, Instant};

/// A path as a table of cases writes it.
#[derive(Clone, Debug)]
pub struct RatePath {
    /// `rate=10Mbit,queue=64k loss=1%`; loss comes before the bottleneck, delay behind it.
    pub line: String,
    /// Without queues.
    pub rtt: Duration,
    /// They share the bottleneck.
    pub others: Vec<Others>,
    /// Changes on the way, by their time from the start of the search.
    pub changes: Vec<(Duration, Change)>,
    /// Packets arrive together at multiples of this, as Wi-Fi aggregates them.
    pub aggregate: Option<Duration>,
    /// Share of the reports that are lost, and how much later than the others one may come.
    pub feedback_loss: f64,
    /// Uniform, from zero.
    pub feedback_jitter: Duration,
    /// The mean lateness of the sender, exponential.
    pub lateness: Duration,
}

/// A change of the path or of the sender.
#[derive(Clone, Debug)]
pub enum Change {
    /// Another line from now on.
    Line(String),
    /// The propagation delay changes by this.
    Delay(Duration),
    /// The client's host sleeps for so long.
    Asleep(Duration),
}

impl RatePath {
    /// Nobody else, 20 ms of round trip.
    pub fn new(line: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            rtt: Duration::from_millis(20),
            others: Vec::new(),
            changes: Vec::new(),
            aggregate: None,
            feedback_loss: 0.0,
            feedback_jitter: Duration::ZERO,
            lateness: Duration::ZERO,
        }
    }
}

/// The flow that is measured, and the one beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Own,
    Other,
}

/// A path under way.
pub(super) struct Running {
    limit: RateLimit,
    bottleneck: Bottleneck,
    own: Link,
    other: Link,
    others: Vec<Source>,
    propagation: Duration,
    aggregate: Option<Duration>,
    sent: u64,
    probes: u64,
}

impl Running {
    pub(super) fn new(path: &RatePath, seed: Seed, start: Instant) -> Self {
        let impairment: Impairment = path.line.parse().expect("the line of a path");
        let sources = path.others.iter().zip(100..);
        Self {
            limit: impairment.rate.expect("a path has a rate"),
            bottleneck: Bottleneck::default(),
            own: Link::new(impairment.clone(), Direction::Up, seed),
            other: Link::new(impairment, Direction::Up, seed + 1),
            others: sources.map(|(others, flow)| Source::new(*others, flow, seed, start)).collect(),
            propagation: path.rtt / 2,
            aggregate: path.aggregate,
            sent: 0,
            probes: 0,
        }
    }

    pub(super) fn change(&mut self, change: &Change) {
        match change {
            Change::Line(line) => {
                let impairment: Impairment = line.parse().expect("the line of a path");
                self.limit = impairment.rate.expect("a path has a rate");
                let impairment = std::sync::Arc::new(impairment);
                self.own.set_impairment(std::sync::Arc::clone(&impairment));
                self.other.set_impairment(impairment);
            }
            Change::Delay(by) => self.propagation += *by,
            Change::Asleep(_) => {}
        }
    }

    /// When a packet that is sent now arrives, and how long it waited; nothing if it is lost.
    pub(super) fn pass(&mut self, flow: Flow, now: Instant, bytes: usize) -> Option<(Instant, Duration)> {
        self.let_others_send(now);
        let (link, seq) = match flow {
            Flow::Own => (&mut self.own, &mut self.sent),
            Flow::Other => (&mut self.other, &mut self.probes),
        };
        let treatment = link.admit(&mut self.bottleneck, now, *seq, bytes);
        *seq += 1;
        if treatment.dropped.is_some() {
            return None;
        }
        let leaves = match self.aggregate {
            Some(span) => {
                Instant::ZERO
                    + span * ((now + treatment.hold - Instant::ZERO).as_nanos() / span.as_nanos() + 1)
            }
            None => now + treatment.hold,
        };
        Some((leaves + self.propagation, treatment.hold))
    }

    /// Bits a second of the link now.
    pub(super) fn capacity(&self) -> f64 {
        self.limit.bits_per_second()
    }

    /// Bytes of others that have passed until now.
    pub(super) fn passed_by_others(&mut self, now: Instant) -> u64 {
        self.let_others_send(now);
        self.others.iter().map(Source::passed).sum()
    }

    fn let_others_send(&mut self, now: Instant) {
        while let Some(source) = self.others.iter_mut().min_by_key(|source| source.next())
            && source.next() <= now
        {
            source.step(&mut self.bottleneck, self.limit);
        }
    }
}
