//! A comparison of two runs in one sentence.

use std::fmt;

use super::change::{Change, Changes, Verdict};
use super::figure::factor;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Worse,
    Better,
    /// One figure is worse, another is better.
    Mixed,
    /// Every headline figure is the same within the margin.
    NoChange,
    Undecided,
}

impl Outcome {
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::Mixed => "mixed",
            Self::NoChange => "no_change",
            Self::Undecided => "undecided",
        }
    }
}

/// The sentence that says how one run differs from the first.
pub struct Headline<'a> {
    letter: char,
    changes: &'a Changes,
}

impl<'a> Headline<'a> {
    /// `letter` is that of the run in the table: B for the second.
    pub fn of(letter: char, changes: &'a Changes) -> Self {
        Self { letter, changes }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        let open = self.changes.0.iter().any(|change| change.figure.is_headline() && is_open(change));
        let any = |verdict| self.changes.0.iter().any(|change| change.verdict == verdict);
        match (any(Verdict::Worse), any(Verdict::Better)) {
            (true, true) => Outcome::Mixed,
            (true, false) => Outcome::Worse,
            (false, true) => Outcome::Better,
            (false, false) if open => Outcome::Undecided,
            (false, false) => Outcome::NoChange,
        }
    }

    /// The headline figures of this verdict; the others only if there are none.
    fn found(&self, verdict: Verdict) -> String {
        let all = || self.changes.0.iter().filter(move |change| change.verdict == verdict);
        let mut found: Vec<&Change> = all().filter(|change| change.figure.is_headline()).collect();
        if found.is_empty() {
            found = all().collect();
        }
        found.into_iter().map(from_to).collect::<Vec<_>>().join(", ")
    }

    fn names(&self, wanted: impl Fn(&Change) -> bool) -> String {
        let headline = self.changes.0.iter().filter(|change| change.figure.is_headline());
        let names: Vec<String> = headline.filter(|c| wanted(c)).map(|c| c.figure.name()).collect();
        listed(&names)
    }
}

fn is_open(change: &Change) -> bool {
    matches!(change.verdict, Verdict::Undecided | Verdict::TooFew { .. })
}

impl fmt::Display for Headline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = self.letter;
        match self.outcome() {
            Outcome::Worse => write!(f, "{letter} is worse than A: {}", self.found(Verdict::Worse)),
            Outcome::Better => write!(f, "{letter} is better than A: {}", self.found(Verdict::Better)),
            Outcome::Mixed => write!(
                f,
                "{letter} is worse than A: {}; better: {}",
                self.found(Verdict::Worse),
                self.found(Verdict::Better)
            ),
            Outcome::NoChange => write!(
                f,
                "no change found between A and {letter}: {} are the same within the margin",
                self.names(|_| true)
            ),
            Outcome::Undecided => {
                write!(
                    f,
                    "undecided between A and {letter}: too few probes to tell for {}",
                    self.names(is_open)
                )?;
                let same = self.names(|change| change.verdict == Verdict::Same);
                if same.is_empty() { Ok(()) } else { write!(f, "; the same within the margin: {same}") }
            }
        }
    }
}

/// A change for the worse in one line.
pub fn regression(letter: char, change: &Change) -> String {
    format!("{letter} is worse than A: {}", from_to(change))
}

/// `RTT p50 11.8 ms instead of 10.7 ms (+10 %)`.
fn from_to(change: &Change) -> String {
    let value = |value: Option<f64>| change.figure.amount(value.unwrap_or(0.0));
    let relative = change.relative().map_or(String::new(), |relative| format!(" ({})", factor(relative)));
    let (before, after) = (value(change.before), value(change.after));
    format!("{} {after} instead of {before}{relative}", change.figure.name())
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
