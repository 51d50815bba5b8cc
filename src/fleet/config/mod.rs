//! The configuration file of `udpecho watch`.

mod error;
mod group;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use serde::Deserialize;

use crate::endpoints::Network;
use crate::fleet::discovery::is_label;
use crate::strict_toml;
use crate::time::Duration;
use error::{Expand, duration, invalid, parsed};
use group::Settings;

pub use error::ConfigError;
pub use group::{Detail, Group, Secret};

/// The targets, how they are measured, and where the figures are shown.
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
    /// The folder of the record; none is written without it.
    pub record: Option<String>,
    /// How long its files are kept.
    pub record_keep: Duration,
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
    /// Whether the reflector sends its clients the name of this host and its labels `rack` and `zone`.
    pub tells_names: bool,
}

impl Config {
    const MAX_SERIES: u64 = 200_000;
    const RECORD_KEEP: Duration = Duration::from_secs(30 * 86_400);

    /// Reads a file. `${NAME}` in a text is a variable of the environment.
    pub fn from_toml(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let file: File = strict_toml::read(text)?;
        let expanded = |place: &str, text: &str| expand(text, variable).map_err(|why| invalid(place, why));
        if let Some(name) = file.labels.keys().find(|name| !is_label(name) || *name == "source") {
            return Err(invalid("labels", format!("'{name}' cannot be a label's name; for example rack")));
        }
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
            http: file.http.map(|at| page_address("http", &expanded("http", &at)?)).transpose()?,
            reflect: reflect.transpose()?,
            admin: file.admin.map(|at| page_address("admin", &expanded("admin", &at)?)).transpose()?,
            probe_allow: allowed.collect::<Result<_, ConfigError>>()?,
            record: file.record.map(|folder| expanded("record", &folder)).transpose()?,
            record_keep: file.record_keep.map_or(Ok(Self::RECORD_KEEP), |keep| kept(&keep))?,
            max_series: file.max_series.unwrap_or(Self::MAX_SERIES),
            groups,
        })
    }

    /// One group of these targets, with the settings that a file without any would give.
    pub fn of_targets(targets: Vec<String>) -> Self {
        let settings = Settings::of_targets("default", targets);
        let group = settings.read(&Settings::default(), 0, &|_, text| Ok(text.to_owned()));
        Self {
            name: None,
            labels: BTreeMap::new(),
            http: None,
            reflect: None,
            admin: None,
            probe_allow: Vec::new(),
            record: None,
            record_keep: Self::RECORD_KEEP,
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
    record: Option<String>,
    record_keep: Option<String>,
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
    #[serde(default)]
    tell_names: bool,
}

impl ReflectSettings {
    fn read(&self, expand: Expand<'_>) -> Result<Reflect, ConfigError> {
        const PLACE: &str = "reflect: listen";
        let listen = expand(PLACE, &self.listen)?;
        let listen = if listen.starts_with(':') { format!("[::]{listen}") } else { listen };
        let key_file = self.key_file.as_ref().map(|file| expand("reflect: key-file", file));
        Ok(Reflect {
            listen: parsed(PLACE, &listen, ":8080")?,
            key_file: key_file.transpose()?,
            tells_names: self.tell_names,
        })
    }
}

fn kept(text: &str) -> Result<Duration, ConfigError> {
    let keep = duration("record-keep", text)?;
    if keep < Duration::from_secs(86_400) {
        return Err(invalid("record-keep", "it is shorter than a day; for example 30d"));
    }
    Ok(keep)
}

/// A bare port binds to localhost, as on the command line.
fn page_address(place: &str, text: &str) -> Result<SocketAddr, ConfigError> {
    match text.parse() {
        Ok(port) => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        Err(_) => parsed(place, text, "0.0.0.0:9476"),
    }
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

    const SAMPLE: &str = include_str!("../../../contrib/watch.toml");

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
    fn the_file_of_the_manifests_for_kubernetes_is_read() {
        let text = include_str!("../../../contrib/kubernetes/base/watch.toml");
        let config = Config::from_toml(text, &|name| Some(format!("<{name}>"))).unwrap();
        assert_eq!(config.name.as_deref(), Some("<NODE_NAME><PLANE>"));
        assert!(config.reflect.is_some_and(|reflect| reflect.tells_names));
        let names = config.groups[0].dns.as_ref().map(|dns| dns.name.as_str());
        assert_eq!(names, Some("<SERVICE>.<NAMESPACE>.svc"));
    }

    #[test]
    fn a_group_takes_what_it_does_not_say_from_the_defaults() {
        let config = read(
            "name = '${NODE}'\nlabels = { rack = 'r-${NODE}' }\nhttp = '127.0.0.1:9476'\n\
             [defaults]\ninterval = '2s'\ndscp = 'AF31'\n\
             [[group]]\nname = 'a'\ntargets = ['h']\nfrom = ['${NODE}']\n\
             [[group]]\nname = 'b'\ntargets = ['h']\ninterval = '20ms'\ndscp = 'EF'\npoisson = true\n",
        )
        .unwrap();
        assert_eq!((config.name.as_deref(), config.labels["rack"].as_str()), (Some("n7"), "r-n7"));
        let [a, b] = &config.groups[..] else { panic!("{config:?}") };
        assert_eq!((a.interval.get(), a.dscp, a.poisson), (Duration::from_secs(2), Some(26), false));
        assert_eq!((b.interval.get(), b.dscp, b.poisson), (Duration::from_millis(20), Some(46), true));
        assert_eq!((&a.from[..], &b.from[..]), (&["n7".to_owned()][..], &[][..]));
        assert_eq!((a.deadline, a.give_up), (Duration::from_secs(1), Duration::from_secs(10)));
    }

    #[test]
    fn the_default_key_is_that_of_the_groups_whose_dialect_has_keys() {
        let config = read(
            "[defaults]\nkey-file = '/keys/${NODE}'\n\
             [[group]]\nname = 'a'\ntargets = ['h']\ndialect = 'irtt'\n\
             [[group]]\nname = 'b'\ntargets = ['h']\nkey-file = 'own'\n\
             [[group]]\nname = 'c'\ntargets = ['h']\ndialect = 'plain'\n",
        );
        let files: Vec<_> = config.unwrap().groups.into_iter().map(|group| group.key_file).collect();
        assert_eq!(files, [Some("/keys/n7".to_owned()), Some("own".to_owned()), None]);
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
        assert_eq!(
            error(&format!("{group}dialect = 'stamp'\nkey-file = 'k'\nsize = 111")),
            "a: size: must be from 112 to 65507 bytes"
        );
        assert_eq!(
            error(&format!("{group}dialect = 'plain'\nkey-file = 'k'")),
            "a: key-file: only native, stamp and irtt targets have a key"
        );
        assert_eq!(error(&format!("{group}give-up = '0.5s'")), "a: give-up: it is shorter than the deadline");
        assert!(error(&format!("{group}give-up = '10d'")).starts_with("a: give-up: it is longer than 1h"));
        assert_eq!(error("name = '${HOST}'"), "name: the environment has no variable HOST");
        for flows in [0, 65, 300, -1] {
            let why = "a: flows: must be from 1 to 64; for example 16";
            assert_eq!(error(&format!("{group}flows = {flows}")), why);
        }
        assert_eq!(read("http = '9476'").unwrap().http, Some("127.0.0.1:9476".parse().unwrap()));
        for name in ["rack-a", "source", "1st", ""] {
            let why = format!("labels: '{name}' cannot be a label's name; for example rack");
            assert_eq!(error(&format!("labels = {{ \"{name}\" = 'x' }}")), why);
        }
        assert!(error("record-keep = '2h'").starts_with("record-keep: it is shorter than a day"));
        assert!(error("http = 'here'").ends_with("for example 0.0.0.0:9476"));
        assert_eq!(error("[defaults]\nname = 'x'"), "defaults: a name and targets belong into a [[group]]");
    }
}
