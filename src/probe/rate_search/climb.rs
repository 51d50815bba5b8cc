//! Climb: the rate doubles until the path pushes back.

use super::RateSearch;
use super::phase::{ClimbStep, Climbed, Phase};
use super::result::LimitedBy;
use super::seen::Seen;
use super::settings::Report;
use super::steering::Steering;
use crate::time::{Duration, Instant};

impl RateSearch {
    const CLIMB_STEP: Duration = Duration::from_millis(100);
    const CLIMB_PACKETS: f64 = 10.0;
    /// A few packets say nothing of a share.
    const JUDGED: u64 = 40;
    /// The loss is heavier than this at 95 %: losses in bursts alone seldom are.
    const HEAVY_LOSS: f64 = 0.25;

    pub(super) fn climb_step(&self, now: Instant) -> ClimbStep {
        let length = Self::CLIMB_STEP.max(self.time_of(Self::CLIMB_PACKETS));
        ClimbStep { until: now + length, seen: Seen::default() }
    }

    pub(super) fn climb(&mut self, now: Instant, mut step: ClimbStep, stops: u32, report: &Report) {
        step.seen.add(report, self.base);
        let stop_at = Duration::from_millis(30) + self.noise * 3 + self.time_of(1.0);
        let queue_stands = step.seen.queue >= stop_at;
        self.burst.add(self.rate, report, queue_stands);
        let judged = now >= step.until || step.seen.sent >= Self::JUDGED;
        let pushed_back = queue_stands || judged && step.seen.loses_more_than(Self::HEAVY_LOSS);
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
        self.phase = Phase::Hold(Steering::default());
    }
}
