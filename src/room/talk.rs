//! The members of a room and what they say to each other.
//!
//! `connect`, `hear` and `disconnect` change the room; each member's events wait in a queue of its own
//! until `take_events`. A member that does not read is disconnected: nobody waits for anybody.

mod connection;
mod delivery;
mod files;
mod kept_order;
mod names;
mod order_reports;
mod orders;
mod say;
mod typed_orders;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

pub use connection::{Connecting, NoRoom};
pub use files::FileRefusal;

use super::command::{Command, HELP};
use super::connection_id::ConnectionId;
use super::counters::RoomCounters;
use super::event::{Event, LeftReason, Presence, Via};
use super::flood::Verdict;
use super::host_load::HostLoad;
use super::message::Message;
use super::name::Name;
use super::orders::{OrderNumber, Orders};
use super::shelf::{PlainOffer, Shelf};
use super::shown::shown;
use crate::time::{Duration, Instant};
use connection::Connection;
use say::cut;

/// The members, and the events that wait for each.
#[derive(Debug)]
pub struct Room {
    connections: BTreeMap<ConnectionId, Connection>,
    next: u64,
    counters: RoomCounters,
    orders: Orders,
    /// The names and the reports of each order that is not over.
    kept: BTreeMap<OrderNumber, kept_order::Kept>,
    /// The keys of orders derive from it.
    secret: [u8; 32],
    orders_placed: u64,
    /// Its UDP port besides its own that answers STUN.
    second_port: Option<u16>,
    shelf: Shelf,
    plain: Option<PlainOffer>,
    /// Connections with an event since the last `take_touched`, each once.
    touched: Vec<ConnectionId>,
    /// Events that the transcript has not taken yet, if there is one.
    log: Option<VecDeque<Arc<Event>>>,
    /// The time of the last call that had one.
    now: Instant,
}

impl Room {
    /// Most connections with a name.
    pub const MEMBERS: usize = 64;
    /// Most connections from one address; loopback has no limit.
    pub const PER_SOURCE: usize = 8;
    /// Most connections that gave no name yet.
    pub const UNNAMED: usize = 32;
    /// A longer line is cut.
    pub const LONGEST_LINE: usize = 4_096;
    const TIME_FOR_A_NAME: Duration = Duration::from_secs(10);
    const QUEUED_EVENTS: usize = 500;
    const QUEUED_BYTES: usize = 256 << 10;

    /// Empty. The secret is of the operating system's random source.
    pub fn new(secret: [u8; 32]) -> Self {
        Self {
            connections: BTreeMap::new(),
            next: 0,
            counters: RoomCounters::default(),
            orders: Orders::default(),
            kept: BTreeMap::new(),
            secret,
            orders_placed: 0,
            second_port: None,
            shelf: Shelf::new([0; 32], 0),
            plain: None,
            touched: Vec::new(),
            log: None,
            now: Instant::ZERO,
        }
    }

    /// The UDP port besides its own that answers STUN.
    pub fn set_second_port(&mut self, port: Option<u16>) {
        self.second_port = port;
    }

    /// A new connection: its first line is to be its name.
    pub fn connect(&mut self, now: Instant, connecting: Connecting) -> Result<ConnectionId, NoRoom> {
        self.now = now;
        self.has_place(&connecting).inspect_err(|_| self.counters.refused += 1)?;
        let id = ConnectionId(self.next);
        self.next += 1;
        self.connections.insert(id, Connection::new(now, connecting));
        if connecting.via == Via::Operator {
            self.enter(id, Name::of_operator());
        } else {
            self.tell(id, Event::Greeting);
        }
        Ok(id)
    }

    fn has_place(&self, connecting: &Connecting) -> Result<(), NoRoom> {
        let open = || self.connections.values().filter(|connection| !connection.closed);
        self.has_place_for_a_name()?;
        if open().filter(|one| one.as_connected.source == connecting.source).count() >= Self::PER_SOURCE
            && !connecting.source.is_loopback()
        {
            return Err(NoRoom::Source { most: Self::PER_SOURCE });
        }
        if open().filter(|one| one.name.is_none()).count() >= Self::UNNAMED {
            return Err(NoRoom::Unnamed);
        }
        Ok(())
    }

    /// Connections without a name are few, and yet all of them may give one.
    fn has_place_for_a_name(&self) -> Result<(), NoRoom> {
        let is_full = self.named().count() >= Self::MEMBERS;
        if is_full { Err(NoRoom::Members { most: Self::MEMBERS }) } else { Ok(()) }
    }

    /// A line, or a message, of this connection: the first is its name. False: the flood limit dropped it.
    pub fn hear(&mut self, now: Instant, id: ConnectionId, line: &str) -> bool {
        let admitted = self.admits(now, id, line.len());
        if admitted {
            self.admitted(id, line);
        }
        admitted
    }

