//! The state of a running measurement, folded from the events of the engine in memory that does not
//! grow with the run. Pure: `now` is an argument.
//!
//! Each view has its own model, so that resetting one leaves the others alone.

use std::collections::{HashSet, VecDeque};

use super::bins::{Bin, Bins};

use super::run_info::RunInfo;
use crate::probe::{Event, Knows, NotOnTime, Outcome, Resolved};
use crate::report::{injection, unknown};
use crate::stats::{OutcomeCounts, Proportion, Quantiles, RttBuckets, Second};
use crate::time::{Duration, Instant};

/// The state of a run at one moment.
#[derive(Clone, Debug)]
pub struct RunSnapshot {
    pub(crate) info: RunInfo,
    /// The figures that can be measured, as far as replies have shown.
    pub(crate) knows: Knows,
    /// The server's impairments in words, or the unknown figures; empty before the handshake.
    pub injects: String,
    /// Since time zero; none before it.
    pub elapsed: Option<Duration>,
    /// Probes that left.
    pub sent: u64,
    /// The outcomes known so far.
    pub outcomes: OutcomeCounts,
    /// Past their deadline, late ones included.
    pub missed: u64,
    /// Further replies to probes that had one.
    pub duplicates: u64,
    /// Replies that came after one to a later probe.
    pub reordered: u64,
    /// RTTs on time.
    pub rtt: Quantiles,
    /// RTTs in the buckets of `/metrics`.
    pub rtt_buckets: RttBuckets,
    /// Probes by the time at which they were sent, for charts.
    pub bins: Bins,
    /// The newest complete seconds.
    pub seconds: VecDeque<Second>,
    /// `None` before the first reply.
    pub last_rtt: Option<Duration>,
}

impl RunSnapshot {
    /// Replies received to different probes.
    pub fn received(&self) -> u64 {
        self.outcomes.on_time + self.outcomes.late()
    }

    /// Probes without a reply that are not past their deadline.
    pub fn in_flight(&self) -> u64 {
        self.sent.saturating_sub(self.outcomes.on_time + self.missed)
    }

    /// The share lost or late of the probes with a reply on time or past their deadline.
    pub fn loss(&self) -> Option<f64> {
        Proportion::new(self.missed, self.outcomes.on_time + self.missed).value()
    }

    pub(crate) fn left(&self) -> Option<Duration> {
        Some((self.info.length? - self.elapsed?).max(Duration::ZERO))
    }
}

/// Builds the state of a run from its events.
#[derive(Debug)]
pub struct RunModel {
    now: RunSnapshot,
    zero: Option<Instant>,
    /// Earlier probes were sent before the last reset.
    from: u64,
    /// One more than the largest sequence number sent.
    launched: u64,
    /// Probes resolved.
    resolved: u64,
    /// Probes past their deadline and not resolved.
    overdue: HashSet<u64>,
    next_expected: u64,
    /// When the rate was last measured, and how many probes had been sent by then.
    paced: (Duration, u64),
}

impl RunModel {
    const SECONDS: usize = 600;

    /// Of a run that has not begun.
    pub fn new(info: RunInfo) -> Self {
        Self::starting(info, 0)
    }

    fn starting(info: RunInfo, from: u64) -> Self {
        Self {
            now: RunSnapshot {
                knows: info.dialect.knows(),
                info,
                injects: String::new(),
                elapsed: None,
                sent: 0,
                missed: 0,
                duplicates: 0,
                reordered: 0,
                outcomes: OutcomeCounts::default(),
                rtt: Quantiles::new(),
                rtt_buckets: RttBuckets::default(),
                bins: Bins::starting(from),
                seconds: VecDeque::new(),
                last_rtt: None,
            },
            zero: None,
            from,
            launched: from,
            resolved: 0,
            overdue: HashSet::new(),
            next_expected: from,
            paced: (Duration::ZERO, from),
        }
    }

    /// Starts over with the next probe; the time since the start goes on.
    pub fn reset(&mut self) {
        let fresh = Self::starting(self.now.info.clone(), self.launched);
        let before = std::mem::replace(self, fresh);
        self.now.injects = before.now.injects;
        self.now.knows = before.now.knows;
        self.now.elapsed = before.now.elapsed;
        self.zero = before.zero;
        self.resolved = before.resolved;
        self.paced = (before.paced.0, self.launched);
    }

    /// The state after the last event.
    pub fn now(&self) -> &RunSnapshot {
        &self.now
    }

