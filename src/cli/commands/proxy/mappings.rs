//! From flags to mappings: what to listen on, whom to relay to, and the impairments of each direction.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};

use crate::cli::args::Proxy;
use crate::cli::impair::{both_directions, line};
use crate::cli::target::{Family, Target};
use crate::impair::Impairment;
use crate::net::{RelayMapping, TcpListening, random_bytes};
use crate::relay::{MappingSettings, Nat, Network, PathProfile, Scope};
use crate::rng::Seed;

pub(super) struct Mappings {
    mappings: Vec<RelayMapping>,
    seed: Seed,
}

impl Mappings {
    pub(super) fn new(arguments: &Proxy) -> anyhow::Result<Self> {
        let [both_up, both_down] = both_directions(arguments)?;
        let of = |flag: &str, text: &Option<String>, both: Impairment| match text {
            Some(text) => line(flag, text),
            None => Ok(both),
        };
        let up = Arc::new(of("--up", &arguments.up, both_up)?);
        let down = Arc::new(of("--down", &arguments.down, both_down)?);
        let nat = nat(arguments)?;
        let allow: Arc<[Network]> = arguments.allow.clone().into();
        // Short enough to be typed again.
        let seed = match arguments.seed {
            Some(seed) => seed,
            None => u64::from(u32::from_ne_bytes(random_bytes()?)),
        };
        let mut mappings = Vec::new();
        for (name, listen, to) in typed(arguments)? {
            let name = name.unwrap_or_else(|| format!("m{}", mappings.len() + 1));
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
                nat: nat.clone(),
                allow: Arc::clone(&allow),
                ..MappingSettings::new(name, Arc::clone(&up), Arc::clone(&down), seed)
            };
            mappings.push(RelayMapping { listen, upstream, server: to, settings });
        }
        // Through the interface mappings can be added later.
        if mappings.is_empty() && arguments.api.is_none() {
            bail!("nothing to relay: name an address and a server, as in --listen 5300 --to 192.0.2.53:53");
        }
        Ok(Self { mappings, seed })
    }

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

    /// A line per mapping, and the effective impairments of each direction.
    pub(super) fn banner(&self, addresses: &[SocketAddr]) -> Vec<String> {
        let relays = self.mappings.iter().zip(addresses).map(|(mapping, address)| {
            format!("{}: UDP {address} is relayed to {}", mapping.settings.name, mapping.upstream)
        });
        let impairments = self.mappings.first().into_iter().flat_map(|mapping| {
            let MappingSettings { up, down, nat, .. } = &mapping.settings;
            let nat = (!nat.is_none()).then(|| format!("nat: {nat}"));
            let lines = [format!("up: {}", words(up)), format!("down: {} (seed {})", words(down), self.seed)];
            nat.into_iter().chain(lines)
        });
        relays.chain(impairments).collect()
    }
}

pub(super) fn scope(arguments: &Proxy) -> Scope {
    if arguments.per_flow { Scope::Flow } else { Scope::Mapping }
}

/// What is named, or that of the profile.
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

type Typed = (Option<String>, String, String);

/// Name, address to listen on and server of each mapping.
fn typed(arguments: &Proxy) -> anyhow::Result<Vec<Typed>> {
    const EXAMPLE: &str = "dns:5300=192.0.2.53:53";
    let first = arguments.listen.clone().zip(arguments.to.clone()).map(|(listen, to)| (None, listen, to));
    let further = arguments.map.iter().map(|text| {
        let parts = text.split_once(':').and_then(|(name, rest)| Some((name, rest.split_once('=')?)));
        let (name, (listen, to)) = parts.ok_or_else(|| {
            anyhow!("'{text}' for '--map' is not NAME:ADDRESS=SERVER; for example {EXAMPLE}")
        })?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > 32 || !name.chars().all(plain) {
            bail!("'{name}' for '--map': a name has 1 to 32 letters, digits, - or _; for example {EXAMPLE}");
        }
        Ok((Some(name.to_owned()), listen.to_owned(), to.to_owned()))
    });
    first.map(Ok).into_iter().chain(further).collect()
}

/// A bare port binds to localhost.
fn address(text: &str) -> anyhow::Result<SocketAddr> {
    let port = text.strip_prefix(':').unwrap_or(text).parse::<u16>().ok();
    let here = port.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    here.or_else(|| text.parse().ok())
        .with_context(|| format!("'{text}' for '--listen' must be a port or an address with a port; for example 5300 or 192.0.2.1:5300"))
}
