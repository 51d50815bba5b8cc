//! A relay between clients and one server per mapping, without a socket: flows, the impairment of each
//! direction, what is held, and what became of every datagram. Deterministic: `now` is an argument.
//!
//! `handle` takes a datagram; what leaves at once is returned, what is held comes out of `poll_transmit`
//! at its time. The caller sends it and says so with `sent`: only then has the datagram a fate. Every
//! arrival has exactly one; no limit drops silently.
//!
//! A flow is one client address at one mapping. Its random draws depend on the seed, the name of the
//! mapping, the ordinal of the flow and of the datagram alone, never on time, addresses or ports. The
//! bottleneck of a direction is shared by the flows of a mapping, and so are the counts of `nth`,
//! `bursts` and `trace`.

mod counters;
mod datagram;
mod expect;
mod figures;
mod flow;
mod flows;
#[cfg(feature = "net")]
mod journal;
mod lines;
mod mapping;
mod nat;
mod profiles;
mod replay;
mod scenario;
mod scenes;
mod sources;
mod steer;
mod toxic;
mod treat;

/// The JSON schema of a proxy: `/api/proxy.json`.
pub const PROXY_SCHEMA: &str = include_str!("proxy.schema.json");

pub use crate::endpoints::Network;
pub use counters::{Counters, DropCause, Fate, Tally};
pub use datagram::{Decision, Dropped, Event, Header, Leaving, Side};
pub use expect::{Expectations, Unmet};
pub use figures::{MappingFigures, RelayFigures, ReleaseError};
pub use flow::{FlowDirection, FlowFigures, FlowId};
pub use flows::Limits;
#[cfg(feature = "net")]
pub use journal::JournalEntry;
#[cfg(feature = "net")]
pub(crate) use journal::{Happening, Journal};
pub use lines::ClientLines;
pub(crate) use mapping::MappingId;
pub use mapping::{MappingSettings, Scope};
pub use nat::{Nat, Sender};
pub use profiles::{PathProfile, ProfileFamily, families};
pub use replay::Replay;
pub use scenario::{RelayScenario, RelayScenarioError};
pub use toxic::{Toxic, ToxicKind};

use crate::endpoints::Endpoints;
use crate::impair::{Direction, HoldQueue};
use crate::time::{Duration, Instant};
use flow::Flow;
use flows::{Flows, Refusal};
use mapping::Mapping;
use treat::Arriving;

/// The flows of all mappings, and the datagrams held for them; without a socket.
#[derive(Debug)]
pub struct Relay {
    began: Instant,
    /// When a scenario next closes or opens a port, at the soonest.
    next_scene: Option<Instant>,
    mappings: Vec<Mapping>,
    flows: Flows,
    held: HoldQueue<Held>,
    held_bytes: usize,
    limits: Limits,
    events: Vec<Event>,
}

#[derive(Debug)]
struct Held {
    leaving: Leaving,
    bytes: Box<[u8]>,
    further_copies: u8,
}

impl Relay {
    /// The memory of a held datagram besides its bytes.
    const OVERHEAD: usize = size_of::<Held>() + 32;

    /// Mappings are numbered from 0 in this order.
    pub fn new(mappings: Vec<MappingSettings>, limits: Limits, now: Instant) -> Self {
        Self {
            began: now,
            next_scene: mappings.iter().any(|mapping| mapping.scenario.is_some()).then_some(now),
            mappings: mappings.into_iter().map(Mapping::new).collect(),
            flows: Flows::new(limits, now),
            held: HoldQueue::new(),
            held_bytes: 0,
            limits,
            events: Vec::new(),
        }
    }

    /// Takes a datagram that arrived at `now`; a changed byte is changed in place.
    pub fn handle(
        &mut self,
        now: Instant,
        mapping: MappingId,
        side: Side,
        header: Header,
        datagram: &mut [u8],
    ) -> Decision {
        self.note_arrival(now, mapping);
        let direction = side.direction();
        self.mappings[mapping].began.get_or_insert(now);
        let lane = &mut self.mappings[mapping].lanes[direction.index()];
        lane.tally.arrived += 1;
        lane.tally.arrived_bytes += datagram.len() as u64;
        if self.mappings[mapping].is_down {
            return self.drop(mapping, None, direction, None, DropCause::Down);
        }
        let flow = match side {
            Side::Client(client) => self.flow_of(now, mapping, client),
            Side::Server { flow, .. } => self.flows.get(flow).map(|_| flow).ok_or(DropCause::Nat),
        };
        let flow = match flow {
            Ok(flow) => flow,
            Err(cause) => return self.drop(mapping, None, direction, None, cause),
        };
        self.treat(&Arriving { now, mapping, flow, side, header }, datagram)
    }

