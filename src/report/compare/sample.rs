//! A run as it is compared: fed its probes in the order of their numbers, once, in memory that does
//! not grow with the run.

use crate::probe::{Cause, Resolved};
use crate::record::Run;
use crate::stats::{Average, Blocks, Counts, Quantiles, RunStatistics, Runs, SecondHistory, Spread};
use crate::time::Duration;

/// One of the runs that are compared.
pub struct Sample {
    /// As the user named it.
    pub name: String,
    pub(crate) run: Run,
    pub(crate) statistics: RunStatistics,
    history: SecondHistory,
    pub(super) lost_or_late: Runs,
    /// The same without what the server dropped by injection.
    pub(super) uninjected: Runs,
    rtt: Blocks<Counts>,
    net: Blocks<Counts>,
    pub(super) mean: Average,
    end: Duration,
}

impl Sample {
    /// Without probes yet; `name` is what the table calls it.
    pub fn new(name: impl Into<String>, run: Run) -> Self {
        Self {
            name: name.into(),
            run,
            statistics: RunStatistics::new(),
            history: SecondHistory::default(),
            lost_or_late: Runs::default(),
            uninjected: Runs::default(),
            rtt: Blocks::default(),
            net: Blocks::default(),
            mean: Average::default(),
            end: Duration::ZERO,
        }
    }

    /// Takes in the next probe of its record.
    pub fn push(&mut self, probe: &Resolved) {
        self.statistics.push(probe, |second| self.history.push(second));
        self.end = self.end.max(probe.due + probe.interval);
        if probe.sent.is_none() {
            return;
        }
        let on_time = probe.on_time();
        self.lost_or_late.record(on_time.is_none());
        if !matches!(probe.cause, Some(Cause::InjectedUp | Cause::InjectedDown)) {
            self.uninjected.record(on_time.is_none());
        }
        if let Some(rtt) = on_time {
            self.mean.record(rtt);
            self.rtt.next_item().record(rtt);
            probe.net_rtt().into_iter().for_each(|net| self.net.next_item().record(net));
        }
    }

    /// The seconds, the last one included.
    pub fn seconds(&self) -> SecondHistory {
        let mut history = self.history.clone();
        self.statistics.last_second().iter().for_each(|second| history.push(second));
        history
    }

    pub(super) fn reordered(&self) -> Runs {
        self.statistics.arrivals().1.runs().clone()
    }

    pub(super) fn rtt(&self) -> Delays<'_> {
        Delays { quantiles: &self.statistics.rtt, blocks: &self.rtt }
    }

    pub(super) fn net(&self) -> Delays<'_> {
        Delays { quantiles: &self.statistics.net_rtt, blocks: &self.net }
    }

    /// Bits a second both ways, from time zero to the end of the last interval.
    pub(super) fn throughput(&self) -> Option<f64> {
        let bits: u64 = self.seconds().slots().iter().map(|slot| slot.bits).sum();
        (self.end > Duration::ZERO).then(|| bits as f64 / self.end.as_secs_f64())
    }

    /// Whether the time at the server is enough of the RTT for the network's to be told beside it.
    pub(super) fn waits_at_the_server(&self) -> bool {
        const ENOUGH: f64 = 0.98;
        let (rtt, net) = (self.statistics.rtt.at(0.5), self.statistics.net_rtt.at(0.5));
        matches!((rtt, net), (Some(rtt), Some(net)) if net < rtt.mul_f64(ENOUGH))
    }
}

/// Delays, and how they vary along the run.
#[derive(Clone, Copy)]
pub(super) struct Delays<'a> {
    pub quantiles: &'a Quantiles,
    blocks: &'a Blocks<Counts>,
}

impl Delays<'_> {
    /// Of the share of delays that are at most this percentile.
    pub(super) fn spread(&self, p: f64) -> Spread {
        let at = self.quantiles.at(p).unwrap_or_default();
        let below: Vec<(u64, u64)> = self.blocks.all().iter().map(|block| block.at_most(at)).collect();
        Spread::of_share(&below)
    }
}
