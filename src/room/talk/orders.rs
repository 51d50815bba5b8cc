//! Orders in the room: commands and messages in, news for all and steps for the clients that carry them out.

use std::net::IpAddr;
use std::sync::Arc;

use super::kept_order::Kept;
use super::typed_orders::{check, terms};
use super::{ConnectionId, Room};
use crate::endpoints::is_private;
use crate::room::command::OrderCommand;
use crate::room::event::{Event, Role, Via};
use crate::room::name::Name;
use crate::room::order_event::{FoundWay, OrderEvent, Placed};
use crate::room::orders::{
    Accepts, Ending, News, OrderNumber, Orders, Parties, Refusal, Request, Step, Task, Terms, Way,
};
use crate::room::ports::PortCheck;
use crate::room::shown::shown;
use crate::time::Instant;

/// Orders that are not over; one host takes part in one at a time.
const ORDERS: usize = 16;
const ONLY_MEMBERS: &str = "only members can do this: join with udpecho join and the room's key";

impl Room {
    pub(super) fn order(&mut self, now: Instant, id: ConnectionId, command: &OrderCommand) {
        if self.connections.get(&id).map(|one| one.as_connected.role) != Some(Role::Member) {
            return self.refuse(id, ONLY_MEMBERS.to_owned());
        }
        let done = match command {
            OrderCommand::Ping { from, to, options } => {
                terms(options).and_then(|terms| self.place(now, id, from.as_deref(), to, Task::Ping(terms)))
            }
            OrderCommand::Ports { from, to, range, udp } => check(range, *udp)
                .and_then(|check| self.place(now, id, from.as_deref(), to, Task::Ports(check))),
            OrderCommand::Yes { order } => self.consent(now, id, *order, true),
            OrderCommand::No { order } => self.consent(now, id, *order, false),
            OrderCommand::Stop { order } if self.orders.stop(now, id, *order) => Ok(()),
            OrderCommand::Stop { order } => Err(format!("you have no order #{order} to stop")),
        };
        if let Err(why) = done {
            self.refuse(id, why);
        }
        self.do_steps();
    }

    fn place(
        &mut self,
        now: Instant,
        by: ConnectionId,
        from: Option<&str>,
        to: &str,
        task: Task,
    ) -> Result<(), String> {
        let own = self.name(by).cloned().ok_or("first give a name")?;
        let from = from.map_or_else(|| own.to_string(), str::to_owned);
        let [(from_id, from), (to_id, to)] = [self.client_of(&from)?, self.client_of(to)?];
        if self.kept.len() >= ORDERS {
            return Err(format!("{ORDERS} orders wait already; try again later"));
        }
        let parties = Parties { by, from: from_id, to: to_id };
        let accept = |id| self.connections.get(&id).map(|one| one.accept).unwrap_or_default();
        let accepts = Accepts { from: accept(from_id), to: accept(to_id) };
        let request = Request { parties, task, accepts, seen: self.seen(parties) };
        if let Some(why) = Orders::refuses(&request) {
            return Err(self.refusal(why));
        }
        let key = self.next_order_key();
        let order = self.orders.place(now, request, key);
        self.kept.insert(order, Kept::new(parties, [own, from, to], task));
        Ok(())
    }

    /// The address of the answering host as the room sees it: its connection has proven it. It is another
    /// host's where only the room is in the same private network.
    fn seen(&self, parties: Parties) -> Option<IpAddr> {
        let source = |id| self.connections.get(&id).map(|one| one.as_connected.source.to_canonical());
        let (from, to) = (source(parties.from)?, source(parties.to)?);
        let is_same_elsewhere =
            if to.is_loopback() { from.is_loopback() } else { !is_private(to) || is_private(from) };
        is_same_elsewhere.then_some(to)
    }

    /// Of a member that is connected with our client: the others cannot measure.
    fn client_of(&self, name: &str) -> Result<(ConnectionId, Name), String> {
        let (id, name) =
            self.find(name).ok_or_else(|| format!("{} is not here; /who lists who is", shown(name)))?;
        let connecting = self.connections.get(&id).map(|one| one.as_connected);
        if connecting
            .is_some_and(|one| one.role == Role::Member && matches!(one.via, Via::Client | Via::Agent))
        {
            Ok((id, name))
        } else {
            Err(format!("{name} cannot measure: only members with udpecho join can"))
        }
    }

    fn consent(
        &mut self,
        now: Instant,
        id: ConnectionId,
        order: OrderNumber,
        agrees: bool,
    ) -> Result<(), String> {
        if !self.orders.asks(order, id) {
            return Err(format!("nobody asks you about #{order}"));
        }
        self.orders.answer(now, id, order, agrees);
        Ok(())
    }

    pub(super) fn gone(&mut self, id: ConnectionId) {
        self.orders.gone(self.now, id);
        self.do_steps();
    }

