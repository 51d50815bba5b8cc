//! From rows to figures: fed every probe in the order of their numbers, once, in constant memory.

use std::collections::BTreeMap;

use super::run::{Clock, Distribution, Duplicated, Knee, LengthCount, LossRuns, Outage, Summary};
use crate::probe::{Cause, Corruption, Outcome, Resolved};
use crate::stats::{
    ArrivalOrder, Bursts, ClockOffset, Duplication, Exchange, Gilbert, Ipdv, KneeFinder, Lengths,
    LossPattern, Offset, Pdv, Proportion, Quantiles, Reordering, RtpJitter, ScheduleError, Second,
    SecondOutcome, Seconds,
};
use crate::time::Duration;

/// Everything that is kept of a run while its rows pass by.
#[derive(Debug, Default)]
pub struct Fold {
    ok: u64,
    late: u64,
    send_errors: u64,
    causes: BTreeMap<Cause, u64>,
    duration: Duration,
    size: u32,
    /// The last interval, and whether any was shorter or longer than the one before.
    interval: Option<Duration>,
    shrinks: bool,
    grows: bool,
    rtt: Quantiles,
    rtt_all: Quantiles,
    net_rtt: Quantiles,
    hold: Quantiles,
    server_own: Quantiles,
    owd_up: Option<Quantiles>,
    owd_down: Option<Quantiles>,
    due_rtt: Quantiles,
    ipdv: Ipdv,
    arrivals: ArrivalOrder<Arrived>,
    jitter: RtpJitter,
    reordering: Reordering,
    duplication: Duplication,
    duplication_up: Duplication,
    duplication_down: Duplication,
    injected_duplicates: u64,
    corrupted: u64,
    injected_corrupted: u64,
    impossible_times: u64,
    losses: LossPattern,
    bursts: Bursts,
    gilbert: Gilbert,
    schedule: ScheduleError,
    clock: ClockOffset,
    knee: KneeFinder,
    seconds: Seconds,
}

#[derive(Clone, Copy, Debug)]
struct Arrived {
    seq: u64,
    /// None of a late reply, which has no part in the jitter.
    on_time: Option<Duration>,
}

impl Arrived {
    fn count(self, reordering: &mut Reordering, jitter: &mut RtpJitter) {
        reordering.record(self.seq);
        if let Some(rtt) = self.on_time {
            jitter.record(rtt);
        }
    }
}

impl Fold {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next row; passes on each second that it completes.
    pub fn push(&mut self, probe: &Resolved, mut second: impl FnMut(&Second)) {
        self.size = probe.size;
        let before = self.interval.replace(probe.interval).unwrap_or(probe.interval);
        self.shrinks |= probe.interval < before;
        self.grows |= probe.interval > before;
        self.push_outcome(probe);
        if let (Some(sent), Some(rtt)) = (probe.sent, probe.rtt) {
            self.rtt_all.record(rtt);
            self.push_arrival(probe, sent, rtt);
        }
        let on_time = probe.rtt.filter(|_| probe.outcome == Outcome::Ok);
        if let Some(rtt) = on_time {
            self.rtt.record(rtt);
            if let Some(net) = probe.net_rtt() {
                self.net_rtt.record(net);
            }
            if let Some(due) = probe.due_rtt() {
                self.due_rtt.record(due);
            }
            self.push_server(probe);
        }
        self.ipdv.record(on_time);
        if let Some(sent) = probe.sent {
            let lost = on_time.is_none();
            self.losses.record(lost, sent, probe.due + probe.interval);
            self.bursts.record(lost);
            self.gilbert.record(lost);
            self.schedule.record(sent - probe.due, probe.interval);
            self.knee.record(probe.interval, on_time);
        }
        let fate = match (probe.outcome, on_time) {
            (_, Some(rtt)) => SecondOutcome::OnTime { rtt },
            (Outcome::SendError, _) => SecondOutcome::Unsent,
            (Outcome::Late, _) => SecondOutcome::Late,
            _ => SecondOutcome::Lost,
        };
        self.seconds.record(probe.second(), probe.size, fate).for_each(|done| second(&done));
    }

