//! Where a group's targets are found, besides the list in its file.

use std::net::SocketAddr;

use serde::Deserialize;

use crate::time::Duration;
use crate::units::parse_duration;

/// A DNS name whose records are targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsNames {
    /// For example a headless service.
    pub name: String,
    /// Of each target; SRV records have their own.
    pub port: u16,
    /// The records that are asked for.
    pub kind: DnsKind,
    /// Asked instead of the system's resolver.
    pub server: Option<SocketAddr>,
    /// Between two questions.
    pub refresh: Duration,
}

/// The records of a name that are targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DnsKind {
    /// Each address of A and AAAA records.
    #[default]
    A,
    /// Each host and port of SRV records.
    Srv,
}

/// A URL that answers as Prometheus' http_sd does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSd {
    /// Begins with `http://`.
    pub url: String,
    /// Between two requests.
    pub refresh: Duration,
}

/// `dns = { ... }` as it is written.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DnsSettings {
    name: String,
    port: Option<u16>,
    #[serde(default)]
    kind: DnsKind,
    server: Option<String>,
    refresh: Option<String>,
}

/// `http-sd = { ... }` as it is written.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpSettings {
    url: String,
    refresh: Option<String>,
}

/// Replaces the variables of a text.
type Expand<'a> = &'a dyn Fn(&str) -> Result<String, String>;

impl DnsSettings {
    const REFRESH: &'static str = "30s";

    pub(super) fn read(&self, expand: Expand<'_>) -> Result<DnsNames, String> {
        let port = match (self.kind, self.port) {
            (DnsKind::A, None) => return Err("it lacks port = 8080".to_owned()),
            (DnsKind::Srv, Some(_)) => return Err("SRV records have a port of their own".to_owned()),
            (_, port) => port.unwrap_or(0),
        };
        let server = self.server.as_deref().map(expand).transpose()?;
        let server = server.map(|server| {
            server.parse().map_err(|_| format!("server '{server}' is no address; for example 127.0.0.1:8600"))
        });
        Ok(DnsNames {
            name: expand(&self.name)?,
            port,
            kind: self.kind,
            server: server.transpose()?,
            refresh: refresh(self.refresh.as_deref().unwrap_or(Self::REFRESH))?,
        })
    }
}

impl HttpSettings {
    const REFRESH: &'static str = "1m";

    pub(super) fn read(&self, expand: Expand<'_>) -> Result<HttpSd, String> {
        let url = expand(&self.url)?;
        if !url.strip_prefix("http://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')) {
            return Err(format!("'{url}' must begin with http:// and a host"));
        }
        Ok(HttpSd { url, refresh: refresh(self.refresh.as_deref().unwrap_or(Self::REFRESH))? })
    }
}

fn refresh(text: &str) -> Result<Duration, String> {
    const LEAST: Duration = Duration::from_secs(1);
    let refresh = parse_duration(text).map_err(|error| format!("refresh: {error}"))?;
    if refresh < LEAST { Err(format!("refresh: {text} is shorter than 1s")) } else { Ok(refresh) }
}
