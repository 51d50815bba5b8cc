//! A bottleneck: a link of a limited rate behind a bounded queue that drops at its tail, so that
//! delay grows as the buffer fills. With `burst` it is a token bucket: a policer without a queue, a
//! shaper with one. `codel` drops while packets wait for long, `fq` gives each flow its own queue.
//!
//! A packet's departure is fixed when it arrives. Bytes are what the caller counts: UDP payload in a
//! server, IP packets in a proxy. What a packet meets depends on when it comes and on the traffic
//! before it: with `ordered` delay the one thing that is no function of the seed and its number alone.

mod codel;
mod fair;
mod fifo;
mod trace;

use std::fmt;
use std::str::FromStr;

use super::rounding::MAX_DELAY;
use super::spec::{Fields, SpecError};
use crate::time::{Duration, Instant};
use crate::units::{BitRate, ByteSize, UnitError};
use fair::Fair;
use fifo::Fifo;
use trace::TraceState;
pub use trace::{RateTrace, opportunities};

const EXAMPLE: &str = "2Mbit,queue=64k";

/// A rate, how many bytes may wait for it, those in transmission counted, and how they are queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    rate: BitRate,
    queue: ByteSize,
    /// Bytes that pass at once after idle time.
    burst: ByteSize,
    codel: bool,
    fair: bool,
}

impl RateLimit {
    /// The size of a queue that nobody asked for: 64 kB.
    const QUEUE: ByteSize = ByteSize::new(64_000);
    const MAX_RATE: u64 = 99_999_999_999;
    const MAX_QUEUE: u64 = 999_999_999;
    /// A datagram of the largest size passes an idle link whatever the size of the queue.
    const MAX_DATAGRAM: u64 = 65_535;

    /// One queue that drops at its tail.
    pub fn new(rate: BitRate, queue: ByteSize) -> Result<Self, UnitError> {
        if rate.get() > Self::MAX_RATE {
            return Err(UnitError::new("must be below 100 Gbit", EXAMPLE));
        }
        if queue.get() > Self::MAX_QUEUE {
            return Err(UnitError::new("the queue must be below 1 GB", EXAMPLE));
        }
        let limit = Self { rate, queue, burst: ByteSize::new(0), codel: false, fair: false };
        if limit.longest() > MAX_DELAY {
            return Err(UnitError::new(
                format!("the queue takes {} to empty, at most an hour is allowed", limit.longest()),
                EXAMPLE,
            ));
        }
        Ok(limit)
    }

    /// A token bucket of this many bytes.
    pub(crate) fn with_burst(self, burst: ByteSize) -> Result<Self, UnitError> {
        const EXAMPLE: &str = "50Mbit,queue=0,burst=625k";
        if burst.get() > Self::MAX_QUEUE {
            return Err(UnitError::new("the burst must be below 1 GB", EXAMPLE));
        }
        if self.fair && burst.get() > 0 {
            return Err(UnitError::new("a fair queue has no burst", EXAMPLE));
        }
        if self.rate.time_for(burst.get()) > MAX_DELAY {
            return Err(UnitError::new("the burst takes more than an hour to refill", EXAMPLE));
        }
        Ok(Self { burst, ..self })
    }

    /// Controlled delay (RFC 8289), target 5 ms, interval 100 ms.
    pub(crate) fn with_codel(self) -> Self {
        Self { codel: true, ..self }
    }

    /// Each flow has its own queue, and all are served alike.
    pub(crate) fn with_fair_queues(self) -> Result<Self, UnitError> {
        Self { fair: true, ..self }.with_burst(self.burst)
    }

    pub(crate) fn bits_per_second(self) -> f64 {
        self.rate.get() as f64
    }

    /// The delay of the last byte that the queue takes.
    pub fn longest(self) -> Duration {
        self.rate.time_for(self.queue.get().max(Self::MAX_DATAGRAM))
    }

    fn set_word(self, word: &str) -> Result<Self, SpecError> {
        match word {
            "codel" if !self.codel => Ok(self.with_codel()),
            "fq" if !self.fair => Ok(self.with_fair_queues()?),
            _ => Err(SpecError::new(format!("'{word}' is given twice"), EXAMPLE)),
        }
    }
}

