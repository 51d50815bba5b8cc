//! The members of a room and what they say to each other.
//!
//! `connect`, `hear` and `disconnect` are what happens; each member's events wait in a queue of its own
//! until `take_events`. A member that does not read is disconnected: nobody waits for anybody.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use super::command::Command;
use super::event::{Event, HostLoad, LeftReason, Presence, Role, Via};
use super::flood::{FloodLimit, Verdict};
use super::name::Name;
use super::shown::shown;
use crate::time::{Duration, Instant};

/// Names a connection for as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

#[cfg(test)]
impl ConnectionId {
    pub(super) fn of(number: u64) -> Self {
        Self(number)
    }
}

/// Who knocks.
#[derive(Clone, Copy, Debug)]
pub struct Connecting {
    /// Its address, for the limit per source.
    pub source: IpAddr,
    /// By its key, or the lack of one.
    pub role: Role,
    /// The program at the other end.
    pub via: Via,
    /// Whether the connection is.
    pub encrypted: bool,
}

/// Why somebody cannot come in, in one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// `Room::MEMBERS` are here.
    #[error("the room is full: {most} members are here")]
    Members {
        /// That limit.
        most: usize,
    },
    /// `Room::PER_SOURCE` connections come from this address.
    #[error("too many connections from your address: {most}")]
    Source {
        /// That limit.
        most: usize,
    },
    /// `Room::UNNAMED` connections have given no name yet.
    #[error("too many connections without a name; try again")]
    Unnamed,
}

/// What a member wants that is not talk; the owner of the room carries it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub(crate) from: ConnectionId,
    pub(crate) order: super::command::OrderCommand,
}

/// Its members, and what each is still to be told.
#[derive(Debug)]
pub struct Room {
    connections: BTreeMap<ConnectionId, Connection>,
    next: u64,
    requests: VecDeque<Request>,
}

#[derive(Debug)]
struct Connection {
    as_connected: Connecting,
    since: Instant,
    name: Option<Name>,
    flood: FloodLimit,
    queue: VecDeque<Arc<Event>>,
    queued: usize,
    load: Option<String>,
    closed: bool,
}

impl Default for Room {
    fn default() -> Self {
        Self::new()
    }
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

    /// Empty.
    pub fn new() -> Self {
        Self { connections: BTreeMap::new(), next: 0, requests: VecDeque::new() }
    }

    /// A new connection: its first line is to be its name.
    pub fn connect(&mut self, now: Instant, connecting: Connecting) -> Result<ConnectionId, NoRoom> {
        let open = || self.connections.values().filter(|connection| !connection.closed);
        if open().filter(|one| one.name.is_some()).count() >= Self::MEMBERS {
            return Err(NoRoom::Members { most: Self::MEMBERS });
        }
        if open().filter(|one| one.as_connected.source == connecting.source).count() >= Self::PER_SOURCE
            && !connecting.source.is_loopback()
        {
            return Err(NoRoom::Source { most: Self::PER_SOURCE });
        }
        if open().filter(|one| one.name.is_none()).count() >= Self::UNNAMED {
            return Err(NoRoom::Unnamed);
        }
        let id = ConnectionId(self.next);
        self.next += 1;
        self.connections.insert(id, Connection::new(now, connecting));
        self.tell(id, Event::Greeting);
        Ok(id)
    }

    /// A line, or a message, of this connection: the first is its name. False: the flood limit dropped it.
    pub fn hear(&mut self, now: Instant, id: ConnectionId, line: &str) -> bool {
        let Some(connection) = self.connections.get_mut(&id).filter(|one| !one.closed) else { return false };
        match connection.flood.admit(now, line.len()) {
            Verdict::Pass => self.admitted(id, line),
            Verdict::DropAndTell => {
                let why = "too fast: 3 lines and 4 kB a second; what you send meanwhile is dropped";
                self.tell(id, Event::Dropped { why: why.to_owned() });
                return false;
            }
            Verdict::Drop => return false,
            Verdict::Expel => {
                self.close(id, Some(LeftReason::Flood));
                return false;
            }
        }
        true
    }

    fn admitted(&mut self, id: ConnectionId, line: &str) {
        if self.name(id).is_none() {
            return self.introduce(id, line);
        }
        match Command::parse(&cut(line)) {
            Ok(command) => self.obey(id, command),
            Err(error) => self.tell(id, Event::Refused { why: shown(&error.to_string()) }),
        }
    }

