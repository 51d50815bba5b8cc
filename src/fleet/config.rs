//! The configuration file of `udpecho watch`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::Deserialize;

use super::dscp::Dscp;
use super::ring::Peers;
use super::sources::{DnsNames, DnsSettings, HttpSd, HttpSettings};
use crate::endpoints::Network;
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
    /// Where this host answers the probes of others; it does not without it.
    pub reflect: Option<Reflect>,
    /// Where a reload and single probes are asked for; nothing listens without it.
    pub admin: Option<SocketAddr>,
    /// Networks whose addresses may be asked for by `/probe`; private ones if empty.
    pub probe_allow: Vec<Network>,
    /// A configuration that would give more series than this is refused.
    pub max_series: u64,
    /// In the order of the file.
    pub groups: Vec<Group>,
}

/// The reflector of a host that also measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reflect {
    /// A port at all addresses, or one address.
    pub listen: SocketAddr,
    /// The key that its clients need.
    pub key_file: Option<String>,
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
    /// A URL of Prometheus' http_sd form.
    pub http_sd: Option<HttpSd>,
    /// A name whose records are targets.
    pub dns: Option<DnsNames>,
    /// How many of the targets this host measures; all if none.
    pub peers: Option<Peers>,
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
    /// Source ports by which probes take turns.
    pub flows: u8,
    /// Whether intervals are random (Poisson).
    pub poisson: bool,
    /// The share of probes that should be answered in time.
    pub objective: Option<f64>,
    /// How many series a target has.
    pub detail: Detail,
    /// Whether one-way delays and the clock offset have series, too.
    pub one_way: bool,
}

impl Group {
    /// Whether a target of either is measured alike: where targets are found and what is shown of them does not matter.
    pub(super) fn probes_like(&self, other: &Self) -> bool {
        let how = |group: &Self| {
            (
                (group.interval, group.size, group.dscp, group.dialect, group.poisson),
                (group.deadline, group.give_up, group.flows),
            )
        };
        how(self) == how(other)
    }
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

impl ConfigError {
    /// Without the place.
    fn why(self) -> String {
        match self {
            Self::Toml(error) => error.to_string(),
            Self::Value { why, .. } => why,
        }
    }
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
        let reflect = file.reflect.as_ref().map(|reflect| reflect.read(&expanded));
        let allowed = file.probe_allow.iter();
        let allowed =
            allowed.map(|network| parsed("probe-allow", &expanded("probe-allow", network)?, "10.0.0.0/8"));
        Ok(Self {
            name: file.name.map(|name| expanded("name", &name)).transpose()?,
            labels: labels.collect::<Result<_, ConfigError>>()?,
            http: file.http.map(|at| parsed("http", &expanded("http", &at)?, "0.0.0.0:9476")).transpose()?,
            reflect: reflect.transpose()?,
            admin: file
                .admin
                .map(|at| parsed("admin", &expanded("admin", &at)?, "127.0.0.1:9477"))
                .transpose()?,
            probe_allow: allowed.collect::<Result<_, ConfigError>>()?,
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
            reflect: None,
            admin: None,
            probe_allow: Vec::new(),
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
    reflect: Option<ReflectSettings>,
    admin: Option<String>,
    #[serde(default)]
    probe_allow: Vec<String>,
    max_series: Option<u64>,
    #[serde(default)]
    defaults: Settings,
    #[serde(default)]
    group: Vec<Settings>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ReflectSettings {
    listen: String,
    key_file: Option<String>,
}

impl ReflectSettings {
    fn read(&self, expand: Expand<'_>) -> Result<Reflect, ConfigError> {
        const PLACE: &str = "reflect: listen";
        let listen = expand(PLACE, &self.listen)?;
        let listen = if listen.starts_with(':') { format!("[::]{listen}") } else { listen };
        let key_file = self.key_file.as_ref().map(|file| expand("reflect: key-file", file));
        Ok(Reflect { listen: parsed(PLACE, &listen, ":8080")?, key_file: key_file.transpose()? })
    }
}

/// A group as it is written, or the defaults of all groups.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    name: Option<String>,
    #[serde(default)]
    targets: Vec<String>,
    file: Option<String>,
    http_sd: Option<HttpSettings>,
    dns: Option<DnsSettings>,
    peers: Option<Peers>,
    from: Option<Vec<String>>,
    interval: Option<String>,
    size: Option<u32>,
    dscp: Option<Dscp>,
    deadline: Option<String>,
    give_up: Option<String>,
    dialect: Option<Dialect>,
    flows: Option<u8>,
    poisson: Option<bool>,
    objective: Option<String>,
    detail: Option<Detail>,
    one_way: Option<bool>,
}

/// Replaces the variables of the text at a place.
type Expand<'a> = &'a dyn Fn(&str, &str) -> Result<String, ConfigError>;

impl Settings {
    fn has_targets(&self) -> bool {
        !self.targets.is_empty() || self.file.is_some() || self.http_sd.is_some() || self.dns.is_some()
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
        let flows = self.flows.or(defaults.flows.filter(|_| dialect == Dialect::Native)).unwrap_or(1);
        if !(1..=64).contains(&flows) {
            return Err(invalid(&place("flows"), "must be from 1 to 64; for example 16"));
        }
        if flows > 1 && dialect != Dialect::Native {
            return Err(invalid(&place("flows"), "only sessions of the native dialect have several ports"));
        }
        let size = self.size.or(defaults.size).unwrap_or(128);
        if !(dialect.min_size()..=65_507).contains(&size) {
            let why = format!("must be from {} to 65507 bytes", dialect.min_size());
            return Err(invalid(&place("size"), why));
        }
        let objective = self.objective.as_ref().or(defaults.objective.as_ref());
        let objective = objective.map(|share| parsed::<Probability>(&place("objective"), share, "99.9%"));
        let targets = self.targets.iter().map(|target| expand(&place("targets"), target));
        let variables = |text: &str| expand(&name, text).map_err(ConfigError::why);
        let http_sd = self.http_sd.as_ref().map(|http| http.read(&variables));
        let dns = self.dns.as_ref().map(|dns| dns.read(&variables));
        Ok(Group {
            targets: targets.collect::<Result<_, _>>()?,
            file: self.file.as_ref().map(|file| expand(&place("file"), file)).transpose()?,
            http_sd: http_sd.transpose().map_err(|why| invalid(&place("http-sd"), why))?,
            dns: dns.transpose().map_err(|why| invalid(&place("dns"), why))?,
            peers: self.peers.or(defaults.peers),
            from: self.from.clone().or(defaults.from.clone()).unwrap_or_default(),
            interval,
            size,
            dscp: self
                .dscp
                .as_ref()
                .or(defaults.dscp.as_ref())
                .map(|dscp| dscp.read().ok_or_else(|| invalid(&place("dscp"), DSCP)))
                .transpose()?,
            deadline,
            give_up,
            dialect,
            flows,
            poisson: self.poisson.or(defaults.poisson).unwrap_or(false),
            objective: objective.transpose()?.map(Probability::get),
            detail: self.detail.or(defaults.detail).unwrap_or_default(),
            one_way: self.one_way.or(defaults.one_way).unwrap_or(false),
            name,
        })
    }
}

const DSCP: &str = "must be a number from 0 to 63 or a name; for example \"EF\"";

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
}
