//! The flows of a relay: one per client address and mapping, each with its links and its numbering.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use super::{MappingId, MappingSettings, index};
use crate::endpoints::Endpoints;
use crate::impair::{Bottleneck, Direction, Link};
use crate::rng::Stream;
use crate::time::{Duration, Instant};

/// Names a flow for as long as the relay runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub(super) u64);

impl FlowId {
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// Bounds on what clients can make a relay spend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    pub flows: usize,
    /// New flows a second of one source network (/24, /56), after a burst of twice as many; loopback has
    /// no such limit.
    pub new_flows_per_second: u32,
    /// A flow is closed after so long without a datagram.
    pub idle: Duration,
    /// The same for one that the server never answered.
    pub idle_unanswered: Duration,
    /// Held at once, of all flows, with what it costs to hold them.
    pub held_bytes: usize,
    /// Whether a client gets more bytes than it sent before it has shown that it receives.
    pub unverified_amplification: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            flows: 1024,
            new_flows_per_second: 100,
            idle: Duration::from_secs(300),
            idle_unanswered: Duration::from_secs(30),
            held_bytes: 64 << 20,
            unverified_amplification: true,
        }
    }
}

#[derive(Debug)]
pub(super) struct Flow {
    pub(super) mapping: MappingId,
    pub(super) client: Endpoints,
    /// Up, then down.
    pub(super) links: [Link; 2],
    pub(super) bottlenecks: [Bottleneck; 2],
    datagrams: [u64; 2],
    bytes_from_client: u64,
    bytes_to_client: u64,
    /// The client sent something after an answer was sent to it.
    verified: bool,
    answered: bool,
    last: Instant,
}

impl Flow {
    pub(super) fn new(
        now: Instant,
        mapping: MappingId,
        client: Endpoints,
        ordinal: u64,
        settings: &MappingSettings,
    ) -> Self {
        let draws = Stream::new(settings.seed, &format!("flow of {}", settings.name));
        let seed = rand::Rng::next_u64(&mut draws.at(ordinal));
        let link = |impairment: &Arc<_>, direction| Link::new(Arc::clone(impairment), direction, seed);
        Self {
            mapping,
            client,
            links: [link(&settings.up, Direction::Up), link(&settings.down, Direction::Down)],
            bottlenecks: Default::default(),
            datagrams: [0; 2],
            bytes_from_client: 0,
            bytes_to_client: 0,
            verified: false,
            answered: false,
            last: now,
        }
    }

    /// Notes a datagram and gives its number in this flow and direction.
    pub(super) fn count(&mut self, now: Instant, direction: Direction, bytes: usize) -> u64 {
        self.last = self.last.max(now);
        if direction == Direction::Up {
            self.verified |= self.answered;
            self.bytes_from_client += bytes as u64;
        }
        let datagrams = &mut self.datagrams[index(direction)];
        *datagrams += 1;
        *datagrams - 1
    }

    /// Whether so many bytes may go to the client; if so they count.
    pub(super) fn may_answer(&mut self, amplification: bool, bytes: usize) -> bool {
        let after = self.bytes_to_client + bytes as u64;
        let allowed = amplification || self.verified || after <= self.bytes_from_client;
        if allowed {
            self.bytes_to_client = after;
        }
        allowed
    }

    /// A datagram of the server was sent to the client.
    pub(super) fn note_answer(&mut self) {
        self.answered = true;
    }
}

/// No room for a new flow.
#[derive(Debug)]
pub(super) struct Refusal;

#[derive(Debug)]
pub(super) struct Flows {
    by_id: BTreeMap<FlowId, Flow>,
    by_client: HashMap<(MappingId, Endpoints), FlowId>,
    /// When each source network may open its next flow, by the generic cell rate algorithm.
    sources: HashMap<IpAddr, Instant>,
    next: u64,
    limits: Limits,
    next_sweep: Instant,
}

