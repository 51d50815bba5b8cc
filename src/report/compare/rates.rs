//! Changes between rate searches, by direction.

use super::change::Verdict;
use super::figure::{Unit, factor};
use super::margin::Margin;
use crate::record::Run;
use crate::record::rate::DirectionRate;
use crate::report::format::{bit_rate, milliseconds};
use crate::time::Duration;

/// A rate search among those that are compared.
pub struct RateSample {
    /// As the user named it.
    pub name: String,
    pub(super) run: Run,
}

impl RateSample {
    /// None if the run is no rate search.
    pub fn new(name: impl Into<String>, run: Run) -> Option<Self> {
        run.rate.is_some().then(|| Self { name: name.into(), run })
    }

    fn direction(&self, name: &str) -> Option<&DirectionRate> {
        self.run
            .rate
            .iter()
            .flat_map(|rate| rate.directions())
            .find(|(found, _)| *found == name)
            .map(|(_, of)| of)
    }
}

/// The change of one figure of one direction; rates in bits a second, delays in nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct RateChange {
    /// `up`, `down` or `echo`.
    pub(super) direction: &'static str,
    pub(super) figure: RateFigure,
    pub(super) before: Option<f64>,
    pub(super) after: Option<f64>,
    /// Of the difference.
    pub(super) interval: Option<(f64, f64)>,
    /// The least difference that matters.
    pub(super) margin: f64,
    pub(super) verdict: Verdict,
}

/// A figure that a search finds in a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RateFigure {
    /// The rate of arrivals while a small queue is held.
    Rate,
    /// The rate of arrivals under the final push; nothing is tested.
    Pushed,
    /// By how much the push delays another flow, in the mean; nothing is tested.
    Delay,
}

impl RateFigure {
    pub(super) fn unit(self) -> Unit {
        match self {
            Self::Rate | Self::Pushed => Unit::BitRate,
            Self::Delay => Unit::Time,
        }
    }
}

impl RateChange {
    /// In the table.
    pub(super) fn name(&self) -> String {
        match self.figure {
            RateFigure::Rate => format!("{} rate", self.direction),
            RateFigure::Pushed => format!("{} pushed", self.direction),
            RateFigure::Delay => format!("{} delay", self.direction),
        }
    }

    /// In JSON.
    pub(super) fn key(&self) -> String {
        let figure = match self.figure {
            RateFigure::Rate => "rate",
            RateFigure::Pushed => "pushed",
            RateFigure::Delay => "pushed_delay",
        };
        format!("{}_{figure}", self.direction)
    }

    pub(super) fn difference(&self) -> Option<f64> {
        Some(self.after? - self.before?)
    }

    /// Whether a direction carries less than before.
    pub fn is_regression(&self) -> bool {
        self.verdict == Verdict::Worse
    }

    pub(super) fn amount(&self, value: f64) -> String {
        match self.figure.unit() {
            Unit::Time => milliseconds(Duration::from_nanos(value.round() as i64)),
            _ => bit_rate(value),
        }
    }

    /// `up rate 9.50 Mbit/s instead of 19.4 Mbit/s (-51 %)`.
    pub fn from_to(&self) -> String {
        let value = |value: Option<f64>| self.amount(value.unwrap_or(0.0));
        let before = self.before.filter(|before| *before > 0.0);
        let relative = before.and_then(|before| Some(factor(self.difference()? / before)));
        let relative = relative.map_or(String::new(), |relative| format!(" ({relative})"));
        format!("{} {} instead of {}{relative}", self.name(), value(self.after), value(self.before))
    }
}

/// Each run but the first against the first, in the directions that either has.
pub fn rate_changes(samples: &[RateSample], margin: Margin) -> Vec<Vec<RateChange>> {
    let Some((first, others)) = samples.split_first() else { return Vec::new() };
    let all = |other: &RateSample| {
        let directions = ["up", "down", "echo"].into_iter();
        directions
            .flat_map(|name| changes(name, first.direction(name), other.direction(name), margin))
            .collect()
    };
    others.iter().map(all).collect()
}

