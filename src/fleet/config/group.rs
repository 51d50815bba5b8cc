//! Targets that are measured alike: a `[[group]]` of the configuration.

use std::fmt;

use serde::Deserialize;

use super::error::{ConfigError, Expand, duration, invalid, parsed};
use crate::fleet::dscp::Dscp;
use crate::fleet::ring::Peers;
use crate::fleet::sources::{DnsNames, DnsSettings, HttpSd, HttpSettings};
use crate::probe::Dialect;
use crate::time::Duration;
use crate::units::{Interval, Probability};

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
    /// The key of the targets: as written, or relative to the configuration's folder.
    pub key_file: Option<String>,
    /// The content of that file, once it was read.
    pub secret: Option<Secret>,
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
    /// Whether the host of this name measures it.
    pub fn is_measured_by(&self, source: &str) -> bool {
        self.from.is_empty() || self.from.iter().any(|name| name == source)
    }

    /// Whether a target of either is measured alike: where targets are found and what is shown of them does not matter.
    pub(in crate::fleet) fn probes_like(&self, other: &Self) -> bool {
        let how = |group: &Self| {
            (
                (group.interval, group.size, group.dscp, group.dialect, group.poisson),
                (group.deadline, group.give_up, group.flows),
            )
        };
        how(self) == how(other) && self.secret == other.secret
    }
}

/// The bytes of a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
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

/// A group as it is written, or the defaults of all groups.
const LONGEST_GIVE_UP: Duration = Duration::from_secs(3_600);

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Settings {
    pub(super) name: Option<String>,
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
    key_file: Option<String>,
    flows: Option<i64>,
    poisson: Option<bool>,
    objective: Option<String>,
    detail: Option<Detail>,
    one_way: Option<bool>,
}

impl Settings {
    pub(super) fn of_targets(name: &str, targets: Vec<String>) -> Self {
        Self { name: Some(name.to_owned()), targets, ..Self::default() }
    }

    pub(super) fn has_targets(&self) -> bool {
        !self.targets.is_empty() || self.file.is_some() || self.http_sd.is_some() || self.dns.is_some()
    }

    pub(super) fn read(&self, defaults: &Self, at: usize, expand: Expand<'_>) -> Result<Group, ConfigError> {
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
        if give_up > LONGEST_GIVE_UP {
            return Err(invalid(
                &place("give-up"),
                "it is longer than 1h: each probe is kept in memory for so long",
            ));
        }
        let dialect = self.dialect.or(defaults.dialect).unwrap_or(Dialect::Native);
        let flows = self.flows.or(defaults.flows.filter(|_| dialect == Dialect::Native)).unwrap_or(1);
        let flows = number_of_flows(flows, dialect).map_err(|why| invalid(&place("flows"), why))?;
        let keyed_size = dialect.min_keyed_size();
        if self.key_file.is_some() && keyed_size.is_none() {
            return Err(invalid(&place("key-file"), "only native, stamp and irtt targets have a key"));
        }
        let key_file = self.key_file.as_ref().or(defaults.key_file.as_ref().filter(|_| keyed_size.is_some()));
        let size = self.size.or(defaults.size).unwrap_or(128);
        let least = keyed_size.filter(|_| key_file.is_some()).unwrap_or(dialect.min_size());
        if !(least..=65_507).contains(&size) {
            return Err(invalid(&place("size"), format!("must be from {least} to 65507 bytes")));
        }
        let objective = self.objective.as_ref().or(defaults.objective.as_ref());
        let objective = objective.map(|share| parsed::<Probability>(&place("objective"), share, "99.9%"));
        let targets = self.targets.iter().map(|target| expand(&place("targets"), target));
        let from = self.from.iter().chain(defaults.from.iter().filter(|_| self.from.is_none())).flatten();
        let variables = |text: &str| expand(&name, text).map_err(ConfigError::why);
        let http_sd = self.http_sd.as_ref().map(|http| http.read(&variables));
        let dns = self.dns.as_ref().map(|dns| dns.read(&variables));
        Ok(Group {
            targets: targets.collect::<Result<_, _>>()?,
            file: self.file.as_ref().map(|file| expand(&place("file"), file)).transpose()?,
            http_sd: http_sd.transpose().map_err(|why| invalid(&place("http-sd"), why))?,
            dns: dns.transpose().map_err(|why| invalid(&place("dns"), why))?,
            peers: self.peers.or(defaults.peers),
            from: from.map(|source| expand(&place("from"), source)).collect::<Result<_, _>>()?,
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
            key_file: key_file.map(|file| expand(&place("key-file"), file)).transpose()?,
            secret: None,
            flows,
            poisson: self.poisson.or(defaults.poisson).unwrap_or(false),
            objective: objective.transpose()?.map(Probability::get),
            detail: self.detail.or(defaults.detail).unwrap_or_default(),
            one_way: self.one_way.or(defaults.one_way).unwrap_or(false),
            name,
        })
    }
}

fn number_of_flows(flows: i64, dialect: Dialect) -> Result<u8, &'static str> {
    match u8::try_from(flows) {
        Ok(2..=64) if dialect != Dialect::Native => {
            Err("only sessions of the native dialect have several ports")
        }
        Ok(flows @ 1..=64) => Ok(flows),
        _ => Err("must be from 1 to 64; for example 16"),
    }
}

const DSCP: &str = "must be a number from 0 to 63 or a name; for example \"EF\"";
