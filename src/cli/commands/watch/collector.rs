//! Counts the reports of the measuring thread. That thread only adds; each half second it hands over the news, unless
//! somebody reads at that moment.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::fleet::{Figures, History, Key, Monitor, Recent, Sample};
use crate::net::{Observation, Observer, TargetId};
use crate::probe::{Event, FlowChange};
use crate::time::{Duration, Instant};

/// The figures and histories of all targets, and the figures of the monitor, as of the last half second.
#[derive(Clone, Default)]
pub(super) struct Counts {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    ids: BTreeMap<Key, TargetId>,
    figures: HashMap<TargetId, Figures>,
    histories: HashMap<TargetId, History>,
    monitor: Monitor,
    /// Removed since the last hand-over.
    removed: Vec<TargetId>,
}

impl Counts {
    /// Of one target; none before its first event.
    pub(super) fn of(&self, target: TargetId, now: Instant) -> Option<(Figures, Recent)> {
        let shared = self.lock();
        let recent = shared.histories.get(&target).map(|history| history.recent(now)).unwrap_or_default();
        shared.figures.get(&target).cloned().map(|figures| (figures, recent))
    }

    /// Reads a target's history; none before its first probe.
    pub(super) fn history<T>(&self, key: &Key, read: impl FnOnce(&History) -> T) -> Option<T> {
        let shared = self.lock();
        shared.histories.get(shared.ids.get(key)?).map(read)
    }

    /// Sets the first figures of a target, unless it has figures.
    pub(super) fn prepare(&self, target: TargetId, figures: Figures) {
        self.lock().figures.entry(target).or_insert(figures);
    }

    pub(super) fn monitor(&self) -> Monitor {
        self.lock().monitor.clone()
    }

    pub(super) fn add(&self, key: Key, target: TargetId) {
        self.lock().ids.insert(key, target);
    }

    /// Nothing of a target stays, though its last probes are still in flight.
    pub(super) fn forget(&self, key: &Key, target: TargetId) {
        let mut shared = self.lock();
        shared.ids.remove(key);
        shared.removed.push(target);
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A target of which something was found out that is worth a line.
pub(super) struct News {
    pub target: TargetId,
    pub change: FlowChange,
}

/// Lives in the measuring thread.
pub(super) struct Collector {
    figures: HashMap<TargetId, Figures>,
    monitor: Monitor,
    /// With news since the last copy.
    changed: Vec<TargetId>,
    samples: Vec<(TargetId, Sample)>,
    /// Their clients have not ended yet.
    removed: HashSet<TargetId>,
    counts: Counts,
    news: Sender<News>,
    next: Instant,
}

impl Collector {
    const PERIOD: Duration = Duration::from_millis(500);

    pub(super) fn new(counts: &Counts) -> (Self, Receiver<News>) {
        let (news, told) = channel();
        let collector = Self {
            figures: HashMap::new(),
            monitor: Monitor::default(),
            changed: Vec::new(),
            samples: Vec::new(),
            removed: HashSet::new(),
            counts: counts.clone(),
            news,
            next: Instant::ZERO,
        };
        (collector, told)
    }

    fn count(&mut self, target: TargetId, event: &Event) {
        if self.removed.contains(&target) {
            if matches!(event, Event::Finished | Event::Failed(_)) {
                self.removed.remove(&target);
            }
            return;
        }
        let counts = &self.counts;
        let first = || counts.lock().figures.get(&target).cloned().unwrap_or_default();
        let figures = self.figures.entry(target).or_insert_with(first);
        figures.observe(event);
        match event {
            Event::Resolved(probe) => {
                self.monitor.observe(probe);
                self.samples.extend(figures.sample(probe).map(|sample| (target, sample)));
            }
            Event::Flow { change, .. } => _ = self.news.send(News { target, change: *change }),
            _ => {}
        }
        if self.changed.last() != Some(&target) {
            self.changed.push(target);
        }
    }

    fn hand_over(&mut self) {
        let counts = self.counts.clone();
        let Ok(mut shared) = counts.shared.try_lock() else { return };
        self.give(&mut shared);
    }

    fn give(&mut self, shared: &mut Shared) {
        self.removed.extend(shared.removed.iter().copied());
        shared.monitor = self.monitor.clone();
        for (target, sample) in self.samples.drain(..) {
            shared.histories.entry(target).or_default().push(&sample);
        }
        for target in self.changed.drain(..) {
            if let Some(figures) = self.figures.get(&target) {
                shared.figures.insert(target, figures.clone());
            }
        }
        for target in std::mem::take(&mut shared.removed) {
            self.figures.remove(&target);
            shared.figures.remove(&target);
            shared.histories.remove(&target);
        }
    }

    /// The run is over: the last copy waits for readers.
    pub(super) fn finish(mut self) {
        let counts = self.counts.clone();
        self.give(&mut counts.lock());
    }
}

impl Observer for Collector {
    fn observe(&mut self, observation: Observation) {
        match observation {
            Observation::Event { target, event, .. } => self.count(target, &event),
            Observation::FlowPorts { target, ports } if !self.removed.contains(&target) => {
                self.figures.entry(target).or_default().note_flow_ports(ports);
            }
            Observation::SharedSockets { overflows, foreign } => {
                (self.monitor.overflows, self.monitor.foreign) = (overflows, foreign);
            }
            Observation::Tick { now, .. } if now >= self.next => {
                self.next = now + Self::PERIOD;
                self.changed.sort_unstable();
                self.changed.dedup();
                self.hand_over();
            }
            _ => {}
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
        counts.add(key(), TARGET);
        tell(&mut collector, Event::Started { zero: Instant::ZERO });
        tell(&mut collector, Event::Resolved(Resolved::unanswered(0)));
        collector.hand_over();
        let (figures, recent) = counts.of(TARGET, Instant::ZERO).unwrap();
        assert_eq!((figures.lost(), recent.sent), (1, 1));
        assert!(counts.history(&key(), |_| ()).is_some());

        counts.forget(&key(), TARGET);
        collector.hand_over();
        // Its last probe was still in flight.
        tell(&mut collector, Event::Resolved(Resolved::unanswered(1)));
        tell(&mut collector, Event::Finished);
        collector.hand_over();
        assert!(counts.of(TARGET, Instant::ZERO).is_none() && counts.history(&key(), |_| ()).is_none());
        assert!(counts.lock().histories.is_empty() && counts.lock().figures.is_empty());
        assert!(collector.figures.is_empty() && collector.samples.is_empty() && collector.removed.is_empty());
    }
}
