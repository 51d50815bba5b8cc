//! The configuration file of `udpecho watch`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::Deserialize;

use crate::probe::Dialect;
use crate::strict_toml::{self, TomlError};
use crate::time::Duration;
use crate::units::{Interval, Probability, parse_duration};

/// Which targets are measured, how, and where the figures are shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The label `source` of every series; the name of the host where the file has none.
    pub name: Option<String>,
    /// Labels of this host, in `udpecho_watch_info` alone.
    pub labels: BTreeMap<String, String>,
    /// Where `/metrics` is served; nothing listens without it.
    pub http: Option<SocketAddr>,
    /// A configuration that would give more series than this is refused.
    pub max_series: u64,
    /// In the order of the file.
    pub groups: Vec<Group>,
}

/// Targets that are measured alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Different from the others' names.
    pub name: String,
    /// `HOST` or `HOST:PORT`.
    pub targets: Vec<String>,
    /// A file of Prometheus' file_sd form, read again when it changes.
    pub file: Option<String>,
    /// A name each of whose addresses is a target.
    pub dns: Option<DnsNames>,
    /// Sources that measure this group; all if empty.
    pub from: Vec<String>,
    /// Between two probes to one target.
    pub interval: Interval,
    /// Bytes of UDP payload.
    pub size: u32,
    /// Differentiated services code point of the probes.
    pub dscp: Option<u8>,
    /// A reply that comes later is late.
    pub deadline: Duration,
    /// A probe without a reply until then is lost.
    pub give_up: Duration,
    /// How the targets are asked.
    pub dialect: Dialect,
    /// Whether intervals are random (Poisson).
    pub poisson: bool,
    /// The share of probes that should be answered in time.
    pub objective: Option<f64>,
    /// How many series a target has.
    pub detail: Detail,
}

/// A DNS name whose A and AAAA records are targets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsNames {
    /// For example a headless service.
    pub name: String,
    /// Of each target.
    pub port: u16,
}

/// How many series a target has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Detail {
    /// Every counter and the RTT histogram.
    #[default]
    Full,
    /// Replies, losses, and the sum and count of RTT.
    Counts,
}

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file is no valid TOML, or has an unknown key.
    #[error(transparent)]
    Toml(#[from] TomlError),
    /// A value is invalid.
    #[error("{place}: {why}")]
    Value {
        /// Group and key.
        place: String,
        /// With an example.
        why: String,
    },
}

impl Config {
    const MAX_SERIES: u64 = 200_000;

    /// Reads a file. `${NAME}` in a text is a variable of the environment.
    pub fn from_toml(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let file: File = strict_toml::read(text)?;
        let expanded = |place: &str, text: &str| expand(text, variable).map_err(|why| invalid(place, why));
        let labels = file.labels.iter().map(|(key, value)| Ok((key.clone(), expanded("labels", value)?)));
        let mut groups: Vec<Group> = Vec::new();
        if file.defaults.name.is_some() || file.defaults.has_targets() {
            return Err(invalid("defaults", "a name and targets belong into a [[group]]"));
        }
        for (at, settings) in file.group.iter().enumerate() {
            let group = settings.read(&file.defaults, at, &expanded)?;
            if groups.iter().any(|other| other.name == group.name) {
                return Err(invalid(&group.name, "two groups have this name"));
            }
            groups.push(group);
        }
        Ok(Self {
            name: file.name.map(|name| expanded("name", &name)).transpose()?,
            labels: labels.collect::<Result<_, ConfigError>>()?,
            http: file.http.map(|at| parsed("http", &expanded("http", &at)?, "0.0.0.0:9476")).transpose()?,
            max_series: file.max_series.unwrap_or(Self::MAX_SERIES),
            groups,
        })
    }

