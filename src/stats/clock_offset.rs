//! The server's clock minus the client's, with hard bounds, and its drift.
//!
//! No delay is negative, so each probe bounds the offset: it is at most T2 - T1 when the probe is sent, and
//! at least -(T4 - T3) when its reply arrives. A constant drift is a line between two convex hulls (Moon,
//! Skelly, Towsley 1999, from both directions at once). The reported bounds cover all such lines, and the
//! estimate is their middle. When no line fits, a clock was set or its rate changed, and the measurement
//! starts again.

use super::hull::{Hull, Point};
use super::percentile::mean_of;
use crate::time::Duration;

/// The greatest drift that is considered; the kernel corrects no more.
pub const MAX_SKEW: f64 = 500e-6;

#[derive(Clone, Debug, Default)]
pub(crate) struct ClockOffset {
    segment: Option<Segment>,
    steps: u64,
}

/// The stamps of one probe; times are on the client's clock, from time zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// T1.
    pub sent: Duration,
    /// T4.
    pub received: Duration,
    /// T2 - T1: delay plus offset.
    pub up: Duration,
    /// T4 - T3: delay minus offset.
    pub down: Duration,
}

/// The offset lies within `estimate` plus or minus `bound`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset {
    pub(crate) estimate: Duration,
    pub(crate) bound: Duration,
}

/// The drift of the server's clock against the client's lies within `ppm` plus or minus `bound_ppm`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Skew {
    pub(crate) ppm: f64,
    pub(crate) bound_ppm: f64,
}

/// No constant drift explains the clocks before and after: one was set, or its rate changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockStep {
    /// The send time of the first probe that shows it.
    pub at: Duration,
    /// By how much the offset is now larger than expected, as far as the estimates can tell.
    pub by: Duration,
}

impl ClockOffset {
    /// Takes the next probe, in about the order of time. Returns a step if it shows one, and then starts
    /// again.
    pub(crate) fn record(&mut self, exchange: Exchange) -> Option<ClockStep> {
        if self.segment.as_mut().is_some_and(|segment| segment.record(exchange)) {
            return None;
        }
        // Contradictory stamps are ignored.
        let anew = Segment::new(exchange)?;
        let offset = anew.at(exchange.received).estimate;
        let before = self.segment.replace(anew)?;
        self.steps += 1;
        Some(ClockStep { at: exchange.sent, by: offset - before.at(exchange.received).estimate })
    }

    /// The offset if there is no drift: -min(T4 - T3) <= offset <= min(T2 - T1). None if they do not.
    pub(crate) fn constant(&self) -> Option<Offset> {
        self.segment.as_ref().and_then(Segment::constant)
    }

    /// The offset halfway between the first probe and the last since the latest step, where it is
    /// known best.
    pub(crate) fn halfway(&self) -> Option<Offset> {
        self.segment.as_ref().map(|segment| segment.at(segment.halfway()))
    }

    /// The offset at this time, which need not be one of a probe.
    pub(crate) fn at(&self, time: Duration) -> Option<Offset> {
        self.segment.as_ref().map(|segment| segment.at(time))
    }

    /// None while the probes bound it no better than `MAX_SKEW` does.
    pub(crate) fn skew(&self) -> Option<Skew> {
        let (low, high) = self.segment.as_ref()?.slopes;
        let known = -MAX_SKEW < low && high < MAX_SKEW;
        known.then_some(Skew { ppm: (low + high) / 2.0 * 1e6, bound_ppm: (high - low) / 2.0 * 1e6 })
    }

    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }
}

/// The probes since the last step, relative to the first of them so that small numbers stay exact.
#[derive(Clone, Debug)]
struct Segment {
    first_sent: Duration,
    first_offset: Duration,
    last_received: Duration,
    min_up: i64,
    min_down: i64,
    /// Upper bounds of the offset, each at its time.
    up: Hull,
    /// Upper bounds of minus the offset.
    down: Hull,
    /// The least and the greatest slope of the lines that fit all probes.
    slopes: (f64, f64),
}

