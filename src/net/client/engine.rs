//! One thread that serves a list of targets in the order of their deadlines. Its work grows with the datagrams that
//! are due or have come, not with the number of targets.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use super::changes::{Change, TargetChanges};
use super::events::{Observation, Observer};
use super::shared::{Place, Shared};
use super::sockets::Outgoing;
use super::target::{Load, Readable, Target};
use super::target_queue::{TargetId, TargetQueue};
use crate::net::clock::Clock;
use crate::net::sleep::{Policy, Timer};
use crate::net::socket_errors::ErrorBudget;
use crate::net::stop_signal::Control;
use crate::net::sys::{self, ReadySet};
use crate::probe::Settings;
use crate::time::{Duration, Instant};

/// Runs against servers, one for each target.
pub struct ClientEngine {
    /// Boxed: an empty slot of the table takes a pointer instead of 2.5 kB.
    pub(super) targets: HashMap<TargetId, Box<Entry>>,
    pub(super) queue: TargetQueue,
    pub(super) shared: Shared,
    pub(super) policy: Policy,
    pub(super) readable: Known,
    pub(super) wait_errors: ErrorBudget,
    /// The sum over all targets.
    pub(super) load: Load,
    sockets: usize,
    running: usize,
    changes: Option<Receiver<Change>>,
    round: u64,
    /// The targets of a round; kept for its memory.
    turn: Vec<TargetId>,
    /// Targets with a datagram at a shared socket; kept for its memory.
    pub(super) heard: Vec<TargetId>,
}

pub(super) struct Entry {
    pub target: Target,
    /// As it counts in the sum.
    load: Load,
    /// The round in which it was served last.
    round: u64,
    pub is_over: bool,
    is_removed: bool,
}

/// The result of the last wait at the sockets.
pub(super) enum Known {
    Nothing,
    /// These were readable, sorted; and if `complete` no other was at that moment.
    Readable {
        places: Vec<Place>,
        as_of: Instant,
        complete: bool,
    },
}

impl Known {
    pub(super) fn of(&self, target: TargetId) -> Readable<'_> {
        let Self::Readable { places, as_of, complete } = self else { return Readable::Any };
        let start = places.partition_point(|place| place.target < target);
        let count = places[start..].iter().take_while(|place| place.target == target).count();
        if count == 0 && !complete { Readable::Any } else { Readable::At(&places[start..][..count], *as_of) }
    }
}

impl ClientEngine {
    pub(crate) const TICK: Duration = Duration::from_millis(100);
    /// A set of more sockets than this (epoll) costs less than a list (poll).
    const FEW_SOCKETS: usize = 16;

    /// Without a target yet.
    pub fn new(timer: Timer, clock: Clock) -> Self {
        Self {
            targets: HashMap::default(),
            queue: TargetQueue::default(),
            shared: Shared::new(clock),
            policy: Policy::of_client(timer),
            readable: Known::Nothing,
            wait_errors: ErrorBudget::default(),
            load: Load::default(),
            sockets: 0,
            running: 0,
            changes: None,
            round: 0,
            turn: Vec::new(),
            heard: Vec::new(),
        }
    }

    /// With one target.
    pub fn connect(
        remote: SocketAddr,
        settings: Settings,
        outgoing: &Outgoing,
        clock: Clock,
    ) -> io::Result<Self> {
        let mut engine = Self::new(outgoing.timer, clock);
        engine.add(TargetId::default(), Target::connect(remote, settings, outgoing, clock)?)?;
        Ok(engine)
    }

    /// Adds a target in place of the one that had this id, if there was one.
    pub fn add(&mut self, id: TargetId, mut target: Target) -> io::Result<()> {
        self.forget(id);
        target.id = id;
        target.make_room(&mut self.shared);
        self.sockets += target.socket_count();
        self.running += 1;
        let entry = Entry { target, load: Load::default(), round: 0, is_over: false, is_removed: false };
        self.targets.insert(id, Box::new(entry));
        self.take_ports(id)?;
        self.requeue(id, Target::LAZY);
        self.watch_sockets(id)
    }

