//! A link driven by a trace in mahimahi's format: a line is the millisecond of an opportunity to send 1,500
//! bytes; several on one line's time are several lines, and after the last the trace begins anew.
//!
//! As in mahimahi's link queue, a packet may use a part of an opportunity or several of them, packets that wait
//! share one, and what nobody waits for is lost. Unlike there, packets may be longer than 1,504 bytes. The
//! queue drops at its tail, so a packet's departure is fixed when it arrives.

use std::fmt;
use std::sync::Arc;

use super::super::rounding::MAX_DELAY;
use super::super::spec::{Fields, Fingerprint, ReadFile, SpecError, WholeNumber, read_named};
use super::RateLimit;
use crate::time::{Duration, Instant};
use crate::units::{ByteSize, UnitError};

const EXAMPLE: &str = "trace:lte.down,queue=300k";

/// Bytes that an opportunity sends.
const OPPORTUNITY: u64 = 1_500;

/// The opportunities of a link, and how many bytes may wait for them.
#[derive(Clone, Debug)]
pub struct RateTrace {
    count: u64,
    /// Milliseconds after which it begins anew.
    period: u64,
    fingerprint: Fingerprint,
    queue: ByteSize,
    /// Milliseconds; empty if it is only described.
    opportunities: Arc<[u32]>,
}

impl RateTrace {
    const MOST: usize = 20_000_000;

    /// Milliseconds in order, the last above zero.
    pub fn new(opportunities: Vec<u32>, queue: ByteSize) -> Result<Self, UnitError> {
        let bad = |why: &str| UnitError::new(why, EXAMPLE);
        let period = opportunities.last().copied().ok_or_else(|| bad("the trace is empty"))?;
        if period == 0 {
            return Err(bad("the trace ends at 0 ms: its last line must be later"));
        }
        if !opportunities.is_sorted() {
            return Err(bad("the times of the trace must not decrease"));
        }
        if opportunities.len() > Self::MOST {
            return Err(bad("the trace has more than 20 million lines"));
        }
        let trace = Self {
            count: opportunities.len() as u64,
            period: u64::from(period),
            fingerprint: Fingerprint::of(opportunities.iter().flat_map(|at| at.to_le_bytes())),
            queue,
            opportunities: opportunities.into(),
        };
        trace.checked()
    }

    /// One time a line; the error names the line.
    pub fn from_text(text: &str, queue: ByteSize) -> Result<Self, SpecError> {
        let mut opportunities: Vec<u32> = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let bad = |why: String| SpecError::new(format!("line {number}: {why}"), EXAMPLE);
            let at = line
                .trim()
                .parse()
                .map_err(|_| bad(format!("'{line}' is not a time in whole milliseconds")))?;
            if opportunities.last().is_some_and(|last| at < *last) {
                return Err(bad(format!("{at} is before the time of the line above")));
            }
            opportunities.push(at);
        }
        Ok(Self::new(opportunities, queue)?)
    }

    /// `FILE` or `FILE,queue=BYTES`.
    pub(crate) fn from_spec(text: &str, files: ReadFile<'_>) -> Result<Self, SpecError> {
        let (file, queue) = Self::split(text)?;
        let text = read_named(file, files, EXAMPLE)?;
        Self::from_text(&text, queue).map_err(|error| error.within(file))
    }

    fn split(text: &str) -> Result<(&str, ByteSize), SpecError> {
        let (file, rest) = text.split_once(',').unwrap_or((text, ""));
        let mut fields = Fields::read(rest, EXAMPLE)?;
        let queue = fields.take("queue")?.unwrap_or(RateLimit::QUEUE);
        fields.finish()?;
        Ok((file, queue))
    }

    /// Reads the wire's form, which lacks the opportunities.
    pub(crate) fn from_description(text: &str) -> Result<Self, SpecError> {
        let mut fields = Fields::read(text, EXAMPLE)?;
        let WholeNumber(count) = fields.need("n")?;
        let WholeNumber(period) = fields.need("ms")?;
        let fingerprint = fields.need("id")?;
        let queue = fields.need("queue")?;
        fields.finish()?;
        if count == 0 || period == 0 || period > u64::from(u32::MAX) || count > Self::MOST as u64 {
            return Err(SpecError::new("the trace is empty or too long", EXAMPLE));
        }
        Ok(Self { count, period, fingerprint, queue, opportunities: Arc::new([]) }.checked()?)
    }

    fn checked(self) -> Result<Self, UnitError> {
        if self.queue.get() > RateLimit::MAX_QUEUE {
            return Err(UnitError::new("the queue must be below 1 GB", EXAMPLE));
        }
        if self.longest() > MAX_DELAY {
            return Err(UnitError::new(
                format!("the queue takes up to {} to empty, at most an hour is allowed", self.longest()),
                EXAMPLE,
            ));
        }
        Ok(self)
    }

    pub(crate) fn is_described_only(&self) -> bool {
        self.opportunities.is_empty()
    }

    /// The delay of the last byte that the queue takes, at the worst moment.
    pub(crate) fn longest(&self) -> Duration {
        let opportunities = self.queue.get().max(RateLimit::MAX_DATAGRAM) / OPPORTUNITY + 2;
        let periods = opportunities / self.count + 2;
        millis(periods.saturating_mul(self.period))
    }

    /// The mean rate in bits a second.
    pub fn mean_rate(&self) -> f64 {
        (self.count * OPPORTUNITY * 8) as f64 / (self.period as f64 / 1e3)
    }

    /// When this opportunity comes, counted over all repetitions.
    fn at(&self, index: u64) -> Duration {
        let within = self.opportunities[(index % self.count) as usize];
        millis(index / self.count * self.period + u64::from(within))
    }

    /// The first opportunity after this time.
    fn first_after(&self, since: Duration) -> u64 {
        let ms = (since.as_nanos().max(0) / 1_000_000).unsigned_abs();
        let (cycle, within) = (ms / self.period, ms % self.period);
        let position = self.opportunities.partition_point(|at| u64::from(*at) <= within);
        cycle * self.count + position as u64
    }
}

