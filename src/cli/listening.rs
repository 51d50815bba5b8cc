//! Where a server listens: its flags, the first line that it prints, and why it cannot.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::anyhow;

use crate::net::{Bind, port_free_for_both};

/// The flags of an address and a port.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listening {
    pub port: u16,
    /// Names the port, as in `-p `.
    pub option: &'static str,
    pub bind: Option<IpAddr>,
    pub v4_only: bool,
    pub v6_only: bool,
}

impl Listening {
    /// With a number that is free for UDP and TCP, if the system may choose the port.
    pub(super) fn at_a_port_of_both(self) -> Self {
        let any = if self.v6_only { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let port = if self.port == 0 { port_free_for_both(self.bind.unwrap_or(any)) } else { None };
        Self { port: port.unwrap_or(self.port), ..self }
    }

    pub(super) fn bind(&self) -> Bind {
        match (self.bind, self.v4_only, self.v6_only) {
            (Some(address), ..) => Bind::At(SocketAddr::new(address, self.port)),
            (None, true, _) => Bind::AnyV4(self.port),
            (None, _, true) => Bind::AnyV6(self.port),
            (None, false, false) => Bind::Any(self.port),
        }
    }

    /// The error with what may help.
    pub(super) fn refusal(&self, error: &io::Error) -> anyhow::Error {
        let Self { port, option, .. } = *self;
        let other = if port < u16::MAX { port + 1 } else { port - 1 };
        let place = match self.bind {
            Some(address) => format!("{address} port {port}"),
            None => format!("port {port}"),
        };
        let hint = match (error.kind(), self.bind) {
            (io::ErrorKind::PermissionDenied, _) if port < 1024 => {
                let free = port + 8000;
                format!(
                    "a port below 1024 needs root or the capability CAP_NET_BIND_SERVICE; try another, as in {option}{free}"
                )
            }
            (io::ErrorKind::AddrNotAvailable, Some(address)) => {
                format!(
                    "no interface of this host has the address {address}; 'ip address' lists their addresses"
                )
            }
            (io::ErrorKind::AddrInUse, _) => {
                format!("another program uses it; try another, as in {option}{other}")
            }
            _ => return anyhow!("cannot listen on {place}: {error}"),
        };
        anyhow!("cannot listen on {place}: {hint}")
    }
}

/// An address that is listened on, in words; `protocol` as in `UDP`.
pub(super) fn place(protocol: &str, address: SocketAddr) -> String {
    let port = address.port();
    match address {
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => format!("{protocol} port {port}, all addresses"),
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => {
            format!("{protocol} port {port}, all IPv4 addresses")
        }
        address => format!("{protocol} {address}"),
    }
}
