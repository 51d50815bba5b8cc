//! The judge of the rate search: one direction of a path with a shared bottleneck and others on it, a
//! sender that is late at times, a receiver whose reports are lost or late, and the true rate.

mod others;
mod path;
mod receiver;
mod reno;

pub use others::Others;
pub use path::{Change, RatePath};

use crate::probe::Differences;
use crate::probe::rate_search::{Command, PhaseName, RateResult, RateSearch, Settings};
use crate::rng::{Seed, Stream};
use crate::schedule::Pacer;
use crate::time::{Duration, Instant};
use crate::wire::native::Sums;
use path::{Flow, Running};
use receiver::Receiver;

/// The result of a search, and the truth.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The search's answer.
    pub result: RateResult,
    /// The rate that the link had left while it was measured.
    pub truth: f64,
    /// Until the answer was known.
    pub answered: Duration,
    /// Until the search was done with all of it.
    pub took: Duration,
    /// 95th percentile of what the loaded flow waited while the rate was measured.
    pub queue_p95: Duration,
    /// UDP payload and headers of the loaded flow.
    pub bytes_sent: u64,
    /// The loaded flow's highest rate times the time.
    pub most_bytes: f64,
}

impl Judged {
    /// The relative error of the answer.
    pub fn error(&self) -> f64 {
        self.result.rate / self.truth - 1.0
    }

    /// Whether the interval holds the truth.
    pub fn holds_truth(&self) -> bool {
        (self.result.interval.0..=self.result.interval.1).contains(&self.truth)
    }
}

/// Runs one search over this path.
///
/// # Panics
///
/// If the search does not end.
pub fn judge_rate(path: &RatePath, settings: Settings, seed: Seed) -> Judged {
    let mut judge = Judge::new(path, settings, seed);
    while judge.search.command() != Command::Done {
        judge.step();
    }
    judge.judged()
}

struct Judge<'a> {
    path: &'a RatePath,
    settings: Settings,
    search: RateSearch,
    running: Running,
    receiver: Receiver,
    differences: Differences,
    pacer: Pacer,
    now: Instant,
    /// Of the next train, with the sender's lateness.
    next_send: Instant,
    next_probe: Instant,
    next_report: Instant,
    /// On their way back, in no order.
    feedback: Vec<(Instant, Sums)>,
    changes: usize,
    asleep_until: Instant,
    draws: Stream,
    drawn: u64,
    sent: u64,
    settled: Option<(Instant, u64)>,
    truth: Option<(f64, Duration)>,
    queues: Vec<Duration>,
    highest: f64,
}

impl<'a> Judge<'a> {
    const START: Instant = Instant::from_nanos(1_000_000_000_000);
    const PROBE: usize = 92;
    const PROBES: Duration = Duration::from_millis(20);
    const LONGEST: Duration = Duration::from_secs(120);

    fn new(path: &'a RatePath, settings: Settings, seed: Seed) -> Self {
        let now = Self::START;
        Self {
            path,
            settings,
            search: RateSearch::new(settings, now),
            running: Running::new(path, seed, now),
            receiver: Receiver::new(settings.packet, now),
            differences: Differences::default(),
            pacer: Pacer::new(now),
            now,
            next_send: now,
            next_probe: now,
            next_report: now,
            feedback: Vec::new(),
            changes: 0,
            asleep_until: now,
            draws: Stream::new(seed, "judge"),
            drawn: 0,
            sent: 0,
            settled: None,
            truth: None,
            queues: Vec::new(),
            highest: 0.0,
        }
    }

    fn draw(&mut self) -> f64 {
        self.drawn += 1;
        self.draws.unit(self.drawn)
    }

    /// Does the next thing that happens.
    fn step(&mut self) {
        let change = self.path.changes.get(self.changes).map(|(after, _)| Self::START + *after);
        let news = self.feedback.iter().map(|(at, _)| *at).min().map(|at| at.max(self.asleep_until));
        let mine = [Some(self.next_send), Some(self.next_probe), self.search.poll_timeout()];
        let mine = mine.into_iter().flatten().min().map(|at| at.max(self.asleep_until));
        let next = [change, news, mine, Some(self.next_report)].into_iter().flatten().min();
        self.now = self.now.max(next.expect("a report is always due"));
        assert!(self.now - Self::START < Self::LONGEST, "{:?} does not end", self.search.phase());
        if change == Some(self.now) {
            self.apply_change();
        }
        if self.now >= self.next_report {
            self.send_report();
        }
        if self.now >= self.asleep_until {
            self.hear();
            self.search.handle_timeout(self.now);
            self.send();
            self.probe();
        }
    }

