//! Finds the rate that one direction of a path carries: holds a small queue and counts what arrives.
//! Deterministic: `now` and what arrived come in, the rate to send at goes out.
//!
//! Idle: the delay without load. Climb: doubling until the path pushes back. Hold: the rate is steered so
//! that the one-way delay stays a target above its minimum, or loss at its baseline where no queue forms;
//! the bottleneck then neither idles nor overflows, so what arrives is what it serves. Settled: windows of
//! 250 ms are averaged until their interval is narrow. Steps and push: what load does to delay, for the
//! loaded flow and for another one. Recover: how long until both are idle again. A host that is too slow to
//! fill the path ends the search before the steps: load that it cannot send shows nothing of the path.

mod burst;
mod climb;
mod hold;
mod phase;
mod result;
mod seen;
mod settings;
mod steering;
mod steps;
mod windows;

pub use result::{Confidence, Delays, Kind, LimitedBy, RateResult, Step};
pub use settings::{Command, PhaseName, Report, Settings};

use crate::time::{Duration, Instant};
use burst::BurstMeter;
use phase::{Climbed, Phase};
use windows::Windows;

/// The search of one direction.
#[derive(Debug)]
pub struct RateSearch {
    settings: Settings,
    phase: Phase,
    /// Bits a second.
    rate: f64,
    idle: Vec<Duration>,
    base: Duration,
    other_base: Option<Duration>,
    noise: Duration,
    busy_before: bool,
    climbed: Vec<Climbed>,
    baseline_loss: f64,
    burst: BurstMeter,
    began: Instant,
    /// The last report, or the last time that one was missed.
    last_report: Instant,
    /// The last report, or the begin of the load.
    heard: Instant,
    /// Between the last two reports.
    report_gap: Duration,
    /// Packets that the client and the server did not send or take while the rate is held.
    missed: [u64; 2],
    bytes: u64,
    limited_by: Option<LimitedBy>,
    result: RateResult,
}

impl RateSearch {
    const IDLE: Duration = Duration::from_secs(1);
    const IDLE_INTERVAL: Duration = Duration::from_millis(20);
    /// The first rate of the climb, in bits a second, and in packets a second where these are more.
    const FIRST_RATE: f64 = 250_000.0;
    const FIRST_PACKETS: f64 = 25.0;
    /// A search never asks for less, in bits a second.
    pub const LEAST_RATE: f64 = 25_000.0;
    /// Packets in a report, at least.
    const REPORTED: f64 = 8.0;
    const LONGEST_HOLD: Duration = Duration::from_secs(12);
    /// Without a report for so long everything was lost, and on a slow path for twice the time between two reports.
    const SILENCE: Duration = Duration::from_secs(1);
    /// The share of a second's packets that a host may not have sent: 1 % of the least measurement.
    const MISSED: f64 = 0.03;
    /// A search that hears nothing ends after so long.
    pub(crate) const LONGEST_SILENCE: Duration = Duration::from_secs(10);

    /// A search that begins with the idle path.
    pub fn new(settings: Settings, now: Instant) -> Self {
        let first = Self::FIRST_RATE.max(Self::FIRST_PACKETS * f64::from(settings.packet) * 8.0);
        Self {
            settings,
            phase: Phase::Idle { until: now + Self::IDLE },
            rate: first.min(settings.max_rate),
            idle: Vec::new(),
            base: Duration::ZERO,
            other_base: None,
            noise: Duration::ZERO,
            busy_before: false,
            climbed: Vec::new(),
            baseline_loss: 0.0,
            burst: BurstMeter::default(),
            began: now,
            last_report: now,
            heard: now,
            report_gap: Duration::ZERO,
            missed: [0; 2],
            bytes: 0,
            limited_by: None,
            result: RateResult::default(),
        }
    }

    /// The sender is to do this now.
    pub fn command(&self) -> Command {
        match self.phase {
            Phase::Idle { .. } | Phase::Recover { .. } => Command::Idle { interval: Self::IDLE_INTERVAL },
            Phase::Done => Command::Done,
            _ => Command::Load { rate: self.rate },
        }
    }

