//! Measurements on order: one member asks that A measures to B, B agrees, both look for a direct way, A
//! measures, and the room hears the result.
//!
//! The machine says what is to be told to whom (`Step`) and keeps the time-outs. It sees no socket: the
//! clients of A and B send the datagrams and report what they found.

mod terms;

use std::collections::BTreeMap;
use std::net::SocketAddr;

pub use terms::{Accept, Addresses, Ending, News, OrderNumber, Parties, Refusal, Step, Terms, Way};

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
    parties: Parties,
    terms: Terms,
    key: [u8; 32],
    accept: Accept,
    phase: Phase,
    until: Instant,
    /// Its answering host was asked, rather than accepting in advance.
    asked: bool,
    /// No way was found.
    to_room: bool,
}

#[derive(Debug, PartialEq)]
enum Phase {
    /// One of its hosts is busy with another order.
    Queued,
    Asked,
    /// What each has said of its addresses.
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

impl Orders {
    const QUEUED: Duration = Duration::from_secs(600);
    const ASKED: Duration = Duration::from_secs(60);
    const PREPARING: Duration = Duration::from_secs(5);
    const FINDING: Duration = Duration::from_secs(2);
    /// Beyond the length of the measurement itself: its record is drawn, too.
    const SPARE: Duration = Duration::from_secs(45);
    const CANDIDATES: usize = 16;

    /// Why an order cannot be, whatever its hosts do now.
    pub(super) fn refuses(parties: Parties, terms: &Terms, accept: Accept) -> Option<Refusal> {
        if parties.from == parties.to {
            Some(Refusal::SameHost)
        } else if terms.length() > Terms::LONGEST {
            Some(Refusal::TooLong)
        } else if accept.decide(terms) == Some(false) {
            Some(Refusal::NotAccepted)
        } else {
            None
        }
    }

    /// `key` is fresh randomness: it is known to the two hosts alone and dies with the order.
    pub fn place(
        &mut self,
        now: Instant,
        parties: Parties,
        terms: Terms,
        accept: Accept,
        key: [u8; 32],
    ) -> OrderNumber {
        self.last += 1;
        let number = self.last;
        let refusal = Self::refuses(parties, &terms, accept);
        if let Some(why) = refusal {
            self.announce(number, News::Refused { why });
            return number;
        }
        let until = now + Self::QUEUED;
        self.orders.insert(
            number,
            Order { parties, terms, key, accept, phase: Phase::Queued, until, asked: false, to_room: false },
        );
        if self.is_blocked(number) {
            self.announce(number, News::Queued);
        } else {
            self.begin(now, number);
        }
        number
    }

    /// The asked member answers.
    pub fn answer(&mut self, now: Instant, from: ConnectionId, number: OrderNumber, agrees: bool) {
        let asked = |order: &Order| order.phase == Phase::Asked && order.parties.to == from;
        if !self.orders.get(&number).is_some_and(asked) {
            return;
        }
        if agrees {
            self.prepare(now, number);
        } else {
            self.refuse(now, number, Refusal::ByTheAsked);
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
        let parties = order.parties;
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
        let Some(order) = self.orders.get_mut(&number) else { return };
        if !matches!(order.phase, Phase::FindingWay { .. }) || by != order.parties.from {
            return;
        }
        order.phase = Phase::Measuring { waits_for: vec![by] };
        order.until = now + order.terms.length() + Self::SPARE;
        let terms = order.terms;
        self.announce(number, News::Way(Way::Direct(at)));
        self.steps.push(Step::Measure { order: number, whom: by, to: at, terms });
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

    /// Either end, or the member who ordered it, stops it.
    pub fn stop(&mut self, now: Instant, by: ConnectionId, number: OrderNumber) -> bool {
        let may = |order: &Order| [order.parties.by, order.parties.from, order.parties.to].contains(&by);
        let stopped = self.orders.get(&number).is_some_and(may);
        if stopped {
            self.close(now, number, News::Ended { why: Ending::Stopped });
        }
        stopped
    }

    /// A connection is gone: its orders end at once.
    pub fn gone(&mut self, now: Instant, who: ConnectionId) {
        let theirs = |order: &Order| [order.parties.from, order.parties.to].contains(&who);
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
            let Some(order) = self.orders.get_mut(&number) else { continue };
            match order.phase {
                Phase::Asked => self.refuse(now, number, Refusal::NoAnswer),
                Phase::FindingWay { varies } => {
                    // No way through: nothing is relayed; each is measured to the room's server instead.
                    let Order { parties, terms, .. } = *order;
                    order.phase = Phase::Measuring { waits_for: vec![parties.from, parties.to] };
                    order.to_room = true;
                    order.until = now + terms.length() + Self::SPARE;
                    self.announce(number, News::Way(Way::None { varies }));
                    for whom in [parties.from, parties.to] {
                        self.steps.push(Step::MeasureRoom { order: number, whom, terms });
                    }
                }
                Phase::Queued | Phase::Preparing { .. } | Phase::Measuring { .. } => {
                    self.close(now, number, News::Ended { why: Ending::Stalled });
                }
            }
        }
    }

    /// What is to be done since the last call, in order.
    pub fn take_steps(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }

    /// `None` if the order is over or never was.
    pub fn parties(&self, number: OrderNumber) -> Option<Parties> {
        self.orders.get(&number).map(|order| order.parties)
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
        let Some(Order { parties, .. }) = self.orders.get(&number) else { return false };
        let hosts = [parties.from, parties.to];
        self.orders.iter().any(|(other, order)| {
            *other != number
                && order.phase != Phase::Queued
                && (hosts.contains(&order.parties.from) || hosts.contains(&order.parties.to))
        })
    }

    fn begin(&mut self, now: Instant, number: OrderNumber) {
        let Some(order) = self.orders.get_mut(&number) else { return };
        if order.accept.decide(&order.terms) == Some(true) {
            return self.prepare(now, number);
        }
        order.phase = Phase::Asked;
        order.asked = true;
        order.until = now + Self::ASKED;
        let whom = order.parties.to;
        self.steps.push(Step::Ask { order: number, whom });
        self.announce(number, News::Asked);
    }

    fn prepare(&mut self, now: Instant, number: OrderNumber) {
        let Some(order) = self.orders.get_mut(&number) else { return };
        order.phase = Phase::Preparing { from: None, to: None };
        order.until = now + Self::PREPARING;
        let (key, hosts) = (order.key, [order.parties.from, order.parties.to]);
        self.announce(number, News::Agreed);
        for whom in hosts {
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
        if !matches!(order.phase, Phase::Queued | Phase::Asked) {
            for whom in [order.parties.from, order.parties.to] {
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
