//! Changes to a relay while it runs, and what it shows of itself.

use std::sync::Arc;

use super::flow::{FlowFigures, FlowId};
use super::lines::Line;
use super::{Counters, DropCause, Dropped, Event, Leaving, Mapping, MappingId, MappingSettings, Nat, Relay};
use crate::endpoints::Endpoints;
use crate::impair::{Direction, Impairment};
use crate::time::{Duration, Instant};

impl MappingSettings {
    /// The line of a flow of this client: its network decides first, then each toxic changes a part.
    pub(super) fn line(
        &self,
        own: &Arc<Impairment>,
        client: &Endpoints,
        ordinal: u64,
        direction: Direction,
    ) -> Line {
        let of_client = self.clients.iter().find(|lines| lines.network.contains(client.remote.ip()));
        let impairment = of_client.map_or(own, |lines| match direction {
            Direction::Up => &lines.up,
            Direction::Down => &lines.down,
        });
        let mut line = Line::from(Arc::clone(impairment));
        let here = self.toxics.iter().filter(|toxic| toxic.direction == direction);
        here.filter(|toxic| toxic.takes(self.seed, ordinal)).for_each(|toxic| toxic.change(&mut line));
        line
    }
}

impl MappingSettings {
    /// Without a scenario, of a client without lines of its own.
    pub(super) fn own_line(&self, direction: Direction) -> &Arc<Impairment> {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
    }
}

impl Relay {
    /// Mappings are numbered in the order in which they are added; a number is never used again.
    pub fn add_mapping(&mut self, settings: MappingSettings) -> MappingId {
        if settings.scenario.is_some() {
            self.next_scene = Some(self.began);
        }
        self.mappings.push(Mapping::new(settings));
        self.mappings.len() - 1
    }

    /// Closes its flows; its counters stay.
    pub fn remove_mapping(&mut self, mapping: MappingId) {
        self.mappings[mapping].is_down = true;
        self.close_flows(mapping);
    }

    /// Closes all flows of a mapping.
    pub fn close_flows(&mut self, mapping: MappingId) {
        let flows: Vec<FlowId> = self.flows.ids_of(mapping).collect();
        for flow in flows {
            self.close_flow(flow);
        }
    }

    /// How many there are and were.
    pub fn mappings(&self) -> usize {
        self.mappings.len()
    }

    /// The settings in effect.
    pub fn settings(&self, mapping: MappingId) -> &MappingSettings {
        &self.mappings[mapping].settings
    }

    /// From now on the flows of this mapping, and new ones, meet other impairments, except for flows with lines of
    /// their own.
    pub fn set_impairments(&mut self, mapping: MappingId, up: Arc<Impairment>, down: Arc<Impairment>) {
        self.change(Instant::from_nanos(i64::MIN), mapping, |settings| {
            (settings.up, settings.down) = (up, down)
        });
    }

    /// Changes the settings of a mapping; its flows follow.
    pub fn change(&mut self, now: Instant, mapping: MappingId, change: impl FnOnce(&mut MappingSettings)) {
        let before = self.mappings[mapping].settings.scenario.clone();
        change(&mut self.mappings[mapping].settings);
        let settings = &self.mappings[mapping].settings;
        if settings.scenario.is_some() {
            self.next_scene = Some(now);
        }
        if settings.scenario != before {
            self.flows.of_mapping_mut(mapping).for_each(|flow| flow.visit = None);
        }
        self.flows.follow(now, mapping, settings);
    }

    /// The NAT forgets the ports of all flows of a mapping: their next datagrams leave from others.
    pub fn rebind(&mut self, mapping: MappingId) {
        self.flows.of_mapping_mut(mapping).for_each(|flow| flow.nat.rebind());
    }

    /// The same for one flow. Whether there is such a flow.
    pub fn rebind_flow(&mut self, flow: FlowId) -> bool {
        self.flows.get_mut(flow).map(|flow| flow.nat.rebind()).is_some()
    }