impl Segment {
    /// None if the probe's stamps allow no offset.
    fn new(first: Exchange) -> Option<Self> {
        let mut segment = Self {
            first_sent: first.sent,
            first_offset: mean_of(-first.down, first.up),
            last_received: first.received,
            min_up: i64::MAX,
            min_down: i64::MAX,
            up: Hull::default(),
            down: Hull::default(),
            slopes: (-MAX_SKEW, MAX_SKEW),
        };
        segment.record(first).then_some(segment)
    }

    /// False if no line would fit; then nothing changes.
    fn record(&mut self, exchange: Exchange) -> bool {
        let up = self.point(exchange.sent, exchange.up - self.first_offset);
        let down = self.point(exchange.received, exchange.down + self.first_offset);
        let kept = self.slopes;
        // A line of offsets passes below `up` and above minus each of `down`, and the other way round.
        let below_up =
            self.down.vertices().iter().chain([&down]).all(|other| narrow(&mut self.slopes, up, *other));
        let above_down = self.up.vertices().iter().all(|other| narrow(&mut self.slopes, *other, down));
        if !(below_up && above_down) {
            self.slopes = kept;
            return false;
        }
        self.up.insert(up);
        self.down.insert(down);
        self.min_up = self.min_up.min(up.y);
        self.min_down = self.min_down.min(down.y);
        self.last_received = self.last_received.max(exchange.received);
        true
    }

    fn constant(&self) -> Option<Offset> {
        (i128::from(self.min_up) + i128::from(self.min_down) >= 0)
            .then(|| self.offset(-self.min_down as f64, self.min_up as f64))
    }

    fn at(&self, time: Duration) -> Offset {
        let t = (time - self.first_sent).as_nanos() as f64;
        let (least, greatest) = self.slopes;
        // The highest line at t touches the hull there, or as near as its slope may come.
        let highest = |hull: &Hull, least, greatest| {
            let slope = hull.slope_at(t).clamp(least, greatest);
            hull.support(slope) + slope * t
        };
        self.offset(-highest(&self.down, -greatest, -least), highest(&self.up, least, greatest))
    }

    fn halfway(&self) -> Duration {
        mean_of(self.first_sent, self.last_received)
    }

    /// From bounds relative to the first offset. The bound is rounded up: it must hold.
    fn offset(&self, low: f64, high: f64) -> Offset {
        let estimate = ((low + high) / 2.0).round();
        let bound = (high - estimate).max(estimate - low).max(0.0).ceil();
        Offset {
            estimate: self.first_offset + Duration::from_nanos(estimate as i64),
            bound: Duration::from_nanos(bound as i64),
        }
    }

    fn point(&self, time: Duration, delay: Duration) -> Point {
        Point { t: (time - self.first_sent).as_nanos(), y: delay.as_nanos() }
    }
}

