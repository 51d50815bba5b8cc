//! From flags and the configuration file to mappings: what to listen on, whom to relay to, and the impairments of each
//! direction.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};

use super::config::{Config, ConfigClient};
use super::replay;
use crate::cli::args::Proxy;
use crate::cli::impair::{both_directions, line, line_of_both, read};
use crate::cli::target::{Family, Target};
#[cfg(not(feature = "control"))]
use crate::cli::without_control::TcpListening;
use crate::impair::Impairment;
#[cfg(feature = "control")]
use crate::net::TcpListening;
use crate::net::{RelayMapping, random_bytes};
use crate::relay::{ClientLines, MappingSettings, Nat, Network, PathProfile, RelayScenario, Scope};
use crate::rng::Seed;

pub(super) struct Mappings {
    mappings: Vec<RelayMapping>,
    seed: Seed,
}

/// The lines of both directions.
type Lines = [Arc<Impairment>; 2];

/// A mapping as it was typed.
struct Wanted {
    name: Option<String>,
    listen: String,
    to: String,
    lines: Lines,
    nat: Nat,
}

impl Mappings {
    pub(super) fn new(arguments: &Proxy) -> anyhow::Result<Self> {
        Self::with_seed(arguments, None)
    }

    /// The same files and flags once more: `drawn` is the seed of the first time, if none is given.
    pub(super) fn again(&self, arguments: &Proxy) -> anyhow::Result<Self> {
        Self::with_seed(arguments, Some(self.seed))
    }

    fn with_seed(arguments: &Proxy, drawn: Option<Seed>) -> anyhow::Result<Self> {
        let config = arguments.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
        let allow: Arc<[Network]> = arguments.allow.clone().into();
        // Short enough to be typed again.
        let seed = match arguments.seed.or(config.seed).or(drawn) {
            Some(seed) => seed,
            None => u64::from(u32::from_ne_bytes(random_bytes()?)),
        };
        let clients = clients(arguments, &config)?;
        let mut replays = replay::read(arguments.replay.as_deref())?;
        let mut mappings: Vec<RelayMapping> = Vec::new();
        for Wanted { name, listen, to, lines: [up, down], nat } in wanted(arguments, config)? {
            let name = name.unwrap_or_else(|| format!("m{}", mappings.len() + 1));
            if mappings.iter().any(|other| other.settings.name == name) {
                bail!("two mappings have the name '{name}'");
            }
            let listen = address(&listen)?;
            if !listen.ip().is_loopback() && !arguments.public && allow.is_empty() {
                bail!(
                    "{listen} is not on localhost: anybody could send through this proxy; name its clients, as in \
                     --allow 192.0.2.0/24, or --public allows it"
                );
            }
            let target = Target::parse(&to, None, 0)?;
            if target.port == 0 {
                bail!("'{to}' for '--to' names no port; for example 192.0.2.53:53");
            }
            let upstream = target.resolve(Family::default())?;
            let settings = MappingSettings {
                scope: scope(arguments),
                nat,
                allow: Arc::clone(&allow),
                clients: Arc::clone(&clients),
                replay: replays.remove(&name).map(Arc::new),
                scenario: scenario(arguments, [&up, &down])?,
                ..MappingSettings::new(name, up, down, seed)
            };
            mappings.push(RelayMapping { listen, upstream, server: to, settings });
        }
        // Through the interface mappings can be added later.
        if mappings.is_empty() && arguments.api.is_none() {
            bail!("nothing to relay: name an address and a server, as in --listen 5300 --to 192.0.2.53:53");
        }
        if let Some(name) = replays.keys().next().filter(|_| !mappings.is_empty()) {
            bail!("--replay: the run has a mapping '{name}', and this proxy has none of that name");
        }
        Ok(Self { mappings, seed })
    }

    #[cfg(feature = "control")]
    pub(super) fn seed(&self) -> Seed {
        self.seed
    }

    /// A listening TCP socket for each; port 0 becomes one that is free for both.
    pub(super) fn listen_tcp(&mut self) -> anyhow::Result<Vec<(TcpListening, SocketAddr)>> {
        let listen = |mapping: &mut RelayMapping| {
            let listening = TcpListening::bind(mapping.listen)
                .with_context(|| format!("cannot listen on TCP {}", mapping.listen))?;
            mapping.listen = listening.address()?;
            Ok((listening, mapping.upstream))
        };
        self.mappings.iter_mut().map(listen).collect()
    }

