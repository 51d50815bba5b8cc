//! An impairment that changes over time: timed steps, run once or repeated.
//!
//! Time counts from the start of the server, so all its clients are in the same step; within a step
//! a probe's treatment is a function of the seed and its number.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

use super::impairment::{Impairment, ScenarioNotice};
use super::profile::Profile;
use super::spec::{Fingerprint, ReadFile, SpecError};
use crate::strict_toml::{self, TomlError};
use crate::time::Duration;
use crate::units::{Interval, UnitError};

/// One step of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub(crate) lasts: Interval,
    pub(crate) impairment: Arc<Impairment>,
}

/// Impairments that follow one another in time.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    steps: Arc<[Step]>,
    /// The first step follows the last; else the last one stays.
    repeat: bool,
}

/// Why a file is not a valid scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file is not TOML of this form.
    #[error(transparent)]
    Toml(#[from] TomlError),
    /// A step's impairment cannot be read.
    #[error("step {number}: {why}")]
    Step {
        /// Of the step, from 1.
        number: usize,
        /// The faulty part, and one that would do.
        why: SpecError,
    },
    /// The file has no step.
    #[error("no [[step]]")]
    Empty,
}

impl Scenario {
    pub(crate) fn new(steps: Vec<Step>, repeat: bool) -> Result<Self, ScenarioError> {
        if steps.is_empty() {
            return Err(ScenarioError::Empty);
        }
        Ok(Self { steps: steps.into(), repeat })
    }

    /// Reads a file such as `contrib/scenario.toml`, which documents the format.
    pub fn from_toml(text: &str, files: ReadFile<'_>) -> Result<Self, ScenarioError> {
        let script: Script = strict_toml::read(text)?;
        let read = |(at, step): (usize, ScriptStep)| {
            step.read(files).map_err(|why| ScenarioError::Step { number: at + 1, why })
        };
        let steps = script.step.into_iter().enumerate().map(read);
        Self::new(steps.collect::<Result<_, _>>()?, script.repeat)
    }

    /// In the order of time.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether it starts again after its last step; otherwise that one stays.
    pub const fn repeats(&self) -> bool {
        self.repeat
    }

    /// The impairment at this time since the start, and the span of its step.
    pub fn at(&self, elapsed: Duration) -> (Span, &Arc<Impairment>) {
        let whole: Duration = self.steps.iter().map(|step| step.lasts.get()).sum();
        let rounds = if self.repeat { (elapsed.as_nanos() / whole.as_nanos()).max(0) } else { 0 };
        let last = self.steps.len() - 1;
        let (mut at, mut from) = (0, whole * rounds);
        while at < last && elapsed >= from + self.steps[at].lasts.get() {
            from += self.steps[at].lasts.get();
            at += 1;
        }
        let stays = at == last && !self.repeat;
        let until = if stays { Duration::MAX } else { from + self.steps[at].lasts.get() };
        (Span { from, until }, &self.steps[at].impairment)
    }

    pub(crate) fn longest_hold(&self) -> Duration {
        self.steps.iter().map(|step| step.impairment.longest_hold()).max().unwrap_or_default()
    }

    /// For clients: that the impairment changes, and the longest hold.
    pub fn notice(&self) -> Impairment {
        let notice = ScenarioNotice {
            steps: self.steps.len() as u64,
            fingerprint: Fingerprint::of(self.to_string().into_bytes()),
            longest: self.longest_hold(),
        };
        Impairment { scenario: Some(notice), ..Impairment::clean() }
    }
}

/// In one line, for people: `10s: clean; 5s: loss=100%; again`.
impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.steps.iter().enumerate() {
            let gap = if at > 0 { "; " } else { "" };
            write!(f, "{gap}{}: {}", step.lasts, step.impairment)?;
        }
        if self.repeat { write!(f, "; again") } else { Ok(()) }
    }
}

/// A span of time since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub(crate) from: Duration,
    pub(crate) until: Duration,
}

impl Span {
    pub(crate) fn contains(self, elapsed: Duration) -> bool {
        self.from <= elapsed && elapsed < self.until
    }
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    #[serde(default = "yes")]
    repeat: bool,
    #[serde(default)]
    step: Vec<ScriptStep>,
}

#[derive(Deserialize)]
struct ScriptStep {
    #[serde(rename = "for")]
    lasts: String,
    #[serde(default = "clean")]
    profile: String,
    /// The keys of an impairment; each replaces that of the profile.
    #[serde(flatten)]
    parts: BTreeMap<String, String>,
}

impl ScriptStep {
    fn read(self, files: ReadFile<'_>) -> Result<Step, SpecError> {
        let lasts =
            self.lasts.parse().map_err(|problem: UnitError| SpecError::from(problem).within("for"))?;
        let mut impairment = Impairment::of_profile(Profile::named(&self.profile)?);
        self.parts.iter().try_for_each(|(key, value)| impairment.set(key, value, files))?;
        Ok(Step { lasts, impairment: Arc::new(impairment) })
    }
}