/// Leaves only the slopes of lines that pass below `up` and above minus `down`; false if none does.
fn narrow(slopes: &mut (f64, f64), up: Point, down: Point) -> bool {
    let room = up.y as f64 + down.y as f64;
    let later = up.t as f64 - down.t as f64;
    if later > 0.0 {
        slopes.1 = slopes.1.min(room / later);
    } else if later < 0.0 {
        slopes.0 = slopes.0.max(room / later);
    } else if room < 0.0 {
        return false;
    }
    slopes.0 <= slopes.1
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const MILLI: i64 = 1_000_000;

    /// Probes of a clock that is ahead by `offset + skew x time`: sending time and both delays, in ns.
    fn exchange(offset: f64, skew: f64, (sent, up, down): (i64, i64, i64)) -> Exchange {
        let received = sent + up + down;
        let ahead = |t: i64| (offset + skew * t as f64).round() as i64;
        Exchange {
            sent: Duration::from_nanos(sent),
            received: Duration::from_nanos(received),
            up: Duration::from_nanos(up + ahead(sent)),
            down: Duration::from_nanos(down - ahead(received)),
        }
    }

    fn contains(offset: Offset, truth: f64) -> bool {
        (offset.estimate.as_nanos() as f64 - truth).abs() <= offset.bound.as_nanos() as f64 + 1.0
    }

    #[test]
    fn two_probes_by_hand() {
        // The server is 100 ms ahead. 5 ms up and 20 down, then 12 up and 7 down.
        let mut clock = ClockOffset::default();
        assert!(clock.constant().is_none() && clock.segment.is_none() && clock.skew().is_none());
        assert_eq!(clock.record(exchange(1e8, 0.0, (0, 5 * MILLI, 20 * MILLI))), None);
        assert_eq!(clock.skew(), None);
        assert_eq!(clock.record(exchange(1e8, 0.0, (MILLI * 1000, 12 * MILLI, 7 * MILLI))), None);
        // min(T2 - T1) = 105, -min(T4 - T3) = 93.
        let expected = Offset { estimate: Duration::from_millis(99), bound: Duration::from_millis(6) };
        assert_eq!(clock.constant(), Some(expected));
        // From the first sending to the last arrival, at 1019 ms.
        assert_eq!(clock.segment.unwrap().halfway(), Duration::from_micros(509_500));
    }

    #[test]
    fn at_one_time_the_bounds_may_meet_but_not_cross() {
        let room = |up, down| narrow(&mut (-1.0, 1.0), Point { t: 5, y: up }, Point { t: 5, y: down });
        assert!(room(3, -3) && !room(3, -4));
    }

    #[test]
    fn a_drift_is_found_and_hides_in_no_constant() {
        let mut clock = ClockOffset::default();
        for k in 0..3600 {
            let jitter = (k * 7919) % 13 * MILLI;
            let probe = (k * 1000 * MILLI, MILLI + jitter, MILLI + (jitter * 5) % (11 * MILLI));
            assert_eq!(clock.record(exchange(0.0, 50e-6, probe)), None);
        }
        let skew = clock.skew().unwrap();
        assert!((skew.ppm - 50.0).abs() <= skew.bound_ppm && skew.bound_ppm < 1.0, "{skew:?}");
        // After an hour the clocks are 180 ms apart, with 2 ms between the bounds.
        assert_eq!(clock.constant(), None);
        for (at, truth) in [(0, 0.0), (1800, 90e6), (3600, 180e6)] {
            let offset = clock.segment.as_ref().unwrap().at(Duration::from_secs(at));
            assert!(contains(offset, truth) && offset.bound < Duration::from_millis(4), "{offset:?}");
        }
        assert!(clock.halfway().unwrap().bound <= Duration::from_millis(1));
    }

    #[test]
    fn a_clock_step_is_no_delay() {
        let mut clock = ClockOffset::default();
        let probe = |k: i64| (k * 100 * MILLI, 2 * MILLI + k % 3, 2 * MILLI);
        let steps = (0..100).filter_map(|k| {
            let offset = if k < 60 { 0.0 } else { -3600e9 };
            clock.record(exchange(offset, 0.0, probe(k)))
        });
        let steps: Vec<ClockStep> = steps.collect();
        assert_eq!(steps.len(), 1);
        assert_eq!(steps[0].at, Duration::from_secs(6));
        assert!((steps[0].by + Duration::from_secs(3600)).abs() < Duration::from_millis(1));
        assert_eq!(clock.steps(), 1);
        assert!(contains(clock.constant().unwrap(), -3600e9));
    }

    #[test]
    fn stamps_that_contradict_each_other_say_nothing() {
        let mut clock = ClockOffset::default();
        let wrong = Exchange {
            sent: Duration::ZERO,
            received: Duration::from_millis(1),
            up: Duration::from_millis(2),
            down: Duration::from_millis(-3),
        };
        assert_eq!(clock.record(wrong), None);
        assert_eq!((clock.constant(), clock.steps()), (None, 0));
        clock.record(exchange(5e6, 0.0, (0, MILLI, MILLI)));
        assert_eq!(clock.record(wrong), None);
        assert!(contains(clock.constant().unwrap(), 5e6));
    }

    #[test]
    fn clocks_decades_apart_lose_no_nanosecond() {
        let mut clock = ClockOffset::default();
        let ahead = 1_700_000_000_000_000_001;
        clock.record(Exchange {
            sent: Duration::ZERO,
            received: Duration::from_nanos(30),
            up: Duration::from_nanos(ahead + 10),
            down: Duration::from_nanos(20 - ahead),
        });
        let expected = Offset { estimate: Duration::from_nanos(ahead - 5), bound: Duration::from_nanos(15) };
        assert_eq!(clock.constant(), Some(expected));
    }

    /// An oracle that keeps every constraint of the run.
    struct Naive {
        ups: Vec<(f64, f64)>,
        downs: Vec<(f64, f64)>,
    }

    impl Naive {
        fn of(exchanges: &[Exchange]) -> Self {
            let point = |t: Duration, y: Duration| (t.as_nanos() as f64, y.as_nanos() as f64);
            Self {
                ups: exchanges.iter().map(|e| point(e.sent, e.up)).collect(),
                downs: exchanges.iter().map(|e| point(e.received, -e.down)).collect(),
            }
        }

        fn slopes(&self) -> (f64, f64) {
            let pairs = || self.ups.iter().flat_map(|u| self.downs.iter().map(move |d| (u, d)));
            let slope = |(u, d): (&(f64, f64), &(f64, f64))| (u.1 - d.1) / (u.0 - d.0);
            let high = pairs().filter(|(u, d)| u.0 > d.0).map(slope).fold(MAX_SKEW, f64::min);
            let low = pairs().filter(|(u, d)| u.0 < d.0).map(slope).fold(-MAX_SKEW, f64::max);
            (low, high)
        }

        /// The highest line at t: for each slope that may be best, the line that touches the points.
        fn highest(&self, t: f64) -> f64 {
            let (low, high) = self.slopes();
            let between =
                self.ups.iter().flat_map(|a| self.ups.iter().map(move |b| (b.1 - a.1) / (b.0 - a.0)));
            let candidates = between.filter(|slope| low < *slope && *slope < high).chain([low, high]);
            let height =
                |slope: f64| self.ups.iter().map(|u| u.1 + slope * (t - u.0)).fold(f64::MAX, f64::min);
            candidates.map(height).fold(f64::MIN, f64::max)
        }
    }

    proptest! {
        #[test]
        fn bounds_hold_and_are_those_of_all_the_probes(
            offset in -1e9_f64..1e9, ppm in -90.0_f64..90.0,
            probes in vec((1_i64..50 * MILLI, 0_i64..5 * MILLI, 0_i64..5 * MILLI), 1..60),
            at in 0.0_f64..1.0,
        ) {
            let mut sent = 0;
            let exchanges: Vec<Exchange> = probes.iter().map(|(gap, up, down)| {
                sent += gap;
                // A microsecond, so that rounding to whole nanoseconds makes no delay negative.
                exchange(offset, ppm * 1e-6, (sent, up + 1000, down + 1000))
            }).collect();
            let mut clock = ClockOffset::default();
            for exchange in &exchanges {
                prop_assert_eq!(clock.record(*exchange), None);
            }
            let time = Duration::from_nanos((sent as f64 * at) as i64);
            let t = time.as_nanos() as f64;
            let got = clock.segment.as_ref().unwrap().at(time);
            prop_assert!(contains(got, offset + ppm * 1e-6 * t));

            let naive = Naive::of(&exchanges);
            let slopes = clock.segment.as_ref().unwrap().slopes;
            prop_assert!((slopes.0 - naive.slopes().0).abs() < 1e-12, "{:?} {:?}", slopes, naive.slopes());
            prop_assert!((slopes.1 - naive.slopes().1).abs() < 1e-12, "{:?} {:?}", slopes, naive.slopes());
            let high = (got.estimate + got.bound).as_nanos() as f64;
            prop_assert!((high - naive.highest(t)).abs() < 3.0, "{} {}", high, naive.highest(t));
            if let Some(skew) = clock.skew() {
                prop_assert!((skew.ppm - ppm).abs() <= skew.bound_ppm + 1e-3);
            }

            let low = exchanges.iter().map(|e| -e.down.as_nanos()).max().unwrap();
            let high = exchanges.iter().map(|e| e.up.as_nanos()).min().unwrap();
            let constant = clock.constant().map(|o| (o.estimate - o.bound, o.estimate + o.bound));
            prop_assert_eq!(constant.is_some(), low <= high);
            if let Some((from, to)) = constant {
                prop_assert!((from.as_nanos() - low).abs() <= 1 && (to.as_nanos() - high).abs() <= 1);
            }
        }
    }
}
