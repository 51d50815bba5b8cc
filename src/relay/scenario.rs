//! Impairments of a relay that change over time: timed steps with lines, outages and closed ports.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::nat::Nat;
use crate::impair::{Direction, Impairment, ReadFile, SpecError};
use crate::strict_toml::{self, TomlError};
use crate::time::Duration;
use crate::units::{BitRate, Interval, Probability, UnitError, parse_duration};

/// A shorter step would have the relay do nothing else.
const SHORTEST: Duration = Duration::from_millis(1);

/// Steps for one mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct RelayScenario {
    steps: Vec<RelayStep>,
    /// When each ends, counted from the start of a round.
    ends: Vec<Duration>,
    repeat: bool,
    pub(super) clock: ScenarioClock,
}

/// Since when the time of a scenario counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ScenarioClock {
    /// The start of the proxy.
    Start,
    /// The first datagram of the mapping: a test may begin late.
    #[default]
    First,
    /// The first datagram of each flow.
    Flow,
}

/// A step at one time: later visits are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Visit {
    round: i64,
    step: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct RelayStep {
    lasts: Duration,
    /// Up, then down.
    pub(super) lines: [Arc<Impairment>; 2],
    /// Everything in this direction is lost.
    pub(super) dark: [bool; 2],
    /// The mapping's port is closed.
    pub(super) is_down: bool,
    /// The NAT gives each flow another port as the step begins.
    rebind: bool,
    /// Instead of that of the mapping.
    pub(super) nat: Option<Nat>,
}

/// Why a file is not a valid scenario.
#[derive(Debug, thiserror::Error)]
pub enum RelayScenarioError {
    /// Not TOML, or an unknown key.
    #[error(transparent)]
    Toml(#[from] TomlError),
    /// A step makes no sense.
    #[error("step {number}: {why}")]
    Step {
        /// From 1.
        number: usize,
        /// The mistake.
        why: SpecError,
    },
    /// It has no step.
    #[error("no [[step]]")]
    Empty,
}

impl RelayScenario {
    /// Reads a file such as `contrib/proxy-scenario.toml`; `own` are the lines of the mapping, which steps change.
    pub fn from_toml(
        text: &str,
        own: [&Arc<Impairment>; 2],
        files: ReadFile<'_>,
    ) -> Result<Self, RelayScenarioError> {
        let script: Script = strict_toml::read(text)?;
        let mut steps = Vec::new();
        for (at, step) in script.step.into_iter().enumerate() {
            let read = step.read(own, files);
            steps.extend(read.map_err(|why| RelayScenarioError::Step { number: at + 1, why })?);
        }
        if steps.is_empty() {
            return Err(RelayScenarioError::Empty);
        }
        let mut end = Duration::ZERO;
        let ends = steps.iter().map(|step: &RelayStep| {
            end += step.lasts;
            end
        });
        Ok(Self { ends: ends.collect(), steps, repeat: script.repeat, clock: script.clock })
    }

    /// How many steps there are, each part of a ramp counted.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// It always has one.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The step at this time, and when it ends.
    pub(super) fn at(&self, elapsed: Duration) -> (Visit, Duration) {
        let last = self.steps.len() - 1;
        let whole = self.ends[last];
        let round = if self.repeat { (elapsed.as_nanos() / whole.as_nanos()).max(0) } else { 0 };
        let since = elapsed - whole * round;
        let step = self.ends.partition_point(|end| *end <= since).min(last);
        let ends = step < last || self.repeat;
        (Visit { round, step }, if ends { whole * round + self.ends[step] } else { Duration::MAX })
    }

    pub(super) fn step(&self, visit: Visit) -> &RelayStep {
        &self.steps[visit.step]
    }

