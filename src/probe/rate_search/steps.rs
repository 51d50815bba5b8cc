//! Steps, push, recover: what load does to the delay of the loaded flow and of another one.

use super::RateSearch;
use super::phase::Phase;
use super::seen::Seen;
use super::settings::Report;
use crate::time::{Duration, Instant};

impl RateSearch {
    const STEP: Duration = Duration::from_millis(500);
    /// Between two steps.
    const CHANGE: Duration = Duration::from_millis(150);
    const PUSH: Duration = Duration::from_secs(2);
    const PUSHED: f64 = 1.2;
    /// The push ends after some reports that lost more than this share.
    const OVERLOAD: f64 = 0.5;
    const OVERLOADED: u32 = 3;
    const SHARES: [f64; 6] = [0.5, 0.8, 0.95, 1.0, 1.05, 1.2];
    pub(super) const LONGEST_RECOVERY: Duration = Duration::from_secs(5);

    pub(super) fn begin_steps(&mut self, now: Instant) {
        if self.result.rate <= 0.0 {
            return self.finish();
        }
        self.begin_step(now, 0);
    }

    fn begin_step(&mut self, now: Instant, index: usize) {
        self.rate = (Self::SHARES[index] * self.result.rate).min(self.settings.max_rate);
        self.phase = Phase::Steps { index, from: now + Self::CHANGE, seen: Seen::default() };
    }

    pub(super) fn step(
        &mut self,
        now: Instant,
        index: usize,
        from: Instant,
        mut seen: Seen,
        report: &Report,
    ) {
        // The first arrivals were sent at the rate before.
        if now >= from {
            seen.add(report, self.base);
        } else {
            seen.other.clear();
        }
        if now < from + Self::STEP {
            self.phase = Phase::Steps { index, from, seen };
            return;
        }
        self.result.steps.push(seen.step(self.rate));
        if index + 1 < Self::SHARES.len() {
            self.begin_step(now, index + 1);
        } else {
            self.phase = Phase::Push { until: now + Self::PUSH, seen: Seen::default(), overloaded: 0 };
        }
    }

    /// Others that give way leave more, so the rate follows what is received. What is received in the
    /// second half counts.
    pub(super) fn push(
        &mut self,
        now: Instant,
        until: Instant,
        mut seen: Seen,
        overloaded: u32,
        report: &Report,
    ) {
        let mut last = Seen::default();
        last.add(report, self.base);
        let is_half_over = now >= until - Self::PUSH / 2;
        if is_half_over {
            seen.add(report, self.base);
        } else {
            seen.other.clear();
        }
        let overloaded = if last.loss() > Self::OVERLOAD { overloaded + 1 } else { 0 };
        let is_over = now >= until || last.queue > self.settings.max_queue || overloaded > Self::OVERLOADED;
        if !is_over {
            self.rate = self.pushing(&last);
            self.phase = Phase::Push { until, seen, overloaded };
            return;
        }
        if !is_half_over {
            seen.add(report, self.base);
        }
        self.result.pushed = Some(seen.step(self.rate));
        let has_other = self.other_base.is_some();
        self.phase = Phase::Recover { since: now, own: false, other: !has_other };
    }

    /// Doubles while all of it is received.
    fn pushing(&self, last: &Seen) -> f64 {
        let least = Self::PUSHED * self.result.rate;
        let received = last.rate().unwrap_or(0.0);
        let more = if received >= 0.9 * self.rate { 2.0 * self.rate } else { Self::PUSHED * received };
        more.max(least).min(self.settings.max_rate)
    }

    /// A probe after the push met this queue.
    pub(super) fn recovering(&mut self, now: Instant, queue: Duration, of_own: bool) {
        let Phase::Recover { since, own, other } = &mut self.phase else { return };
        if queue > self.noise.mul_f64(1.5) + Duration::from_millis(2) {
            return;
        }
        if of_own {
            *own = true;
        } else {
            *other = true;
        }
        if *own && *other {
            self.result.recovery = Some(now - *since);
            self.finish();
        }
    }
}
