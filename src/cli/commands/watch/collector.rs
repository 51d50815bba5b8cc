//! Counts what the measuring thread reports. That thread only adds; each second it hands over a copy, unless
//! somebody reads the last one at that moment.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::fleet::{Figures, Monitor};
use crate::net::{Observation, Observer, TargetId};
use crate::probe::{Event, FlowChange};
use crate::time::{Duration, Instant};

/// The figures of all targets and of the monitor, as of the last second.
#[derive(Clone, Default)]
pub(super) struct Counts {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    figures: HashMap<TargetId, Figures>,
    monitor: Monitor,
}

impl Counts {
    /// Of one target; none before its first event.
    pub(super) fn of(&self, target: TargetId) -> Option<Figures> {
        self.lock().figures.get(&target).cloned()
    }

    /// What a target begins with, unless it has figures already.
    pub(super) fn prepare(&self, target: TargetId, figures: Figures) {
        self.lock().figures.entry(target).or_insert(figures);
    }

    pub(super) fn forget(&self, target: TargetId) {
        self.lock().figures.remove(&target);
    }

    pub(super) fn monitor(&self) -> Monitor {
        self.lock().monitor.clone()
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
            counts: counts.clone(),
            news,
            next: Instant::ZERO,
        };
        (collector, told)
    }

    fn note(&mut self, target: TargetId, event: &Event) {
        let counts = &self.counts;
        let first = || counts.of(target).unwrap_or_default();
        self.figures.entry(target).or_insert_with(first).observe(event);
        match event {
            Event::Resolved(probe) => self.monitor.observe(probe),
            Event::Flow { change, .. } => _ = self.news.send(News { target, change: *change }),
            _ => {}
        }
        if self.changed.last() != Some(&target) {
            self.changed.push(target);
        }
    }

    fn hand_over(&mut self) {
        let Ok(mut shared) = self.counts.shared.try_lock() else { return };
        for target in self.changed.drain(..) {
            if let Some(figures) = self.figures.get(&target) {
                shared.figures.insert(target, figures.clone());
            }
        }
        shared.monitor = self.monitor.clone();
    }

    /// The run is over: the last copy waits for readers.
    pub(super) fn finish(self) {
        *self.counts.lock() = Shared { figures: self.figures, monitor: self.monitor };
    }
}

impl Observer for Collector {
    fn observe(&mut self, observation: Observation) {
        match observation {
            Observation::Event { target, event, .. } => self.note(target, &event),
            Observation::FlowPorts { target, ports } => {
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