impl Flows {
    const SWEEP: Duration = Duration::from_secs(1);
    const SOURCES: usize = 65_536;

    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        Self {
            by_id: BTreeMap::new(),
            by_client: HashMap::default(),
            sources: HashMap::default(),
            next: 0,
            limits,
            next_sweep: now + Self::SWEEP,
        }
    }

    pub(super) fn find(&self, mapping: MappingId, client: Endpoints) -> Option<FlowId> {
        self.by_client.get(&(mapping, client)).copied()
    }

    pub(super) fn get(&self, flow: FlowId) -> Option<&Flow> {
        self.by_id.get(&flow)
    }

    pub(super) fn get_mut(&mut self, flow: FlowId) -> Option<&mut Flow> {
        self.by_id.get_mut(&flow)
    }

    pub(super) fn of_mapping(&self, mapping: MappingId) -> impl Iterator<Item = &Flow> {
        self.by_id.values().filter(move |flow| flow.mapping == mapping)
    }

    pub(super) fn of_mapping_mut(&mut self, mapping: MappingId) -> impl Iterator<Item = &mut Flow> {
        self.by_id.values_mut().filter(move |flow| flow.mapping == mapping)
    }

    /// Makes room for one more flow of this source: the longest unanswered one gives way, an answered one
    /// never does.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        source: IpAddr,
    ) -> Result<Option<(FlowId, MappingId)>, Refusal> {
        if !source.to_canonical().is_loopback() && !self.source_admits(now, source) {
            return Err(Refusal);
        }
        if self.by_id.len() < self.limits.flows {
            return Ok(None);
        }
        let unanswered = self.by_id.iter().filter(|(_, flow)| !flow.answered);
        let (&oldest, flow) = unanswered.min_by_key(|(id, flow)| (flow.last, **id)).ok_or(Refusal)?;
        let mapping = flow.mapping;
        self.remove(oldest);
        Ok(Some((oldest, mapping)))
    }

    pub(super) fn insert(&mut self, flow: Flow) -> FlowId {
        let id = FlowId(self.next);
        self.next += 1;
        self.by_client.insert((flow.mapping, flow.client), id);
        self.by_id.insert(id, flow);
        id
    }

    pub(super) fn next_expiry(&self) -> Option<Instant> {
        (!self.by_id.is_empty()).then_some(self.next_sweep)
    }

    /// Removes those that have been idle for too long, at most once a second.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<(FlowId, MappingId)> {
        if now < self.next_sweep {
            return Vec::new();
        }
        self.next_sweep = now + Self::SWEEP;
        self.sources.retain(|_, free_at| *free_at > now);
        let Limits { idle, idle_unanswered, .. } = self.limits;
        let is_idle = |flow: &Flow| now - flow.last >= if flow.answered { idle } else { idle_unanswered };
        let idle: Vec<(FlowId, MappingId)> = self
            .by_id
            .iter()
            .filter(|(_, flow)| is_idle(flow))
            .map(|(id, flow)| (*id, flow.mapping))
            .collect();
        idle.iter().for_each(|(id, _)| self.remove(*id));
        idle
    }

    fn remove(&mut self, id: FlowId) {
        if let Some(flow) = self.by_id.remove(&id) {
            self.by_client.remove(&(flow.mapping, flow.client));
        }
    }

    fn source_admits(&mut self, now: Instant, source: IpAddr) -> bool {
        let per_flow = Duration::from_secs(1) / i64::from(self.limits.new_flows_per_second.max(1));
        let burst = Duration::from_secs(2);
        let network = network(source);
        if self.sources.len() >= Self::SOURCES && !self.sources.contains_key(&network) {
            return false;
        }
        let free_at = self.sources.entry(network).or_insert(now);
        let next = (*free_at).max(now) + per_flow;
        let admitted = next - now <= burst;
        if admitted {
            *free_at = next;
        }
        admitted
    }
}

/// The /24 or /56 of an address.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(ip) => IpAddr::from((ip.to_bits() & !0xFF).to_be_bytes()),
        IpAddr::V6(ip) => IpAddr::from((ip.to_bits() >> 72 << 72).to_be_bytes()),
    }
}
