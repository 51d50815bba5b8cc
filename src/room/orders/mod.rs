//! Orders: one member asks that A measures to B, or knocks at its ports; both agree, look for a direct way, A
//! does it, and the room hears the result.
//!
//! The machine returns what each client is to do (`Step`) and keeps the time-outs. It sees no socket: the
//! clients of A and B send the datagrams and report what they found.

mod terms;

use std::collections::BTreeMap;
use std::net::SocketAddr;

pub use terms::{
    Accept, Accepts, Addresses, Ending, News, OrderNumber, Parties, Refusal, Request, Step, Task, Terms, Way,
};

use super::connection_id::ConnectionId;
use crate::time::{Duration, Instant};

/// All orders of a room.
#[derive(Debug, Default)]
pub struct Orders {
    orders: BTreeMap<OrderNumber, Order>,
    last: OrderNumber,
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Order {
    request: Request,
    key: [u8; 32],
    phase: Phase,
    until: Instant,
    /// One of its hosts was asked: not all of them accepted in advance.
    asked: bool,
    /// No way was found.
    to_room: bool,
}

#[derive(Debug, PartialEq)]
enum Phase {
    /// One of its hosts is busy with another order.
    Queued,
    /// Hosts that have not agreed yet.
    Asked {
        open: Vec<ConnectionId>,
    },
    /// The addresses of each host, once it has sent them.
    Preparing {
        from: Option<Addresses>,
        to: Option<Addresses>,
    },
    FindingWay {
        varies: Option<ConnectionId>,
    },
    Measuring {
        waits_for: Vec<ConnectionId>,
    },
}

impl Order {
    /// The host that has not done its part yet; none where it is neither or both.
    fn late(&self) -> Option<ConnectionId> {
        let parties = self.request.parties;
        match &self.phase {
            Phase::Preparing { from: None, to: Some(_) } => Some(parties.from),
            Phase::Preparing { from: Some(_), to: None } => Some(parties.to),
            Phase::Measuring { waits_for } => Some(*waits_for.first()?).filter(|_| waits_for.len() == 1),
            _ => None,
        }
    }
}

impl Orders {
    const QUEUED: Duration = Duration::from_secs(600);
    const ASKED: Duration = Duration::from_secs(60);
    const PREPARING: Duration = Duration::from_secs(5);
    const FINDING: Duration = Duration::from_secs(2);
    /// Beyond the length of the measurement: for its report and its way to the shelf.
    const SPARE: Duration = Duration::from_secs(45);
    const CANDIDATES: usize = 16;

    /// Why an order cannot be, whatever its hosts do now.
    pub(super) fn refuses(request: &Request) -> Option<Refusal> {
        let Request { parties, task, .. } = request;
        if parties.from == parties.to {
            return Some(Refusal::SameHost);
        }
        match task {
            Task::Ports(check) if !check.is_bounded() => return Some(Refusal::TooManyPorts),
            task if task.length() > Terms::LONGEST => return Some(Refusal::TooLong),
            _ => {}
        }
        let refusing = request.consents().find(|(_, accepts)| *accepts == Some(false));
        refusing.map(|(whom, _)| Refusal::NotAccepted(whom))
    }

    /// `key` is fresh randomness: it is known to the two hosts alone and dies with the order.
    pub fn place(&mut self, now: Instant, request: Request, key: [u8; 32]) -> OrderNumber {
        self.last += 1;
        let number = self.last;
        if let Some(why) = Self::refuses(&request) {
            self.announce(number, News::Refused { why });
            return number;
        }
        let until = now + Self::QUEUED;
        let order = Order { request, key, phase: Phase::Queued, until, asked: false, to_room: false };
        self.orders.insert(number, order);
        if self.is_blocked(number) {
            self.announce(number, News::Queued);
        } else {
            self.begin(now, number);
        }
        number
    }

    /// A member that was asked answers.
    pub fn answer(&mut self, now: Instant, from: ConnectionId, number: OrderNumber, agrees: bool) {
        if !self.asks(number, from) {
            return;
        }
        if !agrees {
            return self.refuse(now, number, Refusal::ByTheAsked(from));
        }
        let Some(Order { phase: Phase::Asked { open }, .. }) = self.orders.get_mut(&number) else { return };
        open.retain(|whom| *whom != from);
        if open.is_empty() {
            self.prepare(now, number);
        }
    }