/// Where a link stands in its trace.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TraceState {
    /// When its first packet came: the trace begins then.
    began: Option<Instant>,
    /// The opportunity that the next packet uses if it waits by then, and its bytes that are left.
    next: u64,
    left: u64,
}

impl TraceState {
    pub(super) fn pass(&mut self, trace: &RateTrace, now: Instant, bytes: usize) -> Option<Duration> {
        if trace.is_described_only() {
            return Some(Duration::ZERO);
        }
        let since = now - *self.began.get_or_insert(now);
        let first = trace.first_after(since);
        let (index, left) =
            if self.next >= first && self.left > 0 { (self.next, self.left) } else { (first, OPPORTUNITY) };
        let waiting = (index - first) * OPPORTUNITY + (OPPORTUNITY - left);
        let need = (bytes as u64).max(1);
        if waiting > 0 && waiting + need > trace.queue.get() {
            return None;
        }
        let further = need.saturating_sub(left).div_ceil(OPPORTUNITY);
        let last = index + further;
        let left = left + further * OPPORTUNITY - need;
        (self.next, self.left) = if left > 0 { (last, left) } else { (last + 1, OPPORTUNITY) };
        Some(trace.at(last) - since)
    }

    /// How long until everything that waits now has left.
    pub(super) fn wait(&self, trace: &RateTrace, now: Instant) -> Duration {
        let Some(began) = self.began.filter(|_| !trace.is_described_only()) else { return Duration::ZERO };
        let last = if self.left == OPPORTUNITY { self.next.checked_sub(1) } else { Some(self.next) };
        let end = last.map_or(Duration::ZERO, |last| trace.at(last));
        (end - (now - began)).max(Duration::ZERO)
    }
}

fn millis(ms: u64) -> Duration {
    Duration::from_nanos(i64::try_from(ms.saturating_mul(1_000_000)).unwrap_or(i64::MAX))
}

/// Counts and fingerprint, since one of them may be only described.
impl PartialEq for RateTrace {
    fn eq(&self, other: &Self) -> bool {
        let key = |trace: &Self| (trace.count, trace.period, trace.fingerprint, trace.queue);
        key(self) == key(other)
    }
}

impl fmt::Display for RateTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, period, fingerprint, queue, .. } = self;
        write!(f, "trace:n={count},ms={period},id={fingerprint},queue={queue}")
    }
}

