//! Orders in the room: commands and messages in, news for all and steps for the clients that carry them out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{ConnectionId, Room};
use crate::room::command::OrderCommand;
use crate::room::event::{Event, Role, Via};
use crate::room::message::{Message, ReportedSecond};
use crate::room::name::Name;
use crate::room::order_event::{FoundWay, OrderEvent, OrderFigures, Placed};
use crate::room::order_summary::{HostBusy, HostResult, OrderSummary};
use crate::room::orders::{Addresses, Ending, News, OrderNumber, Orders, Parties, Refusal, Step, Terms, Way};
use crate::room::shown::shown;
use crate::time::{Duration, Instant};
use crate::units::{ByteSize, parse_duration};

/// What the room keeps of an order until it has ended.
#[derive(Debug)]
pub(super) struct Kept {
    parties: Parties,
    by: Name,
    from: Name,
    to: Name,
    terms: Terms,
    hosts: BTreeMap<ConnectionId, HostSeconds>,
    /// Whose result is there.
    reported: BTreeSet<ConnectionId>,
    results: Vec<HostResult>,
    /// On the shelf.
    runs: Vec<u32>,
}

impl Kept {
    fn is_measured(&self) -> bool {
        self.results.first().is_some_and(|first| self.results.len() > usize::from(first.to_room))
    }
}

/// How often a host was busy during an order, and why.
#[derive(Debug, Default)]
struct HostSeconds {
    seconds: u32,
    busy: u32,
    /// Each kind once, with its last value.
    reasons: Vec<String>,
}

/// Orders that are not over; one host takes part in one at a time.
const ORDERS: usize = 16;
const ONLY_MEMBERS: &str = "only members can do this: join with udpecho join and the room's key";

