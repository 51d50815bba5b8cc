//! The flows of a relay: one per client address and mapping, each with its links and its numbering.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use super::lines::Line;
use super::mapping::{MappingId, MappingSettings};
use super::nat::NatState;
use super::scenario::Visit;
use crate::endpoints::Endpoints;
use crate::impair::{Bottleneck, Direction, Impairment, Link};
use crate::meter::Meter;
use crate::rng::Stream;
use crate::time::{Duration, Instant};

/// Names a flow for as long as the relay runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId {
    /// Of all flows.
    number: u64,
    ordinal: u64,
}

impl FlowId {
    /// Unique among the flows of all mappings.
    pub const fn number(self) -> u64 {
        self.number
    }

    /// In its mapping, from 0: the same in each run in which clients come in the same order.
    pub const fn ordinal(self) -> u64 {
        self.ordinal
    }

    const fn before(number: u64) -> Self {
        Self { number, ordinal: 0 }
    }
}

/// Bounds on what clients can make a relay spend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Open at once.
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
    /// Those that the models act on, by which `nth`, `bursts` and `trace` count.
    pub(super) chosen: [u64; 2],
    /// The line was set for this flow alone.
    pub(super) is_own: [bool; 2],
    /// The step of a scenario that it is in.
    pub(super) visit: Option<Visit>,
    /// Its lines are those of that step.
    pub(super) has_its_lines: bool,
    ordinal: u64,
    most_bytes: [Option<u64>; 2],
    /// When each direction has the flow closed.
    forget_at: [Option<Instant>; 2],
    pub(super) nat: NatState,
    datagrams: [u64; 2],
    /// Arrived.
    bytes: [u64; 2],
    bytes_to_client: u64,
    /// The client sent something after an answer was sent to it.
    verified: bool,
    answered: bool,
    pub(super) opened: Instant,
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
        let lines = [Direction::Up, Direction::Down]
            .map(|direction| settings.line(settings.own_line(direction), &client, ordinal, direction));
        let link = |line: &Line, direction| Link::new(Arc::clone(&line.impairment), direction, seed);
        Self {
            mapping,
            client,
            links: [link(&lines[0], Direction::Up), link(&lines[1], Direction::Down)],
            bottlenecks: Default::default(),
            chosen: [0; 2],
            is_own: [false; 2],
            visit: None,
            has_its_lines: false,
            ordinal,
            most_bytes: lines.each_ref().map(|line| line.most_bytes),
            forget_at: lines.each_ref().map(|line| line.forget_after.map(|after| now + after)),
            nat: NatState::new(settings.nat.clone(), now),
            datagrams: [0; 2],
            bytes: [0; 2],
            bytes_to_client: 0,
            verified: false,
            answered: false,
            opened: now,
            last: now,
        }
    }

    /// From now on this direction meets another line.
    pub(super) fn set_line(&mut self, now: Instant, direction: Direction, line: Line) {
        let at = direction.index();
        if *self.links[at].impairment() != line.impairment {
            self.links[at].set_impairment(line.impairment);
        }
        self.most_bytes[at] = line.most_bytes;
        let due = line.forget_after.map(|after| self.opened.max(now) + after);
        // A toxic that changes another part does not start this time anew.
        self.forget_at[at] = due.map(|due| self.forget_at[at].unwrap_or(due).min(due));
    }

    /// Whether this direction has passed all the bytes that it may.
    pub(super) fn is_cut(&self, direction: Direction) -> bool {
        self.most_bytes[direction.index()].is_some_and(|most| self.bytes[direction.index()] > most)
    }

    fn forget_at(&self) -> Option<Instant> {
        self.forget_at.into_iter().flatten().min()
    }

    pub(super) fn figures(&self, now: Instant, id: FlowId) -> FlowFigures {
        let direction = |at: usize| FlowDirection {
            impairment: Arc::clone(self.links[at].impairment()),
            is_own: self.is_own[at],
            datagrams: self.datagrams[at],
            bytes: self.bytes[at],
        };
        FlowFigures {
            id,
            mapping: self.mapping,
            client: self.client,
            directions: [direction(0), direction(1)],
            answered: self.answered,
            age: now - self.opened,
            idle: now - self.last,
        }
    }

    /// Notes a datagram and gives its number in this flow and direction.
    pub(super) fn count(&mut self, now: Instant, direction: Direction, bytes: usize) -> u64 {
        self.last = self.last.max(now);
        if direction == Direction::Up {
            self.verified |= self.answered;
        }
        self.bytes[direction.index()] += bytes as u64;
        let datagrams = &mut self.datagrams[direction.index()];
        *datagrams += 1;
        *datagrams - 1
    }

    /// Whether so many bytes may go to the client; if so they count.
    pub(super) fn may_answer(&mut self, amplification: bool, bytes: usize) -> bool {
        let after = self.bytes_to_client + bytes as u64;
        let allowed = amplification || self.verified || after <= self.bytes[Direction::Up.index()];
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

/// A flow as it is now.
#[derive(Clone, Debug)]
pub struct FlowFigures {
    /// Its name.
    pub id: FlowId,
    /// Where its client sends to.
    pub mapping: MappingId,
    /// Its address, and the one that it asked.
    pub client: Endpoints,
    /// Up, then down.
    pub directions: [FlowDirection; 2],
    /// A datagram of the server was sent to the client.
    pub answered: bool,
    /// Since it was opened.
    pub age: Duration,
    /// Since its last datagram.
    pub idle: Duration,
}

/// One direction of a flow.
#[derive(Clone, Debug)]
pub struct FlowDirection {
    /// What is in effect.
    pub impairment: Arc<Impairment>,
    /// The line was set for this flow alone.
    pub is_own: bool,
    /// Arrived.
    pub datagrams: u64,
    /// Payload that arrived.
    pub bytes: u64,
}

/// No room for a new flow.
#[derive(Debug)]
pub(super) struct Refusal;

#[derive(Debug)]
pub(super) struct Flows {
    by_id: BTreeMap<FlowId, Flow>,
    by_client: HashMap<(MappingId, Endpoints), FlowId>,
    /// New flows of each source network.
    sources: HashMap<IpAddr, Meter>,
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

    pub(super) fn ids_of(&self, mapping: MappingId) -> impl Iterator<Item = FlowId> {
        self.by_id.iter().filter(move |(_, flow)| flow.mapping == mapping).map(|(id, _)| *id)
    }

    pub(super) fn count(&self) -> usize {
        self.by_id.len()
    }

    /// Those with this number or a greater one.
    pub(super) fn from(&self, number: u64) -> impl Iterator<Item = (FlowId, &Flow)> {
        self.by_id.range(FlowId::before(number)..).map(|(id, flow)| (*id, flow))
    }

    /// The flows of a mapping meet what its settings say now, except for those with lines of their own.
    pub(super) fn follow(&mut self, now: Instant, mapping: MappingId, settings: &MappingSettings) {
        for flow in self.by_id.values_mut().filter(|flow| flow.mapping == mapping) {
            flow.has_its_lines = false;
            if settings.scenario.is_none() {
                flow.nat.set(&settings.nat, now);
            }
            for direction in [Direction::Up, Direction::Down] {
                if !flow.is_own[direction.index()] {
                    let own = settings.own_line(direction);
                    let line = settings.line(own, &flow.client, flow.ordinal, direction);
                    flow.set_line(now, direction, line);
                }
            }
            self.next_sweep = flow.forget_at().unwrap_or(self.next_sweep).min(self.next_sweep);
        }
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
        let id = FlowId { number: self.next, ordinal: flow.ordinal };
        self.next += 1;
        self.next_sweep = flow.forget_at().unwrap_or(self.next_sweep).min(self.next_sweep);
        self.by_client.insert((flow.mapping, flow.client), id);
        self.by_id.insert(id, flow);
        id
    }

    pub(super) fn next_expiry(&self) -> Option<Instant> {
        (!self.by_id.is_empty()).then_some(self.next_sweep)
    }

    /// Removes those that have been idle for too long, about once a second, and those whose time is over.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<(FlowId, MappingId)> {
        if now < self.next_sweep {
            return Vec::new();
        }
        let next = self.by_id.values().filter_map(Flow::forget_at).filter(|at| *at > now).min();
        self.next_sweep = next.unwrap_or(Instant::FAR_FUTURE).min(now + Self::SWEEP);
        self.sources.retain(|_, meter| !meter.is_idle(now));
        let Limits { idle, idle_unanswered, .. } = self.limits;
        let is_idle = |flow: &Flow| {
            now - flow.last >= if flow.answered { idle } else { idle_unanswered }
                || flow.forget_at().is_some_and(|at| at <= now)
        };
        let idle: Vec<(FlowId, MappingId)> = self
            .by_id
            .iter()
            .filter(|(_, flow)| is_idle(flow))
            .map(|(id, flow)| (*id, flow.mapping))
            .collect();
        idle.iter().for_each(|(id, _)| self.remove(*id));
        idle
    }

    pub(super) fn remove(&mut self, id: FlowId) {
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
        self.sources.entry(network).or_default().admits(now, per_flow, burst)
    }
}

/// The /24 or /56 of an address.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(ip) => IpAddr::from((ip.to_bits() & !0xFF).to_be_bytes()),
        IpAddr::V6(ip) => IpAddr::from((ip.to_bits() >> 72 << 72).to_be_bytes()),
    }
}