/// The opportunities that packets of these sizes (as IP packets) at these times used: the times, in order, become
/// the milliseconds of a trace that begins with the first of them.
pub fn opportunities(arrivals: impl IntoIterator<Item = (Duration, u64)>) -> Vec<u32> {
    let mut arrivals = arrivals.into_iter();
    let Some((begin, _)) = arrivals.next() else { return Vec::new() };
    let mut used = 0;
    let mut opportunities = Vec::new();
    // The first packet only starts the clock: when it could have come is not known.
    for (at, bytes) in arrivals {
        used += bytes;
        let ms = (at - begin).as_nanos().max(0).unsigned_abs().div_ceil(1_000_000);
        let ms = u32::try_from(ms).unwrap_or(u32::MAX).max(1);
        while used >= OPPORTUNITY {
            used -= OPPORTUNITY;
            opportunities.push(ms);
        }
    }
    opportunities
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(micros: i64) -> Instant {
        Instant::from_nanos(7_000_000_000) + Duration::from_micros(micros)
    }

    fn trace(opportunities: &[u32], queue: u64) -> RateTrace {
        RateTrace::new(opportunities.to_vec(), ByteSize::new(queue)).unwrap()
    }

    /// Microseconds of departure of packets that arrive at these times.
    fn departures(trace: &RateTrace, packets: &[(i64, usize)]) -> Vec<Option<i64>> {
        let mut state = TraceState::default();
        let pass = |&(micros, bytes): &(i64, usize)| {
            state.pass(trace, at(micros), bytes).map(|wait| micros + wait.as_nanos() / 1_000)
        };
        packets.iter().map(pass).collect()
    }

    #[test]
    fn packets_share_opportunities_and_use_several() {
        let trace = trace(&[1, 2, 2, 5], 60_000);
        // Two of 750 bytes share the first; one of 3,500 uses both at 2 and a third of that at 5.
        let packets = [(0, 750), (0, 750), (0, 3_500), (0, 1_000), (0, 100)];
        assert_eq!(departures(&trace, &packets), [1_000, 1_000, 5_000, 5_000, 6_000].map(Some));
    }

    #[test]
    fn what_nobody_waits_for_is_lost_and_the_trace_begins_anew() {
        let trace = trace(&[1, 2, 5], 60_000);
        // After 5 ms come 6, 7 and 10. A packet that comes at an opportunity's time waits for the next.
        let packets = [(0, 1_500), (3_000, 1_500), (6_000, 1_500), (7_001, 10), (1_000_000, 1_500)];
        assert_eq!(departures(&trace, &packets), [1_000, 5_000, 7_000, 10_000, 1_001_000].map(Some));
    }

    #[test]
    fn the_queue_drops_at_its_tail() {
        let trace = trace(&[10], 3_000);
        let packets = [(0, 1_500), (0, 1_500), (0, 1), (10_001, 1_500), (10_001, 1)];
        assert_eq!(departures(&trace, &packets), [Some(10_000), Some(20_000), None, Some(30_000), None]);
        // A packet that finds the link idle passes whatever its size.
        assert_eq!(departures(&trace, &[(0, 9_000)]), [Some(60_000)]);
    }

    proptest! {
        /// Against mahimahi's algorithm, a millisecond at a time.
        #[test]
        fn it_delivers_when_mahimahi_does(
            times in prop::collection::vec(0_u32..20, 1..12),
            packets in prop::collection::vec((0_i64..200, 1_usize..4_000), 1..60),
        ) {
            let mut times = times;
            times.sort_unstable();
            prop_assume!(*times.last().unwrap() > 0);
            let trace = trace(&times, 900_000);
            let mut packets = packets;
            packets.sort_by_key(|(ms, _)| *ms);
            let begin = packets[0].0;
            let packets: Vec<(i64, usize)> = packets.iter().map(|(ms, bytes)| ((ms - begin) * 1_000, *bytes)).collect();
            let mut expected = vec![None; packets.len()];
            let (mut head, mut sent) = (0, 0);
            let period = i64::from(*times.last().unwrap());
            'all: for cycle in 0.. {
                for time in &times {
                    let now = cycle * period + i64::from(*time);
                    let mut room = OPPORTUNITY as usize;
                    while room > 0 && head < packets.len() && packets[head].0 < now * 1_000 {
                        let now_sent = room.min(packets[head].1 - sent);
                        (room, sent) = (room - now_sent, sent + now_sent);
                        if sent == packets[head].1 {
                            expected[head] = Some(now * 1_000);
                            (head, sent) = (head + 1, 0);
                        }
                    }
                    if head == packets.len() {
                        break 'all;
                    }
                }
            }
            prop_assert_eq!(departures(&trace, &packets), expected);
        }

        /// A link that was always busy is rehearsed at its own rate.
        #[test]
        fn the_trace_of_a_busy_link_has_its_rate(mbit in 1_u64..50) {
            let gap = 1_528 * 8_000 / mbit;
            let arrivals = (0..20_000_u64).map(|k| (Duration::from_nanos((k * gap) as i64), 1_528));
            let trace = RateTrace::new(opportunities(arrivals), ByteSize::new(64_000)).unwrap();
            let rate = trace.mean_rate() / 1e6;
            prop_assert!((rate / mbit as f64 - 1.0).abs() < 0.01, "{} of {}", rate, mbit);
        }
    }

    #[test]
    fn it_reads_files_and_says_which_line_is_wrong() {
        let files = |_: &str| Ok("1\n2\n2\n7\n".to_owned());
        let trace = RateTrace::from_spec("lte.down,queue=300k", &files).unwrap();
        let line = trace.to_string();
        assert!(line.starts_with("trace:n=4,ms=7,id=") && line.ends_with(",queue=300000"), "{line}");
        let described = RateTrace::from_description(line.strip_prefix("trace:").unwrap()).unwrap();
        assert_eq!((described.to_string(), &described), (line, &trace));
        assert!(described.is_described_only() && !trace.is_described_only());
        for (text, why) in [
            ("", "the trace is empty"),
            ("0\n", "ends at 0 ms"),
            ("1\n\n2\n", "line 2: '' is not a time"),
            ("1\n5\n4\n", "line 3: 4 is before"),
            ("1.5\n", "line 1: '1.5' is not a time"),
        ] {
            let error = RateTrace::from_text(text, ByteSize::new(1)).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