    /// For progress displays.
    pub fn phase(&self) -> PhaseName {
        match self.phase {
            Phase::Idle { .. } => PhaseName::Idle,
            Phase::Climb { .. } => PhaseName::Climb,
            Phase::Hold(_) => PhaseName::Hold,
            Phase::Settled { .. } => PhaseName::Settled,
            Phase::Steps { .. } => PhaseName::Steps,
            Phase::Push(_) => PhaseName::Push,
            Phase::Recover { .. } => PhaseName::Recover,
            Phase::Done => PhaseName::Done,
        }
    }

    /// Whether probes of another flow are wanted now. They take a share of a slow path, so not while its
    /// rate is measured.
    pub fn wants_other(&self) -> bool {
        !matches!(self.phase, Phase::Climb { .. } | Phase::Hold(_) | Phase::Settled { .. } | Phase::Done)
    }

    /// How often the receiver should report at the present rate.
    pub fn report_interval(&self, rtt: Duration) -> Duration {
        const LEAST: Duration = Duration::from_millis(20);
        rtt.max(LEAST).max(self.time_of(Self::REPORTED))
    }

    /// Complete when the search is done.
    pub fn result(&self) -> Option<&RateResult> {
        matches!(self.phase, Phase::Done).then_some(&self.result)
    }

    /// Ends the search with what is known.
    pub fn stop(&mut self) {
        self.cut_short();
    }

    /// The delay of one idle probe of the loaded flow.
    pub fn idle_delay(&mut self, now: Instant, delay: Duration) {
        match &mut self.phase {
            Phase::Idle { .. } => self.idle.push(delay),
            Phase::Recover { .. } => self.recovering(now, delay - self.base, true),
            _ => {}
        }
    }

    /// The delay of the idle path, once it is known.
    pub fn base(&self) -> Duration {
        self.base
    }

    /// Takes the delay of one probe of the other flow; what it is above the least so far, once that of the
    /// idle path is known.
    pub fn other_delay(&mut self, now: Instant, delay: Duration) -> Option<Duration> {
        let base = *self.other_base.get_or_insert(delay);
        self.other_base = Some(base.min(delay));
        let queue = delay - base.min(delay);
        match &mut self.phase {
            Phase::Steps { seen, .. } => seen.other.push(queue),
            Phase::Push(push) => push.seen.other.push(queue),
            Phase::Recover { .. } => self.recovering(now, queue, false),
            _ => {}
        }
        (!matches!(self.phase, Phase::Idle { .. })).then_some(queue)
    }

    /// This host did not send so many packets that were due, because it was late by so long. If they are
    /// more than a few while the rate is held, the answer is a lower bound.
    pub fn missed(&mut self, packets: u64, late_by: Duration) {
        const LONG: Duration = Duration::from_millis(100);
        if let Phase::Settled { windows, .. } = &mut self.phase
            && late_by > LONG
        {
            windows.skip();
        }
        self.missed[0] += packets;
        self.judge_missed(0, LimitedBy::Client);
    }

    /// The server did not send, or its socket dropped, so many packets.
    pub fn server_missed(&mut self, packets: u64) {
        self.missed[1] += packets;
        self.judge_missed(1, LimitedBy::Server);
    }

    fn judge_missed(&mut self, host: usize, limit: LimitedBy) {
        let most = Self::MISSED / self.time_of(1.0).as_secs_f64();
        if !matches!(self.phase, Phase::Hold(_) | Phase::Settled { .. }) {
            self.missed[host] = 0;
        } else if self.missed[host] as f64 > most {
            self.note_limit(limit);
        }
    }

    /// Once the answer is known nothing limits it any more.
    fn note_limit(&mut self, limit: LimitedBy) {
        if matches!(self.phase, Phase::Climb { .. } | Phase::Hold(_) | Phase::Settled { .. }) {
            self.limited_by = Some(limit);
        }
    }