fn yes() -> bool {
    true
}

fn clean() -> String {
    "clean".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../contrib/scenario.toml");

    fn read(text: &str) -> Result<Scenario, ScenarioError> {
        Scenario::from_toml(text, &|_| Err(std::io::ErrorKind::NotFound.into()))
    }

    fn on(scenario: &Scenario, secs: f64) -> String {
        scenario.at(Duration::from_secs_f64(secs)).1.to_string()
    }

    #[test]
    fn the_sample_is_ten_seconds_clean_and_five_of_outage() {
        let sample = read(SAMPLE).unwrap();
        assert_eq!(sample.to_string(), "10s: clean; 5s: loss=100%; again");
    }

    /// Every `# key = value` of the sample is a default: written out or not, it is the same.
    #[test]
    fn the_sample_s_comments_are_the_defaults() {
        let is_setting = |line: &&str| line.starts_with("# ") && line.contains(" = ");
        let settings: Vec<&str> = SAMPLE.lines().filter(is_setting).collect();
        for key in [
            "repeat",
            "profile",
            "delay",
            "loss",
            "duplicate",
            "corrupt",
            "reorder",
            "rate",
            "mtu",
            "outage",
            "direction",
        ] {
            let said = settings.iter().filter(|line| line.starts_with(&format!("# {key} = "))).count();
            assert_eq!(said, 1, "{key}");
        }
        let uncomment = |line: &str| {
            format!("{}\n", line.strip_prefix("# ").filter(|_| is_setting(&line)).unwrap_or(line))
        };
        let written_out: String = SAMPLE.lines().map(uncomment).collect();
        assert_ne!(written_out, SAMPLE);
        assert_eq!(read(&written_out).unwrap(), read(SAMPLE).unwrap());
    }

    #[test]
    fn steps_follow_one_another_over_and_over() {
        let scenario = read(SAMPLE).unwrap();
        for (secs, expected) in [
            (-1.0, "clean"),
            (0.0, "clean"),
            (9.999, "clean"),
            (10.0, "loss=100%"),
            (14.999, "loss=100%"),
            (15.0, "clean"),
            (3_600.0 * 24.0 * 15.0 + 12.0, "loss=100%"),
        ] {
            assert_eq!(on(&scenario, secs), expected, "{secs}");
        }
        let (span, _) = scenario.at(Duration::from_secs(31));
        assert_eq!(span, Span { from: Duration::from_secs(30), until: Duration::from_secs(40) });
    }

    #[test]
    fn without_repetition_the_last_step_stays() {
        let scenario = read(&format!("repeat = false\n{SAMPLE}")).unwrap();
        assert_eq!(on(&scenario, 9.0), "clean");
        assert_eq!(on(&scenario, 1e6), "loss=100%");
        assert_eq!(scenario.at(Duration::from_secs(99)).0.until, Duration::MAX);
    }

    #[test]
    fn a_client_is_told_that_it_changes_and_how_long_to_wait() {
        let scenario = read("[[step]]\nfor = '1s'\n[[step]]\nfor = '1s'\nprofile = 'classic'\n").unwrap();
        let notice = scenario.notice();
        assert_eq!(notice.longest_hold(), Duration::from_millis(500));
        assert!(!notice.is_clean());
        let line = notice.to_string();
        assert!(line.starts_with("scenario=steps=2,id="), "{line}");
        assert_eq!(line.parse::<Impairment>().unwrap(), notice);
    }

    #[test]
    fn an_error_names_the_step() {
        for (text, error) in [
            ("", "no [[step]]"),
            (
                "[[step]]\nfor = '1s'\n[[step]]\nfor = '0'\n",
                "step 2: for: must be longer than zero; for example 0.5 or 500ms",
            ),
            ("[[step]]\nfor = '1s'\nloss = 'ten'\n", "step 1: loss: not a number; for example 10% or 0.1"),
            (
                "[[step]]\nfor = '1s'\nprofile = 'x'\n",
                "step 1: profile: unknown profile 'x' (classic, clean, wifi, lte, satellite, \
                 dsl-bloated, lossy); for example wifi",
            ),
            (
                "[[step]]\nfor = '1s'\nlag = '1s'\n",
                "step 1: unknown impairment 'lag' (delay, loss, duplicate, corrupt, reorder, rate, mtu, outage, \
                 ecn, dscp, only, direction); for example delay=uniform:0.1ms..500ms loss=10%",
            ),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), error);
        }
        for (text, part) in [
            ("[[step]]\nprofile = 'wifi'\n", "missing field `for`"),
            ("loop = true\n", "unknown key `loop`"),
            ("repeat = maybe\n", "line 1"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
