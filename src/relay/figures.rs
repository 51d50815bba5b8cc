//! A relay at one moment: what interfaces and records show of it.

use std::net::SocketAddr;

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeStruct, Serializer};

use super::{Counters, DropCause, MappingSettings, Tally};
use crate::impair::Impairment;
use crate::rng::Seed;
use crate::time::Duration;

/// A relay at one moment.
#[derive(Clone, Debug, Default)]
pub struct RelayFigures {
    /// Since the relay was made.
    pub elapsed: Duration,
    /// In the order in which they were added; those that were removed are at their places.
    pub mappings: Vec<MappingFigures>,
    /// Held datagrams take this memory.
    pub held_bytes: usize,
    /// How late held datagrams leave.
    pub release_error: ReleaseError,
}

/// One mapping at one moment.
#[derive(Clone, Debug)]
pub struct MappingFigures {
    /// The settings in effect.
    pub settings: MappingSettings,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The server behind it, as it was named.
    pub server: String,
    /// The server's address.
    pub upstream: SocketAddr,
    /// Its listening socket is closed.
    pub is_down: bool,
    /// It is no more; its counters stay.
    pub is_removed: bool,
    /// Its datagrams by fate.
    pub counters: Counters,
    /// How long a datagram that arrives now waits at the bottleneck: up, down.
    pub queues: [Duration; 2],
}

/// How much later than due held datagrams were sent; all zero before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReleaseError {
    /// Datagrams that were held.
    pub count: u64,
    /// Half of them were later.
    pub p50: Duration,
    /// One in a hundred was later.
    pub p99: Duration,
    /// The latest.
    pub max: Duration,
}

impl Serialize for RelayFigures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("RelayFigures", 4)?;
        fields.serialize_field("elapsed_us", &self.elapsed.as_micros_f64())?;
        fields.serialize_field("held_bytes", &self.held_bytes)?;
        fields.serialize_field("release_error_us", &self.release_error)?;
        fields.serialize_field("mappings", &self.mappings)?;
        fields.end()
    }
}

impl Serialize for MappingFigures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { settings, counters, queues, .. } = self;
        let direction = |line: &Impairment, tally, queue: Duration| DirectionView {
            line: line.to_string(),
            tally,
            queue_us: queue.as_micros_f64(),
        };
        let view = MappingView {
            name: &settings.name,
            listen: self.listen,
            to: &self.server,
            address: self.upstream,
            state: match (self.is_removed, self.is_down) {
                (true, _) => "removed",
                (false, true) => "down",
                (false, false) => "up",
            },
            seed: settings.seed,
            flows: counters.flows,
            flows_opened: counters.flows_opened,
            up: direction(&settings.up, &counters.up, queues[0]),
            down: direction(&settings.down, &counters.down, queues[1]),
            nat: settings.nat.to_string(),
            toxics: settings.toxics.iter().map(|toxic| toxic.name.as_str()).collect(),
        };
        view.serialize(serializer)
    }
}

#[derive(Serialize)]
struct MappingView<'a> {
    name: &'a str,
    listen: SocketAddr,
    to: &'a str,
    address: SocketAddr,
    state: &'static str,
    seed: Seed,
    flows: u64,
    flows_opened: u64,
    up: DirectionView<'a>,
    down: DirectionView<'a>,
    nat: String,
    toxics: Vec<&'a str>,
}

#[derive(Serialize)]
struct DirectionView<'a> {
    line: String,
    #[serde(flatten)]
    tally: &'a Tally,
    /// How long a datagram that arrives now waits at the bottleneck.
    queue_us: f64,
}

/// The counts of one direction, the dropped ones by cause: every cause is there.
impl Serialize for Tally {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Tally", 12)?;
        fields.serialize_field("arrived", &self.arrived)?;
        fields.serialize_field("arrived_bytes", &self.arrived_bytes)?;
        fields.serialize_field("passed", &self.passed)?;
        fields.serialize_field("passed_bytes", &self.passed_bytes)?;
        fields.serialize_field("dropped", &Dropped(self))?;
        fields.serialize_field("send_errors", &self.send_errors)?;
        fields.serialize_field("held", &self.held)?;
        fields.serialize_field("copies", &self.copies)?;
        fields.serialize_field("marked", &self.marked)?;
        fields.serialize_field("rebound", &self.rebound)?;
        fields.serialize_field("refused", &self.refused)?;
        fields.serialize_field("overflows", &self.overflows)?;
        fields.end()
    }
}

struct Dropped<'a>(&'a Tally);

impl Serialize for Dropped<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(Some(DropCause::ALL.len()))?;
        for cause in DropCause::ALL {
            fields.serialize_entry(cause.label(), &self.0.dropped(cause))?;
        }
        fields.end()
    }
}

/// Microseconds; `null` without a held datagram.
impl Serialize for ReleaseError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let micros = |time: Duration| (self.count > 0).then(|| time.as_micros_f64());
        let mut fields = serializer.serialize_struct("ReleaseError", 4)?;
        fields.serialize_field("count", &self.count)?;
        fields.serialize_field("p50", &micros(self.p50))?;
        fields.serialize_field("p99", &micros(self.p99))?;
        fields.serialize_field("max", &micros(self.max))?;
        fields.end()
    }
}
