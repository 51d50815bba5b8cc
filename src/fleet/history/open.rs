//! The newest period of a history, which still grows.

use super::Sample;
use crate::probe::NotOnTime;
use crate::stats::OutcomeCounts;
use crate::time::Duration;

/// RTTs in logarithmic buckets, 16 to an octave: a quantile is within 2.2 % of the exact one.
#[derive(Clone, Debug, Default)]
pub(super) struct Open {
    pub counts: OutcomeCounts,
    /// Bucket and count of those that have one, by bucket.
    buckets: Vec<(u16, u32)>,
    /// The least and the largest.
    range: Option<[Duration; 2]>,
}

const PER_OCTAVE: f64 = 16.0;

impl Open {
    pub(super) fn push(&mut self, sample: &Sample) {
        match sample.reason {
            None => self.counts.on_time += 1,
            Some(reason) => self.counts.add(reason),
        }
        let Some(rtt) = sample.rtt else { return };
        let [least, most] = self.range.unwrap_or([rtt; 2]);
        self.range = Some([least.min(rtt), most.max(rtt)]);
        let bucket = ((rtt.as_nanos().max(1) as f64).log2() * PER_OCTAVE) as u16;
        match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => self.buckets[at].1 += 1,
            Err(at) => self.buckets.insert(at, (bucket, 1)),
        }
    }

    /// Lost probes by cause and late ones.
    pub(super) fn reasons(&self) -> impl Iterator<Item = (NotOnTime, u64)> {
        self.counts.reasons().filter(|(reason, _)| *reason != NotOnTime::NotSent)
    }

    /// Least, 10th percentile, median, 90th percentile and largest RTT.
    pub(super) fn rtt(&self) -> Option<[Duration; 5]> {
        let [least, most] = self.range?;
        let total: u64 = self.buckets.iter().map(|(_, count)| u64::from(*count)).sum();
        let quantile = |share: f64| {
            let rank = (share * total as f64).ceil().max(1.0) as u64;
            let mut below = 0;
            let reached = |(_, count): &&(u16, u32)| {
                below += u64::from(*count);
                below >= rank
            };
            let bucket = self.buckets.iter().find(reached).map_or(0, |(bucket, _)| *bucket);
            let middle = ((f64::from(bucket) + 0.5) / PER_OCTAVE).exp2();
            Duration::from_nanos(middle as i64).clamp(least, most)
        };
        Some([least, quantile(0.1), quantile(0.5), quantile(0.9), most])
    }
}
