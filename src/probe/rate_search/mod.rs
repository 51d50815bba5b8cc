//! Finds the rate that one direction of a path carries: holds a small queue and counts what arrives.
//! Deterministic: `now` and what arrived come in, the rate to send at goes out.
//!
//! Idle: the delay without load. Climb: doubling until the path pushes back. Hold: the rate is steered so
//! that the one-way delay stays a target above its minimum, or loss at its baseline where no queue forms;
//! the bottleneck then neither idles nor overflows, so what arrives is what it serves. Settled: windows of
//! 250 ms are averaged until their interval is narrow. Steps and push: what load does to delay.

mod result;
mod windows;

use std::collections::VecDeque;

pub use result::{LimitedBy, Pushed, RateResult, Step};

use crate::time::{Duration, Instant};
use windows::Windows;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The queue to hold.
    pub target_queue: Duration,
    /// Bits a second.
    pub max_rate: f64,
    /// A longer queue ends the push at once.
    pub max_queue: Duration,
    pub max_bytes: u64,
    /// Bytes of a packet, as they are counted.
    pub packet: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            target_queue: Duration::from_millis(10),
            max_rate: 1e9,
            max_queue: Duration::from_secs(1),
            max_bytes: 2_000_000_000,
            packet: 1_228,
        }
    }
}

/// What arrived since the last report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// Packets that left up to the newest that arrived: their difference between reports is what was sent.
    pub sent: u64,
    pub arrived: u64,
    pub bytes: u64,
    pub first_arrival: Instant,
    pub last_arrival: Instant,
    /// One-way delays of an unknown constant offset.
    pub delay_p10: Duration,
    pub delay_p50: Duration,
    pub delay_max: Duration,
}

/// What to do until the next report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command {
    /// Small probes, one each `interval`.
    Idle {
        interval: Duration,
    },
    /// Load at this rate, in bits a second.
    Load {
        rate: f64,
    },
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseName {
    Idle,
    Climb,
    Hold,
    Settled,
    Steps,
    Push,
    Done,
}

#[derive(Debug)]
pub struct RateSearch {
    settings: Settings,
    phase: Phase,
    /// Bits a second.
    rate: f64,
    idle: Vec<Duration>,
    base: Duration,
    noise: Duration,
    busy_before: bool,
    climbed: Vec<Climbed>,
    baseline_loss: f64,
    began: Instant,
    last_report: Instant,
    bytes: u64,
    limited_by: Option<LimitedBy>,
    result: RateResult,
}

#[derive(Debug)]
enum Phase {
    Idle { until: Instant },
    Climb { step: ClimbStep, stops: u32 },
    Hold(Hold),
    Settled { hold: Hold, windows: Windows, since: Instant },
    Steps { index: usize, from: Instant, seen: Seen },
    Push { until: Instant, seen: Seen },
    Done,
}

/// One rate of the climb, and what arrived at it.
#[derive(Clone, Copy, Debug)]
struct ClimbStep {
    until: Instant,
    seen: Seen,
}

#[derive(Clone, Copy, Debug)]
struct Climbed {
    rate: f64,
    sent: u64,
    lost: u64,
}

/// Sums of the reports of a phase.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    sent: u64,
    arrived: u64,
    bytes: u64,
    first: Option<Instant>,
    last: Option<Instant>,
    queue: Duration,
    queue_max: Duration,
}

/// The steering of the hold.
#[derive(Debug)]
struct Hold {
    /// Loss is judged on 60 packets at least.
    sent: u64,
    arrived: u64,
    /// The rates of the last 0.4 s.
    recent: VecDeque<(Instant, f64)>,
    /// As the last report showed it.
    queue: Duration,
    empty: u32,
    reports: u32,
    loss_without_queue: bool,
}

impl RateSearch {
    const IDLE: Duration = Duration::from_secs(1);
    const IDLE_INTERVAL: Duration = Duration::from_millis(20);
    const FIRST_RATE: f64 = 250_000.0;
    const CLIMB_STEP: Duration = Duration::from_millis(100);
    const CLIMB_PACKETS: f64 = 10.0;
    const SETTLING: Duration = Duration::from_millis(400);
    const LONGEST_HOLD: Duration = Duration::from_secs(12);
    const SETTLED_LEAST: Duration = Duration::from_secs(3);
    const STEP: Duration = Duration::from_millis(500);
    /// Between two steps.
    const CHANGE: Duration = Duration::from_millis(150);
    const PUSH: Duration = Duration::from_secs(2);
    const STEPS: [f64; 6] = [0.5, 0.8, 0.95, 1.0, 1.05, 1.2];
    /// Without a report for so long everything was lost.
    const SILENCE: Duration = Duration::from_secs(1);