    /// The figures so far, as if the run had ended here.
    pub fn summary(&self) -> Summary {
        let (jitter, reordering) = self.in_order_of_arrival();
        let lost: u64 = self.causes.values().sum();
        let sent = self.ok + self.late + lost;
        let loss = Proportion::new(self.late + lost, sent);
        Summary {
            duration_us: self.duration.as_micros_f64(),
            sent,
            ok: self.ok,
            late: self.late,
            lost,
            send_errors: self.send_errors,
            loss_share: loss.value(),
            loss_interval: loss.wilson().map(|bounds| [bounds.low, bounds.high]),
            lost_share: Proportion::new(lost, sent).value(),
            causes: self.causes.clone(),
            loss_runs: self.loss_runs(),
            duplicates: self.duplication.duplicates(),
            duplicate_share: self.duplication.rate(),
            replicated_share: self.duplication.replicated(),
            duplication_up: duplicated(&self.duplication_up),
            duplication_down: duplicated(&self.duplication_down),
            injected_duplicates: self.injected_duplicates,
            corrupted: self.corrupted,
            injected_corrupted: self.injected_corrupted,
            impossible_times: self.impossible_times,
            reordered: reordering.reordered(),
            reordered_share: reordering.ratio(),
            reordering_extent: reordering.max_extent(),
            reordering_extent_mean: reordering.mean_extent(),
            reordering_1_share: reordering.n_reordering(1),
            reordering_3_share: reordering.n_reordering(3),
            rtt_us: distribution(&self.rtt),
            rtt_all_us: distribution(&self.rtt_all),
            rtt_median_us: self.rtt.median().map(Duration::as_micros_f64),
            net_rtt_us: distribution(&self.net_rtt),
            hold_us: distribution(&self.hold),
            server_own_us: distribution(&self.server_own),
            owd_up_us: self.one_way(self.owd_up.as_ref(), |offset| -offset),
            owd_down_us: self.one_way(self.owd_down.as_ref(), |offset| offset),
            due_rtt_us: distribution(&self.due_rtt),
            ipdv_us: distribution(self.ipdv.values()),
            pdv_us: Pdv::of(&self.rtt).headline().map(Duration::as_micros_f64),
            rtp_jitter_us: jitter.value().map(Duration::as_micros_f64),
            schedule_error_us: distribution(self.schedule.errors()),
            missed: self.schedule.missed(),
            knee: self.knee(),
            percentile_resolution: self.rtt.resolution(),
        }
    }

    /// What the stamps of both ends tell of their clocks.
    pub fn clock(&self) -> Option<Clock> {
        let offset = self.offset()?;
        let skew = self.clock.skew();
        Some(Clock {
            offset_us: offset.estimate.as_micros_f64(),
            bound_us: offset.bound.as_micros_f64(),
            skew_ppm: skew.map(|skew| skew.ppm),
            skew_bound_ppm: skew.map(|skew| skew.bound_ppm),
            steps: self.clock.steps(),
        })
    }

    /// The last second, which no later probe completes; none if there was no probe.
    pub fn last_second(self) -> Option<Second> {
        let any = self.ok + self.late + self.send_errors + self.causes.values().sum::<u64>() > 0;
        any.then(|| self.seconds.finish())
    }

    fn push_outcome(&mut self, probe: &Resolved) {
        match probe.outcome {
            Outcome::Ok => self.ok += 1,
            Outcome::Late => self.late += 1,
            Outcome::SendError => self.send_errors += 1,
            Outcome::Lost => {
                *self.causes.entry(probe.cause.unwrap_or(Cause::Unknown)).or_default() += 1;
            }
        }
        self.duplication.record(probe.copies);
        self.duplication_up.record(probe.probe_copies.unwrap_or(0));
        if let Some((packets, copies)) = probe.replies() {
            self.duplication_down.record_packets(packets, copies);
        }
        self.injected_duplicates += u64::from(probe.injected_copies);
        self.impossible_times += u64::from(probe.impossible_times);
        match probe.corrupted {
            Some(Corruption::Network) => self.corrupted += 1,
            Some(Corruption::Injected) => self.injected_corrupted += 1,
            None => {}
        }
        let end = probe.sent.unwrap_or(probe.due) + probe.rtt.unwrap_or(probe.interval);
        self.duration = self.duration.max(end);
    }

    /// Where the time of a reply went, as far as the server says.
    fn push_server(&mut self, probe: &Resolved) {
        if let (Some(hold), Some(server)) = (probe.hold, probe.server) {
            self.hold.record(hold);
            self.server_own.record(server - hold);
        }
        if let (Some(up), Some(down)) = (probe.owd_up, probe.owd_down) {
            self.owd_up.get_or_insert_with(|| Quantiles::around(up)).record(up);
            self.owd_down.get_or_insert_with(|| Quantiles::around(down)).record(down);
        }
    }