    /// Carries out what the orders want now.
    pub(super) fn do_steps(&mut self) {
        for step in self.orders.take_steps() {
            match step {
                Step::Announce { order, news } => self.announce(order, news),
                Step::Ask { order, whom } => self.instruct(whom, OrderEvent::Ask { order }),
                Step::Prepare { order, whom, key } => {
                    let Some(kept) = self.kept.get(&order) else { continue };
                    let (answers, terms) = (whom == kept.parties.to, kept.task.into());
                    let key = key.iter().map(|byte| format!("{byte:02x}")).collect();
                    let second_port = self.second_port;
                    self.instruct(whom, OrderEvent::Prepare { order, key, answers, terms, second_port });
                }
                Step::FindWay { order, whom, candidates } => {
                    self.instruct(whom, OrderEvent::FindWay { order, candidates });
                }
                Step::Measure { order, whom, to, terms } => {
                    self.instruct(whom, OrderEvent::Measure { order, to, terms: terms.into() });
                }
                Step::Knock { order, whom, at } => {
                    let Some(Kept { task: Task::Ports(check), opened, .. }) = self.kept.get(&order) else {
                        continue;
                    };
                    let ports = opened.listening(check);
                    self.instruct(whom, OrderEvent::Knock { order, at, ports });
                }
                Step::MeasureRoom { order, whom, terms } => {
                    self.instruct(whom, OrderEvent::MeasureRoom { order, terms: terms.into() });
                }
                Step::End { order, whom } => self.instruct(whom, OrderEvent::Close { order }),
            }
        }
    }

    fn instruct(&mut self, whom: ConnectionId, event: OrderEvent) {
        self.tell(whom, Event::Order(event));
    }

    fn announce(&mut self, order: OrderNumber, news: News) {
        let Some(kept) = self.kept.get(&order) else { return };
        let placed = |state, asked: &[ConnectionId]| OrderEvent::Placed {
            order,
            by: kept.by.clone(),
            from: kept.from.clone(),
            to: kept.to.clone(),
            terms: kept.task.into(),
            state,
            asked: asked.iter().filter_map(|id| self.name(*id)).cloned().collect(),
        };
        let ended = |why: String| OrderEvent::Ended { order, why };
        let event = match news {
            News::Queued => placed(Placed::Queued, &[]),
            News::Asked { whom } => placed(Placed::Asked, &whom),
            // Whether it was asked or not, it stands in the line about the way.
            News::Agreed if self.orders.was_asked(order) => return,
            News::Agreed => placed(Placed::Accepted, &[]),
            News::Way(way) => return self.announce_way(order, way),
            News::Refused { why } => ended(self.refusal(why)),
            // Its run did not come to the shelf in time.
            News::Ended { why: Ending::Stalled(_) | Ending::Gone | Ending::CannotAnswer }
                if kept.measured.is_some() =>
            {
                OrderEvent::Done { order }
            }
            News::Ended { why } => ended(self.ending(why, kept)),
            News::Done => OrderEvent::Done { order },
        };
        let is_last = matches!(event, OrderEvent::Done { .. } | OrderEvent::Ended { .. });
        if is_last {
            self.summarize(order);
        }
        self.tell_all(Event::Order(event));
    }

    /// Guests see whether there is a way, members where it leads.
    fn announce_way(&mut self, order: OrderNumber, way: Way) {
        let Some(kept) = self.kept.get_mut(&order) else { return };
        kept.since = Some(self.now);
        let to = kept.to.clone();
        let members: Vec<(ConnectionId, Role)> = self.named().map(|(id, one)| (id, one.role)).collect();
        let found = |room: &Self, sees_address: bool| match way {
            Way::Direct(at) => FoundWay::Direct(sees_address.then_some(at)),
            Way::Seen(at) => FoundWay::Seen(sees_address.then_some(at)),
            Way::None { varies } => FoundWay::None(varies.and_then(|id| room.name(id)).cloned()),
        };
        let event = |way| OrderEvent::Way { order, to: to.clone(), way };
        self.log(&Arc::new(Event::Order(event(found(self, true)))));
        for (id, role) in members {
            self.instruct(id, event(found(self, role == Role::Member)));
        }
    }

    fn refusal(&self, why: Refusal) -> String {
        let name = |id| self.name(id).map_or_else(|| "a host".to_owned(), ToString::to_string);
        match why {
            Refusal::ByTheAsked(id) => format!("{} does not agree", name(id)),
            Refusal::NoAnswer(id) => format!("{} did not answer within a minute", name(id)),
            Refusal::TooLong => format!("an order takes at most {:.0} s", Terms::LONGEST.as_secs_f64()),
            Refusal::TooManyPorts => format!("an order asks at most {} ports", PortCheck::MOST),
            Refusal::NotAccepted(id) => format!("{} accepts no such order", name(id)),
            Refusal::SameHost => "a host is not measured to itself".to_owned(),
        }
    }

    fn ending(&self, why: Ending, kept: &Kept) -> String {
        let Kept { from, to, failed, .. } = kept;
        match why {
            Ending::Stopped => "stopped".to_owned(),
            Ending::Gone => "ended: one of the two left".to_owned(),
            Ending::Stalled(whom) => {
                let name = whom.and_then(|id| self.name(id)).map_or("one of the two", Name::as_str);
                format!("ended: {name} did not do its part in time")
            }
            Ending::CannotAnswer => {
                format!("ended: {to} cannot answer: {}", failed.as_deref().unwrap_or("it failed"))
            }
            Ending::NoAddress => format!(
                "ended: no datagram comes through, and the room sees {to} at an address that is not its own for {from}"
            ),
        }
    }
}
