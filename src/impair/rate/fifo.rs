//! One queue for all, with or without a token bucket in front of the link.

use super::RateLimit;
use super::codel::Codel;
use crate::time::{Duration, Instant};

/// Busy until some time. A bucket of tokens is a link that may be late by as much as they pay for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fifo {
    free_at: Instant,
    codel: Codel,
}

impl Default for Fifo {
    fn default() -> Self {
        Self { free_at: Instant::from_nanos(i64::MIN), codel: Codel::default() }
    }
}

impl Fifo {
    /// How long until it is idle.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.free_at.max(now) - now
    }

    pub(super) fn pass(&mut self, limit: RateLimit, now: Instant, bytes: usize) -> Option<Duration> {
        let idle_since = now - limit.rate.time_for(limit.burst.get());
        let begin = self.free_at.max(idle_since);
        let service = limit.rate.time_for(bytes as u64);
        let end = begin + service;
        let wait = (end - now).max(Duration::ZERO);
        if begin > idle_since && wait > limit.rate.time_for(limit.queue.get()) {
            return None;
        }
        let queued = (wait - service).max(Duration::ZERO);
        if limit.codel && self.codel.drops(limit.rate, now + queued, queued) {
            return None;
        }
        self.free_at = end;
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    /// At 8 Mbit 1000 bytes take 1 ms.
    fn limit(text: &str) -> RateLimit {
        text.parse().unwrap()
    }

    #[test]
    fn the_delay_grows_as_the_buffer_fills_and_then_the_tail_drops() {
        let (limit, mut link) = (limit("8Mbit,queue=4k"), Fifo::default());
        let delays = |link: &mut Fifo, now, n: usize| -> Vec<Option<f64>> {
            (0..n).map(|_| link.pass(limit, now, 1000).map(Duration::as_millis_f64)).collect()
        };
        assert_eq!(delays(&mut link, at(0), 6), [Some(1.0), Some(2.0), Some(3.0), Some(4.0), None, None]);
        // After 2 ms two have left, so two places are free.
        assert_eq!(delays(&mut link, at(2), 3), [Some(3.0), Some(4.0), None]);
        // Once empty it is as at the begin.
        assert_eq!(delays(&mut link, at(50), 1), [Some(1.0)]);
    }

    #[test]
    fn what_passes_leaves_at_the_rate() {
        let (limit, mut link) = (limit("2Mbit,queue=64k"), Fifo::default());
        // Twice the rate for ten seconds: 500 bytes each millisecond.
        let passed = (0..10_000).filter(|&ms| link.pass(limit, at(ms), 500).is_some()).count();
        // Ten seconds carry 2.5 MB, and 64 kB wait at the end.
        assert_eq!(passed, 5_000 + 128 - 1);
    }

    #[test]
    fn an_idle_link_passes_what_no_queue_could_hold() {
        let mut link = Fifo::default();
        assert_eq!(link.pass(limit("8Mbit,queue=1k"), at(0), 9_000), Some(Duration::from_millis(9)));
        assert_eq!(link.pass(limit("8Mbit,queue=1k"), at(0), 1), None);
    }

    /// 8 Mbit with a bucket of 10 kB, met by 1000 bytes each 0.5 ms: twice the rate.
    #[test]
    fn a_policer_passes_its_burst_and_then_its_rate_without_delay() {
        let (limit, mut link) = (limit("8Mbit,queue=0,burst=10k"), Fifo::default());
        let half = |k: i64| Instant::ZERO + Duration::from_micros(500 * k);
        let passed: Vec<Option<Duration>> = (0..2_000).map(|k| link.pass(limit, half(k), 1_000)).collect();
        assert!(passed.iter().all(|wait| wait.is_none_or(|wait| wait == Duration::ZERO)));
        let first_drop = passed.iter().position(Option::is_none).unwrap();
        assert_eq!(first_drop, 19, "10 of the bucket and 9 that were earned meanwhile");
        let count = passed.iter().flatten().count();
        assert_eq!(count, 1_000 + 10 - 1, "a second of the rate and the bucket");
        // A second of silence fills the bucket, and no more than that.
        let refilled = (0..20).filter(|_| link.pass(limit, at(3_000), 1_000).is_some()).count();
        assert_eq!(refilled, 10);
    }

    #[test]
    fn a_shaper_delays_what_its_bucket_does_not_pay_for() {
        let (limit, mut link) = (limit("8Mbit,queue=4k,burst=2k"), Fifo::default());
        let waits: Vec<Option<f64>> =
            (0..7).map(|_| link.pass(limit, at(0), 1_000).map(Duration::as_millis_f64)).collect();
        assert_eq!(waits, [Some(0.0), Some(0.0), Some(1.0), Some(2.0), Some(3.0), Some(4.0), None]);
    }

    /// 12 Mbit met by 12.6 Mbit for 57 s behind a queue of 2 s.
    #[test]
    fn codel_keeps_the_queue_short_where_the_tail_alone_would_fill_it() {
        let waits = |text: &str| -> Vec<f64> {
            let (limit, mut link) = (limit(text), Fifo::default());
            let packet = |k: i64| Instant::ZERO + Duration::from_micros(952 * k);
            let waits = (0..60_000).filter_map(|k| link.pass(limit, packet(k), 1_500));
            waits.map(Duration::as_millis_f64).skip(45_000).collect()
        };
        let mean = |waits: &[f64]| waits.iter().sum::<f64>() / waits.len() as f64;
        let (plain, codel) = (waits("12Mbit,queue=3M"), waits("12Mbit,queue=3M,codel"));
        assert!(mean(&plain) > 1_900.0, "{}", mean(&plain));
        assert!(mean(&codel) < 60.0, "{}", mean(&codel));
    }
}
