//! The figures of this host during a run: sampled once a second on the recording thread.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::host::{Figures, reasons};
use crate::net::HostSampler;
use crate::probe::Resolved;
use crate::record::Hosts;
use crate::stats::Quantiles;
use crate::time::{Duration, Instant};

pub(super) struct HostFigures {
    remote: IpAddr,
    running: Option<Running>,
}

struct Running {
    zero: Instant,
    sampler: HostSampler,
    seconds: Seconds,
}

impl HostFigures {
    const SECOND: Duration = Duration::from_secs(1);

    /// Watches the network interface that leads to this address.
    pub(super) fn new(remote: IpAddr) -> Self {
        Self { remote, running: None }
    }

    /// Time zero of the run.
    pub(super) fn start(&mut self, zero: Instant) {
        let sampler = HostSampler::start(Some(self.remote));
        self.running = Some(Running { zero, sampler, seconds: Seconds::default() });
    }

    /// The time until the current second ends.
    pub(super) fn due_in(&self, now: Instant) -> Option<Duration> {
        let running = self.running.as_ref()?;
        let end = running.zero + Self::SECOND * (running.seconds.sampled as i64 + 1);
        Some((end - now).max(Duration::ZERO))
    }

    /// Samples if a second has ended since the last sample.
    pub(super) fn sample(&mut self, now: Instant) {
        let Some(Running { zero, sampler, seconds }) = &mut self.running else { return };
        let ended = ((now - *zero).as_nanos() / Self::SECOND.as_nanos()).max(0) as u64;
        if ended > seconds.sampled {
            seconds.sample(Figures { second: ended, ..sampler.next_second() });
        }
    }

    pub(super) fn probe(&mut self, probe: &Resolved) {
        if let Some(running) = &mut self.running {
            running.seconds.probe(probe);
        }
    }

    /// Probes were skipped, since nothing ran for so long until now.
    pub(super) fn stalled(&mut self, now: Instant, stalled: Duration) {
        if let Some(Running { zero, seconds, .. }) = &mut self.running {
            let second = ((now - *zero).as_nanos() / Self::SECOND.as_nanos()).max(0) as u64 + 1;
            seconds.stalled(second, stalled.as_micros_f64());
        }
    }

    /// None if no second was sampled.
    pub(super) fn finish(self) -> Option<Hosts> {
        let client = self.running?.seconds.finish();
        (!client.is_empty()).then_some(Hosts { client, server: None })
    }
}

/// The seconds of a host. Each has two parts that come in either order: the sample, and the lateness of the probes.
#[derive(Default)]
struct Seconds {
    figures: Vec<Figures>,
    /// The newest second that was sampled.
    sampled: u64,
    /// The second of the last probe, and how late its probes were sent.
    open: u64,
    lateness: Quantiles,
    /// The 99th percentile of complete seconds that were not sampled yet.
    unmatched: BTreeMap<u64, f64>,
    /// The longest stall that ended in each second.
    stalls: BTreeMap<u64, f64>,
}

impl Seconds {
    /// All seconds of the first hour are kept.
    const FIRST: usize = 3600;
    /// Of later seconds only busy ones, up to this many in all: `run.json` stays small.
    const MAX: usize = 2 * Self::FIRST;

    fn sample(&mut self, mut figures: Figures) {
        self.sampled = figures.second;
        figures.lateness_p99_us = self.unmatched.remove(&figures.second);
        self.unmatched = self.unmatched.split_off(&figures.second);
        let busy = !reasons(&figures).is_empty();
        if self.figures.len() < Self::FIRST || busy && self.figures.len() < Self::MAX {
            self.figures.push(figures);
        }
    }

    fn probe(&mut self, probe: &Resolved) {
        let Some(sent) = probe.sent else { return };
        let second = probe.second();
        if second > self.open {
            self.complete();
            self.open = second;
        }
        self.lateness.record(sent - probe.due);
    }

    fn stalled(&mut self, second: u64, micros: f64) {
        if self.stalls.len() < Self::MAX {
            self.stalls.entry(second).and_modify(|longest| *longest = longest.max(micros)).or_insert(micros);
        }
    }