fn changes(
    direction: &'static str,
    before: Option<&DirectionRate>,
    after: Option<&DirectionRate>,
    margin: Margin,
) -> Vec<RateChange> {
    if before.is_none() && after.is_none() {
        return Vec::new();
    }
    let change = |figure, of: &dyn Fn(&DirectionRate) -> Option<f64>| {
        let (before, after) = (before.and_then(of), after.and_then(of));
        let margin = match figure {
            RateFigure::Delay => margin.time.as_nanos() as f64,
            _ => margin.share * before.unwrap_or(0.0),
        };
        RateChange { direction, figure, before, after, interval: None, margin, verdict: Verdict::Untested }
    };
    let pushed = |of: &DirectionRate| Some(of.pushed.as_ref()?.step.received_bps);
    let delay = |of: &DirectionRate| Some(of.pushed.as_ref()?.step.other?.mean_us * 1e3);
    let mut rate = change(RateFigure::Rate, &|of| Some(of.bps));
    if let (Some(before), Some(after)) = (before, after) {
        let interval = difference(before, after);
        rate.interval = Some(interval);
        rate.verdict = verdict(before, after, interval, rate.margin);
    }
    vec![rate, change(RateFigure::Pushed, &pushed), change(RateFigure::Delay, &delay)]
}

/// The 95 % interval of the difference of two rates that were measured apart.
fn difference(before: &DirectionRate, after: &DirectionRate) -> (f64, f64) {
    let half = |of: &DirectionRate| (of.high_bps - of.low_bps) / 2.0;
    let half = half(before).hypot(half(after));
    (after.bps - before.bps - half, after.bps - before.bps + half)
}

/// A lower bound shows nothing on its upper side.
fn verdict(before: &DirectionRate, after: &DirectionRate, (low, high): (f64, f64), margin: f64) -> Verdict {
    let difference = after.bps - before.bps;
    let is_bound = |of: &DirectionRate| of.limited_by.is_some();
    match () {
        () if high < 0.0 && -difference >= margin && !is_bound(after) => Verdict::Worse,
        () if low > 0.0 && difference >= margin && !is_bound(before) => Verdict::Better,
        () if is_bound(before) || is_bound(after) => Verdict::Undecided,
        () if low >= -margin && high <= margin => Verdict::Same,
        () => Verdict::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bps: f64, half: f64, limited_by: Option<&str>) -> DirectionRate {
        let result = crate::probe::rate_search::RateResult {
            rate: bps,
            interval: (bps - half, bps + half),
            ..Default::default()
        };
        let settings = crate::probe::rate_search::Settings::default();
        DirectionRate {
            limited_by: limited_by.map(str::to_owned),
            ..DirectionRate::of(&result, &settings, 1_200)
        }
    }

    #[test]
    fn a_rate_has_changed_by_its_interval_and_the_margin_and_a_bound_shows_one_side() {
        use Verdict::{Better, Same, Undecided, Worse};
        let mega = |bps: f64, half: f64| found(bps * 1e6, half * 1e6, None);
        let bound = |bps: f64| found(bps * 1e6, bps * 5e3, Some("client"));
        for (before, after, expected) in [
            (mega(20.0, 0.1), mega(10.0, 0.1), Worse),
            (mega(10.0, 0.1), mega(20.0, 0.1), Better),
            (mega(20.0, 0.1), mega(19.8, 0.1), Same),
            (mega(20.0, 5.0), mega(16.0, 5.0), Undecided),
            (mega(20.0, 0.1), bound(10.0), Undecided),
            (bound(10.0), mega(20.0, 0.1), Undecided),
            (bound(20.0), mega(10.0, 0.1), Worse),
            (mega(10.0, 0.1), bound(20.0), Better),
        ] {
            let found = changes("up", Some(&before), Some(&after), Margin::default());
            assert_eq!(found[0].verdict, expected, "{} to {}", before.bps, after.bps);
            assert_eq!(found[0].is_regression(), expected == Worse);
        }
        let alone = changes("down", Some(&mega(20.0, 0.1)), None, Margin::default());
        assert_eq!((alone[0].verdict, alone[0].after), (Verdict::Untested, None));
        let words =
            changes("up", Some(&mega(20.0, 0.1)), Some(&mega(10.0, 0.1)), Margin::default())[0].from_to();
        assert_eq!(words, "up rate 10.0 Mbit/s instead of 20.0 Mbit/s (-50 %)");
    }
}
