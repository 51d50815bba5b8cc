//! Counts what the measuring thread reports. That thread only adds; each second it hands over a copy, unless
//! somebody reads the last one at that moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::fleet::Figures;
use crate::net::{Observation, Observer, TargetId};
use crate::time::{Duration, Instant};

/// The figures of all targets, as of the last second.
#[derive(Clone, Default)]
pub(super) struct Counts {
    shared: Arc<Mutex<HashMap<TargetId, Figures>>>,
}

impl Counts {
    /// Of one target; none before its first event.
    pub(super) fn of(&self, target: TargetId) -> Option<Figures> {
        self.lock().get(&target).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TargetId, Figures>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lives in the measuring thread.
pub(super) struct Collector {
    figures: HashMap<TargetId, Figures>,
    /// With news since the last copy.
    changed: Vec<TargetId>,
    counts: Counts,
    next: Instant,
}

impl Collector {
    const PERIOD: Duration = Duration::from_millis(500);

    pub(super) fn new(counts: &Counts) -> Self {
        Self { figures: HashMap::new(), changed: Vec::new(), counts: counts.clone(), next: Instant::ZERO }
    }

    fn hand_over(&mut self) {
        let Ok(mut shared) = self.counts.shared.try_lock() else { return };
        for target in self.changed.drain(..) {
            if let Some(figures) = self.figures.get(&target) {
                shared.insert(target, figures.clone());
            }
        }
    }

    /// The run is over: the last copy waits for readers.
    pub(super) fn finish(self) {
        *self.counts.lock() = self.figures;
    }
}

impl Observer for Collector {
    fn observe(&mut self, observation: Observation) {
        match observation {
            Observation::Event { target, event, .. } => {
                self.figures.entry(target).or_default().observe(&event);
                if self.changed.last() != Some(&target) {
                    self.changed.push(target);
                }
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
