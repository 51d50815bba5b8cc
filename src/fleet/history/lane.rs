//! Periods of one length, the newest of them in a ring.

use std::collections::VecDeque;

use super::compact::Compact;
use super::open::Open;
use super::{Period, Sample, Span};
use crate::probe::NotOnTime;
use crate::time::{Duration, Instant};

/// A period that is over, in 12 bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    sent: Compact,
    /// In units of 100 ns; all are 0 without a reply.
    rtt: [Compact; 5],
}

/// Probes that had no reply in time. Most periods have none, so these have a list of their own.
#[derive(Clone, Copy, Debug)]
struct Loss {
    /// The period's number, of which the lowest bits tell it from the others in the ring.
    number: u16,
    /// A place in `NotOnTime::ALL`.
    reason: u8,
    count: Compact,
}

#[derive(Clone, Debug)]
pub(super) struct Lane {
    span: Span,
    /// Of the open period: its start is `number` times the length of a period.
    number: i64,
    open: Open,
    /// Up to the one before the open one, the oldest first.
    rows: VecDeque<Row>,
    losses: VecDeque<Loss>,
}

const RTT_UNIT: i64 = 100;

impl Lane {
    pub(super) fn new(span: Span) -> Self {
        let (open, rows, losses) = Default::default();
        Self { span, number: i64::MIN, open, rows, losses }
    }

    /// A probe that was due before the open period counts there.
    pub(super) fn push(&mut self, sample: &Sample) {
        let number = sample.due.as_nanos().div_euclid(self.span.period().as_nanos());
        if self.number == i64::MIN {
            self.number = number;
        }
        if number > self.number {
            self.close(number);
        }
        self.open.push(sample);
    }

    /// The periods up to this one are over; those without a probe have a row too.
    fn close(&mut self, until: i64) {
        let periods = self.span.periods() as i64;
        if until - self.number >= periods {
            *self = Self { number: until, ..Self::new(self.span) };
            return;
        }
        let open = std::mem::take(&mut self.open);
        let rtt = |rtt: Duration| Compact::of((rtt.as_nanos() / RTT_UNIT).max(1) as u64);
        let row = Row {
            sent: Compact::of(open.counts.sent()),
            rtt: open.rtt().map_or_else(Default::default, |values| values.map(rtt)),
        };
        for (reason, count) in open.reasons() {
            let reason = NotOnTime::ALL.iter().position(|known| *known == reason).expect("ALL has each");
            let (number, count) = (self.number as u16, Compact::of(count));
            self.losses.push_back(Loss { number, reason: reason as u8, count });
        }
        self.rows.push_back(row);
        self.rows.extend((self.number + 1..until).map(|_| Row::default()));
        self.number = until;
        while self.rows.len() >= self.span.periods() {
            self.rows.pop_front();
        }
        let oldest = self.oldest();
        let is_gone =
            |loss: &Loss| (self.number as u16).wrapping_sub(loss.number) as i64 > self.number - oldest;
        while self.losses.front().is_some_and(is_gone) {
            self.losses.pop_front();
        }
    }

    fn oldest(&self) -> i64 {
        self.number - self.rows.len() as i64
    }

    /// The periods that began at this time or later, the oldest first.
    pub(super) fn since(&self, earliest: Instant) -> Vec<Period> {
        if self.number == i64::MIN {
            return Vec::new();
        }
        let period = self.span.period();
        let start = |number: i64| Instant::ZERO + Duration::from_nanos(number * period.as_nanos());
        let mut losses = self.losses.iter().peekable();
        let closed = self.rows.iter().zip(self.oldest()..).map(|(row, number)| {
            let mut lost = Vec::new();
            while let Some(loss) = losses.next_if(|loss| loss.number == number as u16) {
                lost.push((NotOnTime::ALL[usize::from(loss.reason)], loss.count.get()));
            }
            let rtt = row.rtt.map(|value| Duration::from_nanos(value.get() as i64 * RTT_UNIT));
            let rtt = (rtt[0] > Duration::ZERO).then_some(rtt);
            Period { start: start(number), sent: row.sent.get(), reasons: lost, rtt }
        });
        let open = Period {
            start: start(self.number),
            sent: self.open.counts.sent(),
            reasons: self.open.reasons().collect(),
            rtt: self.open.rtt(),
        };
        closed.chain([open]).filter(|period| period.start >= earliest).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_keeps_no_more_periods_than_its_span_has() {
        for span in Span::ALL {
            let mut lane = Lane::new(span);
            for number in 0..3 * span.periods() as i64 {
                let due = Instant::ZERO + Duration::from_nanos(number * span.period().as_nanos());
                let reason = (number % 2 == 0).then_some(NotOnTime::Late);
                lane.push(&Sample { due, reason, rtt: Some(RTT) });
            }
            // The open one is the last of them.
            assert_eq!(lane.rows.len(), span.periods() - 1, "{span:?}");
            assert!(lane.losses.len() <= span.periods() / 2 + 1, "{span:?}: {}", lane.losses.len());
        }
    }

    /// `Forecast` counts it.
    #[test]
    fn the_lanes_of_a_week_take_eight_kilobytes() {
        let bytes = Span::ALL.map(|span| {
            let mut lane = Lane::new(span);
            for number in 0..2 * span.periods() as i64 {
                let due = Instant::ZERO + Duration::from_nanos(number * span.period().as_nanos());
                lane.push(&Sample { due, reason: None, rtt: Some(RTT) });
            }
            lane.rows.capacity() * size_of::<Row>() + lane.losses.capacity() * size_of::<Loss>()
        });
        let all = bytes.iter().sum::<usize>();
        assert!((7_000..8_500).contains(&all), "{bytes:?}");
    }

    const RTT: Duration = Duration::from_millis(1);
}