    pub fn new(settings: Settings, now: Instant) -> Self {
        Self {
            settings,
            phase: Phase::Idle { until: now + Self::IDLE },
            rate: Self::FIRST_RATE,
            idle: Vec::new(),
            base: Duration::ZERO,
            noise: Duration::ZERO,
            busy_before: false,
            climbed: Vec::new(),
            baseline_loss: 0.0,
            began: now,
            last_report: now,
            bytes: 0,
            limited_by: None,
            result: RateResult::default(),
        }
    }

    pub fn command(&self) -> Command {
        match self.phase {
            Phase::Idle { .. } => Command::Idle { interval: Self::IDLE_INTERVAL },
            Phase::Done => Command::Done,
            _ => Command::Load { rate: self.rate },
        }
    }

    pub fn phase(&self) -> PhaseName {
        match self.phase {
            Phase::Idle { .. } => PhaseName::Idle,
            Phase::Climb { .. } => PhaseName::Climb,
            Phase::Hold(_) => PhaseName::Hold,
            Phase::Settled { .. } => PhaseName::Settled,
            Phase::Steps { .. } => PhaseName::Steps,
            Phase::Push { .. } => PhaseName::Push,
            Phase::Done => PhaseName::Done,
        }
    }

    /// How often the receiver should report at the present rate.
    pub fn report_interval(&self, rtt: Duration) -> Duration {
        const LEAST: Duration = Duration::from_millis(20);
        rtt.max(LEAST).max(self.time_of(8.0))
    }

    pub fn result(&self) -> Option<&RateResult> {
        matches!(self.phase, Phase::Done).then_some(&self.result)
    }

    /// The delay of one idle probe.
    pub fn idle_delay(&mut self, delay: Duration) {
        if matches!(self.phase, Phase::Idle { .. }) {
            self.idle.push(delay);
        }
    }

    /// This host could not send what it was asked to: the answer is a lower bound.
    pub fn host_was_late(&mut self) {
        self.limited_by = Some(LimitedBy::Client);
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let silence = self.last_report + Self::SILENCE;
        match &self.phase {
            Phase::Idle { until } => Some(*until),
            Phase::Climb { step, .. } => Some(silence.max(step.until)),
            Phase::Hold(_) | Phase::Settled { .. } => Some(silence),
            Phase::Steps { from, .. } => Some(silence.max(*from + Self::STEP)),
            Phase::Push { until, .. } => Some(silence.max(*until)),
            Phase::Done => None,
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if let Phase::Idle { until } = self.phase {
            if now >= until {
                self.end_idle(now);
            }
            return;
        }
        if now - self.last_report >= Self::SILENCE && !matches!(self.phase, Phase::Done) {
            // Everything was lost: half the rate, and another second.
            self.last_report = now;
            self.rate = (self.rate / 2.0).max(Self::FIRST_RATE / 2.0);
            if now - self.began > Self::LONGEST_HOLD * 4 {
                self.finish();
            }
        }
    }

    pub fn report(&mut self, now: Instant, report: &Report) {
        self.last_report = now;
        self.bytes += report.bytes;
        if self.bytes >= self.settings.max_bytes && self.limited_by.is_none() {
            self.limited_by = Some(LimitedBy::MaxBytes);
            return self.finish();
        }
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Idle { until } => self.phase = Phase::Idle { until },
            Phase::Climb { step, stops } => self.climb(now, step, stops, report),
            Phase::Hold(hold) => self.hold(now, hold, report),
            Phase::Settled { hold, windows, since } => self.settled(now, hold, windows, since, report),
            Phase::Steps { index, from, mut seen } => {
                // What arrives at first was sent at the rate before.
                if now >= from {
                    seen.add(report, self.base);
                }
                if now < from + Self::STEP {
                    self.phase = Phase::Steps { index, from, seen };
                } else {
                    self.next_step(now, index, &seen);
                }
            }
            Phase::Push { until, mut seen } => {
                seen.add(report, self.base);
                let too_much = seen.queue > self.settings.max_queue || seen.loss() > 0.5;
                if now < until && !too_much {
                    self.phase = Phase::Push { until, seen };
                } else {
                    self.result.pushed = Some(Pushed {
                        offered: self.rate,
                        received: seen.rate().unwrap_or(0.0),
                        loss: seen.loss(),
                        queue_p50: seen.queue,
                        queue_max: seen.queue_max,
                    });
                    self.finish();
                }
            }
            Phase::Done => {}
        }
    }

    fn end_idle(&mut self, now: Instant) {
        self.idle.sort_unstable();
        let at = |share: f64| {
            let index =
                ((self.idle.len() as f64 * share).ceil() as usize).clamp(1, self.idle.len().max(1)) - 1;
            self.idle.get(index).copied().unwrap_or_default()
        };
        self.base = at(0.02);
        self.noise = at(0.9) - at(0.1);
        self.busy_before = at(0.5) - self.base > Duration::from_millis(5);
        self.last_report = now;
        self.phase = Phase::Climb { step: self.climb_step(now), stops: 0 };
    }

