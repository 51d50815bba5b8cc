//! The one room of a process. Connections of every kind take a seat: they pass on the lines of their member,
//! and wait for its events.
//!
//! Nothing here waits for a slow reader: the room queues up to 500 events for it and then closes it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::net::clock::Clock;
use crate::net::random_bytes;
use crate::room::{
    Connecting, ConnectionId, Event, FileRefusal, HostLoad, Name, NoRoom, Offer, Offered, Presence, Role,
    Room, RoomCounters, Shelf, ShelfFile, Transfer,
};
use crate::time::{Duration, Instant};

/// A handle to the room; clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct RoomService {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    /// Never held across an await, and by threads of the control plane only.
    state: Mutex<State>,
    /// The time of the next time-out may have changed.
    changed: Notify,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) room: Room,
    seats: BTreeMap<ConnectionId, Arc<Wake>>,
}

/// Wakes the connection of a seat; each has one task that waits.
#[derive(Debug, Default)]
struct Wake {
    events: Notify,
    closed: Notify,
}

impl RoomService {
    /// An empty room.
    pub fn new(clock: Clock) -> Self {
        let secret = random_bytes().expect("the system has random bytes");
        let state = State { room: Room::new(secret), seats: BTreeMap::new() };
        Self { shared: Arc::new(Shared { clock, state: Mutex::new(state), changed: Notify::new() }) }
    }

    /// The same with this shelf.
    pub fn with_shelf(self, shelf: Shelf) -> Self {
        self.with(|state, _| state.room.set_shelf(shelf));
        self
    }

    /// The UDP port besides the room's own that answers STUN.
    pub(super) fn set_second_port(&self, port: Option<u16>) {
        self.with(|state, _| state.room.set_second_port(port));
    }

    /// From now on `take_log` has everything that happens.
    pub fn keep_log(&self) {
        self.with(|state, _| state.room.keep_log());
    }

    /// The events since the last time, for a transcript.
    pub fn take_log(&self) -> Vec<Arc<Event>> {
        self.lock().room.take_log()
    }

    /// Lets somebody in, who then gives a name with the first line.
    pub fn join(&self, connecting: Connecting) -> Result<Seat, NoRoom> {
        self.with(|state, clock| {
            let id = state.room.connect(clock.now(), connecting)?;
            let wake = Arc::new(Wake::default());
            state.seats.insert(id, Arc::clone(&wake));
            Ok(Seat { room: self.clone(), id, wake })
        })
    }

    /// Everybody with a name, in the order of their coming.
    pub fn here(&self) -> Vec<Presence> {
        self.lock().room.here()
    }

    /// Whether every connection has ended; the operator has none.
    pub(super) fn is_deserted(&self) -> bool {
        let state = self.lock();
        state.seats.keys().all(|id| state.room.is_operator(*id))
    }

    /// The counts so far.
    pub fn counters(&self) -> RoomCounters {
        self.lock().room.counters()
    }

    /// Counts what happens before a connection has a seat.
    pub(super) fn count(&self, count: impl FnOnce(&mut RoomCounters)) {
        count(self.lock().room.counters_mut());
    }

    pub(super) fn now(&self) -> Instant {
        self.shared.clock.now()
    }

    /// Whether a word may come instead of a name.
    pub(super) fn has_plain_offer(&self) -> bool {
        self.lock().room.has_plain_offer(self.now())
    }

    /// Ends the room: everybody is told, and leaves.
    pub fn close(&self) {
        self.with(|state, _| state.room.close_all());
    }

    /// Keeps the room's time-outs for as long as it is polled.
    pub async fn keep_time(self) {
        const IDLE: Duration = Duration::from_secs(3600);
        loop {
            let now = self.shared.clock.now();
            let due = self.lock().room.poll_timeout();
            let wait = due.map_or(IDLE, |due| (due - now).max(Duration::ZERO));
            if timeout(wait.to_std(), self.shared.changed.notified()).await.is_err() {
                self.with(|state, clock| state.room.handle_timeout(clock.now()));
            }
        }
    }

    /// Changes the room and wakes every connection that has something to show now.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut State, Clock) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state, self.shared.clock);
        for id in state.room.take_touched() {
            let Some(wake) = state.seats.get(&id) else { continue };
            wake.events.notify_one();
            if state.room.is_closed(id) {
                wake.closed.notify_one();
            }
        }
        drop(state);
        self.shared.changed.notify_one();
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection in the room; dropped, its member leaves.
#[derive(Debug)]
pub struct Seat {
    room: RoomService,
    id: ConnectionId,
    wake: Arc<Wake>,
}

impl Seat {
    /// Passes on a line or a message of the member; the first is its name. False: it was dropped by the
    /// flood limit.
    pub fn say(&self, line: &str) -> bool {
        self.room.with(|state, clock| state.room.hear(clock.now(), self.id, line))
    }

