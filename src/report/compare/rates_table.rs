//! A comparison of rate searches in words.

use super::change::Verdict;
use super::figure::Unit;
use super::margin::Margin;
use super::rates::{RateChange, RateSample};
use super::table::{columns, hanging, letter, settings};
use crate::report::format::{milliseconds_bare, percent};
use crate::report::wrap::wrapped;
use crate::time::Duration;

/// All of it, the headlines first, in lines of 80 columns; only names of folders may be longer.
pub fn rate_comparison(samples: &[RateSample], changes: &[Vec<RateChange>], margin: Margin) -> Vec<String> {
    let letters = (1..).map(letter);
    let headlines = letters.zip(changes).flat_map(|(letter, changes)| hanging(&headline(letter, changes)));
    let mut lines: Vec<String> = headlines.collect();
    lines.push(String::new());
    lines.extend(samples.iter().enumerate().flat_map(|(k, sample)| heading(letter(k), sample)));
    for (k, changes) in changes.iter().enumerate() {
        lines.push(String::new());
        lines.push(columns(letter(k + 1)));
        lines.extend(changes.iter().map(row));
        lines.extend(settings(letter(k + 1), &samples[0].run, &samples[k + 1].run));
    }
    lines.push(String::new());
    let text = format!(
        "Rate: what arrives while a small queue is held. Worse, better: the 95 % interval of the difference \
         excludes zero and the difference reaches the margin, {} of A's value. Same: the interval lies within the \
         margin. A rate that is a lower bound shows no decrease. Pushed, delay: received when pushing, and what this \
         adds to another flow's delay in the mean; not tested.",
        percent(margin.share)
    );
    lines.extend(wrapped(&text, 80));
    lines
}

/// The verdict in a sentence.
pub(super) fn headline(letter: char, changes: &[RateChange]) -> String {
    let of = |verdict| {
        let found: Vec<_> =
            changes.iter().filter(|c| c.verdict == verdict).map(RateChange::from_to).collect();
        found.join(", ")
    };
    let (worse, better) = (of(Verdict::Worse), of(Verdict::Better));
    match outcome(changes) {
        "worse" => format!("{letter} is worse than A: {worse}"),
        "better" => format!("{letter} is better than A: {better}"),
        "mixed" => format!("{letter} is worse than A: {worse}; better: {better}"),
        "no_change" => {
            format!("no change found between A and {letter}: the rates are the same within the margin")
        }
        _ => format!(
            "undecided between A and {letter}: the rates are not known well enough, or not of the same directions"
        ),
    }
}

/// As `compare.schema.json` names it.
pub(super) fn outcome(changes: &[RateChange]) -> &'static str {
    let any = |verdict| changes.iter().any(|change| change.verdict == verdict);
    match (any(Verdict::Worse), any(Verdict::Better)) {
        (true, true) => "mixed",
        (true, false) => "worse",
        (false, true) => "better",
        (false, false) if any(Verdict::Undecided) || !any(Verdict::Same) => "undecided",
        (false, false) => "no_change",
    }
}

fn heading(letter: char, sample: &RateSample) -> [String; 3] {
    let ways: Vec<_> =
        sample.run.rate.iter().flat_map(|rate| rate.directions()).map(|(name, _)| name).collect();
    let config = &sample.run.config;
    let asked =
        format!("rate of {} in packets of {} B to {}", ways.join(" and "), config.size, config.address);
    [format!("{letter}  {}", sample.name), format!("   {asked}"), format!("   {}", sample.run.started)]
}

fn row(change: &RateChange) -> String {
    let value = |value: Option<f64>| value.map_or("-".to_owned(), |value| change.amount(value));
    let more = |difference: f64| {
        format!("{}{}", if difference < 0.0 { "-" } else { "+" }, change.amount(difference.abs()))
    };
    let difference = change.difference();
    let interval = change.interval.zip(difference).map(|((low, high), difference)| {
        format!("{} to {}", bare(change, low, difference), bare(change, high, difference))
    });
    let line = format!(
        "{:<12} {:>11} {:>11} {:>12} {:>19}  {}",
        change.name(),
        value(change.before),
        value(change.after),
        difference.map_or("-".to_owned(), more),
        interval.unwrap_or_default(),
        change.verdict.word(),
    );
    line.trim_end().to_owned()
}

/// With its sign, in the unit of the difference.
fn bare(change: &RateChange, value: f64, difference: f64) -> String {
    let size = match change.figure.unit() {
        Unit::Time => milliseconds_bare(Duration::from_nanos(value.abs().round() as i64)),
        _ => format!("{:.2}", value.abs() / prefix(difference.abs())),
    };
    format!("{}{size}", if value < 0.0 { "-" } else { "+" })
}

/// Bits per second in the unit that [`bit_rate`](crate::report::bit_rate) gives this rate.
fn prefix(bits_per_second: f64) -> f64 {
    match bits_per_second {
        b if b >= 999.5e6 => 1e9,
        b if b >= 999.5e3 => 1e6,
        b if b >= 999.5 => 1e3,
        _ => 1.0,
    }
}
