//! The memory of the hold: recent rates, losses and delays.

use std::collections::VecDeque;

use super::settings::Report;
use crate::time::{Duration, Instant};
use crate::wilson::{Z95, wilson};

/// Recent rates, losses and delays, by which the hold steers.
#[derive(Debug, Default)]
pub(super) struct Steering {
    /// Loss is judged on 100 packets at least.
    sent: u64,
    arrived: u64,
    last_arrival: Option<Instant>,
    /// The rates of the last 0.4 s.
    recent: VecDeque<(Instant, f64)>,
    /// As the last report showed it.
    pub queue: Duration,
    pub empty: u32,
    pub reports: u32,
    pub loss_without_queue: bool,
    pub received: f64,
    /// The least delay and the rate of the reports of the last second.
    lowest: VecDeque<(Instant, Duration, f64)>,
    /// Received lately, at most.
    highest: f64,
    /// Of the packets that were sent clearly below that.
    below: Tally,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    sent: u64,
    lost: u64,
}

impl Steering {
    const JUDGED: u64 = 100;
    const FLAT: Duration = Duration::from_secs(1);

    pub(super) fn add(&mut self, report: &Report) {
        self.sent += report.sent;
        self.arrived += report.arrived;
    }

    /// The rate received since the report before: a host that reads or forwards late may bunch the arrivals of one
    /// report.
    pub(super) fn received_since(&mut self, report: &Report) -> Option<f64> {
        /// A longer one is a pause.
        const LONGEST: f64 = 0.5;
        if report.arrived < 4 {
            return None;
        }
        let before = self.last_arrival.replace(report.last_arrival)?;
        let span = (report.last_arrival - before).as_secs_f64();
        (0.0 < span && span < LONGEST).then(|| report.bytes as f64 * 8.0 / span)
    }

    /// Whether the packets since the last judgement, if they are enough, lost more than this share.
    pub(super) fn loses_more_than(&mut self, share: f64) -> bool {
        if self.sent < Self::JUDGED {
            return false;
        }
        let lost = self.sent.saturating_sub(self.arrived) as f64;
        let sent = self.sent as f64;
        (self.sent, self.arrived) = (0, 0);
        wilson(lost / sent, sent, Z95).low > share
    }

    /// The share that the path loses at rates that it carries, once enough packets show it.
    pub(super) fn loss_below(&mut self, report: &Report, received: f64) -> Option<f64> {
        const ENOUGH: u64 = 300;
        const CLEARLY: f64 = 0.95;
        /// So that a burst at the begin is soon forgotten.
        const FADES: f64 = 0.97;
        self.highest = received.max(self.highest * FADES);
        let offered = received * report.sent as f64 / report.arrived as f64;
        if offered < CLEARLY * self.highest {
            self.below.sent += report.sent;
            self.below.lost += report.sent.saturating_sub(report.arrived);
        }
        (self.below.sent >= ENOUGH).then(|| self.below.lost as f64 / self.below.sent as f64)
    }

    /// The least delay of the last second, if it stayed the same while the rate fell.
    pub(super) fn undrained(
        &mut self,
        now: Instant,
        least: Duration,
        change: Duration,
        rate: f64,
    ) -> Option<Duration> {
        const FELL: f64 = 0.8;
        self.lowest.push_back((now, least, rate));
        let is_whole = self.lowest.front().is_some_and(|(at, ..)| now - *at > Self::FLAT);
        while self.lowest.front().is_some_and(|(at, ..)| now - *at > Self::FLAT) {
            self.lowest.pop_front();
        }
        let delays = || self.lowest.iter().map(|(_, delay, _)| *delay);
        let (low, high) = (delays().min()?, delays().max()?);
        let fell = self.lowest.front().is_some_and(|(.., before)| rate < FELL * before);
        (is_whole && fell && high - low <= change).then_some(low)
    }

    pub(super) fn forget_delays(&mut self) {
        self.lowest.clear();
    }

    pub(super) fn remember(&mut self, now: Instant, rate: f64, span: Duration) {
        self.recent.push_back((now, rate));
        while self.recent.len() > 1 && now - self.recent[1].0 >= span {
            self.recent.pop_front();
        }
    }

    /// Whether the smoothed rate moved by less than 3 % in the last `span`.
    pub(super) fn is_steady(&self, now: Instant, span: Duration) -> bool {
        let (Some(first), true) = (self.recent.front(), self.recent.len() >= 5) else { return false };
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
