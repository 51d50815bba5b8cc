//! The outcomes of a target's probes over the last hour, day and week, in bounded memory: about 8 kB, and 6 bytes for
//! each period and cause with a loss.

mod compact;
mod lane;
mod open;

use std::collections::BTreeMap;

use crate::probe::{NotOnTime, Resolved};
use crate::time::{Duration, Instant};
use lane::Lane;

/// How far a view looks back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// Periods of 30 s.
    Hour,
    /// Periods of 10 min.
    Day,
    /// Periods of an hour.
    Week,
}

impl Span {
    /// From the shortest.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// As in the page's address.
    pub fn label(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    /// All periods together.
    pub fn length(self) -> Duration {
        self.period() * self.periods() as i64
    }

    /// The length of one period.
    pub fn period(self) -> Duration {
        match self {
            Self::Hour => Duration::from_secs(30),
            Self::Day => Duration::from_secs(600),
            Self::Week => Duration::from_secs(3_600),
        }
    }

    fn periods(self) -> usize {
        match self {
            Self::Hour => 120,
            Self::Day => 144,
            Self::Week => 168,
        }
    }
}

/// A resolved probe, as a history counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Losses count when the probe was due, not when it was given up.
    pub due: Instant,
    /// None if it was in time.
    pub reason: Option<NotOnTime>,
    /// Of its reply, a late one included.
    pub rtt: Option<Duration>,
}

impl Sample {
    /// Of a run whose first probe was due at `zero`; none if the probe did not leave.
    pub fn of(zero: Instant, probe: &Resolved) -> Option<Self> {
        let reason = probe.not_on_time();
        (reason != Some(NotOnTime::NotSent)).then_some(Self { due: zero + probe.due, reason, rtt: probe.rtt })
    }
}

/// One period of a history.
#[derive(Clone, Debug, PartialEq)]
pub struct Period {
    /// On the clock of the samples.
    pub start: Instant,
    /// Probes that left and are resolved.
    pub sent: u64,
    /// Of these, those without a reply in time.
    pub reasons: Vec<(NotOnTime, u64)>,
    /// Least, 10th percentile, median, 90th percentile and largest RTT.
    pub rtt: Option<[Duration; 5]>,
}

/// The counts of the last minutes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recent {
    /// Probes that left and are resolved.
    pub sent: u64,
    /// Of these, those without a reply in time, by the label of their reason.
    pub reasons: BTreeMap<&'static str, u64>,
    /// Of the newest period with a reply.
    pub median: Option<Duration>,
}

/// Of one target.
#[derive(Clone, Debug)]
pub struct History {
    lanes: [Lane; 3],
}

impl Recent {
    /// The lost probes by cause; late ones had a reply.
    pub fn causes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let late = NotOnTime::Late.label();
        self.reasons
            .iter()
            .map(|(reason, count)| (*reason, *count))
            .filter(move |(reason, _)| *reason != late)
    }
}

impl Default for History {
    fn default() -> Self {
        Self { lanes: Span::ALL.map(Lane::new) }
    }
}

impl History {
    /// The time that a verdict judges: long enough for a loss of 1 % to show, short enough to name it within two minutes.
    pub const RECENT: Duration = Duration::from_secs(120);

    /// Samples come in the order of their due times.
    pub fn push(&mut self, sample: &Sample) {
        self.lanes.iter_mut().for_each(|lane| lane.push(sample));
    }

    /// The periods of a span up to now, the oldest first.
    pub fn span(&self, span: Span, now: Instant) -> Vec<Period> {
        let lane = Span::ALL.iter().position(|known| *known == span).expect("ALL has each");
        self.lanes[lane].since(now - span.length())
    }

