//! A run as it is compared: fed its probes in the order of their numbers, once, in memory that does
//! not grow with the run.

use crate::probe::{Cause, Outcome, Resolved};
use crate::record::Run;
use crate::report::digest::Digest;
use crate::stats::{ArrivalOrder, Blocks, Counts, Mean, Quantiles, Reordering, Runs, Spread};
use crate::time::Duration;

pub struct Sample {
    /// As the user named it.
    pub name: String,
    pub run: Run,
    pub digest: Digest,
    pub(super) missed: Runs,
    /// The same without what was dropped on purpose.
    pub(super) uninjected: Runs,
    pub(super) reordered: Runs,
    pub(super) rtt: Delays,
    pub(super) net: Delays,
    pub(super) mean: Average,
    /// The distance of the RTTs of neighbours, where both were answered in time.
    pub(super) jitter: Average,
    previous: Option<Duration>,
    arrivals: ArrivalOrder<u64>,
    reordering: Reordering,
    bits: u64,
    end: Duration,
}

impl Sample {
    pub fn new(name: impl Into<String>, run: Run) -> Self {
        Self {
            name: name.into(),
            digest: Digest::new(&run),
            run,
            missed: Runs::default(),
            uninjected: Runs::default(),
            reordered: Runs::default(),
            rtt: Delays::default(),
            net: Delays::default(),
            mean: Average::default(),
            jitter: Average::default(),
            previous: None,
            arrivals: ArrivalOrder::new(),
            reordering: Reordering::new(),
            bits: 0,
            end: Duration::ZERO,
        }
    }

    pub fn push(&mut self, probe: &Resolved) {
        self.digest.push(probe);
        self.end = self.end.max(probe.due + probe.interval);
        let on_time = probe.rtt.filter(|_| probe.outcome == Outcome::Ok);
        let previous = std::mem::replace(&mut self.previous, on_time);
        if let (Some(rtt), Some(previous)) = (on_time, previous) {
            self.jitter.record((rtt - previous).abs());
        }
        let Some(sent) = probe.sent else { return };
        self.missed.record(on_time.is_none());
        if !matches!(probe.cause, Some(Cause::InjectedUp | Cause::InjectedDown)) {
            self.uninjected.record(on_time.is_none());
        }
        if let Some(rtt) = probe.rtt {
            self.arrivals.record(sent, sent + rtt, probe.seq);
            while let Some(seq) = self.arrivals.settled() {
                self.reordered.record(self.reordering.record(seq).is_some());
            }
        }
        if let Some(rtt) = on_time {
            self.bits += u64::from(probe.size) * 16;
            self.rtt.record(rtt);
            self.mean.record(rtt);
            probe.net_rtt().into_iter().for_each(|net| self.net.record(net));
        }
    }

    /// Once no more probes come.
    pub fn finish(mut self) -> Self {
        for seq in std::mem::take(&mut self.arrivals).finish() {
            self.reordered.record(self.reordering.record(seq).is_some());
        }
        self
    }

    /// Bits a second both ways, from time zero to the end of the last interval.
    pub(super) fn throughput(&self) -> Option<f64> {
        (self.end > Duration::ZERO).then(|| self.bits as f64 / self.end.as_secs_f64())
    }

    /// Whether the time at the server is enough of the RTT for the network's to be told beside it.
    pub(super) fn waits_at_the_server(&self) -> bool {
        const ENOUGH: f64 = 0.98;
        let (rtt, net) = (self.rtt.quantiles.at(0.5), self.net.quantiles.at(0.5));
        matches!((rtt, net), (Some(rtt), Some(net)) if net < rtt.mul_f64(ENOUGH))
    }
}

#[derive(Default)]
pub(super) struct Delays {
    pub quantiles: Quantiles,
    blocks: Blocks<Counts>,
}

impl Delays {
    fn record(&mut self, delay: Duration) {
        self.quantiles.record(delay);
        self.blocks.next_item().record(delay);
    }

    /// Of the share of delays that are at most this percentile.
    pub fn spread(&self, p: f64) -> Spread {
        let at = self.quantiles.at(p).unwrap_or_default();
        let below: Vec<(u64, u64)> = self.blocks.all().iter().map(|block| block.at_most(at)).collect();
        Spread::of_share(&below)
    }
}

#[derive(Default)]
pub(super) struct Average {
    all: Mean,
    blocks: Blocks<Mean>,
}

impl Average {
    fn record(&mut self, time: Duration) {
        let nanos = time.as_nanos() as f64;
        self.all.record(nanos);
        self.blocks.next_item().record(nanos);
    }

    pub fn mean(&self) -> Mean {
        self.all
    }

    pub fn spread(&self) -> Spread {
        Spread::of_mean(self.blocks.all())
    }
}