    /// The client of this connection says how busy its host is.
    pub fn set_load(&mut self, id: ConnectionId, verdict: &str) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.load = Some(shown(&verdict.chars().take(200).collect::<String>()));
        }
    }

    /// The connection is gone.
    pub fn disconnect(&mut self, id: ConnectionId) {
        self.close(id, None);
        self.connections.remove(&id);
    }

    /// When `handle_timeout` has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let unnamed = self.connections.values().filter(|one| one.name.is_none() && !one.closed);
        unnamed.map(|one| one.since + Self::TIME_FOR_A_NAME).min()
    }

    /// Ends the connections that gave no name in time.
    pub fn handle_timeout(&mut self, now: Instant) {
        let late =
            |one: &Connection| one.name.is_none() && !one.closed && now >= one.since + Self::TIME_FOR_A_NAME;
        let silent: Vec<ConnectionId> =
            self.connections.iter().filter(|(_, one)| late(one)).map(|(id, _)| *id).collect();
        silent.into_iter().for_each(|id| self.close(id, Some(LeftReason::NoName)));
    }

    /// What this connection is to be shown now; `Event::Closed` is the last.
    pub fn take_events(&mut self, id: ConnectionId) -> Vec<Arc<Event>> {
        let Some(connection) = self.connections.get_mut(&id) else { return Vec::new() };
        connection.queued = 0;
        connection.queue.drain(..).collect()
    }

    /// Whether `take_events` would return something.
    pub fn has_events(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_some_and(|connection| !connection.queue.is_empty())
    }

    /// Whether `Event::Closed` was the last event of this connection, or will be.
    pub fn is_closed(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_none_or(|connection| connection.closed)
    }

    /// The oldest that was not yet taken.
    pub fn take_request(&mut self) -> Option<Request> {
        self.requests.pop_front()
    }

    /// `None` before it gave one.
    pub fn name(&self, id: ConnectionId) -> Option<&Name> {
        self.connections.get(&id)?.name.as_ref()
    }

    /// Everybody with a name, in the order of their coming.
    pub fn here(&self) -> Vec<Presence> {
        self.named().map(|(_, presence)| presence).collect()
    }

    fn named(&self) -> impl Iterator<Item = (ConnectionId, Presence)> {
        self.connections.iter().filter(|(_, one)| !one.closed).filter_map(|(id, one)| {
            let Connecting { role, via, .. } = one.as_connected;
            Some((*id, Presence { name: one.name.clone()?, role, via }))
        })
    }

    fn find(&self, name: &str) -> Option<(ConnectionId, Name)> {
        self.named().find(|(_, presence)| presence.name.is(name)).map(|(id, presence)| (id, presence.name))
    }

    /// The name ends at the first blank where more follows: the original's clients may send both at once.
    fn introduce(&mut self, id: ConnectionId, line: &str) {
        let line = line.trim();
        let wanted = match Name::nearest(line) {
            Ok(name) => name,
            Err(error) => return self.tell(id, Event::Refused { why: error.to_string() }),
        };
        let name = wanted.made_unique(|name| self.find(name.as_str()).is_some());
        let here = self.here();
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.name = Some(name.clone());
        let Connecting { role, encrypted, .. } = connection.as_connected;
        self.tell(id, Event::Welcome { name: name.clone(), role, encrypted, here });
        self.tell_others(id, Event::Joined { name });
    }

    fn obey(&mut self, id: ConnectionId, command: Command) {
        match command {
            Command::Say { to, text } => self.say(id, &to, &text),
            Command::Who => self.tell(id, Event::Who { here: self.here() }),
            Command::Load { of } => {
                let asked = |name: &Name| of.as_deref().is_none_or(|of| name.is(of));
                let hosts = self.connections.values().filter_map(|one| {
                    let name = one.name.clone().filter(|name| asked(name) && !one.closed)?;
                    Some(HostLoad { name, verdict: one.load.clone() })
                });
                let hosts = hosts.collect();
                self.tell(id, Event::Load { hosts });
            }
            Command::Rename { to } => self.rename(id, &to),
            Command::Help => self.tell(id, Event::Help),
            Command::Quit => self.close(id, None),
            Command::Order(order) => {
                let role = self.connections.get(&id).map(|one| one.as_connected.role);
                if role == Some(Role::Member) {
                    self.requests.push_back(Request { from: id, order });
                } else {
                    let why = "only members can do this: join with udpecho join and the room's key";
                    self.tell(id, Event::Refused { why: why.to_owned() });
                }
            }
        }
    }

    fn say(&mut self, id: ConnectionId, to: &[String], text: &str) {
        let Some(from) = self.name(id).cloned() else { return };
        if text.trim().is_empty() {
            return;
        }
        let text = shown(text);
        if to.is_empty() {
            let said = Arc::new(Event::Said { from, to: Vec::new(), text });
            let all: Vec<ConnectionId> = self.named().map(|(id, _)| id).collect();
            return all.into_iter().for_each(|id| self.queue(id, &said));
        }
        let mut found: Vec<(ConnectionId, Name)> = Vec::new();
        for name in to {
            match self.find(name) {
                Some(one) if !found.contains(&one) => found.push(one),
                Some(_) => {}
                None => {
                    let why = format!("{} is not here; /who lists who is", shown(name));
                    self.tell(id, Event::Refused { why });
                }
            }
        }
        if found.is_empty() {
            return;
        }
        let names = found.iter().map(|(_, name)| name.clone()).collect();
        let said = Arc::new(Event::Said { from, to: names, text });
        let own = std::iter::once(id).filter(|own| found.iter().all(|(id, _)| id != own));
        let all: Vec<ConnectionId> = found.iter().map(|(id, _)| *id).chain(own).collect();
        all.into_iter().for_each(|id| self.queue(id, &said));
    }

    fn rename(&mut self, id: ConnectionId, wanted: &str) {
        let Some(from) = self.name(id).cloned() else { return };
        match Name::new(wanted) {
            Err(error) => self.tell(id, Event::Refused { why: error.to_string() }),
            Ok(to) if self.find(to.as_str()).is_some_and(|(other, _)| other != id) => {
                self.tell(id, Event::Refused { why: format!("{to} is here already") });
            }
            Ok(to) => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.name = Some(to.clone());
                }
                let renamed = Arc::new(Event::Renamed { from, to });
                let all: Vec<ConnectionId> = self.named().map(|(id, _)| id).collect();
                all.into_iter().for_each(|id| self.queue(id, &renamed));
            }
        }
    }

    /// The last event of this connection; the others are told that it left.
    fn close(&mut self, id: ConnectionId, reason: Option<LeftReason>) {
        let Some(connection) = self.connections.get_mut(&id).filter(|one| !one.closed) else { return };
        connection.closed = true;
        if reason == Some(LeftReason::SlowReader) {
            connection.queue.clear();
        }
        connection.queue.push_back(Arc::new(Event::Closed { reason }));
        if let Some(name) = connection.name.clone() {
            self.tell_others(id, Event::Left { name, reason });
        }
    }

    fn tell(&mut self, id: ConnectionId, event: Event) {
        self.queue(id, &Arc::new(event));
    }

    fn tell_others(&mut self, id: ConnectionId, event: Event) {
        let event = Arc::new(event);
        let others: Vec<ConnectionId> = self.named().map(|(id, _)| id).filter(|other| *other != id).collect();
        others.into_iter().for_each(|other| self.queue(other, &event));
    }

    fn queue(&mut self, id: ConnectionId, event: &Arc<Event>) {
        let Some(connection) = self.connections.get_mut(&id).filter(|one| !one.closed) else { return };
        connection.queued += event.weight();
        connection.queue.push_back(Arc::clone(event));
        if connection.queue.len() > Self::QUEUED_EVENTS || connection.queued > Self::QUEUED_BYTES {
            self.close(id, Some(LeftReason::SlowReader));
        }
    }
}

