//! Steps, push, recover: what load does to the delay of the loaded flow and of another one.

use super::RateSearch;
use super::phase::{Phase, Push};
use super::result::LimitedBy;
use super::seen::Seen;
use super::settings::Report;
use crate::time::{Duration, Instant};

impl RateSearch {
    const STEP: Duration = Duration::from_millis(500);
    /// Between two steps.
    const CHANGE: Duration = Duration::from_millis(150);
    const PUSH: Duration = Duration::from_secs(2);
    const LONGEST_PUSH: Duration = Duration::from_secs(6);
    const PUSHED: f64 = 1.2;
    /// A rate that grew by more prolongs the push.
    const GROWN: f64 = 1.1;
    /// The push ends after some reports that lost more than this share.
    const OVERLOAD: f64 = 0.5;
    const OVERLOADED: u32 = 3;
    const SHARES: [f64; 6] = [0.5, 0.8, 0.95, 1.0, 1.05, 1.2];
    pub(super) const LONGEST_RECOVERY: Duration = Duration::from_secs(5);

    pub(super) fn begin_steps(&mut self, now: Instant) {
        if self.result.rate <= 0.0 || self.limited_by.is_some_and(LimitedBy::is_host) {
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
            let (until, latest) = (now + Self::PUSH, now + Self::LONGEST_PUSH);
            self.phase = Phase::Push(Push { until, latest, seen: Seen::default(), overloaded: 0 });
        }
    }

    /// Others that give way leave more, so the rate grows while all of it is received. The second half of the time
    /// at the last rate counts.
    pub(super) fn push(&mut self, now: Instant, mut push: Push, report: &Report) {
        let mut last = Seen::default();
        last.add(report, self.base);
        push.overloaded = if last.loss() > Self::OVERLOAD { push.overloaded + 1 } else { 0 };
        let is_overloaded = last.queue > self.settings.max_queue || push.overloaded > Self::OVERLOADED;
        // A push that ends early has its last report and the probes beside it.
        if is_overloaded || now >= push.until - Self::PUSH / 2 {
            push.seen.add(report, self.base);
        } else {
            push.seen.other.clear();
        }
        if now < push.until && !is_overloaded {
            let rate = self.pushing(&last, report);
            if rate > Self::GROWN * self.rate {
                push.until = (now + Self::PUSH).min(push.latest);
                push.seen = Seen::default();
            }
            self.rate = rate;
            self.phase = Phase::Push(push);
            return;
        }
        self.result.pushed = Some(push.seen.step(self.rate));
        let has_other = self.other_base.is_some();
        self.phase = Phase::Recover { since: now, own: false, other: !has_other };
    }

    /// Grows while all of it is received, and never falls: others give way after some round trips only. Bunched
    /// arrivals do not count as more than came since the last report.
    fn pushing(&self, last: &Seen, report: &Report) -> f64 {
        const GROWTH: f64 = 1.5;
        const LOSSY: f64 = 0.02;
        let since = report.bytes as f64 * 8.0 / self.report_gap.as_secs_f64().max(f64::EPSILON);
        let received = last.rate().unwrap_or(0.0).min(since);
        let is_received = received >= 0.9 * self.rate && last.loss() <= self.baseline_loss + LOSSY;
        let more = if is_received { GROWTH * self.rate } else { Self::PUSHED * received };
        more.max(self.rate).min(self.settings.max_rate)
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