    /// Whether a NAT gives flows other ports in a step that begins after `before`, up to that of `now`.
    pub(super) fn rebinds(&self, before: Visit, now: Visit) -> bool {
        let any = |steps: &[RelayStep]| steps.iter().any(|step| step.rebind);
        let rest = &self.steps[before.step + 1..];
        match now.round - before.round {
            0 => any(&rest[..(now.step - before.step).min(rest.len())]),
            1 => any(rest) || any(&self.steps[..=now.step]),
            _ => any(&self.steps),
        }
    }
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    #[serde(default = "yes")]
    repeat: bool,
    #[serde(default)]
    clock: ScenarioClock,
    #[serde(default)]
    step: Vec<ScriptStep>,
}

#[derive(Deserialize)]
struct ScriptStep {
    #[serde(rename = "for")]
    lasts: String,
    up: Option<String>,
    down: Option<String>,
    blackhole: Option<String>,
    state: Option<String>,
    ramp: Option<String>,
    #[serde(default)]
    rebind: bool,
    nat: Option<String>,
    /// The keys of an impairment, in both directions.
    #[serde(flatten)]
    parts: BTreeMap<String, String>,
}

impl ScriptStep {
    fn read(self, own: [&Arc<Impairment>; 2], files: ReadFile<'_>) -> Result<Vec<RelayStep>, SpecError> {
        let lasts: Interval = self.lasts.parse().map_err(|error: UnitError| wrong("for", error))?;
        if lasts.get() < SHORTEST {
            return Err(wrong("for", UnitError::new(format!("must be at least {SHORTEST}"), "5s")));
        }
        let line = |text: &Option<String>, own: &Arc<Impairment>| match text {
            Some(text) => Impairment::from_spec(text, files),
            None => Ok(own.as_ref().clone()),
        };
        let mut lines = [line(&self.up, own[0])?, line(&self.down, own[1])?];
        for (key, value) in &self.parts {
            lines.iter_mut().try_for_each(|line| line.set(key, value, files))?;
        }
        let dark = match self.blackhole.as_deref() {
            None => [false; 2],
            Some("both") => [true; 2],
            Some("up") => [true, false],
            Some("down") => [false, true],
            Some(other) => return Err(bad(format!("blackhole: '{other}' is not up, down or both"), "both")),
        };
        let is_down = match self.state.as_deref() {
            None | Some("up") => false,
            Some("down") => true,
            Some(other) => return Err(bad(format!("state: '{other}' is neither up nor down"), "down")),
        };
        let nat = self.nat.as_deref().map(str::parse).transpose().map_err(|error| wrong("nat", error))?;
        let lines = lines.map(Arc::new);
        let step = RelayStep { lasts: lasts.get(), lines, dark, is_down, rebind: self.rebind, nat };
        match &self.ramp {
            None => Ok(vec![step]),
            Some(ramp) => Ramp::read(ramp)?.expand(&step, files),
        }
    }
}

/// `rate 10Mbit..1Mbit`: from the first value to the second in small steps.
struct Ramp<'a> {
    key: &'a str,
    from: f64,
    to: f64,
    /// The text after the values, as in `,queue=64k`.
    rest: &'a str,
}

impl<'a> Ramp<'a> {
    const EXAMPLE: &'static str = "rate 10Mbit..1Mbit,queue=64k, delay 10ms..200ms or loss 0%..50%";
    /// A part lasts so long at least, and there are so many at most.
    const PART: Duration = Duration::from_millis(100);
    const PARTS: i64 = 100;

    fn read(text: &'a str) -> Result<Self, SpecError> {
        let shape = || bad(format!("ramp: '{text}' is not KEY FROM..TO"), Self::EXAMPLE);
        let (key, range) = text.trim().split_once(' ').ok_or_else(shape)?;
        let (range, rest) = range.find(',').map_or((range, ""), |at| range.split_at(at));
        let (from, to) = range.split_once("..").ok_or_else(shape)?;
        let value = |text: &str| match key {
            "rate" => Ok(text.parse::<BitRate>()?.get() as f64),
            "delay" => Ok(parse_duration(text)?.as_nanos() as f64),
            "loss" => Ok(text.parse::<Probability>()?.get()),
            _ => Err(UnitError::new(format!("'{key}' cannot be ramped: rate, delay or loss"), Self::EXAMPLE)),
        };
        let value = |text| value(text).map_err(|error| wrong("ramp", error));
        Ok(Self { key, from: value(from.trim())?, to: value(to.trim())?, rest })
    }

    fn expand(&self, step: &RelayStep, files: ReadFile<'_>) -> Result<Vec<RelayStep>, SpecError> {
        let count = (step.lasts.as_nanos() / Self::PART.as_nanos()).clamp(2, Self::PARTS);
        let part = |at: i64| {
            let value = self.from + (self.to - self.from) * at as f64 / (count - 1) as f64;
            let text = match self.key {
                "rate" => format!("{}bit{}", value.round().max(1.0), self.rest),
                "delay" => format!("constant:{}ns", value.round()),
                _ => format!("{value}"),
            };
            let mut lines = step.lines.each_ref().map(|line| line.as_ref().clone());
            lines.iter_mut().try_for_each(|line| line.set(self.key, &text, files))?;
            // The last part takes what the division leaves.
            let each = step.lasts / count;
            let lasts = if at == count - 1 { step.lasts - each * (count - 1) } else { each };
            let rebind = step.rebind && at == 0;
            Ok(RelayStep { lasts, lines: lines.map(Arc::new), rebind, ..step.clone() })
        };
        (0..count).map(part).collect()
    }
}

fn bad(why: String, example: &'static str) -> SpecError {
    UnitError::new(why, example).into()
}

fn wrong(key: &str, error: UnitError) -> SpecError {
    SpecError::from(error).within(key)
}

fn yes() -> bool {
    true
}

