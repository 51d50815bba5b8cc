//! A flow: one client address at one mapping, with its links and its numbering.

use std::sync::Arc;

use super::lines::Line;
use super::mapping::{MappingId, MappingSettings};
use super::nat::NatState;
use super::scenario::Visit;
use crate::endpoints::Endpoints;
use crate::impair::{Bottleneck, Direction, Impairment, Link};
use crate::rng::Stream;
use crate::time::{Duration, Instant};

/// Names a flow for as long as the relay runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId {
    /// Of all flows.
    pub(super) number: u64,
    pub(super) ordinal: u64,
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

    pub(super) const fn first_from(number: u64) -> Self {
        Self { number, ordinal: 0 }
    }
}

#[derive(Debug)]
pub(super) struct Flow {
    pub(super) mapping: MappingId,
    pub(super) client: Endpoints,
    /// Up, then down.
    pub(super) links: [Link; 2],
    pub(super) bottlenecks: [Bottleneck; 2],
    /// Datagrams that the models act on: `nth`, `bursts` and `trace` count them.
    pub(super) chosen: [u64; 2],
    /// The line was set for this flow alone.
    pub(super) is_own: [bool; 2],
    /// The step of a scenario that it is in.
    pub(super) visit: Option<Visit>,
    /// Its lines are those of that step.
    pub(super) has_its_lines: bool,
    pub(super) ordinal: u64,
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
    pub(super) answered: bool,
    pub(super) opened: Instant,
    pub(super) last: Instant,
    /// No later than its end, which moves with each datagram: its place in the order of ends.
    pub(super) listed_end: Instant,
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
            listed_end: now,
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
        // Where none may pass, an empty datagram may not either.
        self.most_bytes[direction.index()]
            .is_some_and(|most| most == 0 || self.bytes[direction.index()] > most)
    }

    /// When it closes unless a datagram comes before.
    pub(super) fn end(&self, idle: Duration, idle_unanswered: Duration) -> Instant {
        // An answer brings the end no nearer.
        let idle = if self.answered { idle } else { idle_unanswered.min(idle) };
        self.forget_at.into_iter().flatten().fold(self.last + idle, Instant::min)
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

    /// Counts these bytes toward the client if they may go there.
    pub(super) fn may_answer(&mut self, amplification: bool, bytes: usize) -> bool {
        let after = self.bytes_to_client + bytes as u64;
        let allowed = amplification || self.verified || after <= self.bytes[Direction::Up.index()];
        if allowed {
            self.bytes_to_client = after;
        }
        allowed
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
    /// The line in effect.
    pub impairment: Arc<Impairment>,
    /// The line was set for this flow alone.
    pub is_own: bool,
    /// Arrived.
    pub datagrams: u64,
    /// Payload that arrived.
    pub bytes: u64,
}