    fn climb_step(&self, now: Instant) -> ClimbStep {
        let length = Self::CLIMB_STEP.max(self.time_of(Self::CLIMB_PACKETS));
        ClimbStep { until: now + length, seen: Seen::default() }
    }

    fn climb(&mut self, now: Instant, mut step: ClimbStep, stops: u32, report: &Report) {
        step.seen.add(report, self.base);
        let stop_at = Duration::from_millis(30) + self.noise * 3 + self.time_of(1.0);
        let queue_stands = step.seen.queue >= stop_at;
        // A few packets say nothing of a share.
        let judged = now >= step.until || step.seen.sent >= 40;
        let pushed_back = queue_stands || judged && step.seen.loss() >= 0.25;
        if !pushed_back && now < step.until {
            self.phase = Phase::Climb { step, stops };
            return;
        }
        let seen = step.seen;
        self.climbed.push(Climbed {
            rate: self.rate,
            sent: seen.sent,
            lost: seen.sent.saturating_sub(seen.arrived),
        });
        let received = seen.rate().unwrap_or(self.rate);
        let short = received < 0.8 * self.rate;
        let stops = if pushed_back { stops + 1 } else { 0 };
        if stops >= 2 || queue_stands && short {
            return self.begin_hold(now, received);
        }
        if !pushed_back {
            if self.rate >= self.settings.max_rate {
                self.limited_by = self.limited_by.or(Some(LimitedBy::MaxRate));
                return self.begin_hold(now, received / 1.2);
            }
            self.rate = (self.rate * 2.0).min(self.settings.max_rate);
        }
        self.phase = Phase::Climb { step: self.climb_step(now), stops };
    }

    fn begin_hold(&mut self, now: Instant, received: f64) {
        let below = self.climbed.iter().filter(|step| step.rate <= 0.6 * received);
        let (sent, lost) = below.fold((0, 0), |(sent, lost), step| (sent + step.sent, lost + step.lost));
        self.baseline_loss = if sent > 0 { lost as f64 / sent as f64 } else { 0.0 };
        self.rate = (1.2 * received).min(self.settings.max_rate);
        self.began = now;
        self.phase = Phase::Hold(Hold::default());
    }

    fn hold(&mut self, now: Instant, mut hold: Hold, report: &Report) {
        self.steer(now, &mut hold, report);
        // While a queue drains the rate is steady, too.
        let drained = hold.queue <= self.target() + Duration::from_millis(10);
        let steady = drained && hold.is_steady(now, Self::SETTLING);
        self.phase = if steady {
            self.result.settled = Some(now - self.began);
            Phase::Settled { hold, windows: Windows::new(now), since: now }
        } else if now - self.began >= Self::LONGEST_HOLD {
            Phase::Settled { hold, windows: Windows::new(now), since: now - Self::SETTLED_LEAST }
        } else {
            Phase::Hold(hold)
        };
    }

    fn settled(
        &mut self,
        now: Instant,
        mut hold: Hold,
        mut windows: Windows,
        since: Instant,
        report: &Report,
    ) {
        self.steer(now, &mut hold, report);
        windows.add(report);
        let long_enough = now - since >= Self::SETTLED_LEAST;
        let narrow = windows.interval().is_some_and(|(low, mean, high)| high - low <= 0.02 * mean);
        if !(long_enough && narrow) && now - self.began < Self::LONGEST_HOLD {
            self.phase = Phase::Settled { hold, windows, since };
            return;
        }
        let (low, mean, high) = windows.interval().unwrap_or((0.0, self.rate, self.settings.max_rate));
        self.result.rate = mean;
        self.result.interval = (low, high);
        self.result.windows = windows.rates().to_vec();
        self.result.idle_share = f64::from(hold.empty) / f64::from(hold.reports.max(1));
        self.result.loss_without_queue = hold.loss_without_queue;
        self.rate = Self::STEPS[0] * mean;
        self.phase = Phase::Steps { index: 0, from: now + Self::CHANGE, seen: Seen::default() };
    }

    /// Sets the rate by the queue that stands, or by loss where no queue forms.
    fn steer(&mut self, now: Instant, hold: &mut Hold, report: &Report) {
        let mut seen = Seen::default();
        seen.add(report, self.base);
        hold.add(report);
        let queue = seen.queue;
        hold.queue = queue;
        let error = (self.target() - queue).as_secs_f64() / 0.1;
        let step = error.clamp(-0.15, 0.05);
        let stands = queue > self.noise + Duration::from_millis(2) + self.time_of(1.0);
        hold.empty += u32::from(!stands);
        hold.reports += 1;
        let received = seen.rate();
        self.rate = match received {
            Some(received) if stands => received * (1.0 + step),
            _ => self.rate * (1.0 + step),
        };
        if let Some(received) = received
            && hold.loses_more_than(self.baseline_loss + 0.005)
        {
            hold.loss_without_queue |= !stands;
            self.rate = 0.99 * received / (1.0 - self.baseline_loss);
        }
        self.rate = self.rate.clamp(Self::FIRST_RATE / 10.0, self.settings.max_rate);
        hold.remember(now, self.rate, Self::SETTLING);
    }

