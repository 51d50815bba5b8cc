//! Why nothing can be sent, and what would help.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use anyhow::anyhow;

use super::plan::Peer;
use crate::net::describe_socket_error;

/// From what the system says when a socket is opened towards this peer.
pub fn cannot_send(error: &io::Error, peer: &Peer, source: Option<IpAddr>) -> anyhow::Error {
    let from = source.map_or(String::new(), |source| format!(" from {source}"));
    let why = match source {
        Some(source) if error.kind() == io::ErrorKind::AddrNotAvailable => {
            format!("no interface of this host has the address {source}; 'ip address' lists those there are")
        }
        Some(source) if source.is_ipv4() != peer.address.is_ipv4() => {
            "one is an IPv4 address and the other one an IPv6 address".to_owned()
        }
        _ if lacks_zone(peer.address) => {
            format!("a link-local address needs its interface, as in {}%eth0", peer.address.ip())
        }
        _ => describe_socket_error(error),
    };
    anyhow!("cannot send to {}{from}: {why}{}", peer.address, meant_port(&peer.host))
}

fn lacks_zone(address: SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0)
}

/// A hint where the end of an IPv6 address may have been meant for a port: `::1:8080`.
pub fn meant_port(host: &str) -> String {
    let split = host.rsplit_once(':').and_then(|(address, port)| {
        let address: Ipv6Addr = address.parse().ok()?;
        let port: u16 = port.parse().ok().filter(|port| *port > 9)?;
        Some((address, port))
    });
    split.map_or(String::new(), |(address, port)| {
        format!("; if {port} is meant for the port: [{address}]:{port}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_behind_a_bare_ipv6_address_is_seen() {
        for (host, hint) in [
            ("::1:8080", "; if 8080 is meant for the port: [::1]:8080"),
            ("1:2:3:4:5:6:7:8:8080", "; if 8080 is meant for the port: [1:2:3:4:5:6:7:8]:8080"),
            ("::1", ""),
            ("2001:db8::1", ""),
            ("2001:db8::beef", ""),
            ("localhost", ""),
            ("192.0.2.1", ""),
        ] {
            assert_eq!(meant_port(host), hint, "{host}");
        }
    }
}