    /// Takes in one event of the client.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Opened { server, .. } => {
                self.now.injects = match &server.injects {
                    Some(injects) => {
                        format!("the server injects {}", injection(injects, Some(server.seed)))
                    }
                    None => unknown(server.dialect, self.now.knows),
                };
            }
            Event::Found { finding, .. } => {
                self.now.knows = self.now.knows.after(*finding);
                self.now.injects = unknown(self.now.info.dialect, self.now.knows);
            }
            Event::Started { zero } => self.zero = Some(*zero),
            Event::Reply { seq, rtt, late_by, copy: 1, .. } => self.reply(*seq, *rtt, late_by.is_some()),
            Event::Reply { seq, .. } => self.now.duplicates += u64::from(*seq >= self.from),
            Event::Overdue { seq } => self.overdue(*seq),
            Event::NotSent { seq, .. } => {
                self.launch(*seq + 1);
                if *seq >= self.from {
                    self.now.outcomes.add(NotOnTime::NotSent);
                }
            }
            Event::Resolved(probe) => self.resolve(probe),
            _ => {}
        }
        self.count();
    }

    /// Takes in a complete second.
    pub fn second(&mut self, second: &Second) {
        self.now.seconds.push_back(*second);
        let gone = self.now.seconds.len().saturating_sub(Self::SECONDS);
        self.now.seconds.drain(..gone);
    }

    /// Time has passed; the engine holds `in_engine` unresolved probes.
    pub fn tick(&mut self, now: Instant, in_engine: Option<usize>) {
        if let Some(zero) = self.zero {
            self.now.elapsed = Some((now - zero).max(Duration::ZERO));
        }
        if let Some(in_engine) = in_engine {
            self.launch(self.resolved + in_engine as u64);
            self.pace();
        }
        self.count();
    }

    /// One more than the largest sequence number sent.
    pub fn launched(&self) -> u64 {
        self.launched
    }

    /// Measures the rate, which decides how many probes a bin has.
    fn pace(&mut self) {
        let (elapsed, (then, launched)) = (self.elapsed(), self.paced);
        if elapsed - then >= Duration::from_millis(500) {
            // Depending on where it begins, a span has one probe more than its share.
            self.now.bins.fit_rate((self.launched - launched).saturating_sub(1), elapsed - then);
            self.paced = (elapsed, self.launched);
        }
    }

    fn elapsed(&self) -> Duration {
        self.now.elapsed.unwrap_or(Duration::ZERO)
    }

    fn launch(&mut self, launched: u64) {
        self.launched = self.launched.max(launched);
    }

    fn count(&mut self) {
        self.now.sent = (self.launched - self.from).saturating_sub(self.now.outcomes.not_sent());
    }

    fn reply(&mut self, seq: u64, rtt: Duration, late: bool) {
        self.launch(seq + 1);
        if seq < self.from {
            return;
        }
        self.now.reordered += u64::from(seq < self.next_expected);
        self.next_expected = self.next_expected.max(seq + 1);
        let was_overdue = self.overdue.remove(&seq);
        if late {
            self.now.missed += u64::from(!was_overdue);
            self.now.outcomes.add(NotOnTime::Late);
        } else {
            self.now.outcomes.on_time += 1;
            self.now.rtt.record(rtt);
            self.now.rtt_buckets.record(rtt);
            self.now.last_rtt = Some(rtt);
        }
        self.in_bin(seq, |bin| {
            bin.open = bin.open.saturating_sub(u32::from(was_overdue));
            if late { bin.outcomes.add(NotOnTime::Late) } else { bin.answer(rtt) }
        });
    }

    fn overdue(&mut self, seq: u64) {
        self.launch(seq + 1);
        if seq >= self.from {
            self.overdue.insert(seq);
            self.now.missed += 1;
            self.in_bin(seq, |bin| bin.open += 1);
        }
    }

    fn resolve(&mut self, probe: &Resolved) {
        let seq = probe.seq;
        self.launch(seq + 1);
        self.resolved = seq + 1;
        self.in_bin(seq, |bin| bin.at = bin.at.min(probe.due));
        let was_overdue = self.overdue.remove(&seq);
        let reason = probe.not_on_time().filter(|reason| *reason != NotOnTime::Late && seq >= self.from);
        if let Some(reason) = reason {
            // A probe that the socket refused was counted at once.
            if reason != NotOnTime::NotSent || probe.skipped {
                self.now.outcomes.add(reason);
            }
            self.now.missed += u64::from(!was_overdue && probe.outcome == Outcome::Lost);
            self.in_bin(seq, |bin| {
                bin.open = bin.open.saturating_sub(u32::from(was_overdue));
                bin.outcomes.add(reason);
            });
        }
    }

    fn in_bin(&mut self, seq: u64, change: impl FnOnce(&mut Bin)) {
        let at = self.elapsed();
        if let Some(bin) = self.now.bins.of(seq, at) {
            change(bin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_probes_are_not_counted_as_sent() {
        let skipped = Resolved {
            sent: None,
            interval: Duration::from_millis(1),
            outcome: Outcome::SendError,
            skipped: true,
            ..Resolved::unanswered(0)
        };
        let mut model = RunModel::new(RunInfo::default());
        model.event(&Event::Started { zero: Instant::ZERO });
        for seq in 0..3 {
            model.event(&Event::Resolved(Resolved { seq, ..skipped }));
        }
        let rtt = Duration::from_millis(1);
        model.event(&Event::Reply { seq: 3, rtt, hold: None, late_by: None, copy: 1 });
        let now = model.now();
        assert_eq!((now.sent, now.outcomes.not_sent(), now.outcomes.on_time), (1, 3, 1));
    }

    #[test]
    fn what_replies_show_changes_what_is_known_and_its_metrics() {
        use crate::live::metrics::of_run;
        use crate::probe::{Dialect, Finding, ServerInfo};
        let info = RunInfo { dialect: Dialect::Stamp, ..RunInfo::default() };
        let mut model = RunModel::new(info);
        let server = ServerInfo::silent(Dialect::Stamp);
        model.event(&Event::Opened { at: Instant::ZERO, server });
        let has_up = |model: &RunModel| of_run(model.now()).contains("cause=\"up\"");
        assert!(model.now().injects.contains("until replies show it") && !has_up(&model));
        model.event(&Event::Found { at: Instant::ZERO, finding: Finding::Stateful });
        assert!(has_up(&model) && !of_run(model.now()).contains("injected_down"));
        assert_eq!(model.now().injects, "stamp dialect; unknown: what the server injects, changed bytes");
        model.reset();
        assert!(has_up(&model), "a reset forgets nothing of the server");
        model.event(&Event::Found { at: Instant::ZERO, finding: Finding::NoReceiveTime });
        let page = of_run(model.now());
        let line = "dialect=\"stamp\",losses=\"gaps\",server_time=\"unknown\",one_way=\"no\"";
        assert!(page.contains(line), "{page}");
    }
}