    /// One of the two says where it may be reached.
    pub fn addresses(
        &mut self,
        now: Instant,
        of: ConnectionId,
        number: OrderNumber,
        mut addresses: Addresses,
    ) {
        addresses.candidates.truncate(Self::CANDIDATES);
        let Some(order) = self.orders.get_mut(&number) else { return };
        let parties = order.request.parties;
        let Phase::Preparing { from, to } = &mut order.phase else { return };
        match of {
            _ if of == parties.from => *from = Some(addresses),
            _ if of == parties.to => *to = Some(addresses),
            _ => return,
        }
        if let (Some(from), Some(to)) = (&*from, &*to) {
            let (from, to) = (from.clone(), to.clone());
            let varies = [(from.varies, parties.from), (to.varies, parties.to)];
            let varies = varies.into_iter().find(|(varies, _)| *varies).map(|(_, whom)| whom);
            order.phase = Phase::FindingWay { varies };
            order.until = now + Self::FINDING;
            for (whom, candidates) in [(parties.from, to.candidates), (parties.to, from.candidates)] {
                self.steps.push(Step::FindWay { order: number, whom, candidates });
            }
        }
    }

    /// The measuring host heard the other at this address.
    pub fn found(&mut self, now: Instant, by: ConnectionId, number: OrderNumber, at: SocketAddr) {
        let Some(order) = self.orders.get(&number) else { return };
        if !matches!(order.phase, Phase::FindingWay { .. }) || by != order.request.parties.from {
            return;
        }
        let step = match order.request.task {
            Task::Ping(terms) => Step::Measure { order: number, whom: by, to: at, terms },
            Task::Ports(_) => Step::Knock { order: number, whom: by, at: at.ip() },
        };
        self.carry_out(now, number, Way::Direct(at), vec![by], vec![step]);
    }

    /// No datagram came through. Nothing is relayed: each host is measured to the room's server instead, and
    /// ports are asked at the address that the room sees.
    fn without_way(&mut self, now: Instant, number: OrderNumber, varies: Option<ConnectionId>) {
        let Some(order) = self.orders.get_mut(&number) else { return };
        let Request { parties, task, seen, .. } = order.request;
        match (task, seen) {
            (Task::Ping(terms), _) => {
                order.to_room = true;
                let hosts = vec![parties.from, parties.to];
                let steps = hosts.iter().map(|whom| Step::MeasureRoom { order: number, whom: *whom, terms });
                let steps = steps.collect();
                self.carry_out(now, number, Way::None { varies }, hosts, steps);
            }
            (Task::Ports(_), Some(at)) => {
                let whom = parties.from;
                let step = Step::Knock { order: number, whom, at };
                self.carry_out(now, number, Way::Seen(at), vec![whom], vec![step]);
            }
            (Task::Ports(_), None) => self.close(now, number, News::Ended { why: Ending::NoAddress }),
        }
    }

    fn carry_out(
        &mut self,
        now: Instant,
        number: OrderNumber,
        way: Way,
        waits_for: Vec<ConnectionId>,
        steps: Vec<Step>,
    ) {
        let Some(order) = self.orders.get_mut(&number) else { return };
        order.phase = Phase::Measuring { waits_for };
        order.until = now + order.request.task.length() + Self::SPARE;
        self.announce(number, News::Way(way));
        self.steps.extend(steps);
    }

    /// A host has done its part; its result was passed on.
    pub fn done(&mut self, now: Instant, by: ConnectionId, number: OrderNumber) {
        let Some(order) = self.orders.get_mut(&number) else { return };
        let Phase::Measuring { waits_for } = &mut order.phase else { return };
        waits_for.retain(|whom| *whom != by);
        if waits_for.is_empty() {
            self.close(now, number, News::Done);
        }
    }

    /// The answering host failed: the other one would wait for its replies.
    pub(super) fn cannot_answer(&mut self, now: Instant, by: ConnectionId, number: OrderNumber) {
        let is_awaited = |order: &Order| {
            matches!(order.phase, Phase::Measuring { .. }) && !order.to_room && order.request.parties.to == by
        };
        if self.orders.get(&number).is_some_and(is_awaited) {
            self.close(now, number, News::Ended { why: Ending::CannotAnswer });
        }
    }

    /// Stops the order, for either host or the member who ordered it.
    pub fn stop(&mut self, now: Instant, by: ConnectionId, number: OrderNumber) -> bool {
        let may = |Parties { by: orderer, from, to }: Parties| [orderer, from, to].contains(&by);
        let stopped = self.parties(number).is_some_and(may);
        if stopped {
            self.close(now, number, News::Ended { why: Ending::Stopped });
        }
        stopped
    }

    /// A connection is gone: its orders end at once.
    pub fn gone(&mut self, now: Instant, who: ConnectionId) {
        let theirs = |order: &Order| order.request.parties.hosts().contains(&who);
        let numbers: Vec<OrderNumber> =
            self.orders.iter().filter(|(_, order)| theirs(order)).map(|(number, _)| *number).collect();
        numbers.into_iter().for_each(|number| self.close(now, number, News::Ended { why: Ending::Gone }));
    }

    /// When to call `handle_timeout` next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.orders.values().map(|order| order.until).min()
    }

