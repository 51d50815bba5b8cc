//! From the statistics of a run to what `run.json` tells of them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::run::{Clock, Distribution, Duplicated, Knee, LengthCount, LossRuns, Outage, Summary};
use crate::probe::{Cause, Knows};
use crate::stats::{Duplication, Lengths, Pdv, Proportion, Quantiles, RunStatistics};
use crate::time::Duration;

impl Summary {
    /// The figures so far, as if the run had ended here.
    pub fn of(run: &RunStatistics) -> Self {
        let (jitter, reordering) = run.arrivals();
        let (outcomes, loss) = (run.outcomes, run.outcomes.loss());
        let offset = run.offset().map(|offset| offset.estimate);
        let one_way =
            |stamps: Option<&Quantiles>, shift: fn(Duration) -> Duration| shifted(stamps?, shift(offset?));
        Self {
            duration_us: run.duration.as_micros_f64(),
            sent: outcomes.sent(),
            ok: outcomes.on_time,
            late: outcomes.late(),
            lost: outcomes.lost(),
            send_errors: outcomes.not_sent(),
            skipped: run.skipped,
            loss_share: loss.value(),
            loss_interval: loss.wilson().map(|bounds| [bounds.low, bounds.high]),
            lost_share: Proportion::new(outcomes.lost(), outcomes.sent()).value(),
            causes: causes(run),
            loss_runs: loss_runs(run),
            duplicates: run.duplication.duplicates(),
            duplicate_share: run.duplication.rate(),
            replicated_share: run.duplication.replicated(),
            duplication_up: duplicated(&run.duplication_up),
            duplication_down: duplicated(&run.duplication_down),
            injected_duplicates: Some(run.injected_duplicates),
            corrupted: Some(run.corrupted),
            injected_corrupted: Some(run.injected_corrupted),
            impossible_times: run.impossible_times,
            reordered: reordering.reordered(),
            reordered_share: reordering.ratio(),
            reordering_extent: reordering.max_extent(),
            reordering_extent_mean: reordering.mean_extent(),
            reordering_1_share: reordering.n_reordering(1),
            reordering_3_share: reordering.n_reordering(3),
            rtt_us: Distribution::of(&run.rtt),
            rtt_all_us: Distribution::of(&run.rtt_all),
            rtt_median_us: run.rtt.median().map(Duration::as_micros_f64),
            net_rtt_us: Distribution::of(&run.net_rtt),
            hold_us: Distribution::of(&run.hold),
            server_own_us: Distribution::of(&run.server_own),
            owd_up_us: one_way(run.owd_up.as_ref(), |offset| -offset),
            owd_down_us: one_way(run.owd_down.as_ref(), |offset| offset),
            due_rtt_us: Distribution::of(&run.due_rtt),
            ipdv_us: Distribution::of(run.ipdv.values()),
            mean_abs_ipdv_us: run.ipdv.absolute().mean().map(|nanos| nanos.round() / 1e3),
            pdv_us: Pdv::of(&run.rtt).headline().map(Duration::as_micros_f64),
            rtp_jitter_us: jitter.value().map(Duration::as_micros_f64),
            schedule_error_us: Distribution::of(run.schedule.errors()),
            missed: run.schedule.missed(),
            knee: knee(run),
            percentile_resolution: run.rtt.resolution(),
        }
    }
}

impl Summary {
    /// Without the counts that the dialect cannot know: there zero would say too much.
    #[must_use]
    pub fn narrowed_to(self, knows: Knows) -> Self {
        let if_injection = |count: Option<u64>| count.filter(|_| knows.injection);
        Self {
            injected_duplicates: if_injection(self.injected_duplicates),
            injected_corrupted: if_injection(self.injected_corrupted),
            corrupted: self.corrupted.filter(|_| knows.corruption),
            ..self
        }
    }
}

impl Clock {
    /// The offset between the clocks, from the stamps of both ends.
    pub fn of(run: &RunStatistics) -> Option<Self> {
        let (offset, skew) = (run.offset()?, run.clock.skew());
        Some(Self {
            offset_us: offset.estimate.as_micros_f64(),
            bound_us: offset.bound.as_micros_f64(),
            skew_ppm: skew.map(|skew| skew.ppm),
            skew_bound_ppm: skew.map(|skew| skew.bound_ppm),
            steps: run.clock.steps(),
        })
    }
}

impl Distribution {
    /// None of no values.
    pub fn of(values: &Quantiles) -> Option<Self> {
        shifted(values, Duration::ZERO)
    }
}

fn causes(run: &RunStatistics) -> BTreeMap<Cause, u64> {
    let lost = Cause::ALL.map(|cause| (cause, run.losses_to(cause)));
    lost.into_iter().filter(|(_, count)| *count > 0).collect()
}

fn loss_runs(run: &RunStatistics) -> LossRuns {
    LossRuns {
        count: run.losses.periods(),
        longest: run.losses.longest_period(),
        longest_outage: run.losses.longest_outage().map(|outage| Outage {
            from_us: outage.from.as_micros_f64(),
            length_us: outage.length().as_micros_f64(),
            probes: outage.probes,
        }),
        lengths: length_counts(run.losses.lengths()),
        distances: length_counts(run.losses.distances()),
        gilbert_p: run.gilbert.p(),
        gilbert_r: run.gilbert.r(),
        gilbert_losses: run.gilbert.losses(),
        bursts: run.bursts.bursts(),
        burst_length_mean: run.bursts.mean_burst(),
        burst_density: run.bursts.burst_density(),
        gap_density: run.bursts.gap_density(),
    }
}

/// Only of a run whose interval shrinks and never grows.
fn knee(run: &RunStatistics) -> Option<Knee> {
    let knee = run.knee.knee().filter(|_| run.decays())?;
    Some(Knee {
        interval_us: knee.interval.as_micros_f64(),
        throughput_bps: f64::from(run.size) * 16.0 / knee.interval.as_secs_f64(),
        by_loss: knee.loss,
        by_rtt: knee.rtt,
    })
}

fn duplicated(duplication: &Duplication) -> Option<Duplicated> {
    Some(Duplicated {
        duplicates: duplication.known_duplicates()?,
        duplicate_share: duplication.rate()?,
        replicated_share: duplication.replicated()?,
    })
}

/// With `by` added to each value, before it becomes a floating-point number: stamps of two clocks may
/// lie decades apart.
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
    let count = |(range, count): (RangeInclusive<u64>, u64)| LengthCount {
        from: *range.start(),
        to: *range.end(),
        count,
    };
    lengths.iter().map(count).collect()
}
