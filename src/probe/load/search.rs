//! The settings of a load test, and its results.

use crate::probe::rate_search::{self, PhaseName, RateResult, Report};
use crate::probe::settings::Dialect;
use crate::rng::Seed;
use crate::time::Duration;
use crate::wire::auth::Key;

/// The settings of a load test.
#[derive(Clone, Debug)]
pub struct LoadSettings {
    /// Native, or plain for any echo.
    pub dialect: Dialect,
    /// The searches, one after the other.
    pub ways: Vec<Way>,
    /// The settings of each search; the bytes are those of all searches together.
    pub search: rate_search::Settings,
    /// Bytes of UDP payload of a packet of the load, and of a probe beside it.
    pub size: u32,
    /// The same of a probe of the other flow.
    pub other_size: u32,
    /// Of nonces and tokens.
    pub seed: Seed,
    /// Seals every datagram.
    pub key: Option<Key>,
}

/// The directions that one search loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Both at once.
    Echo,
    /// Client to server.
    Up,
    /// Server to client.
    Down,
}

impl Way {
    /// As files and lines name it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// One report, as `rate.csv` has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateRow {
    /// From the start of the test.
    pub at: Duration,
    /// Of which search.
    pub way: Way,
    /// The phase in which the packets were sent.
    pub phase: PhaseName,
    /// Bits a second that were asked for until this report.
    pub asked: f64,
    /// The packets that arrived.
    pub report: Report,
    /// The delay of the idle path, which has the same unknown offset as those of the report.
    pub base: Duration,
    /// The median delay of the other flow since the row before, above the idle path's.
    pub other_p50: Option<Duration>,
}

/// The result of one search.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Of which search.
    pub way: Way,
    /// The rate, the delays and the signs.
    pub result: RateResult,
    /// The search's own settings, whose rate the server may have limited.
    pub settings: rate_search::Settings,
}