    /// Passes on a JSON message of a program, as `say` does a line.
    pub fn send(&self, line: &str) -> bool {
        self.room.with(|state, clock| state.room.hear_message(clock.now(), self.id, line))
    }

    /// The member leaves. What it is yet to be shown can still be taken, with `Event::Closed` as the last.
    pub fn leave(&self) {
        self.room.with(|state, _| state.room.leave(self.id));
    }

    /// The next events of the member, as soon as there is one; `Event::Closed` is the last.
    pub async fn events(&self) -> Vec<Arc<Event>> {
        loop {
            let events = self.take_events();
            if !events.is_empty() {
                return events;
            }
            self.wake.events.notified().await;
        }
    }

    /// The same without waiting. Of many events only the first: what is taken no longer counts as unread.
    pub fn take_events(&self) -> Vec<Arc<Event>> {
        const AT_ONCE: usize = 16 << 10;
        self.room.lock().room.take_at_most(self.id, AT_ONCE)
    }

    /// Waits until the room has closed this seat; `Event::Closed` is then among the events.
    pub async fn closed(&self) {
        if !self.room.lock().room.is_closed(self.id) {
            self.wake.closed.notified().await;
        }
    }
}

/// The room as one member sees it.
#[derive(Clone, Debug)]
pub struct RoomView {
    /// Its own name.
    pub name: Option<Name>,
    /// Its own role.
    pub role: Option<Role>,
    /// Everybody with a name.
    pub here: Vec<Presence>,
    /// How busy their hosts are.
    pub loads: Vec<HostLoad>,
    /// The files of the shelf that it sees.
    pub files: Vec<ShelfFile>,
}

impl Seat {
    /// The room as this member sees it.
    pub fn view(&self) -> RoomView {
        let state = self.room.lock();
        let (name, here) = (state.room.name(self.id).cloned(), state.room.here());
        let role = here.iter().find(|one| name.as_ref() == Some(&one.name)).map(|one| one.role);
        RoomView { role, loads: state.room.loads(None), files: state.room.files_for(self.id), name, here }
    }

    /// The member wants to put a file on the shelf.
    pub fn offer_file(&self, offer: Offer) -> Result<Offered, FileRefusal> {
        self.room.with(|state, clock| state.room.offer_file(clock.now(), self.id, offer))
    }

    /// The member wants to have a file.
    pub fn ask_file(&self, number: u32) -> Result<Transfer, FileRefusal> {
        self.room.with(|state, clock| state.room.ask_file(clock.now(), self.id, number))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.with(|state, _| {
            state.room.disconnect(self.id);
            state.seats.remove(&self.id);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::room::{LeftReason, Role, Via};

    fn guest(last: u8) -> Connecting {
        let source = IpAddr::from([10, 0, 0, last]);
        Connecting { source, role: Role::Guest, via: Via::Text, encrypted: false }
    }

    fn member(room: &RoomService, name: &str, last: u8) -> Seat {
        let seat = room.join(guest(last)).unwrap();
        assert!(seat.say(name));
        drop(seat.take_events());
        seat
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(test);
    }

    fn texts(events: &[Arc<Event>]) -> Vec<String> {
        events.iter().map(|event| event.text()).collect()
    }

    #[test]
    fn a_seat_is_woken_by_what_others_say_and_left_when_it_is_dropped() {
        run(async {
            let room = RoomService::new(Clock::start());
            let anna = member(&room, "anna", 1);
            let waiting = tokio::spawn(async move { (texts(&anna.events().await), anna) });
            tokio::task::yield_now().await;
            let bea = member(&room, "bea", 2);
            let (shown, anna) = waiting.await.unwrap();
            assert_eq!(shown, ["bea has joined the chat!"]);
            drop(bea);
            assert_eq!(texts(&anna.events().await), ["bea has left the chat."]);
            assert_eq!(room.here().len(), 1);
        });
    }

    #[test]
    fn a_seat_that_takes_no_events_is_closed_and_told_so() {
        run(async {
            let room = RoomService::new(Clock::start());
            let slow = member(&room, "slow", 1);
            // Each stays within its own burst.
            for last in 2..=60 {
                let one = member(&room, "talker", last);
                (0..9).for_each(|_| assert!(one.say("x")));
                if room.here().iter().all(|presence| !presence.name.is("slow")) {
                    break;
                }
            }
            slow.closed().await;
            let last = slow.take_events();
            assert_eq!(
                last.last().map(|event| (**event).clone()),
                Some(Event::Closed { reason: Some(LeftReason::SlowReader) })
            );
        });
    }
}