    /// The NAT of a flow as it is now.
    pub fn nat(&self, flow: FlowId) -> Option<&Nat> {
        self.flows.get(flow).map(|flow| flow.nat.nat())
    }

    /// The line of one flow in one direction; `None` gives it that of its mapping again. Whether there is such a flow.
    pub fn set_flow_line(
        &mut self,
        now: Instant,
        flow: FlowId,
        direction: Direction,
        own: Option<Arc<Impairment>>,
    ) -> bool {
        let Some(of) = self.flows.get_mut(flow) else { return false };
        of.is_own[direction.index()] = own.is_some();
        match own {
            Some(own) => of.set_line(now, direction, own.into()),
            None => {
                let mapping = of.mapping;
                self.flows.follow(now, mapping, &self.mappings[mapping].settings);
            }
        }
        true
    }

    /// Its client's next datagram opens a new flow, from another port. Whether there was such a flow.
    pub fn close_flow(&mut self, flow: FlowId) -> bool {
        let Some(mapping) = self.flows.remove(flow) else { return false };
        self.events.push(Event::FlowClosed { flow, mapping });
        true
    }

    /// A mapping that is down drops everything; its caller closes the listening socket.
    pub fn set_down(&mut self, mapping: MappingId, down: bool) {
        self.mappings[mapping].is_down = down;
    }

    /// Whether the mapping drops everything.
    pub fn is_down(&self, mapping: MappingId) -> bool {
        self.mappings[mapping].is_down
    }

    /// Whether the flow has not been closed.
    pub fn is_open(&self, flow: FlowId) -> bool {
        self.flows.get(flow).is_some()
    }

    /// Everything that arrives until then is lost in an outage.
    pub fn black_out(&mut self, mapping: MappingId, direction: Direction, until: Instant) {
        self.mappings[mapping].lanes[direction.index()].dark_until = until;
    }

    /// A datagram that came out of `poll_transmit` and goes no further; nothing for a copy of another one.
    pub fn discard(&mut self, leaving: &Leaving, cause: DropCause) -> Option<Dropped> {
        let Leaving { mapping, flow, direction, seq, is_copy, .. } = *leaving;
        if is_copy {
            return None;
        }
        let tally = &mut self.mappings[mapping].lanes[direction.index()].tally;
        tally.held -= 1;
        tally.count_drop(cause);
        Some(Dropped { mapping, flow: Some(flow), direction, seq: Some(seq), cause })
    }

    /// The kernel dropped datagrams before the caller could receive them.
    pub fn note_overflows(&mut self, mapping: MappingId, direction: Direction, count: u64) {
        self.mappings[mapping].lanes[direction.index()].tally.overflows += count;
    }

    /// Its counters so far.
    pub fn counters(&self, mapping: MappingId) -> Counters {
        let [up, down] = self.mappings[mapping].lanes.each_ref().map(|lane| lane.tally);
        let Mapping { flows_opened, .. } = self.mappings[mapping];
        Counters { up, down, flows: self.flows.count_of(mapping), flows_opened }
    }

    /// How long a datagram that arrives now would wait at the bottleneck that the flows share: up, down.
    pub fn queues(&self, mapping: MappingId, now: Instant) -> [Duration; 2] {
        self.mappings[mapping].lanes.each_ref().map(|lane| lane.bottleneck.wait(now))
    }

    /// Held now, with what it costs to hold them.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Open flows now, of all mappings.
    pub fn flow_count(&self) -> usize {
        self.flows.count()
    }

    /// The open flow with this number.
    pub fn flow_numbered(&self, number: u64) -> Option<FlowId> {
        self.flows.from(number).next().map(|(id, _)| id).filter(|id| id.number() == number)
    }

    /// The flows in the order in which they were opened, from this number on, at most so many.
    pub fn flows(&self, now: Instant, from: u64, at_most: usize) -> Vec<FlowFigures> {
        self.flows.from(from).take(at_most).map(|(id, flow)| flow.figures(now, id)).collect()
    }
}
