//! Whether this host was busy while the server ran: sampled once a second on the thread of the views.

use crate::host::{Figures, Summary, reasons};
use crate::net::HostSampler;
use crate::time::{Duration, Instant};

pub(super) struct HostLoad {
    sampler: HostSampler,
    next: Instant,
    /// Busy seconds, up to `MAX`.
    busy: Vec<Figures>,
    busy_seconds: usize,
    seconds: usize,
}

impl HostLoad {
    const SECOND: Duration = Duration::from_secs(1);
    /// An hour: a server may run for months.
    const MAX: usize = 3600;

    pub(super) fn start(now: Instant) -> Self {
        let sampler = HostSampler::start(None);
        Self { sampler, next: now + Self::SECOND, busy: Vec::new(), busy_seconds: 0, seconds: 0 }
    }

    /// Samples if a second is over.
    pub(super) fn tick(&mut self, now: Instant) {
        if now >= self.next {
            self.next = now + Self::SECOND;
            let figures = self.sampler.next_second();
            self.second(figures);
        }
    }

    fn second(&mut self, figures: Figures) {
        self.seconds += 1;
        if !reasons(&figures).is_empty() {
            self.busy_seconds += 1;
            if self.busy.len() < Self::MAX {
                self.busy.push(figures);
            }
        }
    }

    /// None if the host was never busy.
    pub(super) fn summary(&self) -> Option<Summary> {
        let summary = Summary::of(&self.busy)?;
        Some(Summary { busy: self.busy_seconds, seconds: self.seconds, ..summary })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_seconds_are_counted_beyond_those_that_are_kept() {
        let mut load = HostLoad::start(Instant::ZERO);
        assert_eq!(load.summary(), None);
        for second in 1..=10_000 {
            let steal_share = Some(if second % 2 == 0 { 0.12 } else { 0.0 });
            load.second(Figures { second, steal_share, ..Figures::default() });
        }
        assert_eq!(load.summary().unwrap().to_string(), "busy in 5000 of 10000 s: steal 12 %");
        assert_eq!(load.busy.len(), HostLoad::MAX);
    }
}
