//! A mapping: its settings, and what its flows share.

use std::net::IpAddr;
use std::sync::Arc;

use super::counters::Tally;
use super::lines::ClientLines;
use super::nat::Nat;
use super::replay::Replay;
use super::scenario::RelayScenario;
use super::toxic::Toxic;
use crate::endpoints::Network;
use crate::impair::{Bottleneck, Impairment};
use crate::rng::{Seed, Stream};
use crate::time::Instant;

/// One listening address and the server behind it.
#[derive(Clone, Debug)]
pub struct MappingSettings {
    /// Enters the random draws.
    pub name: String,
    /// Toward the server.
    pub up: Arc<Impairment>,
    /// Toward the clients.
    pub down: Arc<Impairment>,
    /// Of all draws of the mapping.
    pub seed: Seed,
    /// Whether the flows share a bottleneck.
    pub scope: Scope,
    /// The first network that contains a client's address decides.
    pub clients: Arc<[ClientLines]>,
    /// Changes to the impairments of some flows, in the order in which they were added.
    pub toxics: Vec<Toxic>,
    /// Between the relay and the server.
    pub nat: Nat,
    /// Clients that may use the mapping, and are trusted not to be spoofed; empty for all.
    pub allow: Arc<[Network]>,
    /// Fates of an earlier run, which come before all impairments.
    pub replay: Option<Arc<Replay>>,
    /// Lines and outages that change over time, instead of `up` and `down`.
    pub scenario: Option<Arc<RelayScenario>>,
}

impl MappingSettings {
    /// Whether a mapping may have this name: it stands in files, paths and labels as it is.
    pub fn is_name(name: &str) -> bool {
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, ',' | '"' | '\'' | '/' | '\\');
        (1..=64).contains(&name.len()) && name.chars().all(plain)
    }

    /// The same for all clients.
    pub fn new(name: String, up: Arc<Impairment>, down: Arc<Impairment>, seed: Seed) -> Self {
        Self {
            name,
            up,
            down,
            seed,
            scope: Scope::Mapping,
            clients: Arc::default(),
            toxics: Vec::new(),
            nat: Nat::default(),
            allow: Arc::default(),
            replay: None,
            scenario: None,
        }
    }

    /// A host trusts itself.
    pub(super) fn trusts(&self, client: IpAddr) -> bool {
        self.allow.is_empty()
            || client.to_canonical().is_loopback()
            || self.allow.iter().any(|network| network.contains(client))
    }
}

/// Whether the flows of a mapping share its bottleneck and its counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// They share one bottleneck per direction and one count of datagrams.
    #[default]
    Mapping,
    /// Each flow has its own.
    Flow,
}

pub(crate) type MappingId = usize;

/// A mapping and what its flows share.
#[derive(Debug)]
pub(super) struct Mapping {
    pub(super) settings: MappingSettings,
    /// Up, then down.
    pub(super) lanes: [Lane; 2],
    pub(super) flows_opened: u64,
    pub(super) is_down: bool,
    /// When its first datagram came.
    pub(super) began: Option<Instant>,
    /// Of the outages that its flows share.
    pub(super) outage_seed: Seed,
    /// A step of the scenario has closed the port.
    pub(super) scene_down: bool,
}

/// The state that the flows of a mapping share in one direction.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) bottleneck: Bottleneck,
    /// Datagrams that the models act on: `nth`, `bursts` and `trace` count them.
    pub(super) chosen: u64,
    pub(super) tally: Tally,
    /// The end of an outage.
    pub(super) dark_until: Instant,
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            bottleneck: Bottleneck::default(),
            chosen: 0,
            tally: Tally::default(),
            dark_until: Instant::from_nanos(i64::MIN),
        }
    }
}

impl Mapping {
    pub(super) fn new(settings: MappingSettings) -> Self {
        let outage_seed = Stream::new(settings.seed, &format!("outages of {}", settings.name)).seed(0);
        Self {
            settings,
            lanes: Default::default(),
            flows_opened: 0,
            is_down: false,
            began: None,
            outage_seed,
            scene_down: false,
        }
    }
}
