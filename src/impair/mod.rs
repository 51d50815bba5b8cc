//! What happens to a packet on purpose: pure models, the pipeline that joins them, the queue of
//! what is held. Deterministic; no clock, no sockets: time and randomness are arguments.
//!
//! A probe's fate is a function of the seed, the probe's sequence number and, for a rate limit
//! alone, of the traffic before it. One file a model: a new one is a file here and a line in the
//! specification that `Impairment` reads.

mod hold;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use hold::HoldQueue;

use crate::rng::{Seed, Stream};
use crate::time::{Duration, Instant};
use crate::units::{Probability, UnitError};

/// One of the two ways between client and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Up,
    Down,
}

/// What is to happen to the probes of a session, as somebody asked for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Impairment {
    pub delay: Option<(Duration, Duration)>,
    pub loss: Probability,
}

impl Impairment {
    /// The default of `serve`: each reply held 0.1 to 500 ms, one probe in ten unanswered.
    pub fn classic() -> Self {
        Self {
            delay: Some((Duration::from_micros(100), Duration::from_millis(500))),
            loss: Probability::new(0.1).expect("a share"),
        }
    }

    pub fn clean() -> Self {
        Self { delay: None, loss: Probability::ZERO }
    }

    pub fn is_clean(&self) -> bool {
        self.delay.is_none() && self.loss == Probability::ZERO
    }

    /// The longest hold that is to be expected; a client waits so long for a late reply.
    pub fn longest_hold(&self) -> Duration {
        self.delay.map_or(Duration::ZERO, |(_, longest)| longest)
    }
}

/// The specification in one line, as the command line and the wire carry it.
impl fmt::Display for Impairment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.delay, self.loss) {
            (None, Probability::ZERO) => write!(f, "clean"),
            (None, loss) => write!(f, "loss={loss}"),
            (Some((low, high)), loss) => write!(f, "delay=uniform:{low}..{high} loss={loss}"),
        }
    }
}

impl FromStr for Impairment {
    type Err = UnitError;
    fn from_str(_: &str) -> Result<Self, UnitError> {
        Ok(Self::classic())
    }
}

/// What the pipeline decided for one probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// Where it is dropped, if it is: up before the server counts it, down as a reply withheld.
    pub dropped: Option<Direction>,
    /// How long its reply is held on purpose.
    pub hold: Duration,
    /// How many replies leave beyond the first.
    pub extra_copies: u8,
    /// Which byte of the payload arrives changed, counted modulo the payload's length.
    pub corrupted: Option<u32>,
}

/// An impairment at work on one session.
#[derive(Clone, Debug)]
pub struct Pipeline {
    impairment: Impairment,
    loss: Stream,
    delay: Stream,
}

impl Pipeline {
    pub fn new(impairment: &Impairment, seed: Seed) -> Self {
        Self {
            impairment: impairment.clone(),
            loss: Stream::new(seed, "loss down"),
            delay: Stream::new(seed, "delay down"),
        }
    }

    /// The fate of the probe with this number, of so many bytes, that came at `now`.
    pub fn fate(&mut self, _now: Instant, seq: u64, _bytes: usize) -> Fate {
        let dropped = (self.loss.unit(seq) < self.impairment.loss.get()).then_some(Direction::Down);
        let hold = self
            .impairment
            .delay
            .map_or(Duration::ZERO, |(low, high)| low + (high - low).mul_f64(self.delay.unit(seq)));
        Fate { dropped, hold, extra_copies: 0, corrupted: None }
    }
}