impl Room {
    pub(super) fn order(&mut self, now: Instant, id: ConnectionId, command: &OrderCommand) {
        if self.connections.get(&id).map(|one| one.as_connected.role) != Some(Role::Member) {
            return self.refuse(id, ONLY_MEMBERS.to_owned());
        }
        let done = match command {
            OrderCommand::Ping { from, to, options } => self.place(now, id, from.as_deref(), to, options),
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
        options: &[String],
    ) -> Result<(), String> {
        let terms = terms(options)?;
        let own = self.name(by).cloned().ok_or("first give a name")?;
        let from = from.map_or_else(|| own.to_string(), str::to_owned);
        let [(from_id, from), (to_id, to)] = [self.client_of(&from)?, self.client_of(to)?];
        if self.kept.len() >= ORDERS {
            return Err(format!("{ORDERS} orders wait already; try again later"));
        }
        let parties = Parties { by, from: from_id, to: to_id };
        let accept = self.connections.get(&to_id).map(|one| one.accept).unwrap_or_default();
        if let Some(why) = Orders::refuses(parties, &terms, accept) {
            return Err(refusal(why, &to));
        }
        let key = self.next_order_key();
        let order = self.orders.place(now, parties, terms, accept, key);
        let (hosts, reported, results, runs) = Default::default();
        self.kept.insert(order, Kept { parties, by: own, from, to, terms, hosts, reported, results, runs });
        Ok(())
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
        if self.orders.parties(order).is_none_or(|parties| parties.to != id) {
            return Err(format!("nobody asks you about #{order}"));
        }
        self.orders.answer(now, id, order, agrees);
        Ok(())
    }

    /// A message of one of the two hosts.
    pub(super) fn order_message(&mut self, now: Instant, id: ConnectionId, message: Message) {
        match message {
            Message::Addresses { order, candidates, port_varies } => {
                self.orders.addresses(now, id, order, Addresses { candidates, varies: port_varies });
            }
            Message::Found { order, at } => self.orders.found(now, id, order, at),
            Message::Result { order, figures } => self.result(id, order, figures),
            Message::Recorded { order } => self.recorded(now, id, order),
            Message::Second { order, second } => self.second(id, order, second),
            _ => {}
        }
        self.do_steps();
    }

    /// It is told at once. The host stays in the order until its run is on the shelf: the next measurement
    /// does not share the path with that.
    fn result(&mut self, id: ConnectionId, order: OrderNumber, figures: OrderFigures) {
        if !self.orders.waits_for(order, id) {
            return;
        }
        let Some(from) = self.name(id).cloned() else { return };
        let Some(kept) = self.kept.get_mut(&order) else { return };
        if !kept.reported.insert(id) {
            return;
        }
        let failed = figures.failed.map(|why| shown(&why.chars().take(200).collect::<String>()));
        let to_room = self.orders.is_measured_to_the_room(order);
        let figures = OrderFigures { failed, ..figures };
        kept.results.push(HostResult { host: from.clone(), to_room, figures: figures.clone() });
        self.tell_all(Event::Order(OrderEvent::Result { order, from, to_room, figures }));
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

    fn second(&mut self, id: ConnectionId, order: OrderNumber, second: ReportedSecond) {
        const KINDS: usize = 5;
        let Some(kept) = self.kept.get_mut(&order) else { return };
        let parties = kept.parties;
        if id != parties.from && id != parties.to || kept.is_measured() {
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
                    let (answers, terms) = (whom == kept.parties.to, kept.terms.into());
                    let key = key.iter().map(|byte| format!("{byte:02x}")).collect();
                    self.instruct(whom, OrderEvent::Prepare { order, key, answers, terms });
                }
                Step::FindWay { order, whom, candidates } => {
                    self.instruct(whom, OrderEvent::FindWay { order, candidates });
                }
                Step::Measure { order, whom, to, terms } => {
                    self.instruct(whom, OrderEvent::Measure { order, to, terms: terms.into() });
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
        let placed = |state| OrderEvent::Placed {
            order,
            by: kept.by.clone(),
            from: kept.from.clone(),
            to: kept.to.clone(),
            terms: kept.terms.into(),
            state,
        };
        let ended = |why: String| OrderEvent::Ended { order, why };
        let event = match news {
            News::Queued => placed(Placed::Queued),
            News::Asked => placed(Placed::Asked),
            // Whether it was asked or not, it stands in the line about the way.
            News::Agreed if self.orders.was_asked(order) => return,
            News::Agreed => placed(Placed::Accepted),
            News::Way(way) => return self.announce_way(order, way),
            News::Refused { why } => ended(refusal(why, &kept.to)),
            // Its run did not come to the shelf in time.
            News::Ended { why: Ending::Stalled | Ending::Gone } if kept.is_measured() => {
                OrderEvent::Done { order }
            }
            News::Ended { why } => ended(ending(why).to_owned()),
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
        let Some(to) = self.kept.get(&order).map(|kept| kept.to.clone()) else { return };
        let members: Vec<(ConnectionId, Role)> = self.named().map(|(id, one)| (id, one.role)).collect();
        let found = |room: &Self, sees_address: bool| match way {
            Way::Direct(at) => FoundWay::Direct(sees_address.then_some(at)),
            Way::None { varies } => FoundWay::None(varies.and_then(|id| room.name(id)).cloned()),
        };
        let event = |way| OrderEvent::Way { order, to: to.clone(), way };
        self.log(&Arc::new(Event::Order(event(found(self, true)))));
        for (id, role) in members {
            self.instruct(id, event(found(self, role == Role::Member)));
        }
    }

    /// The order is over: each host that was busy, and the whole if there is a result.
    fn summarize(&mut self, order: OrderNumber) {
        let Some(kept) = self.kept.remove(&order) else { return };
        let Kept { parties, by, from, to, terms, mut hosts, results, runs, reported: _ } = kept;
        let seen = [(parties.from, &from), (parties.to, &to)].into_iter().filter_map(|(id, host)| {
            let HostSeconds { seconds, busy, reasons } = hosts.remove(&id)?;
            Some(HostBusy { host: host.clone(), seconds, busy, reasons })
        });
        let hosts: Vec<HostBusy> = seen.collect();
        for HostBusy { host, seconds, busy, reasons } in hosts.iter().filter(|host| host.busy > 0).cloned() {
            self.tell_all(Event::Order(OrderEvent::Host { order, host, busy, seconds, reasons }));
        }
        if !results.is_empty() {
            let terms = terms.into();
            self.tell_all(Event::Measured(OrderSummary { order, by, from, to, terms, results, hosts, runs }));
        }
    }
}

fn refusal(why: Refusal, asked: &Name) -> String {
    match why {
        Refusal::ByTheAsked => format!("{asked} does not agree"),
        Refusal::NoAnswer => format!("{asked} did not answer within a minute"),
        Refusal::TooLong => format!("an order takes at most {:.0} s", Terms::LONGEST.as_secs_f64()),
        Refusal::NotAccepted => format!("{asked} accepts no such order"),
        Refusal::SameHost => "a host is not measured to itself".to_owned(),
    }
}

fn ending(why: Ending) -> &'static str {
    match why {
        Ending::Stopped => "stopped",
        Ending::Gone => "ended: one of the two left",
        Ending::Stalled => "ended: one of the two did not do its part in time",
    }
}

/// `-n 100 -i 50ms -s 512`.
fn terms(options: &[String]) -> Result<Terms, String> {
    const USAGE: &str = "/ping A B [-n N -i TIME -s BYTES]; for example /ping anna bea -n 100 -i 50ms";
    let mut terms = Terms { count: 100, interval: Duration::from_millis(50), size: 512 };
    let mut words = options.iter();
    while let Some(option) = words.next() {
        let value = words.next().ok_or(USAGE)?;
        let wrong = |error: String| format!("'{}' for {}: {error}", shown(value), shown(option));
        match option.as_str() {
            "-n" => {
                terms.count = value.parse().map_err(|_| wrong("must be a number of probes".to_owned()))?
            }
            "-i" => terms.interval = parse_duration(value).map_err(|error| wrong(error.to_string()))?,
            "-s" => {
                let size: ByteSize =
                    value.parse().map_err(|error: crate::units::UnitError| wrong(error.to_string()))?;
                terms.size = u32::try_from(size.get()).unwrap_or(u32::MAX);
            }
            _ => return Err(USAGE.to_owned()),
        }
    }
    if terms.count == 0 || terms.interval < Duration::from_millis(1) || !(80..=1_400).contains(&terms.size) {
        return Err("an order has at least 1 probe, every 1 ms or more, of 80 to 1400 bytes".to_owned());
    }
    Ok(terms)
}