    /// A target as it is now, also after its end.
    pub fn target(&self, id: TargetId) -> Option<&Target> {
        self.targets.get(&id).map(|entry| &entry.target)
    }

    /// Lets another thread change the list of targets while the engine runs.
    pub fn changes(&mut self, control: &Arc<Control>) -> TargetChanges {
        let (sender, receiver) = channel();
        self.changes = Some(receiver);
        TargetChanges::new(sender, Arc::clone(control))
    }

    /// Runs until every target is over and none can be added, or until it is told to stop at once. A target whose
    /// sockets fail ends alone; the run ends with an error if it cannot wait.
    pub fn run(&mut self, control: &Control, observer: &mut impl Observer) -> io::Result<()> {
        let ran = self.run_until_the_end(control, observer);
        for id in self.running_ids() {
            self.end(id, ran.as_ref().err(), observer);
        }
        observer.idle();
        ran
    }

    fn run_until_the_end(&mut self, control: &Control, observer: &mut impl Observer) -> io::Result<()> {
        sys::set_min_timer_slack();
        sys::request_short_timeslice();
        self.policy.set_realtime(sys::is_realtime(), self.shared.clock.now());
        let mut stopping = false;
        let mut next_tick = self.shared.clock.now();
        while !control.abort_asked() {
            let takes_more = !stopping && self.take_changes(observer);
            self.serve_round(observer)?;
            if control.stop_asked() && !std::mem::replace(&mut stopping, true) {
                self.running_ids().into_iter().for_each(|id| self.stop(id, observer));
            }
            if self.running == 0 && (stopping || !takes_more) {
                break;
            }
            let now = self.shared.clock.now();
            if now >= next_tick {
                self.tick(now, observer);
                next_tick = now + Self::TICK;
            }
            if self.wait(control, observer)? {
                control.clear();
            }
        }
        Ok(())
    }

    /// Serves each target that is due, or at whose sockets something may be, once; those that are due first.
    fn serve_round(&mut self, observer: &mut impl Observer) -> io::Result<()> {
        self.look()?;
        self.shared.backlog = false;
        self.read_pool(observer)?;
        self.round += 1;
        let mut turn = std::mem::take(&mut self.turn);
        turn.extend(self.queue.due_by(self.shared.clock.now()));
        match &self.readable {
            Known::Nothing => turn.extend(self.targets.keys()),
            Known::Readable { places, .. } => turn.extend(places.iter().map(|place| place.target)),
        }
        for id in turn.drain(..) {
            if self.targets.get(&id).is_some_and(|entry| entry.round != self.round) {
                self.serve(id, observer);
            }
        }
        self.turn = turn;
        self.readable = Known::Nothing;
        Ok(())
    }

    pub(super) fn serve(&mut self, id: TargetId, observer: &mut impl Observer) {
        let Some(entry) = self.targets.get_mut(&id).filter(|entry| !entry.is_over) else { return };
        entry.round = self.round;
        match entry.target.serve(self.readable.of(id), &mut self.shared, observer) {
            Ok(()) if entry.target.is_over() => self.end(id, None, observer),
            Ok(()) => self.requeue(id, lazy(observer)),
            Err(error) => self.end(id, Some(&error), observer),
        }
    }

    /// Stops a target. It first handles the datagrams that have arrived.
    fn stop(&mut self, id: TargetId, observer: &mut impl Observer) {
        self.serve(id, observer);
        if let Some(entry) = self.targets.get_mut(&id) {
            entry.target.stop(self.shared.clock.now());
        }
        self.serve(id, observer);
    }

    /// Whether more changes may come.
    fn take_changes(&mut self, observer: &mut impl Observer) -> bool {
        loop {
            match self.changes.as_ref().map(Receiver::try_recv) {
                None => return false,
                Some(Err(TryRecvError::Empty)) => return true,
                Some(Err(TryRecvError::Disconnected)) => self.changes = None,
                Some(Ok(Change::Remove(id))) => self.remove(id, observer),
                Some(Ok(Change::Add(id, target))) => {
                    if let Err(error) = self.add(id, *target) {
                        self.end(id, Some(&error), observer);
                    }
                }
            }
        }
    }