    /// A reply counts for the order of arrival even when it was late.
    fn push_arrival(&mut self, probe: &Resolved, sent: Duration, rtt: Duration) {
        let on_time = (probe.outcome == Outcome::Ok).then_some(rtt);
        self.arrivals.record(sent, sent + rtt, Arrived { seq: probe.seq, on_time });
        while let Some(arrived) = self.arrivals.settled() {
            arrived.count(&mut self.reordering, &mut self.jitter);
        }
        if let (Some(up), Some(down)) = (probe.owd_up, probe.owd_down) {
            let step = self.clock.record(Exchange { sent, received: sent + rtt, up, down });
            if step.is_some() {
                (self.owd_up, self.owd_down) = (None, None);
            }
        }
    }

    /// With those whose place is not certain yet in the order they have now.
    fn in_order_of_arrival(&self) -> (RtpJitter, Reordering) {
        let (mut jitter, mut reordering) = (self.jitter, self.reordering.clone());
        for arrived in self.arrivals.clone().finish() {
            arrived.count(&mut reordering, &mut jitter);
        }
        (jitter, reordering)
    }

    fn offset(&self) -> Option<Offset> {
        self.clock.constant().or_else(|| self.clock.halfway())
    }

    /// Stamps of two clocks, moved by their offset.
    fn one_way(
        &self,
        stamps: Option<&Quantiles>,
        shift: impl Fn(Duration) -> Duration,
    ) -> Option<Distribution> {
        let offset = self.offset()?.estimate;
        shifted(stamps?, shift(offset))
    }

    fn loss_runs(&self) -> LossRuns {
        LossRuns {
            count: self.losses.periods(),
            longest: self.losses.longest_period(),
            longest_outage: self.losses.longest_outage().map(|outage| Outage {
                from_us: outage.from.as_micros_f64(),
                length_us: outage.length().as_micros_f64(),
                probes: outage.probes,
            }),
            lengths: length_counts(self.losses.lengths()),
            distances: length_counts(self.losses.distances()),
            gilbert_p: self.gilbert.p(),
            gilbert_r: self.gilbert.r(),
            gilbert_losses: self.gilbert.losses(),
            bursts: self.bursts.bursts(),
            burst_length_mean: self.bursts.mean_burst(),
            burst_density: self.bursts.burst_density(),
            gap_density: self.bursts.gap_density(),
        }
    }

    /// Only of a run whose interval shrinks and never grows.
    fn knee(&self) -> Option<Knee> {
        let knee = self.knee.knee().filter(|_| self.shrinks && !self.grows)?;
        let bits = f64::from(self.size) * 16.0;
        Some(Knee {
            interval_us: knee.interval.as_micros_f64(),
            throughput_bps: bits / knee.interval.as_secs_f64(),
            by_loss: knee.loss,
            by_rtt: knee.rtt,
        })
    }
}

fn duplicated(duplication: &Duplication) -> Option<Duplicated> {
    Some(Duplicated {
        duplicates: duplication.known_duplicates()?,
        duplicate_share: duplication.rate()?,
        replicated_share: duplication.replicated()?,
    })
}

/// None of no values.
fn distribution(values: &Quantiles) -> Option<Distribution> {
    shifted(values, Duration::ZERO)
}

/// As if so much had been added to each value. Added before it becomes a floating-point number:
/// stamps of two clocks may lie decades apart.
fn shifted(values: &Quantiles, by: Duration) -> Option<Distribution> {
    let micros = |value: Duration| (value + by).as_micros_f64();
    let at = |p| values.at(p).map(micros);
    Some(Distribution {
        min: micros(values.min()?),
        mean: micros(values.moments().mean()?),
        p50: at(0.5)?,
        p90: at(0.9)?,
        p99: at(0.99)?,
        p999: at(0.999)?,
        max: micros(values.max()?),
        stddev: values.moments().stddev().map(Duration::as_micros_f64),
        n: values.n(),
    })
}

fn length_counts(lengths: &Lengths) -> Vec<LengthCount> {
    let count = |(range, count): (std::ops::RangeInclusive<u64>, u64)| LengthCount {
        from: *range.start(),
        to: *range.end(),
        count,
    };
    lengths.iter().map(count).collect()
}
