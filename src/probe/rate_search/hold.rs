//! Hold: the rate is steered so that a small queue stands, or loss stays where it is; then windows of
//! what arrives are averaged.

use super::RateSearch;
use super::phase::Phase;
use super::seen::Seen;
use super::settings::Report;
use super::steering::Steering;
use super::windows::Windows;
use crate::time::{Duration, Instant};

impl RateSearch {
    const SETTLING: Duration = Duration::from_millis(400);
    const SETTLED_LEAST: Duration = Duration::from_secs(3);
    /// The interval ends the search when it is this narrow, of the mean.
    const NARROW: f64 = 0.02;
    /// Losses come in bursts: this many times the usual share says nothing yet.
    const LOSSIER: f64 = 2.5;
    /// A path whose delay changed by more than this has another route.
    const REROUTED: Duration = Duration::from_millis(1);

    pub(super) fn hold(&mut self, now: Instant, mut hold: Steering, report: &Report) {
        let span = Self::SETTLING.max(self.report_gap * 5);
        self.steer(now, &mut hold, report);
        // While a queue drains the rate is steady, too.
        let drained = hold.queue <= self.target() + Duration::from_millis(10);
        let steady = drained && hold.is_steady(now, span);
        if steady {
            self.result.settled = Some(now - self.began);
        }
        let is_time = now - self.began >= Self::LONGEST_HOLD - Self::SETTLED_LEAST;
        self.phase = if steady || is_time {
            Phase::Settled { hold, windows: Windows::new(), since: now }
        } else {
            Phase::Hold(hold)
        };
    }

    pub(super) fn settled(
        &mut self,
        now: Instant,
        mut hold: Steering,
        mut windows: Windows,
        since: Instant,
        report: &Report,
    ) {
        if self.steer(now, &mut hold, report) {
            // The rate that was measured before the route changed is a good begin.
            self.rate = windows.mean().unwrap_or(self.rate);
            self.phase = Phase::Hold(Steering::default());
            return;
        }
        windows.add(report);
        let long_enough = windows.span() >= Self::SETTLED_LEAST;
        let narrow = windows.interval().is_some_and(|(low, mean, high)| high - low <= Self::NARROW * mean);
        let over = now - self.began >= Self::LONGEST_HOLD;
        let is_known = long_enough && narrow;
        if !is_known && !over {
            self.phase = Phase::Settled { hold, windows, since };
            return;
        }
        self.answer(&hold, &windows);
        self.begin_steps(now);
    }

    pub(super) fn answer(&mut self, hold: &Steering, windows: &Windows) {
        let (low, mean, high) =
            windows.interval().unwrap_or((0.0, hold.received, self.settings.max_rate.max(hold.received)));
        self.result.rate = mean;
        self.result.interval = (low, high);
        self.result.windows = windows.rates().to_vec();
        self.result.idle_share = f64::from(hold.empty) / f64::from(hold.reports.max(1));
        self.result.loss_without_queue = hold.loss_without_queue && self.result.idle_share > 0.5;
        self.result.seconds = windows.span();
    }

    /// Sets the rate by the queue that stands, or by loss where no queue forms. Whether the path turned out
    /// to be another than was thought, so that what was measured does not count.
    fn steer(&mut self, now: Instant, hold: &mut Steering, report: &Report) -> bool {
        let is_new = self.follow_the_route(now, hold, report);
        let mut seen = Seen::default();
        seen.add(report, self.base);
        hold.add(report);
        let queue = seen.queue;
        hold.queue = queue;
        let error = (self.target() - queue).as_secs_f64();
        let step = (error / self.patience()).clamp(-0.15, 0.05);
        let stands = queue > self.noise + Duration::from_millis(2) + self.time_of(1.0);
        self.burst.add(self.rate, report, stands);
        hold.empty += u32::from(!stands);
        hold.reports += 1;
        let received = hold.received_since(report).or(seen.rate());
        self.rate = match received {
            // The path loses its share of this, too.
            Some(received) if stands => received * (1.0 + step) / (1.0 - self.baseline_loss.min(0.5)),
            _ => self.rate * (1.0 + step),
        };
        if let Some(received) = received {
            hold.received = received;
            let loss_below = if stands { None } else { hold.loss_below(report, received) };
            self.baseline_loss = self.baseline_loss.max(loss_below.unwrap_or(0.0));
            if hold.loses_more_than(Self::LOSSIER * self.baseline_loss + 0.005) {
                hold.loss_without_queue |= !stands;
                // A full queue that is shorter than the target stays full; without one the rate stays just below.
                let share = if stands { 1.005 } else { 0.99 };
                self.rate = share * received / (1.0 - self.baseline_loss.min(0.5));
            }
        }
        self.rate = self.rate.max(Self::LEAST_RATE).min(self.settings.max_rate);
        hold.remember(now, self.rate, Self::SETTLING.max(self.report_gap * 5));
        is_new
    }

    /// In how many seconds the queue is to reach its target: not before two reports have shown it.
    fn patience(&self) -> f64 {
        (self.report_gap.as_secs_f64() * 3.0).clamp(0.1, 1.0)
    }

    /// A route with less delay shows itself at once. One with more looks like a queue, but no lower rate
    /// drains it: the delay stays as it is.
    fn follow_the_route(&mut self, now: Instant, hold: &mut Steering, report: &Report) -> bool {
        if report.arrived == 0 {
            return false;
        }
        if report.delay_p10 < self.base - Self::REROUTED - self.noise {
            self.base = report.delay_p10;
            return false;
        }
        let flat = hold.undrained(now, report.delay_p10, Self::REROUTED + self.noise, self.rate);
        match flat.filter(|delay| *delay - self.base > self.target() + Self::REROUTED * 5) {
            Some(delay) => {
                self.base = delay;
                hold.forget_delays();
                true
            }
            None => false,
        }
    }
}