impl Connection {
    fn new(now: Instant, connecting: Connecting) -> Self {
        Self {
            as_connected: connecting,
            since: now,
            name: None,
            flood: FloodLimit::new(now),
            queue: VecDeque::new(),
            queued: 0,
            load: None,
            closed: false,
        }
    }
}

/// At most so many bytes of a line, and a mark where it was cut.
fn cut(line: &str) -> String {
    if line.len() <= Room::LONGEST_LINE {
        return line.to_owned();
    }
    let end = (0..=Room::LONGEST_LINE).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    format!("{}...[cut]", &line[..end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn guest(last: u8) -> Connecting {
        let source = IpAddr::from([10, 0, 0, last]);
        Connecting { source, role: Role::Guest, via: Via::Text, encrypted: false }
    }

    fn room(names: &[&str]) -> (Room, Vec<ConnectionId>) {
        let mut room = Room::new();
        let ids: Vec<ConnectionId> = names
            .iter()
            .zip(1..)
            .map(|(name, last)| {
                let id = room.connect(at(0), guest(last)).unwrap();
                room.hear(at(0), id, name);
                id
            })
            .collect();
        ids.iter().for_each(|id| drop(room.take_events(*id)));
        (room, ids)
    }

    fn shown_to(room: &mut Room, id: ConnectionId) -> Vec<String> {
        room.take_events(id)
            .iter()
            .flat_map(|event| event.text().lines().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }

    #[test]
    fn two_members_meet_as_in_the_transcript() {
        let mut room = Room::new();
        let anna = room.connect(at(0), guest(1)).unwrap();
        assert_eq!(
            shown_to(&mut room, anna),
            ["Greetings from the cave! Now type your name and press enter!"]
        );
        room.hear(at(0), anna, "anna");
        assert_eq!(
            shown_to(&mut room, anna),
            [
                "Welcome anna! If you ever want to quit, type {quit} to exit.",
                "-- here: nobody else. Not encrypted; you are a guest. /help"
            ]
        );
        let dora = room.connect(at(0), guest(2)).unwrap();
        room.hear(at(0), dora, "dora\n");
        assert_eq!(shown_to(&mut room, anna), ["dora has joined the chat!"]);
        drop(room.take_events(dora));
        room.hear(at(0), anna, "hello");
        for id in [anna, dora] {
            assert_eq!(shown_to(&mut room, id), ["anna: hello"]);
        }
        room.hear(at(0), dora, "{quit}");
        assert_eq!(shown_to(&mut room, dora), ["{quit}"]);
        assert_eq!(shown_to(&mut room, anna), ["dora has left the chat."]);
        room.disconnect(dora);
        assert_eq!(shown_to(&mut room, anna), Vec::<String>::new());
    }

    #[test]
    fn a_private_message_reaches_its_members_and_its_sender_alone() {
        let (mut room, ids) = room(&["anna", "bea", "carl", "dora"]);
        room.hear(at(0), ids[0], "@bea @CARL: look at #4");
        for id in &ids[..3] {
            assert_eq!(shown_to(&mut room, *id), ["anna to bea, carl: look at #4"]);
        }
        assert!(!room.has_events(ids[3]));
        room.hear(at(0), ids[0], "@nobody hi");
        assert_eq!(shown_to(&mut room, ids[0]), ["-- nobody is not here; /who lists who is"]);
        assert!(ids[1..].iter().all(|id| !room.has_events(*id)));
    }

    #[test]
    fn no_line_of_a_member_looks_like_a_line_of_the_room() {
        let (mut room, ids) = room(&["anna", "bea"]);
        for forged in ["-- carl was BUSY", "bea has left the chat.", "x\nbea: I agree", "\u{1b}[1A-- yes"] {
            room.hear(at(0), ids[0], forged);
            for line in shown_to(&mut room, ids[1]) {
                assert!(line.starts_with("anna: "), "{line:?}");
            }
        }
    }

    #[test]
    fn a_taken_name_gets_a_number_and_a_bad_one_is_asked_again() {
        let (mut room, _) = room(&["anna"]);
        let second = room.connect(at(0), guest(9)).unwrap();
        room.hear(at(0), second, "<>");
        room.hear(at(0), second, "Anna");
        assert_eq!(room.name(second).map(Name::as_str), Some("Anna-2"));
        room.hear(at(0), second, "/name anna");
        assert_eq!(shown_to(&mut room, second).last().map(String::as_str), Some("-- anna is here already"));
        room.hear(at(0), second, "/name bea");
        assert_eq!(shown_to(&mut room, second), ["-- Anna-2 is bea now"]);
    }

    #[test]
    fn places_are_limited_by_members_by_source_and_by_names_not_given() {
        let mut room = Room::new();
        for _ in 0..Room::PER_SOURCE {
            room.connect(at(0), guest(1)).unwrap();
        }
        assert_eq!(room.connect(at(0), guest(1)), Err(NoRoom::Source { most: 8 }));
        for last in 2..=25 {
            room.connect(at(0), guest(last)).unwrap();
        }
        assert_eq!(room.connect(at(0), guest(26)), Err(NoRoom::Unnamed));
        // Ten seconds later those without a name are gone.
        assert_eq!(room.poll_timeout(), Some(at(10_000)));
        room.handle_timeout(at(10_000));
        assert!(room.connect(at(10_000), guest(26)).is_ok());
    }

    #[test]
    fn a_full_room_says_so() {
        let names: Vec<String> = (0..64).map(|n| format!("m{n}")).collect();
        let (mut room, _) = room(&names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(room.here().len(), 64);
        assert_eq!(room.connect(at(0), guest(200)), Err(NoRoom::Members { most: 64 }));
    }

    #[test]
    fn who_does_not_read_is_disconnected_and_the_others_are_told() {
        let (mut room, ids) = room(&["anna", "slow"]);
        let mut told = Vec::new();
        for second in 0..400 {
            for _ in 0..3 {
                room.hear(at(second * 1_000), ids[0], "x");
            }
            told.extend(shown_to(&mut room, ids[0]));
        }
        assert!(told.contains(&"-- slow was disconnected: did not read what was sent".to_owned()));
        let last = room.take_events(ids[1]);
        assert_eq!(last, [Arc::new(Event::Closed { reason: Some(LeftReason::SlowReader) })]);
    }

    #[test]
    fn a_flood_is_dropped_with_one_notice_and_a_minute_of_it_ends_the_membership() {
        let (mut room, ids) = room(&["anna", "bea"]);
        for tick in 0..700 {
            room.hear(at(tick * 100), ids[0], "spam");
            drop(room.take_events(ids[1]));
        }
        let shown = shown_to(&mut room, ids[0]);
        assert_eq!(shown.iter().filter(|line| line.starts_with("-- too fast")).count(), 1);
        assert_eq!(shown.last().map(String::as_str), Some("-- disconnected: sent too much for a minute"));
    }

    #[test]
    fn orders_are_for_members() {
        let (mut room, ids) = room(&["anna"]);
        room.hear(at(0), ids[0], "/ping anna bea");
        assert!(shown_to(&mut room, ids[0])[0].starts_with("-- only members can do this"));
        assert_eq!(room.take_request(), None);
        let bea =
            room.connect(at(0), Connecting { role: Role::Member, via: Via::Client, ..guest(2) }).unwrap();
        room.hear(at(0), bea, "bea");
        room.hear(at(0), bea, "/yes 4");
        let order = super::super::command::OrderCommand::Yes { order: 4 };
        assert_eq!(room.take_request(), Some(Request { from: bea, order }));
    }

    #[test]
    fn a_huge_line_is_cut_and_says_so() {
        assert!(cut(&"ä".repeat(5_000)).ends_with("...[cut]"));
        assert_eq!(cut("short"), "short");
    }

    proptest! {
        /// Whatever is said: private text stays with its members, lines of members begin with a name, and
        /// queues stay bounded.
        #[test]
        fn talk_keeps_its_promises(lines in proptest::collection::vec((0_usize..4, prop_oneof![
            "[a-z @:/{}-]{0,30}", "@(anna|bea|carl|dora)( @(anna|bea))?:? secret", "/[a-z]{1,5} ?[a-z]{0,5}", any::<String>(),
        ]), 0..60)) {
            let (mut room, ids) = room(&["anna", "bea", "carl", "dora"]);
            for (step, (who, line)) in (0_i64..).zip(lines) {
                room.hear(at(step * 400), ids[who], &line);
                for (index, id) in ids.iter().enumerate() {
                    for event in room.take_events(*id) {
                        if let Event::Said { from, to, .. } = &*event {
                            let own = |name: &Name| room.name(ids[index]).is_none_or(|own| own == name);
                            prop_assert!(to.is_empty() || own(from) || to.iter().any(own));
                        }
                        let has_escape = event.text().contains(char::from(0x1B));
                        prop_assert!(!has_escape);
                        prop_assert!(serde_json::to_string(&*event).is_ok());
                    }
                }
            }
        }
    }
}