    fn complete(&mut self) {
        let lateness = std::mem::take(&mut self.lateness);
        let Some(p99) = lateness.at(0.99).map(Duration::as_micros_f64) else { return };
        match self.figures.binary_search_by_key(&self.open, |figures| figures.second) {
            Ok(at) => self.figures[at].lateness_p99_us = Some(p99),
            Err(_) if self.open > self.sampled => {
                self.unmatched.insert(self.open, p99);
            }
            Err(_) => {}
        }
    }

    fn finish(mut self) -> Vec<Figures> {
        self.complete();
        for (second, micros) in &self.stalls {
            // A second that was not sampled, such as the last one, tells it in the nearest one before.
            let after = self.figures.partition_point(|figures| figures.second <= *second);
            if let Some(figures) = self.figures[..after].last_mut() {
                figures.stalled_us = Some(figures.stalled_us.map_or(*micros, |longest| longest.max(*micros)));
            }
        }
        for figures in &mut self.figures {
            figures.reasons = reasons(figures).iter().map(ToString::to_string).collect();
        }
        self.figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Outcome;

    fn row(due_ms: i64, late_us: i64) -> Resolved {
        let due = Duration::from_millis(due_ms);
        Resolved { due, sent: Some(due + Duration::from_micros(late_us)), ..Resolved::unanswered(0) }
    }

    fn sample(second: u64, steal: f64) -> Figures {
        Figures { second, steal_share: Some(steal), ..Figures::default() }
    }

    #[test]
    fn each_second_gets_its_lateness_whether_its_probes_or_its_sample_come_first() {
        let mut seconds = Seconds::default();
        seconds.probe(&row(100, 20));
        seconds.sample(sample(1, 0.0));
        seconds.probe(&row(1100, 30));
        seconds.probe(&row(2100, 2000));
        seconds.sample(sample(2, 0.12));
        seconds.sample(sample(3, 0.0));
        let figures = seconds.finish();
        let lateness: Vec<_> = figures.iter().map(|figures| figures.lateness_p99_us).collect();
        assert_eq!(lateness, [Some(20.0), Some(30.0), Some(2000.0)]);
        assert_eq!(figures[0].reasons, [""; 0]);
        assert_eq!(figures[1].reasons, ["steal 12 %"]);
        assert_eq!(figures[2].reasons, ["own sends late, p99 2.0 ms"]);
    }

    #[test]
    fn a_stall_is_told_in_the_second_in_which_it_ended_or_the_nearest_before() {
        let mut seconds = Seconds::default();
        (1..=3).for_each(|second| seconds.sample(sample(second, 0.0)));
        seconds.stalled(2, 80_000.0);
        seconds.stalled(2, 300_000.0);
        seconds.stalled(4, 90_000.0);
        let figures = seconds.finish();
        assert_eq!(figures[0].reasons, [""; 0]);
        assert_eq!(figures[1].reasons, ["suspended or stalled for 300 ms"]);
        assert_eq!(figures[2].reasons, ["suspended or stalled for 90 ms"]);
    }

    #[test]
    fn a_lossy_path_makes_no_host_busy() {
        let mut seconds = Seconds::default();
        for due in 0..300 {
            seconds.probe(&Resolved { outcome: Outcome::Lost, ..row(due * 10, 20) });
        }
        (1..=3).for_each(|second| seconds.sample(sample(second, 0.0)));
        assert!(seconds.finish().iter().all(|figures| figures.reasons.is_empty()));
    }

    #[test]
    fn a_long_run_keeps_its_first_hour_and_then_busy_seconds_only() {
        let mut seconds = Seconds::default();
        for second in 1..=86_400 {
            seconds.sample(sample(second, if second % 10 == 0 { 0.5 } else { 0.0 }));
        }
        let figures = seconds.finish();
        assert_eq!(figures.len(), Seconds::MAX);
        assert!(figures[Seconds::FIRST..].iter().all(|figures| !figures.reasons.is_empty()));
    }
}
