//! Round-trip times counted in fixed buckets: from 50 us, each twice as long as the one before, to
//! 26 s. The buckets of smokeping_prober, so that its dashboards serve.

use crate::time::Duration;

const RUNGS: usize = 20;
const LOWEST: Duration = Duration::from_micros(50);

#[derive(Clone, Debug, Default)]
pub struct RttBuckets {
    /// At most as long as its rung; the last one is for what is longer than all.
    counts: [u64; RUNGS + 1],
    total: Duration,
}

impl RttBuckets {
    pub fn record(&mut self, value: Duration) {
        let rung = (0..RUNGS).find(|rung| value <= bound(*rung)).unwrap_or(RUNGS);
        self.counts[rung] += 1;
        self.total += value;
    }

    /// How many are at most as long as each bound.
    pub fn cumulative(&self) -> impl Iterator<Item = (Duration, u64)> {
        let mut below = 0;
        self.counts.iter().take(RUNGS).enumerate().map(move |(rung, count)| {
            below += count;
            (bound(rung), below)
        })
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub fn total(&self) -> Duration {
        self.total
    }
}

fn bound(rung: usize) -> Duration {
    LOWEST * (1 << rung)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_counted_from_its_bound_on() {
        let mut rtt_buckets = RttBuckets::default();
        for micros in [1, 50, 51, 100, 26_214_400, 26_214_401] {
            rtt_buckets.record(Duration::from_micros(micros));
        }
        let read: Vec<_> = rtt_buckets.cumulative().collect();
        assert_eq!(read[0], (Duration::from_micros(50), 2));
        assert_eq!(read[1], (Duration::from_micros(100), 4));
        assert_eq!(read[19], (Duration::from_micros(26_214_400), 5));
        assert_eq!((rtt_buckets.count(), rtt_buckets.total()), (6, Duration::from_micros(52_429_003)));
    }
}