    pub(super) fn settings(&self) -> Vec<RelayMapping> {
        self.mappings.clone()
    }

    pub(super) fn len(&self) -> usize {
        self.mappings.len()
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.mappings.iter().map(|mapping| mapping.settings.name.as_str()).collect()
    }

    pub(super) fn listens(&self) -> String {
        let listens: Vec<String> = self.mappings.iter().map(|mapping| mapping.listen.to_string()).collect();
        listens.join(", ")
    }

    /// A proxy whose server is one of its own addresses would send everything to itself.
    pub(super) fn refuse_loops(&self, addresses: &[SocketAddr]) -> anyhow::Result<()> {
        match self.mappings.iter().find(|mapping| addresses.contains(&mapping.upstream)) {
            Some(mapping) => bail!("the server {} is this proxy itself", mapping.upstream),
            None => Ok(()),
        }
    }

    /// A line per mapping, and the effective impairments of each direction: once if they are the same for all.
    pub(super) fn banner(&self, addresses: &[SocketAddr]) -> Vec<String> {
        let relays = self.mappings.iter().zip(addresses).map(|(mapping, address)| {
            format!("{}: UDP {address} is relayed to {}", mapping.settings.name, mapping.upstream)
        });
        let lines = |mapping: &RelayMapping| {
            let MappingSettings { up, down, .. } = &mapping.settings;
            [words(up), words(down)]
        };
        let Some(first) = self.mappings.first() else { return Vec::new() };
        let same = self.mappings.iter().all(|mapping| lines(mapping) == lines(first));
        let shown = if same { &self.mappings[..1] } else { &self.mappings[..] };
        let impairments = shown.iter().flat_map(|mapping| {
            let [up, down] = lines(mapping);
            let name = if same { String::new() } else { format!("{} ", mapping.settings.name) };
            [format!("{name}up: {up}"), format!("{name}down: {down} (seed {})", self.seed)]
        });
        let MappingSettings { nat: of_first, scenario, clients, .. } = &first.settings;
        let same_nat = self.mappings.iter().all(|mapping| mapping.settings.nat == *of_first);
        let under_nat = self.mappings.iter().filter(|mapping| !mapping.settings.nat.is_none());
        let nat = under_nat.take(if same_nat { 1 } else { usize::MAX }).map(|mapping| {
            let MappingSettings { name, nat, .. } = &mapping.settings;
            let name = if same_nat { String::new() } else { format!("{name} ") };
            format!("{name}nat: {nat}")
        });
        let clients = clients
            .iter()
            .map(|of| format!("clients in {}: up {}, down {}", of.network, words(&of.up), words(&of.down)));
        let replays = self.mappings.iter().filter_map(|mapping| {
            let replay = mapping.settings.replay.as_ref()?;
            Some(format!("{}: {} fates of an earlier run come first", mapping.settings.name, replay.len()))
        });
        let scenario = scenario.as_ref();
        let scenario =
            scenario.map(|scenario| format!("a scenario of {} steps changes them", scenario.len()));
        relays.chain(nat).chain(impairments).chain(scenario).chain(clients).chain(replays).collect()
    }
}

pub(super) fn scope(arguments: &Proxy) -> Scope {
    if arguments.per_flow { Scope::Flow } else { Scope::Mapping }
}

/// The NAT of the flags, or else of the profile.
fn nat(arguments: &Proxy) -> anyhow::Result<Nat> {
    let of_profile = arguments.profile.as_deref().and_then(PathProfile::named).map(|profile| profile.nat);
    match &arguments.nat {
        Some(nat) => Ok(nat.clone()),
        None => Ok(of_profile.unwrap_or_default().parse()?),
    }
}

fn words(impairment: &Impairment) -> String {
    if impairment.is_clean() { "no impairment".to_owned() } else { impairment.to_string() }
}

