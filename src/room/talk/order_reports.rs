//! The reports of the two hosts of an order, and the news for everybody.

use super::kept_order::{HostSeconds, Kept};
use super::{ConnectionId, Room};
use crate::room::event::Event;
use crate::room::message::{Message, ReportedSecond};
use crate::room::order_event::{OrderEvent, OrderFigures};
use crate::room::order_summary::{HostBusy, HostResult, OrderSummary};
use crate::room::orders::{Addresses, OrderNumber, Task};
use crate::room::ports::{Knocked, PortsFound};
use crate::room::shown::shown;
use crate::time::Instant;

impl Room {
    /// A message of one of the two hosts.
    pub(super) fn order_message(&mut self, now: Instant, id: ConnectionId, message: Message) {
        match message {
            Message::Addresses { order, candidates, port_varies } => {
                self.orders.addresses(now, id, order, Addresses { candidates, varies: port_varies });
            }
            Message::Found { order, at } => self.orders.found(now, id, order, at),
            Message::Result { order, figures } => self.result(now, id, order, figures),
            Message::Recorded { order } => self.recorded(now, id, order),
            Message::Second { order, second } => self.second(id, order, second),
            Message::Opened { order, opened } => {
                self.of_listening(id, order, |kept| kept.opened = opened);
            }
            Message::Heard { order, ports } => {
                self.of_listening(id, order, |kept| ports.iter().for_each(|port| kept.heard.insert(port)));
            }
            Message::Knocked { order, ports } => self.knocked(now, id, order, &ports),
            _ => {}
        }
        self.do_steps();
    }

    /// It is told at once. The host stays in the order until its run is on the shelf: the next measurement
    /// does not share the path with that.
    fn result(&mut self, now: Instant, id: ConnectionId, order: OrderNumber, figures: OrderFigures) {
        let figures = figures.plausible();
        let failed = figures.failed.map(|why| shown(&why.chars().take(200).collect::<String>()));
        let figures = OrderFigures { failed, ..figures };
        if !self.orders.waits_for(order, id) {
            return self.answering_failed(now, id, order, figures.failed);
        }
        let Some(from) = self.name(id).cloned() else { return };
        let to_room = self.orders.is_measured_to_the_room(order);
        let Some(kept) = self.kept.get_mut(&order) else { return };
        if !kept.reported.insert(id) {
            return;
        }
        kept.add_result(now, HostResult { host: from.clone(), to_room, figures: figures.clone() });
        self.tell_all(Event::Order(OrderEvent::Result { order, from, to_room, figures }));
    }

    /// No result is expected of the answering host, but it may say that it cannot answer.
    fn answering_failed(&mut self, now: Instant, id: ConnectionId, order: OrderNumber, why: Option<String>) {
        let Some(kept) = self.kept.get_mut(&order).filter(|kept| kept.parties.to == id) else { return };
        if why.is_some() {
            kept.failed = why;
            self.orders.cannot_answer(now, id, order);
        }
    }

    /// After its result the host has nothing more to do.
    fn recorded(&mut self, now: Instant, id: ConnectionId, order: OrderNumber) {
        if self.kept.get(&order).is_some_and(|kept| kept.reported.contains(&id)) {
            self.orders.done(now, id, order);
        }
    }

    pub(super) fn is_host_of(&self, id: ConnectionId, order: OrderNumber) -> bool {
        self.kept.get(&order).is_some_and(|kept| [kept.parties.from, kept.parties.to].contains(&id))
    }

    /// A run of this order is on the shelf.
    pub(super) fn keep_run(&mut self, order: OrderNumber, file: u32) {
        if let Some(kept) = self.kept.get_mut(&order) {
            kept.runs.push(file);
        }
    }

    /// Changes what is kept of a check of ports, if this is its listening host.
    fn of_listening(&mut self, id: ConnectionId, order: OrderNumber, change: impl FnOnce(&mut Kept)) {
        let kept = self.kept.get_mut(&order);
        if let Some(kept) = kept.filter(|kept| kept.parties.to == id && matches!(kept.task, Task::Ports(_))) {
            change(kept);
        }
    }

    fn knocked(&mut self, now: Instant, id: ConnectionId, order: OrderNumber, knocked: &Knocked) {
        let waits = self.orders.waits_for(order, id);
        let Some(kept) = self.kept.get_mut(&order).filter(|_| waits) else { return };
        let Task::Ports(check) = kept.task else { return };
        let ports = PortsFound::of(&check, &kept.opened, &kept.heard, knocked);
        kept.found = Some(ports.clone());
        let (from, to) = (kept.from.clone(), kept.to.clone());
        self.tell_all(Event::Order(OrderEvent::Ports { order, from, to, check, ports }));
        self.orders.done(now, id, order);
    }

    fn second(&mut self, id: ConnectionId, order: OrderNumber, second: ReportedSecond) {
        const KINDS: usize = 5;
        let Some(kept) = self.kept.get_mut(&order) else { return };
        let parties = kept.parties;
        if id != parties.from && id != parties.to || kept.measured.is_some() {
            return;
        }
        let host = kept.hosts.entry(id).or_default();
        host.seconds += 1;
        host.busy += u32::from(!second.reasons.is_empty());
        for reason in second.reasons {
            let reason = shown(&reason.chars().take(80).collect::<String>());
            let kind = |text: &str| text.split(|c: char| c.is_ascii_digit()).next().map(str::to_owned);
            let known = host.reasons.iter().position(|known| kind(known) == kind(&reason));
            match known {
                Some(at) => host.reasons[at] = reason,
                None if host.reasons.len() < KINDS => host.reasons.push(reason),
                None => {}
            }
        }
        if id == parties.to {
            self.tell(parties.from, Event::Order(OrderEvent::Second { order, figures: second.figures }));
        }
    }

    /// The order is over: each host that was busy, and the whole if there is a result.
    pub(super) fn summarize(&mut self, order: OrderNumber) {
        let Some(kept) = self.kept.remove(&order) else { return };
        let end = kept.measured.unwrap_or(self.now);
        let expected = kept.since.map_or(0, |since| (end - since).as_nanos() / 1_000_000_000);
        let Kept { parties, by, from, to, task, mut hosts, results, found: ports, runs, .. } = kept;
        let seen = [(parties.from, &from), (parties.to, &to)].map(|(id, host)| {
            let mut told = hosts.remove(&id).unwrap_or_default();
            told.count_silence(u32::try_from(expected).unwrap_or(0));
            let HostSeconds { seconds, busy, reasons } = told;
            HostBusy { host: host.clone(), seconds, busy, reasons }
        });
        let hosts: Vec<HostBusy> = seen.into_iter().filter(|host| host.seconds > 0).collect();
        for HostBusy { host, seconds, busy, reasons } in hosts.iter().filter(|host| host.busy > 0).cloned() {
            self.tell_all(Event::Order(OrderEvent::Host { order, host, busy, seconds, reasons }));
        }
        if !results.is_empty() || ports.is_some() {
            let terms = task.into();
            let summary = OrderSummary { order, by, from, to, terms, results, ports, hosts, runs };
            self.tell_all(Event::Measured(summary));
        }
    }
}
