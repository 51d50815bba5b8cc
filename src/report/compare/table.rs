//! A comparison in words: the runs, a table of differences for each but the first, and what they mean.

use super::change::{Change, Changes, Figure, Verdict};
use super::sample::Sample;
use crate::record::Config;
use crate::report::digest::Miss;
use crate::report::quantity::{bit_rate, milliseconds, milliseconds_bare, percent, percent_bare, wrapped};
use crate::time::Duration;

const WIDTH: usize = 80;

/// All of it, in lines of 80 columns; only names of folders may be longer.
pub fn table(samples: &[Sample], changes: &[Changes], margin: f64) -> Vec<String> {
    let mut lines: Vec<String> =
        samples.iter().enumerate().flat_map(|(k, sample)| heading(letter(k), sample)).collect();
    for (k, changes) in changes.iter().enumerate() {
        let (name, sample) = (letter(k + 1), &samples[k + 1]);
        lines.push(String::new());
        lines.push(columns(name));
        lines.extend(changes.0.iter().map(row));
        lines.push(String::new());
        lines.extend(words(name, changes, margin));
        lines.extend(causes(name, &samples[0], sample));
        lines.extend(asked_otherwise(name, &samples[0].run.config, &sample.run.config));
    }
    lines.push(String::new());
    lines.extend(footnotes(changes, margin));
    lines
}

/// The first run is A.
pub fn letter(index: usize) -> char {
    char::from(b'A' + index.min(25) as u8)
}

/// A change for the worse in one line.
pub fn regression(letter: char, change: &Change) -> String {
    format!("{letter} is worse than A: {}", from_to(change))
}

fn heading(letter: char, sample: &Sample) -> Vec<String> {
    let (config, digest) = (&sample.run.config, &sample.digest);
    let every = match (config.decay, config.poisson_seed) {
        (None, None) => format!("every {}", interval(config)),
        (None, Some(_)) => format!("at random every {} on average", interval(config)),
        (Some(decay), _) => format!("from {} on, each {} shorter", interval(config), percent(decay)),
    };
    let asked = format!("{} probes of {} B to {}, {every}", digest.sent(), config.size, config.address);
    vec![format!("{letter}  {}", sample.name), format!("   {asked}"), format!("   {}", sample.run.started)]
}

fn interval(config: &Config) -> String {
    milliseconds(Duration::from_secs_f64(config.interval_us / 1e6))
}

fn columns(letter: char) -> String {
    let difference = format!("{letter} - A");
    format!("{:<13} {:>11} {letter:>11} {difference:>12} {:>20}  verdict", "", "A", "interval")
}

fn row(change: &Change) -> String {
    let value = |value: Option<f64>| value.map_or("-".to_owned(), |value| amount(change.figure, value));
    let difference = change.difference().map_or("-".to_owned(), |difference| more(change.figure, difference));
    let interval = change.interval.map_or(String::new(), |(low, high)| {
        format!("{} to {}", bare(change.figure, low), bare(change.figure, high))
    });
    let verdict = change.verdict.word();
    let line = format!(
        "{:<13} {:>11} {:>11} {difference:>12} {interval:>20}  {verdict}",
        name(change.figure),
        value(change.before),
        value(change.after),
    );
    line.trim_end().to_owned()
}

/// What changed, what may be chance, and what could not be told.
fn words(letter: char, changes: &Changes, margin: f64) -> Vec<String> {
    let with = |wanted: fn(&Verdict) -> bool| -> Vec<&Change> {
        changes.0.iter().filter(|change| wanted(&change.verdict)).collect()
    };
    let names =
        |changes: &[&Change]| changes.iter().map(|change| name(change.figure)).collect::<Vec<_>>().join(", ");
    let mut said = Vec::new();
    let mut say = |title: &str, changes: &[&Change], tail: &str| {
        if !changes.is_empty() {
            said.push(format!("{title}: {}{tail}", names(changes)));
        }
    };
    say("the same within the margin", &with(|v| *v == Verdict::Same), "");
    say("noise", &with(|v| *v == Verdict::Noise), " (zero lies within the interval)");
    let small = format!(" (a change of less than {})", percent(margin));
    say("too small to matter", &with(|v| *v == Verdict::Small), &small);
    let few = changes.0.iter().filter_map(|change| match change.verdict {
        Verdict::TooFew { needed } => Some(format!("{} ({needed})", name(change.figure))),
        _ => None,
    });
    let few: Vec<String> = few.collect();
    if !few.is_empty() {
        said.push(format!("too few replies, and how many each run would need: {}", few.join(", ")));
    }
    let changed = |verdict, title: &str| {
        let all = changes.0.iter().filter(move |change| change.verdict == verdict);
        all.map(|change| format!("{letter} is {title}: {}", from_to(change))).collect::<Vec<_>>()
    };
    let mut lines = changed(Verdict::Worse, "worse than A");
    lines.extend(changed(Verdict::Better, "better than A"));
    if lines.is_empty() {
        lines.push(format!("nothing is shown to differ between A and {letter}"));
    }
    lines.extend(said);
    lines.iter().flat_map(|line| hanging(line)).collect()
}