/// The mappings of the flags, then those of the file.
fn wanted(arguments: &Proxy, config: Config) -> anyhow::Result<Vec<Wanted>> {
    const EXAMPLE: &str = "dns:5300=192.0.2.53:53";
    let [both_up, both_down] = both_directions(arguments)?;
    let of = |flag: &str, text: &Option<String>, both: Impairment| match text {
        Some(text) => line(flag, text).map(Arc::new),
        None => Ok(Arc::new(both)),
    };
    let nat = nat(arguments)?;
    let usual = [of("--up", &arguments.up, both_up)?, of("--down", &arguments.down, both_down)?];
    let mut all = Vec::new();
    if let Some((listen, to)) = arguments.listen.clone().zip(arguments.to.clone()) {
        all.push(Wanted { name: None, listen, to, lines: usual.clone(), nat: nat.clone() });
    }
    for text in &arguments.map {
        let parts = text.split_once(':').and_then(|(name, rest)| Some((name, rest.split_once('=')?)));
        let (name, (listen, to)) = parts.ok_or_else(|| {
            anyhow!("'{text}' for '--map' is not NAME:ADDRESS=SERVER; for example {EXAMPLE}")
        })?;
        check_name(name).with_context(|| format!("'{name}' for '--map'"))?;
        all.push(Wanted {
            name: Some(name.to_owned()),
            listen: listen.to_owned(),
            to: to.to_owned(),
            lines: usual.clone(),
            nat: nat.clone(),
        });
    }
    for mapping in config.mapping {
        if let Some(name) = &mapping.name {
            check_name(name).with_context(|| format!("name = '{name}'"))?;
        }
        let lines = lines([&mapping.line, &mapping.up, &mapping.down], &usual)?;
        let own = mapping.nat.as_deref().map(str::parse).transpose();
        let nat = own.map_err(|error| anyhow!("nat: {error}"))?.unwrap_or_else(|| nat.clone());
        all.push(Wanted { name: mapping.name, listen: mapping.listen, to: mapping.to, lines, nat });
    }
    Ok(all)
}

/// A name stands in files, metrics and the environment.
fn check_name(name: &str) -> anyhow::Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 32 || !name.chars().all(plain) {
        bail!("a name has 1 to 32 letters, digits, - or _; for example dns");
    }
    Ok(())
}

/// `line`, `up` and `down` of the file.
fn lines([both, up, down]: [&Option<String>; 3], usual: &Lines) -> anyhow::Result<Lines> {
    let usual = match both {
        Some(text) => line_of_both("line", text)?.map(Arc::new),
        None => usual.clone(),
    };
    let of = |key: &str, text: &Option<String>, usual: &Arc<Impairment>| match text {
        Some(text) => line(key, text).map(Arc::new),
        None => Ok(Arc::clone(usual)),
    };
    Ok([of("up", up, &usual[0])?, of("down", down, &usual[1])?])
}

fn clients(arguments: &Proxy, config: &Config) -> anyhow::Result<Arc<[ClientLines]>> {
    let clean: Lines = [Arc::new(Impairment::clean()), Arc::new(Impairment::clean())];
    let typed = arguments.client.chunks(2).map(|pair| {
        let network = pair[0].parse().map_err(|error| anyhow!("'{}' for '--client': {error}", pair[0]))?;
        let [up, down] = line_of_both("--client", &pair[1])?.map(Arc::new);
        Ok(ClientLines { network, up, down })
    });
    let written = config.client.iter().map(|of: &ConfigClient| {
        let network = of.network.parse().map_err(|error| anyhow!("network = '{}': {error}", of.network))?;
        let [up, down] = lines([&of.line, &of.up, &of.down], &clean)?;
        Ok(ClientLines { network, up, down })
    });
    typed.chain(written).collect()
}

/// Each mapping has its own: a step changes the mapping's lines.
fn scenario(arguments: &Proxy, own: [&Arc<Impairment>; 2]) -> anyhow::Result<Option<Arc<RelayScenario>>> {
    let Some(path) = &arguments.scenario else { return Ok(None) };
    let text = read(&path.to_string_lossy()).with_context(|| format!("cannot read {}", path.display()))?;
    let scenario = RelayScenario::from_toml(&text, own, &read);
    scenario
        .map(|scenario| Some(Arc::new(scenario)))
        .with_context(|| format!("{} is not a valid scenario", path.display()))
}

/// A bare port binds to localhost.
fn address(text: &str) -> anyhow::Result<SocketAddr> {
    let port = text.strip_prefix(':').unwrap_or(text).parse::<u16>().ok();
    let here = port.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    here.or_else(|| text.parse().ok())
        .with_context(|| format!("'{text}' for '--listen' must be a port or an address with a port; for example 5300 or 192.0.2.1:5300"))
}
