//! The injection of a server.

use std::sync::Arc;

use crate::impair::{Impairment, Scenario, SessionLinks};
use crate::printable::printable;
use crate::rng::Seed;
use crate::time::{Duration, Instant};

/// The impairments of a server: the same all the time, or by a scenario.
#[derive(Clone, Debug)]
pub enum Injection {
    /// The same from start to end.
    Steady(Arc<Impairment>),
    /// It changes over time, counted from the server's start.
    Scenario(Scenario),
}

impl Injection {
    /// Impairments that do not change.
    pub fn steady(impairment: Impairment) -> Self {
        Self::Steady(impairment.into())
    }

    /// A copy whose reference count no other thread writes.
    pub(super) fn unshared(self) -> Self {
        match self {
            Self::Steady(impairment) => Self::steady(Impairment::clone(&impairment)),
            scenario @ Self::Scenario(_) => scenario,
        }
    }

    pub(super) fn notice(&self) -> ImpairNotice {
        match self {
            Self::Steady(impairment) => ImpairNotice::of(impairment),
            Self::Scenario(scenario) => ImpairNotice::of(&scenario.notice()),
        }
    }

    pub(super) fn links(&self, start: Instant, seed: Seed) -> SessionLinks {
        match self {
            Self::Steady(impairment) => SessionLinks::new(Arc::clone(impairment), seed),
            Self::Scenario(scenario) => SessionLinks::under_scenario(scenario, start, seed),
        }
    }
}

/// The notice to a client about the injection of its session.
#[derive(Clone, Debug)]
pub(super) struct ImpairNotice {
    /// In the form that `serve` takes.
    pub line: String,
    pub longest_hold: Duration,
}

impl ImpairNotice {
    pub(super) fn of(impairment: &Impairment) -> Self {
        Self {
            line: printable(&impairment.to_string()).into_owned(),
            longest_hold: impairment.longest_hold(),
        }
    }
}