/// `RTT p50 11.8 ms instead of 10.7 ms (+10 %)`.
fn from_to(change: &Change) -> String {
    let value = |value: Option<f64>| amount(change.figure, value.unwrap_or(0.0));
    let relative = change.relative().map_or(String::new(), |relative| format!(" ({})", factor(relative)));
    format!("{} {} instead of {}{relative}", name(change.figure), value(change.after), value(change.before))
}

pub fn factor(relative: f64) -> String {
    match relative {
        r if r.abs() < 0.005 => "±0 %".to_owned(),
        r if r >= 1.0 => format!("{:.1} times as much", r + 1.0),
        r => format!("{:+.0} %", r * 100.0),
    }
}

/// Where the probes of each went that were not answered in time.
fn causes(letter: char, a: &Sample, b: &Sample) -> Vec<String> {
    let of = |sample: &Sample| {
        let misses = &sample.digest.misses;
        let some = Miss::ALL.into_iter().filter(|miss| misses[*miss as usize] > 0);
        let parts: Vec<String> = some.map(|m| format!("{} {}", misses[m as usize], m.name())).collect();
        if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
    };
    if [a, b].iter().all(|sample| sample.digest.misses.iter().all(|count| *count == 0)) {
        return Vec::new();
    }
    hanging(&format!("not answered in time: A {}; {letter} {}", of(a), of(b)))
}

/// What differs between the questions may explain what differs between the answers.
fn asked_otherwise(letter: char, a: &Config, b: &Config) -> Vec<String> {
    let differs = [
        ("address", a.address != b.address),
        ("interval", a.interval_us != b.interval_us),
        ("decay", a.decay != b.decay),
        ("schedule", a.poisson_seed.is_some() != b.poisson_seed.is_some()),
        ("size", a.size != b.size),
        ("deadline", a.deadline_us != b.deadline_us),
        ("dialect", a.dialect != b.dialect),
        ("DSCP", a.dscp != b.dscp),
    ];
    let names: Vec<&str> = differs.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
    if names.is_empty() {
        return Vec::new();
    }
    hanging(&format!("note: A and {letter} were not asked the same: {} differ", names.join(", ")))
}

fn footnotes(changes: &[Changes], margin: f64) -> Vec<String> {
    let tests = changes.iter().flat_map(|changes| &changes.0);
    let tests = tests.filter(|change| change.verdict != Verdict::Untested).count();
    let injected = changes.iter().flat_map(|changes| &changes.0).any(|c| c.figure == Figure::Uninjected);
    let text = format!(
        "All {tests} intervals hold together at 95 %: each is widened for their number, and for probes \
         that resemble their neighbours. Worse and better: the interval lies on one side of zero and \
         the difference is {} or more of A's value. pts: percentage points. Jitter: mean distance of \
         neighbouring RTTs. Percentiles are of replies in time.{}",
        percent(margin),
        if injected { " Not injected: loss without what the server dropped on purpose." } else { "" }
    );
    wrapped(&text, WIDTH)
}

fn hanging(line: &str) -> Vec<String> {
    let mut lines = wrapped(line, WIDTH - 2);
    lines.iter_mut().skip(1).for_each(|line| line.insert_str(0, "  "));
    lines
}

pub fn name(figure: Figure) -> String {
    match figure {
        Figure::Loss => "loss".to_owned(),
        Figure::Uninjected => "not injected".to_owned(),
        Figure::Mean => "RTT mean".to_owned(),
        Figure::Rtt(p) => format!("RTT p{}", p * 100.0),
        Figure::Net(p) => format!("network p{}", p * 100.0),
        Figure::Jitter => "jitter".to_owned(),
        Figure::Reordering => "reordered".to_owned(),
        Figure::Throughput => "throughput".to_owned(),
    }
}

/// A value with its unit.
pub fn amount(figure: Figure, value: f64) -> String {
    match figure {
        Figure::Loss | Figure::Uninjected | Figure::Reordering => percent(value),
        Figure::Throughput => bit_rate(value),
        Figure::Mean | Figure::Rtt(_) | Figure::Net(_) | Figure::Jitter => milliseconds(time(value)),
    }
}

/// A difference with its sign and unit.
fn more(figure: Figure, difference: f64) -> String {
    let sign = if difference < 0.0 { "-" } else { "+" };
    match figure {
        Figure::Throughput => format!("{sign}{}", bit_rate(difference.abs())),
        Figure::Loss | Figure::Uninjected | Figure::Reordering => format!("{} pts", bare(figure, difference)),
        _ => format!("{} ms", bare(figure, difference)),
    }
}

/// The same without its unit.
fn bare(figure: Figure, difference: f64) -> String {
    let sign = if difference < 0.0 { "-" } else { "+" };
    match figure {
        Figure::Loss | Figure::Uninjected | Figure::Reordering => {
            format!("{sign}{}", percent_bare(difference.abs()))
        }
        _ => format!("{sign}{}", milliseconds_bare(time(difference.abs()))),
    }
}

fn time(nanos: f64) -> Duration {
    Duration::from_nanos(nanos.round() as i64)
}
