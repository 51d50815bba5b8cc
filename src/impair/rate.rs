//! A bottleneck: a link of a limited rate behind a bounded queue that drops at its tail, so that
//! delay grows as the buffer fills.
//!
//! Bytes are what the caller counts, here UDP payload. What a probe meets depends on when it comes
//! and on the traffic before it: with `ordered` delay the one thing that is no function of the
//! seed and the probe's number alone.

use std::fmt;
use std::str::FromStr;

use super::rounding::MAX_DELAY;
use super::spec::{Fields, SpecError};
use crate::time::{Duration, Instant};
use crate::units::{BitRate, ByteSize, UnitError};

const EXAMPLE: &str = "2Mbit,queue=64k";

/// A rate and how many bytes may wait for it, those in transmission counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    rate: BitRate,
    queue: ByteSize,
}

impl RateLimit {
    /// The size of a queue that nobody asked for: 64 kB.
    const QUEUE: ByteSize = ByteSize::new(64_000);
    const MAX_RATE: u64 = 99_999_999_999;
    const MAX_QUEUE: u64 = 999_999_999;
    /// A datagram of the largest size passes an idle link whatever the size of the queue.
    const MAX_DATAGRAM: u64 = 65_535;

    pub fn new(rate: BitRate, queue: ByteSize) -> Result<Self, UnitError> {
        if rate.get() > Self::MAX_RATE {
            return Err(UnitError::new("must be below 100 Gbit", EXAMPLE));
        }
        if queue.get() > Self::MAX_QUEUE {
            return Err(UnitError::new("the queue must be below 1 GB", EXAMPLE));
        }
        let limit = Self { rate, queue };
        if limit.longest() > MAX_DELAY {
            return Err(UnitError::new(
                format!("the queue takes {} to empty, at most an hour is allowed", limit.longest()),
                EXAMPLE,
            ));
        }
        Ok(limit)
    }

    /// The delay of the last byte that the queue takes.
    pub fn longest(self) -> Duration {
        self.rate.time_for(self.queue.get().max(Self::MAX_DATAGRAM))
    }
}

impl FromStr for RateLimit {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let read = || {
            let (rate, rest) = text.trim().split_once(',').unwrap_or((text.trim(), ""));
            let mut fields = Fields::read(rest, EXAMPLE)?;
            let queue = fields.take("queue")?.unwrap_or(Self::QUEUE);
            fields.finish()?;
            Ok(Self::new(rate.parse()?, queue)?)
        };
        read().map_err(|error: SpecError| error.within("rate"))
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},queue={}", self.rate, self.queue)
    }
}

/// The state of a limited rate: busy until some time.
#[derive(Clone, Copy, Debug)]
pub struct Bottleneck {
    free_at: Instant,
}

impl Default for Bottleneck {
    fn default() -> Self {
        Self { free_at: Instant::from_nanos(i64::MIN) }
    }
}

impl Bottleneck {
    /// How long these bytes take to pass, transmission counted; nothing if the queue is full. What
    /// finds the link idle passes whatever its size.
    pub(super) fn pass(&mut self, limit: RateLimit, now: Instant, bytes: usize) -> Option<Duration> {
        let begin = self.free_at.max(now);
        let end = begin + limit.rate.time_for(bytes as u64);
        if begin > now && end - now > limit.rate.time_for(limit.queue.get()) {
            return None;
        }
        self.free_at = end;
        Some(end - now)
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
        let (limit, mut link) = (limit("8Mbit,queue=4k"), Bottleneck::default());
        let delays = |link: &mut Bottleneck, now, n: usize| -> Vec<Option<f64>> {
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
        let (limit, mut link) = (limit("2Mbit,queue=64k"), Bottleneck::default());
        // Twice the rate for ten seconds: 500 bytes each millisecond.
        let passed = (0..10_000).filter(|&ms| link.pass(limit, at(ms), 500).is_some()).count();
        // Ten seconds carry 2.5 MB, and 64 kB wait at the end.
        assert_eq!(passed, 5_000 + 128 - 1);
    }

    #[test]
    fn an_idle_link_passes_what_no_queue_could_hold() {
        let mut link = Bottleneck::default();
        assert_eq!(link.pass(limit("8Mbit,queue=1k"), at(0), 9_000), Some(Duration::from_millis(9)));
        assert_eq!(link.pass(limit("8Mbit,queue=1k"), at(0), 1), None);
    }

    #[test]
    fn it_reads_what_it_prints() {
        for (typed, printed) in [
            ("2Mbit,queue=64k", "2Mbit,queue=64000"),
            ("64kbit", "64kbit,queue=64000"),
            ("1Gbit/s,queue=1Mi", "1Gbit,queue=1048576"),
        ] {
            assert_eq!(limit(typed).to_string(), printed);
            assert_eq!(limit(printed), limit(typed));
        }
        for (text, error) in [
            ("fast", "rate: not a number; for example 10Mbit"),
            ("1Mbit,queue=x", "rate: queue: not a number; for example 512, 1k or 1Ki"),
            (
                "1kbit,queue=1M",
                "rate: the queue takes 8000s to empty, at most an hour is allowed; for example 2Mbit,queue=64k",
            ),
            ("100Gbit", "rate: must be below 100 Gbit; for example 2Mbit,queue=64k"),
        ] {
            assert_eq!(text.parse::<RateLimit>().unwrap_err().to_string(), error);
        }
    }
}
