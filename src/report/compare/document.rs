//! A comparison in JSON.

use serde::Serialize;

use super::change::{Change, Changes, Verdict};
use super::figure::Unit;
use super::headline::Headline;
use super::margin::Margin;
use super::sample::Sample;
use super::table::{letter, settings_that_differ, unknown_in};

/// The JSON schema of what `compare --json` prints.
pub const SCHEMA: &str = include_str!("compare.schema.json");

pub(super) const VERSION: u64 = 1;

/// The comparison as `compare --json` prints it.
#[derive(Serialize)]
pub struct Document<'a> {
    pub(super) schema: u64,
    pub(super) udpecho: &'static str,
    pub(super) margin: MarginKeys,
    /// Whether any run is worse by loss or delay.
    pub(super) regression: bool,
    pub(super) runs: Vec<RunKeys<'a>>,
    pub(super) comparisons: Vec<Comparison>,
}

#[derive(Serialize)]
pub(super) struct MarginKeys {
    pub share: f64,
    pub time_us: f64,
}

#[derive(Serialize)]
pub(super) struct RunKeys<'a> {
    pub run: char,
    pub name: &'a str,
    pub started: &'a str,
    pub address: &'a str,
    pub sent: u64,
    pub lost_or_late: u64,
    pub bursts: u64,
}

#[derive(Serialize)]
pub(super) struct Comparison {
    pub run: char,
    pub verdict: &'static str,
    pub headline: String,
    pub settings_differ: Vec<&'static str>,
    pub figures: Vec<FigureKeys>,
}

#[derive(Serialize)]
pub(super) struct FigureKeys {
    pub figure: String,
    pub unit: &'static str,
    pub before: Option<f64>,
    pub after: Option<f64>,
    pub difference: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub confidence: Option<f64>,
    pub margin: f64,
    pub verdict: &'static str,
    pub needed: Option<u64>,
    pub unknown_in: Vec<char>,
    pub regression: bool,
}

impl<'a> Document<'a> {
    /// `changes` are those of all runs but the first.
    pub fn new(samples: &'a [Sample], changes: &[Changes], margin: Margin) -> Self {
        let comparisons = changes.iter().enumerate().map(|(k, changes)| comparison(samples, k + 1, changes));
        Self {
            schema: VERSION,
            udpecho: env!("CARGO_PKG_VERSION"),
            margin: MarginKeys { share: margin.share, time_us: margin.time.as_micros_f64() },
            regression: changes.iter().any(|changes| changes.regressions().next().is_some()),
            runs: samples.iter().enumerate().map(|(k, sample)| run(letter(k), sample)).collect(),
            comparisons: comparisons.collect(),
        }
    }

    /// In lines, as a reader would indent them.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers and text only")
    }
}

fn run(letter: char, sample: &Sample) -> RunKeys<'_> {
    RunKeys {
        run: letter,
        name: &sample.name,
        started: &sample.run.started,
        address: &sample.run.config.address,
        sent: sample.statistics.outcomes.sent(),
        lost_or_late: sample.lost_or_late.hits(),
        bursts: sample.lost_or_late.bursts(),
    }
}

fn comparison(samples: &[Sample], index: usize, changes: &Changes) -> Comparison {
    let headline = Headline::of(letter(index), changes);
    Comparison {
        run: letter(index),
        verdict: headline.outcome().key(),
        headline: headline.to_string(),
        settings_differ: settings_that_differ(&samples[0].run, &samples[index].run),
        figures: changes.0.iter().map(|change| figure(change, letter(index))).collect(),
    }
}

fn figure(change: &Change, letter: char) -> FigureKeys {
    let (unit, size) = match change.figure.unit() {
        Unit::Share => ("share", 1.0),
        Unit::Time => ("us", 1e3),
        Unit::BitRate => ("bit/s", 1.0),
    };
    let scaled = |value: f64| value / size;
    FigureKeys {
        figure: change.figure.key(),
        unit,
        before: change.before.map(scaled),
        after: change.after.map(scaled),
        difference: change.difference().map(scaled),
        low: change.interval.map(|(low, _)| scaled(low)),
        high: change.interval.map(|(_, high)| scaled(high)),
        confidence: change.confidence,
        margin: scaled(change.margin),
        verdict: key(change.verdict),
        needed: match change.verdict {
            Verdict::TooFew { needed } => Some(needed),
            _ => None,
        },
        unknown_in: unknown_in(change.verdict, letter),
        regression: change.is_regression(),
    }
}

pub(super) fn key(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Worse => "worse",
        Verdict::Better => "better",
        Verdict::Same => "same",
        Verdict::Undecided => "undecided",
        Verdict::TooFew { .. } => "too_few",
        Verdict::Untested => "untested",
        Verdict::Unknown { .. } => "unknown",
    }
}
