//! A comparison of rate searches in JSON, in the form of `compare.schema.json`.

use super::document::{Comparison, Document, FigureKeys, MarginKeys, RunKeys, VERSION, key};
use super::figure::Unit;
use super::margin::Margin;
use super::rates::{RateChange, RateSample};
use super::rates_table::{headline, outcome};
use super::table::{letter, settings_that_differ};

impl<'a> Document<'a> {
    /// Of rate searches; `changes` are those of all runs but the first.
    pub fn of_rates(samples: &'a [RateSample], changes: &[Vec<RateChange>], margin: Margin) -> Self {
        let run = |(k, sample): (usize, &'a RateSample)| RunKeys {
            run: letter(k),
            name: &sample.name,
            started: &sample.run.started,
            address: &sample.run.config.address,
            sent: 0,
            lost_or_late: 0,
            bursts: 0,
        };
        let comparison = |(k, changes): (usize, &Vec<RateChange>)| Comparison {
            run: letter(k + 1),
            verdict: outcome(changes),
            headline: headline(letter(k + 1), changes),
            settings_differ: settings_that_differ(&samples[0].run, &samples[k + 1].run),
            figures: changes.iter().map(figure).collect(),
        };
        Self {
            schema: VERSION,
            udpecho: env!("CARGO_PKG_VERSION"),
            margin: MarginKeys { share: margin.share, time_us: margin.time.as_micros_f64() },
            regression: changes.iter().flatten().any(RateChange::is_regression),
            runs: samples.iter().enumerate().map(run).collect(),
            comparisons: changes.iter().enumerate().map(comparison).collect(),
        }
    }
}

fn figure(change: &RateChange) -> FigureKeys {
    let (unit, size) = if change.figure.unit() == Unit::Time { ("us", 1e3) } else { ("bit/s", 1.0) };
    let scaled = |value: f64| value / size;
    FigureKeys {
        figure: change.key(),
        unit,
        before: change.before.map(scaled),
        after: change.after.map(scaled),
        difference: change.difference().map(scaled),
        low: change.interval.map(|(low, _)| scaled(low)),
        high: change.interval.map(|(_, high)| scaled(high)),
        confidence: change.interval.map(|_| 0.95),
        margin: scaled(change.margin),
        verdict: key(change.verdict),
        needed: None,
        unknown_in: Vec::new(),
        regression: change.is_regression(),
    }
}
