//! The server to measure: a host as it was typed, and the address it resolves to.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use anyhow::{Context, bail};

/// A host by name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub host: String,
    pub port: u16,
    /// The same, unless it is the default.
    pub given_port: Option<u16>,
}

/// The address families allowed for a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Family {
    pub v4_only: bool,
    pub v6_only: bool,
}

impl Target {
    /// Reads `HOST`, `HOST:PORT`, `[V6]:PORT` or a bare IPv6 address; `port` is that of -p.
    pub(super) fn parse(text: &str, port: Option<u16>, default_port: u16) -> anyhow::Result<Self> {
        let (host, own_port) = split_port(text)?;
        if host.is_empty() {
            bail!("'{text}' names no host; for example 192.0.2.10 or example.net:8080");
        }
        if let (Some(own), Some(option)) = (own_port, port)
            && own != option
        {
            bail!("'{text}' names port {own} and -p names {option}: give one of them");
        }
        let given_port = own_port.or(port);
        Ok(Self { host: host.to_owned(), port: given_port.unwrap_or(default_port), given_port })
    }

    pub(super) fn resolve(&self, family: Family) -> anyhow::Result<SocketAddr> {
        let found = (self.host.as_str(), self.port).to_socket_addrs().with_context(|| {
            match self.host.matches(':').count() {
                0 | 1 => format!("cannot resolve '{}' (is the name right?)", self.host),
                _ if self.host.contains('%') => {
                    format!("cannot resolve '{}': is its interface there?", self.host)
                }
                _ => format!("'{}' is no IPv6 address; with a port: [2001:db8::1]:8080", self.host),
            }
        })?;
        let fits = |address: &SocketAddr| match address.ip() {
            IpAddr::V4(_) => !family.v6_only,
            IpAddr::V6(_) => !family.v4_only,
        };
        let kind = if family.v4_only { "IPv4" } else { "IPv6" };
        found.into_iter().find(fits).with_context(|| format!("'{}' has no {kind} address", self.host))
    }
}

fn split_port(text: &str) -> anyhow::Result<(&str, Option<u16>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) =
            rest.split_once(']').with_context(|| format!("'{text}' lacks a closing bracket"))?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(parse_port(port, text)?))),
            None if rest.is_empty() => Ok((host, None)),
            None => bail!("'{text}' has '{rest}' behind its address; for example [2001:db8::1]:8080"),
        };
    }
    match text.split_once(':') {
        // More than one colon and no brackets: an IPv6 address without a port.
        Some((_, rest)) if rest.contains(':') => Ok((text, None)),
        Some((host, port)) => Ok((host, Some(parse_port(port, text)?))),
        None => Ok((text, None)),
    }
}

fn parse_port(port: &str, text: &str) -> anyhow::Result<u16> {
    match port.parse() {
        Ok(0) | Err(_) => bail!("'{port}' in '{text}' is no port; a port is 1 to 65535"),
        Ok(port) => Ok(port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_come_with_and_without_ports() {
        for (text, port, host, expected) in [
            ("localhost", None, "localhost", 8080),
            ("localhost:9", None, "localhost", 9),
            ("localhost", Some(9), "localhost", 9),
            ("localhost:9", Some(9), "localhost", 9),
            ("192.0.2.1:80", None, "192.0.2.1", 80),
            ("[2001:db8::1]:80", None, "2001:db8::1", 80),
            ("[::1]", None, "::1", 8080),
            ("2001:db8::1", None, "2001:db8::1", 8080),
        ] {
            let target = Target::parse(text, port, 8080).unwrap();
            assert_eq!((target.host.as_str(), target.port), (host, expected), "{text}");
        }
        for text in ["", ":80", "host:0", "host:70000", "host:http", "[::1", "[::1]x"] {
            assert!(Target::parse(text, None, 8080).is_err(), "{text}");
        }
        assert!(Target::parse("host:1", Some(2), 8080).is_err());
    }
}