    fn next_step(&mut self, now: Instant, index: usize, seen: &Seen) {
        self.result.steps.push(Step {
            offered: self.rate,
            received: seen.rate().unwrap_or(0.0),
            loss: seen.loss(),
            queue_p50: seen.queue,
        });
        let next = index + 1;
        if let Some(share) = Self::STEPS.get(next) {
            self.rate = (share * self.result.rate).min(self.settings.max_rate);
            self.phase = Phase::Steps { index: next, from: now + Self::CHANGE, seen: Seen::default() };
        } else {
            self.phase = Phase::Push { until: now + Self::PUSH, seen: Seen::default() };
        }
    }

    fn finish(&mut self) {
        self.result.base_delay = self.base;
        self.result.noise = self.noise;
        self.result.busy_before = self.busy_before;
        self.result.baseline_loss = self.baseline_loss;
        self.result.limited_by = self.limited_by;
        self.result.bytes = self.bytes;
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

impl Seen {
    fn add(&mut self, report: &Report, base: Duration) {
        self.sent += report.sent;
        self.arrived += report.arrived;
        self.bytes += report.bytes;
        if report.arrived > 0 {
            self.first =
                Some(self.first.map_or(report.first_arrival, |first| first.min(report.first_arrival)));
            self.last = Some(self.last.map_or(report.last_arrival, |last| last.max(report.last_arrival)));
            self.queue = (report.delay_p50 - base).max(Duration::ZERO);
            self.queue_max = self.queue_max.max(report.delay_max - base);
        }
    }

    fn loss(&self) -> f64 {
        if self.sent == 0 { 0.0 } else { 1.0 - (self.arrived as f64 / self.sent as f64).min(1.0) }
    }

    /// Bits a second between the first and the last arrival: the first packet only begins the time.
    fn rate(&self) -> Option<f64> {
        let span = (self.last? - self.first?).as_secs_f64();
        let counted = self.bytes as f64 * (self.arrived.checked_sub(1)? as f64 / self.arrived as f64);
        (span > 0.0 && self.arrived >= 4).then(|| counted * 8.0 / span)
    }
}

impl Default for Hold {
    fn default() -> Self {
        Self {
            sent: 0,
            arrived: 0,
            recent: VecDeque::new(),
            queue: Duration::ZERO,
            empty: 0,
            reports: 0,
            loss_without_queue: false,
        }
    }
}

impl Hold {
    const JUDGED: u64 = 60;

    fn add(&mut self, report: &Report) {
        self.sent += report.sent;
        self.arrived += report.arrived;
    }

    /// By the lower end of Wilson's interval, at 95 %, of the packets since the last time it was asked with
    /// enough of them.
    fn loses_more_than(&mut self, share: f64) -> bool {
        if self.sent < Self::JUDGED {
            return false;
        }
        let lost = self.sent.saturating_sub(self.arrived) as f64;
        let (n, z) = (self.sent as f64, 1.96_f64);
        (self.sent, self.arrived) = (0, 0);
        let p = lost / n;
        let centre = p + z * z / (2.0 * n);
        let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        (centre - spread) / (1.0 + z * z / n) > share
    }

    fn remember(&mut self, now: Instant, rate: f64, span: Duration) {
        self.recent.push_back((now, rate));
        while self.recent.len() > 1 && now - self.recent[1].0 >= span {
            self.recent.pop_front();
        }
    }

    /// Whether the smoothed rate moved by less than 3 % in the last `span`.
    fn is_steady(&self, now: Instant, span: Duration) -> bool {
        let (Some(first), true) = (self.recent.front(), self.recent.len() >= 6) else { return false };
        if now - first.0 < span {
            return false;
        }
        let half = self.recent.len() / 2;
        let mean = |rates: &mut dyn Iterator<Item = f64>| {
            let (sum, n) = rates.fold((0.0, 0.0), |(sum, n), rate| (sum + rate, n + 1.0));
            sum / n
        };
        let early = mean(&mut self.recent.iter().take(half).map(|(_, rate)| *rate));
        let late = mean(&mut self.recent.iter().skip(half).map(|(_, rate)| *rate));
        (late / early - 1.0).abs() < 0.03
    }
}

#[cfg(test)]
mod tests;