    /// A JSON message of the program behind this connection. False: the flood limit dropped it.
    pub fn hear_message(&mut self, now: Instant, id: ConnectionId, line: &str) -> bool {
        let admitted = self.admits(now, id, line.len());
        if admitted {
            match Message::parse(line) {
                Ok(message) => self.do_message(id, message),
                Err(why) => self.tell(id, Event::Refused { why: shown(&why) }),
            }
        }
        admitted
    }

    fn do_message(&mut self, id: ConnectionId, message: Message) {
        match message {
            Message::Name(name) if self.name(id).is_none() => self.introduce(id, &name),
            Message::Name(name) => self.rename(id, &name),
            Message::Agent(agent) => self.set_agent(id, agent),
            Message::Load(verdict) => self.set_load(id, &verdict),
            Message::Offer(offer) => self.put_file(id, offer),
            Message::PutFile(_) | Message::GetFile { .. } => {
                let why = "a file comes and goes on an encrypted connection of its own";
                self.tell(id, Event::Refused { why: why.to_owned() });
            }
            Message::Say(_) if self.name(id).is_none() => {
                let why = "first give a name: {\"name\":\"anna\"}";
                self.tell(id, Event::Refused { why: why.to_owned() });
            }
            Message::Say(line) => self.admitted(id, &line),
            Message::Accept(accept) => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.accept = accept.into();
                }
            }
            message => self.order_message(self.now, id, message),
        }
    }

    fn admits(&mut self, now: Instant, id: ConnectionId, bytes: usize) -> bool {
        self.now = now;
        let Some(connection) = self.connections.get_mut(&id).filter(|one| !one.closed) else { return false };
        let verdict = connection.flood.admit(now, bytes);
        if verdict == Verdict::Pass {
            return true;
        }
        self.counters.dropped_lines += 1;
        match verdict {
            Verdict::DropAndTell => {
                let why = "too fast: 3 lines and 4 kB a second; what you send meanwhile is dropped";
                self.tell(id, Event::Dropped { why: why.to_owned() });
            }
            Verdict::Expel => self.close(id, Some(LeftReason::Flood)),
            Verdict::Pass | Verdict::Drop => {}
        }
        false
    }

    fn set_agent(&mut self, id: ConnectionId, agent: bool) {
        let via = self.connections.get_mut(&id).map(|one| &mut one.as_connected.via);
        if let Some(via @ (Via::Client | Via::Agent)) = via {
            *via = if agent { Via::Agent } else { Via::Client };
        }
    }

    fn admitted(&mut self, id: ConnectionId, line: &str) {
        if self.name(id).is_none() {
            return match line.trim() {
                "{quit}" | "/quit" => self.close(id, None),
                line if line.starts_with('/') => {
                    let why = "first give a name; for example anna".to_owned();
                    self.tell(id, Event::Refused { why });
                }
                line => self.introduce(id, line),
            };
        }
        match Command::parse(&cut(line)) {
            Ok(command) => self.obey(id, command),
            Err(error) => self.tell(id, Event::Refused { why: shown(&error.to_string()) }),
        }
    }

    /// The client of this connection says how busy its host is.
    pub fn set_load(&mut self, id: ConnectionId, verdict: &str) {
        const LONGEST: usize = 300;
        if let Some(connection) = self.connections.get_mut(&id) {
            // Escaped, a character takes up to ten.
            let verdict = shown(&verdict.chars().take(LONGEST).collect::<String>());
            connection.load = Some(verdict.chars().take(LONGEST).collect());
        }
    }

    /// The member leaves; what it is yet to be shown stays until it is taken.
    pub fn leave(&mut self, id: ConnectionId) {
        self.close(id, None);
    }

    /// The room ends for everybody.
    pub fn close_all(&mut self) {
        let all: Vec<ConnectionId> = self.connections.keys().copied().collect();
        all.into_iter().for_each(|id| self.close(id, Some(LeftReason::RoomClosed)));
    }

    /// The counts so far.
    pub fn counters(&self) -> RoomCounters {
        self.counters
    }

    /// For the owner of the sockets, which counts connections before they have a place here.
    pub fn counters_mut(&mut self) -> &mut RoomCounters {
        &mut self.counters
    }

    /// The connection is gone.
    pub fn disconnect(&mut self, id: ConnectionId) {
        self.close(id, None);
        self.connections.remove(&id);
    }

    /// When `handle_timeout` has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let unnamed = self.connections.values().filter(|one| one.name.is_none() && !one.closed);
        let names = unnamed.map(|one| one.since + Self::TIME_FOR_A_NAME);
        names.chain(self.orders.poll_timeout()).min()
    }

    /// Ends the connections that gave no name in time, and orders whose hosts do not do their part.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.orders.handle_timeout(now);
        self.do_steps();
        let late =
            |one: &Connection| one.name.is_none() && !one.closed && now >= one.since + Self::TIME_FOR_A_NAME;
        let silent: Vec<ConnectionId> =
            self.connections.iter().filter(|(_, one)| late(one)).map(|(id, _)| *id).collect();
        silent.into_iter().for_each(|id| self.close(id, Some(LeftReason::NoName)));
    }

    /// Takes the events of this connection; `Event::Closed` is the last.
    pub fn take_events(&mut self, id: ConnectionId) -> Vec<Arc<Event>> {
        self.take_at_most(id, usize::MAX)
    }

    /// Takes the first events, until these bytes are reached: the rest stays in the queue, which has a bound.
    pub fn take_at_most(&mut self, id: ConnectionId, bytes: usize) -> Vec<Arc<Event>> {
        let Some(connection) = self.connections.get_mut(&id) else { return Vec::new() };
        let mut taken = 0;
        let mut events = Vec::new();
        while taken < bytes
            && let Some(event) = connection.queue.pop_front()
        {
            taken += event.weight();
            events.push(event);
        }
        connection.queued = connection.queued.saturating_sub(taken);
        events
    }

    /// Whether `take_events` would return something.
    pub fn has_events(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_some_and(|connection| !connection.queue.is_empty())
    }

    /// Whether `Event::Closed` was the last event of this connection, or will be.
    pub fn is_closed(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_none_or(|connection| connection.closed)
    }

    /// Whether it is the seat of the person in front of the server.
    pub fn is_operator(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_some_and(|connection| connection.as_connected.via == Via::Operator)
    }

    /// `None` before it gave one.
    pub fn name(&self, id: ConnectionId) -> Option<&Name> {
        self.connections.get(&id)?.name.as_ref()
    }

    /// Everybody with a name, in the order of their coming.
    pub fn here(&self) -> Vec<Presence> {
        self.named().map(|(_, presence)| presence).collect()
    }

    /// Whether `/help` lists this command.
    pub fn has_command(command: &str) -> bool {
        HELP.iter().any(|line| line.starts_with(command))
    }

    /// How busy the hosts are, of one member or of all.
    pub fn loads(&self, of: Option<&str>) -> Vec<HostLoad> {
        let asked = |name: &Name| of.is_none_or(|of| name.is(of));
        let hosts = self.connections.values().filter_map(|one| {
            let name = one.name.clone().filter(|name| asked(name) && !one.closed)?;
            Some(HostLoad { name, verdict: one.load.clone() })
        });
        hosts.collect()
    }

    fn obey(&mut self, id: ConnectionId, command: Command) {
        match command {
            Command::Say { to, text } => self.say(id, &to, &text),
            Command::Who => self.tell(id, Event::Who { here: self.here() }),
            Command::Load { of } => {
                let hosts = self.loads(of.as_deref());
                self.tell(id, Event::Load { hosts });
            }
            Command::Rename { to } => self.rename(id, &to),
            Command::Files => self.list_files(id),
            Command::Get { number } => self.get_file(id, number),
            Command::Plain { number, word } => self.offer_plainly(id, number, word),
            Command::Help => self.tell(id, Event::Help),
            Command::Quit => self.close(id, None),
            Command::Order(order) => self.order(self.now, id, &order),
        }
    }

    /// The last event of this connection; the others are told that it left.
    fn close(&mut self, id: ConnectionId, reason: Option<LeftReason>) {
        let Some(connection) = self.connections.get_mut(&id).filter(|one| !one.closed) else { return };
        connection.closed = true;
        match reason {
            Some(LeftReason::SlowReader) => {
                connection.queue.clear();
                connection.queued = 0;
                self.counters.slow_readers += 1;
            }
            Some(LeftReason::Flood) => self.counters.floods += 1,
            Some(LeftReason::NoName) => self.counters.nameless += 1,
            Some(LeftReason::RoomClosed) | None => {}
        }
        connection.queue.push_back(Arc::new(Event::Closed { reason }));
        let name = connection.name.clone();
        self.touch(id);
        if let Some(name) = name {
            self.tell_others(id, Event::Left { name, reason });
        }
        self.gone(id);
    }

    fn next_order_key(&mut self) -> [u8; 32] {
        self.orders_placed += 1;
        *blake3::keyed_hash(&self.secret, &self.orders_placed.to_be_bytes()).as_bytes()
    }
}

#[cfg(test)]
mod tests;
