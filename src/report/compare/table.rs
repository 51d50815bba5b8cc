//! A comparison in words: the headlines, the runs, and a table of differences for each but the first.

use super::change::{Change, Changes, Verdict};
use super::figure::Figure;
use super::headline::Headline;
use super::margin::Margin;
use super::sample::Sample;
use crate::record::{Config, Run};
use crate::report::format::{milliseconds, percent};
use crate::report::wrap::wrapped;
use crate::time::Duration;

const WIDTH: usize = 80;

/// All of it, the headlines first, in lines of 80 columns; only names of folders may be longer.
pub fn table(samples: &[Sample], changes: &[Changes], margin: Margin) -> Vec<String> {
    let letters = (1..).map(letter);
    let headlines = letters.zip(changes).map(|(letter, changes)| Headline::of(letter, changes).to_string());
    let mut lines: Vec<String> = headlines.flat_map(|line| hanging(&line)).collect();
    lines.push(String::new());
    lines.extend(samples.iter().enumerate().flat_map(|(k, sample)| heading(letter(k), sample)));
    for (k, changes) in changes.iter().enumerate() {
        let (name, sample) = (letter(k + 1), &samples[k + 1]);
        lines.push(String::new());
        lines.push(columns(name));
        lines.extend(changes.0.iter().map(row));
        lines.push(String::new());
        lines.extend(too_few(changes));
        lines.extend(without_interval(changes));
        lines.extend(unknown(name, &samples[0], sample, changes));
        lines.extend(losses(name, &samples[0], sample));
        lines.extend(settings(name, &samples[0].run, &sample.run));
    }
    if lines.last().is_some_and(|line| !line.is_empty()) {
        lines.push(String::new());
    }
    lines.extend(footnotes(changes, margin));
    lines
}

/// The first run is A.
pub fn letter(index: usize) -> char {
    char::from(b'A' + index.min(25) as u8)
}

fn heading(letter: char, sample: &Sample) -> Vec<String> {
    let (config, sent) = (&sample.run.config, sample.statistics.outcomes.sent());
    let every = match (config.decay, config.poisson_seed) {
        (None, None) => format!("every {}", interval(config)),
        (None, Some(_)) => format!("at random every {} on average", interval(config)),
        (Some(decay), _) => format!("from {} on, each {} shorter", interval(config), percent(decay)),
    };
    let asked = format!("{sent} probes of {} B to {}, {every}", config.size, config.address);
    vec![format!("{letter}  {}", sample.name), format!("   {asked}"), format!("   {}", sample.run.started)]
}

fn interval(config: &Config) -> String {
    milliseconds(Duration::from_secs_f64(config.interval_us / 1e6))
}

pub(super) fn columns(letter: char) -> String {
    let difference = format!("{letter} - A");
    format!("{:<12} {:>11} {letter:>11} {difference:>12} {:>19}  verdict", "", "A", "interval")
}

fn row(change: &Change) -> String {
    let Change { figure, .. } = change;
    let or_dash = |text: Option<String>| text.unwrap_or("-".to_owned());
    let value = |value: Option<f64>| or_dash(value.map(|value| figure.amount(value)));
    let difference = or_dash(change.difference().map(|difference| figure.more(difference)));
    let interval = change.interval.map_or(String::new(), |(low, high)| {
        format!("{} to {}", figure.more_bare(low), figure.more_bare(high))
    });
    let verdict = change.verdict.word();
    let line = format!(
        "{:<12} {:>11} {:>11} {difference:>12} {interval:>19}  {verdict}",
        figure.name(),
        value(change.before),
        value(change.after),
    );
    line.trim_end().to_owned()
}

/// How many replies an interval takes where a run has fewer.
fn too_few(changes: &Changes) -> Vec<String> {
    let needed = |change: &Change| match change.verdict {
        Verdict::TooFew { needed } => Some(format!("{} {needed}", change.figure.name())),
        _ => None,
    };
    let few: Vec<String> = changes.0.iter().filter_map(needed).collect();
    if few.is_empty() {
        return Vec::new();
    }
    hanging(&format!("too few replies; each run needs at least: {}", few.join(", ")))
}

/// Figures of enough replies, too few of which are independent of their neighbours.
fn without_interval(changes: &Changes) -> Vec<String> {
    let is_open = |change: &&Change| change.verdict == Verdict::Undecided && change.interval.is_none();
    let figures: Vec<String> = changes.0.iter().filter(is_open).map(|change| change.figure.name()).collect();
    if figures.is_empty() {
        return Vec::new();
    }
    let why =
        "no interval: neighbouring replies are alike, so too few count as independent; measure for longer";
    hanging(&format!("{why}: {}", figures.join(", ")))
}