    /// When to call `handle_timeout` next, unless a report comes first.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Idle { until } => Some(*until),
            Phase::Recover { since, .. } => Some(*since + Self::LONGEST_RECOVERY),
            Phase::Done => None,
            _ => Some(self.last_report + self.silence()),
        }
    }

    /// Counts the reports that did not come.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self.phase {
            Phase::Idle { until } if now >= until => self.end_idle(now),
            Phase::Recover { since, .. } if now >= since + Self::LONGEST_RECOVERY => self.finish(),
            Phase::Idle { .. } | Phase::Recover { .. } | Phase::Done => {}
            _ if now - self.last_report < self.silence() => {}
            // The answer is known, and the path carries nothing more.
            Phase::Steps { .. } | Phase::Push(_) => self.finish(),
            _ => self.silent(now),
        }
    }

    fn silence(&self) -> Duration {
        Self::SILENCE.max(self.time_of(2.0 * Self::REPORTED))
    }

    /// Everything was lost: half the rate, and another second.
    fn silent(&mut self, now: Instant) {
        if now - self.heard > Self::LONGEST_SILENCE {
            self.result.silent = true;
            return self.cut_short();
        }
        self.last_report = now;
        let least = self.rate.min(Self::FIRST_RATE / 2.0);
        self.rate = (self.rate / 2.0).max(least);
    }

    /// Takes a report of the receiver; one comes every 20 ms.
    pub fn report(&mut self, now: Instant, report: &Report) {
        self.report_gap = now - self.last_report;
        (self.last_report, self.heard) = (now, now);
        self.bytes += report.bytes;
        if self.bytes >= self.settings.max_bytes {
            self.result.out_of_bytes = true;
            // The host, --max-rate or the grant bounded the rate before the bytes were spent.
            self.note_limit(self.limited_by.unwrap_or(LimitedBy::MaxBytes));
            return self.cut_short();
        }
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Climb { step, stops } => self.climb(now, step, stops, report),
            Phase::Hold(hold) => self.hold(now, hold, report),
            Phase::Settled { hold, windows, since } => self.settled(now, hold, windows, since, report),
            Phase::Steps { index, from, seen } => self.step(now, index, from, seen, report),
            Phase::Push(push) => self.push(now, push, report),
            // Late reports of the load.
            other => self.phase = other,
        }
    }

    fn end_idle(&mut self, now: Instant) {
        let jitter = self.idle_jitter();
        self.idle.sort_unstable();
        let at = |share: f64| {
            let index =
                ((self.idle.len() as f64 * share).ceil() as usize).clamp(1, self.idle.len().max(1)) - 1;
            self.idle.get(index).copied().unwrap_or_default()
        };
        self.base = at(0.02);
        self.noise = (at(0.9) - at(0.1)).min(jitter);
        self.busy_before = at(0.5) - self.base > Duration::from_millis(5);
        self.result.idle_p50 = at(0.5) - self.base;
        (self.last_report, self.heard, self.began) = (now, now, now);
        self.phase = Phase::Climb { step: self.climb_step(now), stops: 0 };
    }

    /// Noise that differs from probe to probe: a queue of others changes slowly and is none. Scaled so
    /// that independent exponential delays give about their 90th less their 10th percentile.
    fn idle_jitter(&self) -> Duration {
        const SCALE: f64 = 3.2;
        let mut changes: Vec<Duration> = self.idle.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
        changes.sort_unstable();
        changes.get(changes.len() / 2).copied().unwrap_or_default().mul_f64(SCALE)
    }

    /// Ends the search early: the answer is what the windows have shown so far.
    fn cut_short(&mut self) {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Settled { hold, windows, .. } => self.answer(&hold, &windows),
            Phase::Hold(hold) => self.answer(&hold, &Windows::new()),
            _ => {}
        }
        self.finish();
    }

    fn finish(&mut self) {
        self.result.base_delay = self.base;
        self.result.noise = self.noise;
        self.result.busy_before = self.busy_before;
        self.result.baseline_loss = self.baseline_loss;
        self.result.limited_by = self.limited_by;
        self.result.bytes = self.bytes;
        // A burst is above the path's own rate, which a host that is the limit hides.
        let burst = self.burst.size(self.result.rate, self.settings.packet);
        self.result.burst = burst.filter(|_| self.result.kind() != Kind::Host);
        self.phase = Phase::Done;
    }

    /// A packet of the load takes longer than the small one that found the base.
    fn target(&self) -> Duration {
        self.settings.target_queue + self.noise.mul_f64(1.5) + self.time_of(1.0)
    }

    /// The time that so many packets take at the present rate.
    fn time_of(&self, packets: f64) -> Duration {
        Duration::from_secs_f64(packets * f64::from(self.settings.packet) * 8.0 / self.rate)
    }
}