impl FromStr for RateLimit {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let read = || {
            let (rate, rest) = text.trim().split_once(',').unwrap_or((text.trim(), ""));
            let (words, fields): (Vec<&str>, Vec<&str>) =
                rest.split(',').partition(|part| matches!(part.trim(), "codel" | "fq"));
            let fields = fields.join(",");
            let mut fields = Fields::read(&fields, EXAMPLE)?;
            let queue = fields.take("queue")?.unwrap_or(Self::QUEUE);
            let burst = fields.take("burst")?.unwrap_or(ByteSize::new(0));
            fields.finish()?;
            let limit = Self::new(rate.parse()?, queue)?.with_burst(burst)?;
            words.into_iter().try_fold(limit, |limit, word| limit.set_word(word.trim()))
        };
        read().map_err(|error: SpecError| error.within("rate"))
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},queue={}", self.rate, self.queue)?;
        if self.burst.get() > 0 {
            write!(f, ",burst={}", self.burst)?;
        }
        for (is_set, word) in [(self.codel, "codel"), (self.fair, "fq")] {
            if is_set {
                write!(f, ",{word}")?;
            }
        }
        Ok(())
    }
}

/// Packets of one key share a queue.
pub(crate) type FlowKey = u64;

/// The queue at a limited rate.
#[derive(Clone, Debug, Default)]
pub struct Bottleneck {
    fifo: Fifo,
    /// Empty unless the limit asks for fair queues.
    fair: Option<Box<Fair>>,
    /// Of a link that a trace drives.
    trace: Option<Box<(RateTrace, TraceState)>>,
}

impl Bottleneck {
    /// How long until everything that waits now has left.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        let of_trace = self.trace.as_ref().map_or(Duration::ZERO, |of| of.1.wait(&of.0, now));
        let fair = self.fair.as_ref().map_or(Duration::ZERO, |fair| fair.wait(now));
        fair.max(self.fifo.wait(now)).max(of_trace)
    }

    /// The same through a link that this trace drives; another trace begins at its begin.
    pub(crate) fn pass_trace(&mut self, trace: &RateTrace, now: Instant, bytes: usize) -> Option<Duration> {
        let fresh = || Box::new((trace.clone(), TraceState::default()));
        let of = self.trace.get_or_insert_with(fresh);
        if of.0 != *trace {
            *of = fresh();
        }
        of.1.pass(trace, now, bytes)
    }

    /// How long these bytes take to pass, transmission counted; nothing if they are dropped. What
    /// finds the link idle passes whatever its size.
    pub(crate) fn pass(
        &mut self,
        limit: RateLimit,
        flow: FlowKey,
        now: Instant,
        bytes: usize,
    ) -> Option<Duration> {
        if limit.fair {
            self.fair.get_or_insert_default().pass(limit, flow, now, bytes)
        } else {
            self.fifo.pass(limit, now, bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_it_prints() {
        for (typed, printed) in [
            ("2Mbit,queue=64k", "2Mbit,queue=64000"),
            ("64kbit", "64kbit,queue=64000"),
            ("1Gbit/s,queue=1Mi", "1Gbit,queue=1048576"),
            ("50Mbit,queue=0,burst=625k", "50Mbit,queue=0,burst=625000"),
            ("10Mbit, codel", "10Mbit,queue=64000,codel"),
            ("10Mbit,fq,queue=1M,codel", "10Mbit,queue=1000000,codel,fq"),
        ] {
            let limit: RateLimit = typed.parse().unwrap();
            assert_eq!(limit.to_string(), printed);
            assert_eq!(printed.parse::<RateLimit>().unwrap(), limit);
        }
        for (text, error) in [
            ("fast", "rate: not a number; for example 10Mbit"),
            ("1Mbit,queue=x", "rate: queue: not a number; for example 512, 1k or 1Ki"),
            (
                "1kbit,queue=1M",
                "rate: the queue takes 8000s to empty, at most an hour is allowed; for example 2Mbit,queue=64k",
            ),
            ("100Gbit", "rate: must be below 100 Gbit; for example 2Mbit,queue=64k"),
            ("1Mbit,red", "rate: 'red' is not key=value; for example 2Mbit,queue=64k"),
            ("1Mbit,fq,fq", "rate: 'fq' is given twice; for example 2Mbit,queue=64k"),
            ("1Mbit,burst=1k,fq", "rate: a fair queue has no burst; for example 50Mbit,queue=0,burst=625k"),
            (
                "1kbit,burst=1M",
                "rate: the burst takes more than an hour to refill; for example 50Mbit,queue=0,burst=625k",
            ),
        ] {
            assert_eq!(text.parse::<RateLimit>().unwrap_err().to_string(), error);
        }
    }
}