    /// The next held datagram that is due by `now`, written to `buffer`. Send it, and call `sent`.
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Leaving> {
        let (due, held) = self.held.pop_due(now)?;
        let Held { leaving, bytes, further_copies } = held;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        match further_copies.checked_sub(1) {
            Some(further_copies) => {
                let copy = Leaving { is_copy: true, ..leaving };
                self.held.push(due + leaving.copy_after, Held { leaving: copy, bytes, further_copies });
            }
            None => self.held_bytes -= bytes.len() + Self::OVERHEAD,
        }
        Some(Leaving { due, ..leaving })
    }

    /// ICMP port unreachable came for a datagram of this flow that was sent to the server.
    pub fn note_refusal(&mut self, mapping: MappingId) {
        self.mappings[mapping].lanes[Direction::Up.index()].tally.refused += 1;
    }

    /// The caller sent a datagram, or could not.
    pub fn sent(&mut self, leaving: &Leaving, succeeded: bool) -> Fate {
        if succeeded && leaving.direction == Direction::Down {
            self.flows.note_answer(leaving.flow);
        }
        let tally = &mut self.mappings[leaving.mapping].lanes[leaving.direction.index()].tally;
        if leaving.is_copy {
            tally.copies += u64::from(succeeded);
            return Fate::Passed;
        }
        tally.held -= 1;
        if succeeded {
            tally.marked += u64::from(leaving.tos != leaving.header.tos);
            tally.passed += 1;
            tally.passed_bytes += leaving.length as u64;
            Fate::Passed
        } else {
            tally.send_errors += 1;
            Fate::SendError
        }
    }

    /// When `poll_transmit` or `handle_timeout` next has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.held.next_due(), self.flows.next_expiry(), self.next_scene].into_iter().flatten().min()
    }

    /// When the next held datagram is due.
    pub fn next_release(&self) -> Option<Instant> {
        self.held.next_due()
    }

    /// Closes flows that have been idle for too long, and plays scenarios.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.play(now);
        for (flow, mapping) in self.flows.expire(now) {
            self.events.push(Event::FlowClosed { flow, mapping });
        }
    }

    /// The events since the last call, the oldest first.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    fn flow_of(&mut self, now: Instant, mapping: MappingId, client: Endpoints) -> Result<FlowId, DropCause> {
        let is_trusted = self.mappings[mapping].settings.trusts(client.remote.ip());
        if !is_trusted && self.limits.unverified_amplification {
            return Err(DropCause::Limit);
        }
        if let Some(flow) = self.flows.find(mapping, client) {
            return Ok(flow);
        }
        match self.flows.admit(now, client.remote.ip()) {
            Err(Refusal) => return Err(DropCause::Limit),
            Ok(Some((evicted, mapping))) => self.events.push(Event::FlowClosed { flow: evicted, mapping }),
            Ok(None) => {}
        }
        let of = &mut self.mappings[mapping];
        let ordinal = of.flows_opened;
        of.flows_opened += 1;
        let flow = self.flows.insert(Flow::new(now, mapping, client, ordinal, &of.settings));
        self.events.push(Event::FlowOpened { flow, mapping, client });
        Ok(flow)
    }

    fn release_or_hold(&mut self, leaving: Leaving, hold: Duration, datagram: &[u8]) -> Decision {
        let Leaving { mapping, flow, direction, seq, copies, .. } = leaving;
        if hold > Duration::ZERO || copies > 0 {
            let bytes = datagram.len() + Self::OVERHEAD;
            if self.held_bytes + bytes > self.limits.held_bytes {
                return self.drop(mapping, Some(flow), direction, Some(seq), DropCause::Limit);
            }
            self.held_bytes += bytes;
            self.held.push(leaving.due, Held { leaving, bytes: datagram.into(), further_copies: copies });
        }
        self.mappings[mapping].lanes[direction.index()].tally.held += 1;
        if hold > Duration::ZERO || copies > 0 { Decision::Held(leaving) } else { Decision::Forward(leaving) }
    }

    fn drop(
        &mut self,
        mapping: MappingId,
        flow: Option<FlowId>,
        direction: Direction,
        seq: Option<u64>,
        cause: DropCause,
    ) -> Decision {
        self.mappings[mapping].lanes[direction.index()].tally.count_drop(cause);
        Decision::Dropped(Dropped { mapping, flow, direction, seq, cause })
    }
}

#[cfg(test)]
mod tests;