    /// One group of these targets, with the settings that a file without any would give.
    pub fn of_targets(targets: Vec<String>) -> Self {
        let settings = Settings { name: Some("default".into()), targets, ..Settings::default() };
        let group = settings.read(&Settings::default(), 0, &|_, text| Ok(text.to_owned()));
        Self {
            name: None,
            labels: BTreeMap::new(),
            http: None,
            max_series: Self::MAX_SERIES,
            groups: vec![group.expect("the defaults are valid")],
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    name: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    http: Option<String>,
    max_series: Option<u64>,
    #[serde(default)]
    defaults: Settings,
    #[serde(default)]
    group: Vec<Settings>,
}

/// A group as it is written, or the defaults of all groups.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    name: Option<String>,
    #[serde(default)]
    targets: Vec<String>,
    file: Option<String>,
    dns: Option<DnsNames>,
    from: Option<Vec<String>>,
    interval: Option<String>,
    size: Option<u32>,
    dscp: Option<Dscp>,
    deadline: Option<String>,
    give_up: Option<String>,
    dialect: Option<Dialect>,
    poisson: Option<bool>,
    objective: Option<String>,
    detail: Option<Detail>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Dscp {
    Number(u8),
    Name(String),
}

/// Replaces the variables of the text at a place.
type Expand<'a> = &'a dyn Fn(&str, &str) -> Result<String, ConfigError>;

impl Settings {
    fn has_targets(&self) -> bool {
        !self.targets.is_empty() || self.file.is_some() || self.dns.is_some()
    }

    fn read(&self, defaults: &Self, at: usize, expand: Expand<'_>) -> Result<Group, ConfigError> {
        let unnamed = format!("group {}", at + 1);
        let name = self.name.as_deref().ok_or_else(|| invalid(&unnamed, "it has no name"))?;
        let name = expand(&unnamed, name)?;
        let place = |key: &str| format!("{name}: {key}");
        if !self.has_targets() {
            return Err(invalid(&name, "it has no targets; for example targets = [\"192.0.2.7:8080\"]"));
        }
        let text = |key: &str, value: fn(&Self) -> &Option<String>, default: &str| {
            let value = value(self).as_deref().or(value(defaults).as_deref()).unwrap_or(default);
            expand(&place(key), value)
        };
        let interval = text("interval", |s| &s.interval, "1s")?;
        let interval: Interval = parsed(&place("interval"), &interval, "1s")?;
        let deadline = duration(&place("deadline"), &text("deadline", |s| &s.deadline, "1s")?)?;
        let give_up = duration(&place("give-up"), &text("give-up", |s| &s.give_up, "10s")?)?;
        if give_up < deadline {
            return Err(invalid(&place("give-up"), "it is shorter than the deadline"));
        }
        let dialect = self.dialect.or(defaults.dialect).unwrap_or(Dialect::Native);
        let size = self.size.or(defaults.size).unwrap_or(128);
        if !(dialect.min_size()..=65_507).contains(&size) {
            let why = format!("must be from {} to 65507 bytes", dialect.min_size());
            return Err(invalid(&place("size"), why));
        }
        let objective = self.objective.as_ref().or(defaults.objective.as_ref());
        let objective = objective.map(|share| parsed::<Probability>(&place("objective"), share, "99.9%"));
        let targets = self.targets.iter().map(|target| expand(&place("targets"), target));
        Ok(Group {
            targets: targets.collect::<Result<_, _>>()?,
            file: self.file.as_ref().map(|file| expand(&place("file"), file)).transpose()?,
            dns: self.dns.clone(),
            from: self.from.clone().or(defaults.from.clone()).unwrap_or_default(),
            interval,
            size,
            dscp: self
                .dscp
                .as_ref()
                .or(defaults.dscp.as_ref())
                .map(|dscp| dscp.read(&place("dscp")))
                .transpose()?,
            deadline,
            give_up,
            dialect,
            poisson: self.poisson.or(defaults.poisson).unwrap_or(false),
            objective: objective.transpose()?.map(Probability::get),
            detail: self.detail.or(defaults.detail).unwrap_or_default(),
            name,
        })
    }
}

impl Dscp {
    /// Names of RFC 2474, 2597, 3246 and 8622.
    fn read(&self, place: &str) -> Result<u8, ConfigError> {
        let known = match self {
            Self::Number(number) => Some(*number).filter(|number| *number < 64),
            Self::Name(name) => match name.to_ascii_uppercase().as_str() {
                "DF" | "CS0" => Some(0),
                "LE" => Some(1),
                "EF" => Some(46),
                name => class(name, "CS").map(|(class, _)| 8 * class).or_else(|| {
                    let (class, drop) = class(name, "AF")?;
                    Some(8 * class + 2 * drop).filter(|_| (1..=4).contains(&class) && (1..=3).contains(&drop))
                }),
            },
        };
        known.ok_or_else(|| invalid(place, "must be a number from 0 to 63 or a name; for example \"EF\""))
    }
}

/// The class and the drop precedence behind a prefix, as in AF31 and CS5.
fn class(name: &str, prefix: &str) -> Option<(u8, u8)> {
    let digits = name.strip_prefix(prefix)?.as_bytes();
    let digit = |at: usize| digits.get(at).filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0');
    let expected = if prefix == "CS" { 1 } else { 2 };
    let class = digit(0).filter(|class| *class < 8 && digits.len() == expected)?;
    Some((class, digit(1).unwrap_or(0)))
}

fn duration(place: &str, text: &str) -> Result<Duration, ConfigError> {
    parse_duration(text).map_err(|error| invalid(place, error.to_string()))
}

fn parsed<T: FromStr<Err: ToString>>(place: &str, text: &str, example: &str) -> Result<T, ConfigError> {
    text.parse().map_err(|error: T::Err| {
        let why = error.to_string();
        let named = why.contains("for example");
        invalid(place, if named { why } else { format!("'{text}': {why}; for example {example}") })
    })
}

fn invalid(place: &str, why: impl Into<String>) -> ConfigError {
    ConfigError::Value { place: place.to_owned(), why: why.into() }
}

fn expand(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, behind) = after.split_once('}').ok_or("'${' without '}'")?;
        let value = variable(name).ok_or_else(|| format!("the environment has no variable {name}"))?;
        expanded = expanded + before + &value;
        rest = behind;
    }
    Ok(expanded + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../contrib/watch.toml");

    fn read(text: &str) -> Result<Config, ConfigError> {
        Config::from_toml(text, &|name| (name == "NODE").then(|| "n7".to_owned()))
    }

    fn error(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn the_sample_is_read() {
        let config = Config::from_toml(SAMPLE, &|_| None).unwrap();
        assert_eq!(config.groups.len(), 1, "the others are comments");
        assert_eq!(config.groups[0].interval.get(), Duration::from_secs(1));
    }

    #[test]
    fn a_group_takes_what_it_does_not_say_from_the_defaults() {
        let config = read(
            "name = '${NODE}'\nlabels = { rack = 'r-${NODE}' }\nhttp = '127.0.0.1:9476'\n\
             [defaults]\ninterval = '2s'\ndscp = 'AF31'\n\
             [[group]]\nname = 'a'\ntargets = ['h']\n\
             [[group]]\nname = 'b'\ntargets = ['h']\ninterval = '20ms'\ndscp = 'EF'\npoisson = true\n",
        )
        .unwrap();
        assert_eq!((config.name.as_deref(), config.labels["rack"].as_str()), (Some("n7"), "r-n7"));
        let [a, b] = &config.groups[..] else { panic!("{config:?}") };
        assert_eq!((a.interval.get(), a.dscp, a.poisson), (Duration::from_secs(2), Some(26), false));
        assert_eq!((b.interval.get(), b.dscp, b.poisson), (Duration::from_millis(20), Some(46), true));
        assert_eq!((a.deadline, a.give_up), (Duration::from_secs(1), Duration::from_secs(10)));
    }

    #[test]
    fn an_error_names_the_group_the_key_and_a_value_that_works() {
        let group = "[[group]]\nname = 'a'\ntargets = ['h']\n";
        assert_eq!(
            error("[[group]]\nname = 'a'"),
            "a: it has no targets; for example targets = [\"192.0.2.7:8080\"]"
        );
        assert_eq!(error("[[group]]\ntargets = ['h']"), "group 1: it has no name");
        assert_eq!(error(&format!("{group}{group}")), "a: two groups have this name");
        assert_eq!(
            error(&format!("{group}intervall = '1s'")),
            "line 4: unknown key 'intervall'; did you mean 'interval'?"
        );
        assert!(error(&format!("{group}interval = 'soon'")).starts_with("a: interval: "));
        assert!(error(&format!("{group}dscp = 'AF51'")).starts_with("a: dscp: must be a number"));
        assert_eq!(error(&format!("{group}size = 3")), "a: size: must be from 56 to 65507 bytes");
        assert_eq!(error(&format!("{group}give-up = '0.5s'")), "a: give-up: it is shorter than the deadline");
        assert_eq!(error("name = '${HOST}'"), "name: the environment has no variable HOST");
        assert!(error("http = 'here'").ends_with("for example 0.0.0.0:9476"));
        assert_eq!(error("[defaults]\nname = 'x'"), "defaults: a name and targets belong into a [[group]]");
    }

    #[test]
    fn code_points_have_the_names_of_their_rfcs() {
        for (name, number) in [("EF", 46), ("cs6", 48), ("AF11", 10), ("AF43", 38), ("LE", 1), ("CS0", 0)] {
            assert_eq!(Dscp::Name(name.into()).read("").unwrap(), number, "{name}");
        }
        for name in ["AF14", "AF01", "CS8", "CS", "AF", "AF111", "x"] {
            assert!(Dscp::Name(name.into()).read("").is_err(), "{name}");
        }
    }
}