    /// The counts of probes that were due within about the last two minutes.
    pub fn recent(&self, now: Instant) -> Recent {
        let mut recent = Recent::default();
        for period in self.lanes[0].since(now - Self::RECENT) {
            recent.sent += period.sent;
            for (reason, count) in period.reasons {
                *recent.reasons.entry(reason.label()).or_default() += count;
            }
            recent.median = period.rtt.map(|[_, _, median, ..]| median).or(recent.median);
        }
        recent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Cause;

    const LOST: NotOnTime = NotOnTime::Lost(Cause::Down);

    fn at(seconds: i64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    /// A probe a second; its RTT is in microseconds, none if it was lost.
    fn push(history: &mut History, second: i64, rtt: Option<i64>) {
        let reason = rtt.is_none().then_some(LOST);
        history.push(&Sample { due: at(second), reason, rtt: rtt.map(Duration::from_micros) });
    }

    #[test]
    fn a_probe_counts_in_the_period_in_which_it_was_due() {
        let mut history = History::default();
        for second in 0..100 {
            push(&mut history, second, (second != 29 && second != 65).then_some(1_000 + second));
        }
        let periods = history.span(Span::Hour, at(100));
        let seen: Vec<_> = periods.iter().map(|period| (period.start, period.sent)).collect();
        assert_eq!(seen, [(at(0), 30), (at(30), 30), (at(60), 30), (at(90), 10)]);
        let lost: Vec<_> = periods.iter().map(|period| period.reasons.clone()).collect();
        assert_eq!(lost, [vec![(LOST, 1)], vec![], vec![(LOST, 1)], vec![]]);
        let [least, low, median, high, most] = periods[0].rtt.unwrap().map(Duration::as_micros_f64);
        assert_eq!((least, most), (1_000.0, 1_028.0), "of a closed period too");
        assert!(least <= low && low <= median && median <= high && high <= most);
        assert_eq!(history.span(Span::Day, at(100)).len(), 1);
        assert_eq!(history.span(Span::Day, at(100))[0].reasons, [(LOST, 2)]);
    }

    #[test]
    fn quantiles_are_within_two_and_a_half_percent() {
        let mut history = History::default();
        for second in 0..3_600 {
            push(&mut history, second, Some(10_000 + second * 10));
        }
        let hour = &history.span(Span::Week, at(3_600))[0];
        for (value, exact) in
            hour.rtt.unwrap().into_iter().zip([10_000.0, 13_600.0, 28_000.0, 42_400.0, 45_990.0])
        {
            assert!((value.as_micros_f64() / exact - 1.0).abs() < 0.025, "{value:?} for {exact}");
        }
    }

    #[test]
    fn the_verdict_s_window_forgets_after_two_minutes() {
        let mut history = History::default();
        for second in 0..600 {
            push(&mut history, second, (second >= 300 || second % 2 == 0).then_some(500));
        }
        let then = history.recent(at(420));
        assert_eq!((then.sent, then.reasons.len()), (300, 0), "from 300 on, the newest included");
        let all = history.recent(at(120));
        assert_eq!(all.reasons, BTreeMap::from([("down", 150)]));
        assert_eq!(all.median.unwrap().as_micros_f64().round(), 500.0);
    }

    /// Two weeks with a loss in each minute: as much as after one week.
    #[test]
    fn what_is_older_than_the_span_goes_and_memory_stays() {
        let mut history = History::default();
        let week = 7 * 86_400;
        for minute in 0..2 * week / 60 {
            push(&mut history, minute * 60, (minute % 2 == 0).then_some(700));
        }
        for span in Span::ALL {
            let periods = history.span(span, at(2 * week));
            assert!(periods.len() <= span.periods(), "{span:?}: {}", periods.len());
            assert!(periods[0].start >= at(2 * week) - span.length());
            let lost: u64 = periods.iter().flat_map(|period| &period.reasons).map(|(_, count)| count).sum();
            let sent: u64 = periods.iter().map(|period| period.sent).sum();
            assert!(lost.abs_diff(sent / 2) <= 1, "{span:?}: {lost} of {sent}");
        }
        // A month of silence leaves nothing of before, and no gap is filled with 100,000 rows.
        push(&mut history, 6 * week, Some(900));
        assert!(Span::ALL.into_iter().all(|span| history.span(span, at(6 * week)).len() == 1));
    }

    #[test]
    fn periods_without_a_probe_have_none() {
        let mut history = History::default();
        push(&mut history, 0, Some(1));
        push(&mut history, 100, None);
        let periods = history.span(Span::Hour, at(100));
        assert_eq!(periods.iter().map(|period| period.sent).collect::<Vec<_>>(), [1, 0, 0, 1]);
        assert_eq!((periods[1].rtt, periods[3].rtt), (None, None));
        assert!(periods[0].rtt.is_some(), "an RTT below the unit is one all the same");
    }
}
