//! Counts the reports of the measuring thread. That thread waits for no reader: it counts later what it cannot count at
//! once.

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use crate::fleet::{Figures, History, Key, Monitor, Recent, State};
use crate::net::{Observation, Observer, TargetId};
use crate::probe::{Event, FlowChange};
use crate::time::Instant;

/// The figures and histories of all targets, and the figures of the monitor.
#[derive(Clone, Default)]
pub(super) struct Counts {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    ids: BTreeMap<Key, TargetId>,
    targets: HashMap<TargetId, Box<Counted>>,
    monitor: Monitor,
}

#[derive(Default)]
struct Counted {
    figures: Figures,
    history: History,
}

impl Counts {
    /// From now on events of this target count, from these figures on.
    pub(super) fn add(&self, key: Key, target: TargetId, figures: Figures) {
        let mut shared = self.lock();
        shared.ids.insert(key, target);
        shared.targets.insert(target, Box::new(Counted { figures, ..Counted::default() }));
    }

    /// Nothing of a target stays, though its last probes are still in flight.
    pub(super) fn forget(&self, key: &Key, target: TargetId) {
        let mut shared = self.lock();
        shared.ids.remove(key);
        shared.targets.remove(&target);
    }

    /// Of one target.
    pub(super) fn of(&self, target: TargetId, now: Instant) -> Option<(Figures, Recent)> {
        let shared = self.lock();
        shared.targets.get(&target).map(|counted| (counted.figures.clone(), counted.history.recent(now)))
    }

    pub(super) fn state(&self, target: TargetId) -> Option<State> {
        Some(self.lock().targets.get(&target)?.figures.state())
    }

    /// The target has an address again, and no session yet.
    pub(super) fn reopen(&self, target: TargetId) {
        if let Some(counted) = self.lock().targets.get_mut(&target) {
            counted.figures.reopen();
        }
    }

    /// Reads a target's history.
    pub(super) fn history<T>(&self, key: &Key, read: impl FnOnce(&History) -> T) -> Option<T> {
        let shared = self.lock();
        shared.targets.get(shared.ids.get(key)?).map(|counted| read(&counted.history))
    }

    pub(super) fn monitor(&self) -> Monitor {
        self.lock().monitor.clone()
    }

    /// Readers hold the lock for one target at a time, so that the measuring thread soon counts again.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None while a reader has it.
    fn try_lock(&self) -> Option<MutexGuard<'_, Shared>> {
        match self.shared.try_lock() {
            Ok(shared) => Some(shared),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl Shared {
    fn count_all(&mut self, pending: &mut Vec<Observation>, news: &Sender<News>) {
        for observation in pending.drain(..) {
            // Without a receiver the run is over.
            self.count(observation).map(|found| news.send(found));
        }
    }

    /// Events of a target that is forgotten do not count.
    fn count(&mut self, observation: Observation) -> Option<News> {
        match observation {
            Observation::Event { target, event, .. } => {
                let Counted { figures, history } = &mut **self.targets.get_mut(&target)?;
                figures.observe(&event);
                match event {
                    Event::Resolved(probe) => {
                        self.monitor.observe(&probe);
                        figures.sample(&probe).iter().for_each(|sample| history.push(sample));
                    }
                    Event::Flow { change, .. } => return Some(News { target, change }),
                    _ => {}
                }
            }
            Observation::FlowPorts { target, ports } => {
                self.targets.get_mut(&target)?.figures.note_flow_ports(ports);
            }
            Observation::SharedSockets { overflows, foreign } => {
                (self.monitor.overflows, self.monitor.foreign) = (overflows, foreign);
            }
            _ => {}
        }
        None
    }
}

/// A target of which something was found out that is worth a line.
pub(super) struct News {
    pub target: TargetId,
    pub change: FlowChange,
}

/// Lives in the measuring thread.
pub(super) struct Collector {
    counts: Counts,
    /// Not counted yet, because a reader has the counts.
    pending: Vec<Observation>,
    news: Sender<News>,
}

impl Collector {
    pub(super) fn new(counts: &Counts) -> (Self, Receiver<News>) {
        let (news, told) = channel();
        (Self { counts: counts.clone(), pending: Vec::new(), news }, told)
    }

    /// The run is over: the last events wait for readers.
    pub(super) fn finish(mut self) {
        self.counts.lock().count_all(&mut self.pending, &self.news);
    }
}

impl Observer for Collector {
    fn observe(&mut self, observation: Observation) {
        self.pending.push(observation);
        if let Some(mut shared) = self.counts.try_lock() {
            shared.count_all(&mut self.pending, &self.news);
        }
    }

    fn is_watched(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Resolved;

    const TARGET: TargetId = TargetId(7);

    fn tell(collector: &mut Collector, event: Event) {
        collector.observe(Observation::Event { target: TARGET, event, ttl: None });
    }

    fn key() -> Key {
        Key { group: "g".into(), target: "t".into() }
    }

    #[test]
    fn a_target_that_was_removed_leaves_nothing_behind() {
        let counts = Counts::default();
        let (mut collector, _news) = Collector::new(&counts);
        counts.add(key(), TARGET, Figures::default());
        tell(&mut collector, Event::Started { zero: Instant::ZERO });
        tell(&mut collector, Event::Resolved(Resolved::unanswered(0)));
        let (figures, recent) = counts.of(TARGET, Instant::ZERO).unwrap();
        assert_eq!((figures.lost(), recent.sent), (1, 1));
        assert!(counts.history(&key(), |_| ()).is_some());

        counts.forget(&key(), TARGET);
        // Its last probe was still in flight.
        tell(&mut collector, Event::Resolved(Resolved::unanswered(1)));
        tell(&mut collector, Event::Finished);
        assert!(counts.of(TARGET, Instant::ZERO).is_none() && counts.history(&key(), |_| ()).is_none());
        assert!(counts.lock().targets.is_empty() && counts.lock().ids.is_empty());
    }

    #[test]
    fn a_reader_delays_no_event_and_each_counts_once_he_is_done() {
        let counts = Counts::default();
        let (mut collector, _news) = Collector::new(&counts);
        counts.add(key(), TARGET, Figures::default());
        let sent = || counts.of(TARGET, Instant::ZERO).unwrap().0.resolved();
        tell(&mut collector, Event::Started { zero: Instant::ZERO });
        let reader = counts.lock();
        (0..3).for_each(|seq| tell(&mut collector, Event::Resolved(Resolved::unanswered(seq))));
        drop(reader);
        assert_eq!((sent(), collector.pending.len()), (0, 3));
        tell(&mut collector, Event::Resolved(Resolved::unanswered(3)));
        assert_eq!((sent(), collector.pending.len()), (4, 0));
        let reader = counts.lock();
        tell(&mut collector, Event::Resolved(Resolved::unanswered(4)));
        drop(reader);
        collector.finish();
        assert_eq!(sent(), 5);
    }
}