impl RelayStep {
    pub(super) fn line(&self, direction: Direction) -> &Arc<Impairment> {
        &self.lines[direction.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<RelayScenario, RelayScenarioError> {
        let line = |text: &str| Arc::new(text.parse::<Impairment>().unwrap());
        let (up, down) = (line("loss=1%"), line("delay=constant:5ms"));
        RelayScenario::from_toml(text, [&up, &down], &|_| Err(std::io::ErrorKind::NotFound.into()))
    }

    fn shown(scenario: &RelayScenario, millis: i64) -> String {
        let (visit, until) = scenario.at(Duration::from_millis(millis));
        let step = scenario.step(visit);
        let [up, down] = step.lines.each_ref().map(ToString::to_string);
        format!("{up} | {down} | {:?} {} until {until}", step.dark, step.is_down)
    }

    #[test]
    fn the_sample_goes_through_its_steps() {
        let sample = read(include_str!("../../contrib/proxy-scenario.toml")).unwrap();
        assert_eq!(sample.clock, ScenarioClock::First);
        assert_eq!(shown(&sample, 0), "loss=1% | delay=constant:5ms | [false, false] false until 5s");
        assert_eq!(shown(&sample, 5_000), "loss=1% | delay=constant:5ms | [true, true] false until 7s");
        assert!(shown(&sample, 7_000).starts_with("loss=1% rate=10Mbit,queue=64000 | "));
        assert!(shown(&sample, 16_999).starts_with("loss=1% rate=1Mbit,queue=64000 | "));
        assert_eq!(shown(&sample, 17_000), "loss=5% | loss=5% | [false, false] false until 22s");
        assert_eq!(shown(&sample, 22_000), "loss=1% | delay=constant:5ms | [false, false] true until 23s");
        // And again.
        assert!(shown(&sample, 23_000).starts_with("loss=1% | delay=constant:5ms | [false, false] false"));
    }

    #[test]
    fn a_ramp_ends_where_it_says_and_takes_its_time() {
        let ramp = read("repeat = false\n[[step]]\nfor = '1s'\nramp = 'loss 0%..50%'\n").unwrap();
        assert_eq!(ramp.len(), 10);
        let total: Duration = ramp.steps.iter().map(|step| step.lasts).sum();
        assert_eq!(total, Duration::from_secs(1));
        let last = Visit { round: 0, step: 9 };
        assert!(ramp.step(last).lines[0].to_string().contains("loss=50%"));
        assert_eq!(ramp.at(Duration::from_secs(99)), (last, Duration::MAX));
    }

    #[test]
    fn ports_change_as_a_step_begins_that_says_so() {
        let text = "[[step]]\nfor = '1s'\n[[step]]\nfor = '1s'\nrebind = true\nramp = 'loss 0%..9%'\n";
        let scenario = read(text).unwrap();
        let rebinds = |from: i64, to: i64| {
            let [before, now] = [from, to].map(|millis| scenario.at(Duration::from_millis(millis)).0);
            scenario.rebinds(before, now)
        };
        for (from, to, does) in [
            (0, 999, false),
            (0, 1_000, true),
            (1_000, 1_999, false),
            (1_999, 2_500, false),
            (1_999, 3_000, true),
            (500, 90_500, true),
        ] {
            assert_eq!(rebinds(from, to), does, "{from} to {to}");
        }
    }

    #[test]
    fn a_mistake_names_the_step() {
        for (text, why) in [
            ("", "no [[step]]"),
            ("[[step]]\nfor = '0'\n", "step 1: for: must be longer than zero; for example 0.5 or 500ms"),
            ("[[step]]\nfor = '1ns'\n", "step 1: for: must be at least 1ms"),
            (
                "[[step]]\nfor = '1s'\nblackhole = 'left'\n",
                "step 1: blackhole: 'left' is not up, down or both",
            ),
            ("[[step]]\nfor = '1s'\nstate = 'off'\n", "step 1: state: 'off' is neither up nor down"),
            ("[[step]]\nfor = '1s'\nramp = 'mtu 1..2'\n", "step 1: ramp: 'mtu' cannot be ramped"),
            ("[[step]]\nfor = '1s'\nramp = 'loss 1%'\n", "step 1: ramp: 'loss 1%' is not KEY FROM..TO"),
            ("[[step]]\nfor = '1s'\nnat = 'cone'\n", "step 1: nat: 'cone' is not key=value"),
            ("[[step]]\nfor = '1s'\nlag = '1s'\n", "step 1: unknown impairment 'lag'"),
            ("clock = 'noon'\n", "line 1: unknown variant `noon`"),
            ("loop = true\n", "line 1: unknown key `loop`"),
        ] {
            let error = read(text).unwrap_err();
            // The command line prints each source of an error behind it.
            assert!(std::error::Error::source(&error).is_none(), "{error}");
            assert!(error.to_string().starts_with(why), "{error}");
        }
    }
}
