//! Traffic of others at a shared bottleneck.

use super::reno::{PACKET, Reno};
use crate::impair::{Bottleneck, RateLimit};
use crate::rng::{Seed, Stream};
use crate::time::{Duration, Instant};

/// The traffic of others; rates in bits a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Others {
    /// Evenly spaced packets.
    Steady(f64),
    /// Packets at random moments.
    Poisson(f64),
    /// Silent for a time, then twice the mean rate for as long.
    OnOff {
        /// Bits a second, the silence included.
        mean: f64,
        /// How long it is silent, and how long it sends.
        half_period: Duration,
    },
    /// A TCP flow with this round-trip time that always has data.
    Greedy {
        /// Without queues.
        rtt: Duration,
    },
}

/// One source under way.
#[derive(Debug)]
pub(super) struct Source {
    kind: Kind,
    flow: u64,
    passed: u64,
}

#[derive(Debug)]
enum Kind {
    Open { others: Others, next: Instant, draws: Stream, sent: u64, start: Instant },
    Greedy(Reno),
}

impl Source {
    pub(super) fn new(others: Others, flow: u64, seed: Seed, start: Instant) -> Self {
        let draws = Stream::new(seed, &format!("others {flow}"));
        let kind = match others {
            Others::Greedy { rtt } => Kind::Greedy(Reno::new(rtt, start)),
            // Sources do not all begin in step.
            _ => Kind::Open {
                others,
                next: start + Duration::from_millis(1).mul_f64(draws.unit(u64::MAX)),
                draws,
                sent: 0,
                start,
            },
        };
        Self { kind, flow, passed: 0 }
    }

    /// When it next sends.
    pub(super) fn next(&self) -> Instant {
        match &self.kind {
            Kind::Open { next, .. } => *next,
            Kind::Greedy(reno) => reno.next(),
        }
    }

    /// Bytes that passed the bottleneck.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    /// Sends what is due at `next`.
    pub(super) fn step(&mut self, bottleneck: &mut Bottleneck, limit: RateLimit) {
        let now = self.next();
        let flow = self.flow;
        let passed = match &mut self.kind {
            Kind::Open { others, next, draws, sent, start } => {
                *next = following(*others, now, *start, draws.unit(*sent));
                *sent += 1;
                bottleneck.pass(limit, flow, now, PACKET).is_some()
            }
            Kind::Greedy(reno) => reno.step(|bytes| bottleneck.pass(limit, flow, now, bytes)),
        };
        self.passed += if passed { PACKET as u64 } else { 0 };
    }
}

/// When the packet after this one leaves.
fn following(others: Others, now: Instant, start: Instant, draw: f64) -> Instant {
    let gap = |rate: f64| Duration::from_secs_f64(PACKET as f64 * 8.0 / rate);
    match others {
        Others::Steady(rate) => now + gap(rate),
        Others::Poisson(rate) => now + gap(rate).mul_f64(-(1.0 - draw).ln()),
        Others::OnOff { mean, half_period } => {
            let next = now + gap(2.0 * mean);
            let halves = (next - start).as_nanos() / half_period.as_nanos();
            // They send in the odd halves.
            if halves % 2 == 1 { next } else { start + half_period * (halves + 1) }
        }
        Others::Greedy { .. } => now,
    }
}