    fn apply_change(&mut self) {
        let (_, change) = &self.path.changes[self.changes];
        self.changes += 1;
        if let Change::Asleep(length) = change {
            self.asleep_until = self.now + *length;
        }
        self.running.change(change);
    }

    /// The receiver reports; its clock is that of the path.
    fn send_report(&mut self) {
        self.next_report = self.now + self.search.report_interval(self.path.rtt);
        let Some(sums) = self.receiver.report(self.now) else { return };
        if self.draw() >= self.path.feedback_loss {
            let late = self.path.feedback_jitter.mul_f64(self.draw());
            self.feedback.push((self.now + self.path.rtt / 2 + late, sums));
        }
    }

    fn hear(&mut self) {
        self.feedback.sort_by_key(|(at, _)| *at);
        while self.feedback.first().is_some_and(|(at, _)| *at <= self.now) {
            let (_, sums) = self.feedback.remove(0);
            let gap_before = self.gap();
            if let Some(report) = self.differences.of(sums, 0) {
                self.search.report(self.now, &report);
                self.note_phase();
            }
            if self.gap() < gap_before {
                self.pacer.hurry(self.now, self.gap());
                self.next_send = self.next_send.min(self.pacer.next_due().max(self.now));
            }
        }
    }

    /// Seconds from packet to packet.
    fn gap(&self) -> f64 {
        match self.search.command() {
            Command::Load { rate } => f64::from(self.settings.packet) * 8.0 / rate,
            _ => f64::INFINITY,
        }
    }

    fn note_phase(&mut self) {
        let passed = self.running.passed_by_others(self.now);
        match (self.search.phase(), self.settled) {
            (PhaseName::Settled, None) => self.settled = Some((self.now, passed)),
            (PhaseName::Settled, _) => {}
            (_, Some((since, before))) if self.truth.is_none() => {
                let span = (self.now - since).as_secs_f64();
                let others = (passed - before) as f64 * 8.0 / span;
                self.truth = Some((self.running.capacity() - others, self.now - Self::START));
            }
            _ => {}
        }
    }

    fn send(&mut self) {
        if self.now < self.next_send {
            return;
        }
        match self.search.command() {
            Command::Done => {}
            Command::Idle { interval } => {
                self.next_send = self.now + interval;
                self.pacer = Pacer::new(self.next_send);
                if let Some((arrives, _)) = self.running.pass(Flow::Own, self.now, Self::PROBE) {
                    self.search.idle_delay(self.now, arrives - self.now);
                }
            }
            Command::Load { rate } => {
                let missed = self.pacer.missed();
                let late_by = self.now - self.pacer.next_due();
                while self.pacer.take(self.now, self.gap(), self.settings.packet) {
                    self.send_packet();
                }
                if self.pacer.missed() > missed {
                    self.search.missed(self.pacer.missed() - missed, late_by);
                }
                self.highest = self.highest.max(rate);
                let late = -(1.0 - self.draw()).ln() * self.path.lateness.as_secs_f64();
                self.next_send = self.pacer.next_due() + Duration::from_secs_f64(late);
            }
        }
    }

    fn send_packet(&mut self) {
        let seq = self.sent;
        self.sent += 1;
        let passed = self.running.pass(Flow::Own, self.now, self.settings.packet as usize);
        let Some((arrives, waited)) = passed else { return };
        self.receiver.expect(arrives, seq, self.now);
        if self.search.phase() == PhaseName::Settled {
            self.queues.push(waited);
        }
    }

    /// The flow beside the load.
    fn probe(&mut self) {
        if self.now >= self.next_probe {
            self.next_probe = self.now + Self::PROBES;
            if self.search.wants_other()
                && let Some((arrives, _)) = self.running.pass(Flow::Other, self.now, Self::PROBE)
            {
                self.search.other_delay(self.now, arrives - self.now);
            }
        }
    }

    fn judged(mut self) -> Judged {
        let took = self.now - Self::START;
        let (truth, answered) = self.truth.unwrap_or((self.running.capacity(), took));
        self.queues.sort_unstable();
        let queue_p95 = self.queues.get(self.queues.len() * 95 / 100).copied().unwrap_or_default();
        let bytes_sent = self.sent * u64::from(self.settings.packet);
        let most_bytes = self.highest / 8.0 * took.as_secs_f64();
        let result = self.search.result().cloned().expect("the search is done");
        Judged { result, truth, answered, took, queue_p95, bytes_sent, most_bytes }
    }
}