    fn remove(&mut self, id: TargetId, observer: &mut impl Observer) {
        match self.targets.get_mut(&id) {
            Some(entry) if !entry.is_over => {
                entry.is_removed = true;
                self.stop(id, observer);
            }
            _ => self.forget(id),
        }
    }

    fn tick(&mut self, now: Instant, observer: &mut impl Observer) {
        if self.shared.ready_set.is_none() {
            self.targets.values_mut().for_each(|entry| entry.target.read_foreign(&mut self.shared));
        }
        let pool = &self.shared.pool;
        if !pool.is_empty() {
            let (overflows, foreign) = (pool.overflows(), pool.foreign());
            observer.observe(Observation::SharedSockets { overflows, foreign });
        }
        observer.observe(Observation::Tick { now, in_flight: self.load.in_flight });
        observer.idle();
    }

    /// Notes when a target is next to be served.
    pub(super) fn requeue(&mut self, id: TargetId, lazy: Duration) {
        let Some(entry) = self.targets.get_mut(&id) else { return };
        self.queue.set(id, entry.target.moments(self.shared.clock.now(), lazy));
        let load = entry.target.load();
        self.load.replace(std::mem::replace(&mut entry.load, load), load);
    }

    /// A target's run is over, perhaps because of an error.
    fn end(&mut self, id: TargetId, error: Option<&io::Error>, observer: &mut impl Observer) {
        let Some(entry) = self.targets.get_mut(&id).filter(|entry| !entry.is_over) else { return };
        let now = self.shared.clock.now();
        entry.target.report_end(now, error, observer);
        self.close(id);
        if self.targets.get(&id).is_some_and(|entry| entry.is_removed) {
            self.targets.remove(&id);
        }
    }

    /// Closes a target's sockets: nothing is waited for there.
    fn close(&mut self, id: TargetId) {
        let Some(entry) = self.targets.get_mut(&id).filter(|entry| !entry.is_over) else { return };
        entry.is_over = true;
        self.running -= 1;
        self.sockets -= entry.target.socket_count();
        self.load.replace(std::mem::take(&mut entry.load), Load::default());
        entry.target.close(&mut self.shared);
        self.queue.remove(id);
    }

    fn forget(&mut self, id: TargetId) {
        self.close(id);
        self.targets.remove(&id);
    }

    fn running_ids(&self) -> Vec<TargetId> {
        let running = self.targets.iter().filter(|(_, entry)| !entry.is_over);
        running.map(|(id, _)| *id).collect()
    }

    fn take_ports(&mut self, id: TargetId) -> io::Result<()> {
        match self.targets.get_mut(&id) {
            Some(entry) => entry.target.take_ports(&mut self.shared),
            None => Ok(()),
        }
    }

    /// From now on a wait covers the sockets of this target; where there are many, or shared ones, by the set of all.
    fn watch_sockets(&mut self, id: TargetId) -> io::Result<()> {
        if self.shared.ready_set.is_some() {
            return self.targets[&id].target.watch_sockets(&self.shared);
        }
        if self.sockets > Self::FEW_SOCKETS || !self.shared.pool.is_empty() {
            self.shared.ready_set = ReadySet::new().ok();
            let running = || self.targets.values().filter(|entry| !entry.is_over);
            if self.shared.watch_pool().is_err()
                || running().any(|entry| entry.target.watch_sockets(&self.shared).is_err())
            {
                // Other backends' sockets are in no set.
                self.shared.ready_set = None;
            }
        }
        Ok(())
    }
}

/// For how long before the next probe replies may wait.
pub(super) fn lazy(observer: &impl Observer) -> Duration {
    if observer.is_watched() { Target::LAZY } else { Target::LAZY_UNSEEN }
}