    /// Ends orders that did not go on in time.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due: Vec<OrderNumber> =
            self.orders.iter().filter(|(_, order)| order.until <= now).map(|(number, _)| *number).collect();
        for number in due {
            // The end of one may have begun another.
            let Some(order) = self.orders.get(&number).filter(|order| order.until <= now) else { continue };
            match order.phase {
                Phase::Asked { ref open } => {
                    let silent = open.first().copied().unwrap_or(order.request.parties.to);
                    self.refuse(now, number, Refusal::NoAnswer(silent));
                }
                Phase::FindingWay { varies } => self.without_way(now, number, varies),
                Phase::Queued | Phase::Preparing { .. } | Phase::Measuring { .. } => {
                    let why = Ending::Stalled(order.late());
                    self.close(now, number, News::Ended { why });
                }
            }
        }
    }

    /// The steps since the last call, in order.
    pub fn take_steps(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }

    /// `None` if the order is over or never was.
    pub fn parties(&self, number: OrderNumber) -> Option<Parties> {
        self.orders.get(&number).map(|order| order.request.parties)
    }

    /// Whether this member is asked about an order, and has not answered.
    pub(super) fn asks(&self, number: OrderNumber, whom: ConnectionId) -> bool {
        let phase = self.orders.get(&number).map(|order| &order.phase);
        matches!(phase, Some(Phase::Asked { open }) if open.contains(&whom))
    }

    /// Whether the result of this host is still to come.
    pub(super) fn waits_for(&self, number: OrderNumber, host: ConnectionId) -> bool {
        let phase = self.orders.get(&number).map(|order| &order.phase);
        matches!(phase, Some(Phase::Measuring { waits_for }) if waits_for.contains(&host))
    }

    pub(super) fn is_measured_to_the_room(&self, number: OrderNumber) -> bool {
        self.orders.get(&number).is_some_and(|order| order.to_room)
    }

    pub(super) fn was_asked(&self, number: OrderNumber) -> bool {
        self.orders.get(&number).is_some_and(|order| order.asked)
    }

    /// A host takes part in one order at a time.
    fn is_blocked(&self, number: OrderNumber) -> bool {
        let Some(hosts) = self.parties(number).map(Parties::hosts) else { return false };
        self.orders.iter().any(|(other, order)| {
            let theirs = order.request.parties.hosts();
            *other != number && order.phase != Phase::Queued && hosts.iter().any(|host| theirs.contains(host))
        })
    }

    fn begin(&mut self, now: Instant, number: OrderNumber) {
        let Some(order) = self.orders.get_mut(&number) else { return };
        let consents = order.request.consents();
        let whom: Vec<ConnectionId> =
            consents.filter(|(_, accepts)| *accepts != Some(true)).map(|(whom, _)| whom).collect();
        if whom.is_empty() {
            return self.prepare(now, number);
        }
        order.phase = Phase::Asked { open: whom.clone() };
        order.asked = true;
        order.until = now + Self::ASKED;
        self.announce(number, News::Asked { whom: whom.clone() });
        self.steps.extend(whom.into_iter().map(|whom| Step::Ask { order: number, whom }));
    }

    fn prepare(&mut self, now: Instant, number: OrderNumber) {
        let Some(order) = self.orders.get_mut(&number) else { return };
        order.phase = Phase::Preparing { from: None, to: None };
        order.until = now + Self::PREPARING;
        let Order { request: Request { parties, .. }, key, .. } = *order;
        self.announce(number, News::Agreed);
        for whom in parties.hosts() {
            self.steps.push(Step::Prepare { order: number, whom, key });
        }
    }

    fn refuse(&mut self, now: Instant, number: OrderNumber, why: Refusal) {
        self.orders.remove(&number);
        self.announce(number, News::Refused { why });
        self.begin_queued(now);
    }

    fn close(&mut self, now: Instant, number: OrderNumber, news: News) {
        let Some(order) = self.orders.remove(&number) else { return };
        if !matches!(order.phase, Phase::Queued | Phase::Asked { .. }) {
            for whom in order.request.parties.hosts() {
                self.steps.push(Step::End { order: number, whom });
            }
        }
        self.announce(number, news);
        self.begin_queued(now);
    }

    fn begin_queued(&mut self, now: Instant) {
        let queued: Vec<OrderNumber> = self
            .orders
            .iter()
            .filter(|(_, order)| order.phase == Phase::Queued)
            .map(|(number, _)| *number)
            .collect();
        for number in queued {
            if !self.is_blocked(number) {
                self.begin(now, number);
            }
        }
    }

    fn announce(&mut self, order: OrderNumber, news: News) {
        self.steps.push(Step::Announce { order, news });
    }
}

#[cfg(test)]
mod tests;
