//! The flows of a relay by client and by number, how many there may be, and when each ends. A datagram, a new flow and
//! an expiry cost the logarithm of their number; a change of settings goes through all.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::flow::{Flow, FlowId};
use super::mapping::{MappingId, MappingSettings};
use super::sources::Sources;
use crate::endpoints::Endpoints;
use crate::impair::Direction;
use crate::time::{Duration, Instant};

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

/// No room for a new flow.
#[derive(Debug)]
pub(super) struct Refusal;

#[derive(Debug)]
pub(super) struct Flows {
    by_id: BTreeMap<FlowId, Flow>,
    by_client: HashMap<(MappingId, Endpoints), FlowId>,
    /// Flows that the server has not answered, by their last datagram.
    unanswered: BTreeSet<(Instant, FlowId)>,
    /// All, by an end that is no later than their own.
    ends: BTreeSet<(Instant, FlowId)>,
    /// Open flows of each mapping.
    open: Vec<u64>,
    sources: Sources,
    next: u64,
    limits: Limits,
    /// Flows that `admit` and `expire` have looked at.
    #[cfg(test)]
    pub(super) looked_at: u64,
}

impl Flows {
    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        Self {
            by_id: BTreeMap::new(),
            by_client: HashMap::default(),
            unanswered: BTreeSet::new(),
            ends: BTreeSet::new(),
            open: Vec::new(),
            sources: Sources::new(limits.new_flows_per_second, now),
            next: 0,
            limits,
            #[cfg(test)]
            looked_at: 0,
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

    pub(super) fn of_mapping_mut(&mut self, mapping: MappingId) -> impl Iterator<Item = &mut Flow> {
        self.by_id.values_mut().filter(move |flow| flow.mapping == mapping)
    }

    pub(super) fn ids_of(&self, mapping: MappingId) -> impl Iterator<Item = FlowId> {
        self.by_id.iter().filter(move |(_, flow)| flow.mapping == mapping).map(|(id, _)| *id)
    }

    /// Of all mappings.
    pub(super) fn count(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn count_of(&self, mapping: MappingId) -> u64 {
        self.open.get(mapping).copied().unwrap_or(0)
    }

    /// The flows with this number or a greater one.
    pub(super) fn from(&self, number: u64) -> impl Iterator<Item = (FlowId, &Flow)> {
        self.by_id.range(FlowId::first_from(number)..).map(|(id, flow)| (*id, flow))
    }

    /// The flows of a mapping meet what its settings say now, except for those with lines of their own.
    pub(super) fn follow(&mut self, now: Instant, mapping: MappingId, settings: &MappingSettings) {
        for (id, flow) in self.by_id.iter_mut().filter(|(_, flow)| flow.mapping == mapping) {
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
            list_end(&mut self.ends, &self.limits, *id, flow);
        }
    }

    /// Makes room for one more flow of this source: the longest unanswered one gives way, an answered one
    /// never does.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        source: IpAddr,
    ) -> Result<Option<(FlowId, MappingId)>, Refusal> {
        if !self.sources.admits(now, source) {
            return Err(Refusal);
        }
        if self.by_id.len() < self.limits.flows {
            return Ok(None);
        }
        let (_, longest) = *self.unanswered.first().ok_or(Refusal)?;
        self.note_look();
        Ok(self.remove(longest).map(|mapping| (longest, mapping)))
    }

    pub(super) fn insert(&mut self, mut flow: Flow) -> FlowId {
        let id = FlowId { number: self.next, ordinal: flow.ordinal };
        self.next += 1;
        self.by_client.insert((flow.mapping, flow.client), id);
        self.unanswered.insert((flow.last, id));
        list_end(&mut self.ends, &self.limits, id, &mut flow);
        self.open.resize(self.open.len().max(flow.mapping + 1), 0);
        self.open[flow.mapping] += 1;
        self.by_id.insert(id, flow);
        id
    }

    /// Notes a datagram of a flow; its number in its direction.
    pub(super) fn note_datagram(
        &mut self,
        now: Instant,
        id: FlowId,
        direction: Direction,
        bytes: usize,
    ) -> Option<u64> {
        let flow = self.by_id.get_mut(&id)?;
        let before = flow.last;
        let seq = flow.count(now, direction, bytes);
        if !flow.answered && flow.last != before {
            self.unanswered.remove(&(before, id));
            self.unanswered.insert((flow.last, id));
        }
        Some(seq)
    }

    /// A datagram of the server was sent to the flow's client.
    pub(super) fn note_answer(&mut self, id: FlowId) {
        if let Some(flow) = self.by_id.get_mut(&id).filter(|flow| !flow.answered) {
            flow.answered = true;
            self.unanswered.remove(&(flow.last, id));
        }
    }

    /// The end of a flow may have become an earlier one.
    pub(super) fn note_end(&mut self, id: FlowId) {
        if let Some(flow) = self.by_id.get_mut(&id) {
            list_end(&mut self.ends, &self.limits, id, flow);
        }
    }

    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.ends.first().map(|(end, _)| *end)
    }

    /// Removes those that have been idle for too long, and those whose time is over.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<(FlowId, MappingId)> {
        let mut ended = Vec::new();
        while let Some((_, id)) = self.ends.first().copied().filter(|(end, _)| *end <= now) {
            self.note_look();
            self.note_end(id);
            if self.by_id.get(&id).is_some_and(|flow| flow.listed_end <= now) {
                ended.extend(self.remove(id).map(|mapping| (id, mapping)));
            }
        }
        ended
    }

    #[cfg(not(test))]
    const fn note_look(&self) {}

    #[cfg(test)]
    fn note_look(&mut self) {
        self.looked_at += 1;
    }

    /// The mapping that it was of.
    pub(super) fn remove(&mut self, id: FlowId) -> Option<MappingId> {
        let flow = self.by_id.remove(&id)?;
        self.by_client.remove(&(flow.mapping, flow.client));
        self.unanswered.remove(&(flow.last, id));
        self.ends.remove(&(flow.listed_end, id));
        self.open[flow.mapping] -= 1;
        Some(flow.mapping)
    }
}

/// Each datagram puts off the end of its flow; the list learns of it when the listed end is reached.
fn list_end(ends: &mut BTreeSet<(Instant, FlowId)>, limits: &Limits, id: FlowId, flow: &mut Flow) {
    ends.remove(&(flow.listed_end, id));
    flow.listed_end = flow.end(limits.idle, limits.idle_unanswered);
    ends.insert((flow.listed_end, id));
}