/// The figures that are not compared, and the run whose dialect cannot measure them.
fn unknown(letter: char, a: &Sample, b: &Sample, changes: &Changes) -> Vec<String> {
    let name = |sample: &Sample| sample.run.config.dialect.name();
    let of = |who: &[char]| {
        let figures = changes.0.iter().filter(|change| unknown_in(change.verdict, letter) == who);
        figures.map(|change| change.figure.name()).collect::<Vec<_>>().join(", ")
    };
    let sides = [
        (vec!['A'], format!("A, {} dialect, does not tell", name(a))),
        (vec![letter], format!("{letter}, {} dialect, does not tell", name(b))),
        (vec!['A', letter], format!("neither A nor {letter} tells")),
    ];
    let lines = sides.into_iter().map(|(who, words)| (of(&who), words));
    lines
        .filter(|(figures, _)| !figures.is_empty())
        .flat_map(|(figures, words)| hanging(&format!("not compared: {words} {figures}")))
        .collect()
}

/// The runs that do not know a figure; `letter` is that of the second.
pub(super) fn unknown_in(verdict: Verdict, letter: char) -> Vec<char> {
    let Verdict::Unknown { before, after } = verdict else { return Vec::new() };
    before.then_some('A').into_iter().chain(after.then_some(letter)).collect()
}

/// How many probes of each were lost or late, by cause, and in how many bursts.
fn losses(letter: char, a: &Sample, b: &Sample) -> Vec<String> {
    let of = |sample: &Sample| {
        let reasons = sample.statistics.outcomes.reasons();
        let parts: Vec<String> = reasons.map(|(reason, n)| format!("{n} {}", reason.name())).collect();
        match sample.lost_or_late.bursts() {
            _ if parts.is_empty() => "none".to_owned(),
            1 => format!("{} (1 burst)", parts.join(", ")),
            bursts => format!("{} ({bursts} bursts)", parts.join(", ")),
        }
    };
    if [a, b].iter().all(|sample| sample.statistics.outcomes.reasons().next().is_none()) {
        return Vec::new();
    }
    hanging(&format!("lost or late: A {}; {letter} {}", of(a), of(b)))
}

/// Settings that differ may explain what came out differently.
pub(super) fn settings(letter: char, a: &Run, b: &Run) -> Vec<String> {
    let names = settings_that_differ(a, b);
    if names.is_empty() {
        return Vec::new();
    }
    hanging(&format!("settings of A and {letter} differ: {}", names.join(", ")))
}

pub(super) fn settings_that_differ(first: &Run, second: &Run) -> Vec<&'static str> {
    let (a, b) = (&first.config, &second.config);
    let is_same_load = match (&first.load, &second.load) {
        (Some(a), Some(b)) => a.is_like(b),
        (None, None) => true,
        _ => false,
    };
    let settings = [
        ("address", a.address != b.address),
        ("interval", a.interval_us != b.interval_us),
        ("decay", a.decay != b.decay),
        ("schedule", a.poisson_seed.is_some() != b.poisson_seed.is_some()),
        ("size", a.size != b.size),
        ("deadline", a.deadline_us != b.deadline_us),
        ("dialect", a.dialect != b.dialect),
        ("DSCP", a.dscp != b.dscp),
        ("load", !is_same_load),
    ];
    settings.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

fn footnotes(changes: &[Changes], margin: Margin) -> Vec<String> {
    let injected = changes.iter().flat_map(|changes| &changes.0).any(|c| c.figure == Figure::Uninjected);
    let text = format!(
        "All intervals hold together at 95 %; bursts of loss and runs of similar delays are allowed for. \
         Worse, better: the interval excludes zero and the difference reaches the margin, {} of A's value \
         and, for times, {}. Same: the interval lies within the margin (for loss, within a percentage \
         point). Undecided: the interval is wider. pts: percentage points. Loss: lost or late.{} Mean |IPDV|: \
         mean absolute difference between consecutive RTTs. RTTs are of replies in time.",
        percent(margin.share),
        margin.time_text(),
        if injected { " Not injected: loss without what the server dropped by injection." } else { "" }
    );
    wrapped(&text, WIDTH)
}

pub(super) fn hanging(line: &str) -> Vec<String> {
    let mut lines = wrapped(line, WIDTH - 2);
    lines.iter_mut().skip(1).for_each(|line| line.insert_str(0, "  "));
    lines
}
