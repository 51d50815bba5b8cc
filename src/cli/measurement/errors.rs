//! Why a measurement did not start, and what would help.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};

use anyhow::anyhow;

use super::config::{Connection, Peer};
use super::{irtt, other_dialects};
use crate::cli::exit::Exit;
use crate::net::{Control, describe_client_error, describe_socket_error, find_size, random_bytes};
use crate::probe::{Dialect, Failure, SizeFinder, SocketOperation};
use crate::report::milliseconds;

/// From the error of opening a socket to this peer.
pub(crate) fn cannot_send(error: &io::Error, connection: &Connection) -> anyhow::Error {
    let (peer, source) = (&connection.peer, connection.outgoing.source);
    let from = source.map_or(String::new(), |source| format!(" from {source}"));
    let why = match source {
        Some(source) if error.kind() == io::ErrorKind::AddrNotAvailable => {
            format!("no interface of this host has the address {source}; 'ip address' lists their addresses")
        }
        Some(source) if source.is_ipv4() != peer.address.is_ipv4() => {
            "one is an IPv4 address and the other an IPv6 address".to_owned()
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

/// A server that is down or cannot be reached gives exit code 1, like a run without a reply.
pub(crate) fn exit_of(failure: &Failure) -> Exit {
    if failure.is_silence() { Exit::NoReply } else { Exit::Error }
}

/// Why a load ended in the middle.
pub(crate) fn in_the_middle(failure: &Failure) -> String {
    match failure {
        Failure::Silent { after, .. } => format!("the server said nothing for {}", milliseconds(*after)),
        failure => failure.to_string(),
    }
}

/// Why the run did not start. Where its probes are too long for the path, finds the size that passes; where no server
/// answers, the dialects that the host does speak.
pub(super) fn explain_run(failure: &Failure, connection: &Connection, control: &Control) -> anyhow::Error {
    let Connection { peer, outgoing, key, .. } = connection;
    let (Failure::SizeLost { size } | Failure::SizeNotSent { size }) = *failure else {
        let unfound = || explain(failure, peer, connection.dialect);
        return other_dialects::explain(failure, connection, unfound).unwrap_or_else(unfound);
    };
    let seed = random_bytes().map(u64::from_ne_bytes);
    let found = seed.and_then(|seed| {
        find_size(SizeFinder::new(size, seed, key.clone()), peer.address, outgoing, control)
    });
    match found {
        Ok(Some(Ok(found))) if found.both_ways() < size && outgoing.backend.forbids_fragments() => {
            let (ip, passes) = (peer.address.ip(), found.both_ways());
            anyhow!("{size} bytes are too long: the path to {ip} carries at most {passes}, as in -s {passes}")
        }
        _ => explain(failure, peer, connection.dialect),
    }
}

pub(crate) fn explain(failure: &Failure, peer: &Peer, dialect: Dialect) -> anyhow::Error {
    let hint = meant_port(&peer.host);
    let (ip, port) = (peer.address.ip(), peer.address.port());
    if let Some(error) = irtt::explain(failure, dialect, peer.address, hint.as_str()) {
        return error;
    }
    match failure {
        Failure::Unreachable if dialect == Dialect::Stamp => anyhow!(
            "{ip} port {port} is closed (ICMP port unreachable): no reflector listens there{hint}; {PORTS_OF_DEVICES}"
        ),
        Failure::Silent { tries, after } if dialect == Dialect::Stamp => anyhow!(
            "no answer from {ip} port {port} to {tries} STAMP requests in {}{hint}; likely reasons: {}",
            milliseconds(*after),
            silence_of_reflectors(port)
        ),
        Failure::Unreachable => anyhow!(
            "{ip} port {port} is closed (ICMP port unreachable); start a server there with: udpecho serve -p {port}{hint}"
        ),
        Failure::Silent { tries, after } => {
            let question = format!(
                "is a udpecho server on port {port} (another server: --text, --plain), with the same key, and does a \
                 firewall drop UDP on the path?"
            );
            let hint = if hint.is_empty() {
                question
            } else {
                format!("{}; {question}", hint.trim_start_matches("; "))
            };
            anyhow!("no answer from {ip} port {port} after {tries} tries in {}: {hint}", milliseconds(*after))
        }
        Failure::SizeLost { size } => {
            anyhow!(
                "the server at {ip} answers, but {size} bytes do not arrive: try a smaller size, as in -s 1200"
            )
        }
        Failure::SizeNotSent { size } => {
            anyhow!("{size} bytes are too long for the path to {ip}: try a smaller size, as in -s 1200")
        }
        Failure::TooLarge { limit } => anyhow!("the server at {ip} takes {limit} bytes at most: -s {limit}"),
        Failure::TooSmall { limit } => anyhow!("the server at {ip} takes {limit} bytes at least: -s {limit}"),
        Failure::Restricted { what } => anyhow!("the server at {ip} {what}"),
        Failure::CookiesRefused => anyhow!(
            "the server at {ip} port {port} takes none of the cookies that it gave: several servers may share the \
             address, or a NAT may give this host another address for each datagram"
        ),
        Failure::ImpairDenied => {
            anyhow!("the server at {ip} denies --impair; it grants it if started with --client-impair")
        }
        Failure::ControlCharacters => anyhow!(
            "the server at {ip} port {port} describes itself with control characters, which a terminal would \
             obey; nothing was measured"
        ),
        Failure::Socket(error) => {
            let verb = match error.operation {
                _ if error.is_of_path() => "reach",
                SocketOperation::Send => "send to",
                SocketOperation::Receive => "receive from",
            };
            anyhow!("cannot {verb} {ip} port {port}: {}{hint}", describe_client_error(*error))
        }
        Failure::LoadRefused => anyhow!(
            "the server at {ip} port {port} grants no load to this address: start it with udpecho serve --load 1Gbit; \
             ping --find-rate=echo needs no grant"
        ),
        Failure::LoadBusy { .. } => anyhow!(
            "the server at {ip} port {port} has its load with another client; it has one at a time, so try again later"
        ),
        Failure::Full { .. } | Failure::Denied { .. } => {
            anyhow!("cannot measure {ip} port {port}: {failure}{hint}")
        }
    }
}

/// Ports other than 862 that devices use.
const PORTS_OF_DEVICES: &str = "some devices reflect on other ports, as Nokia's on 64364 to 64373";

/// Why a device that could reflect may not answer.
fn silence_of_reflectors(port: u16) -> String {
    let reasons = [
        "reflection is off, as it is by default on Juniper and Nokia".to_owned(),
        "this host's address is not among those that the reflector is configured for (Nokia: prefixes)"
            .to_owned(),
        "the source port or the size is not the one configured, as on Huawei and H3C: try --source-port 862, -s 142"
            .to_owned(),
        format!("it reflects on another port than {port}: {PORTS_OF_DEVICES}"),
        "it wants a TWAMP control connection first, as Cisco IOS and NX-OS do: try --twamp".to_owned(),
        "it wants authentication (--key-file), or a firewall drops UDP on the path".to_owned(),
    ];
    let numbered = (1..).zip(reasons).map(|(number, reason)| format!("({number}) {reason}"));
    numbered.collect::<Vec<_>>().join("; ")
}

/// A hint where the end of an IPv6 address may have been meant as a port: `::1:8080`.
fn meant_port(host: &str) -> String {
    let split = host.rsplit_once(':').and_then(|(address, port)| {
        let address: Ipv6Addr = address.parse().ok()?;
        let port: u16 = port.parse().ok().filter(|port| *port > 9)?;
        Some((address, port))
    });
    split.map_or(String::new(), |(address, port)| {
        format!("; if {port} is meant as the port, type [{address}]:{port}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    #[test]
    fn a_port_behind_a_bare_ipv6_address_is_seen() {
        for (host, hint) in [
            ("::1:8080", "; if 8080 is meant as the port, type [::1]:8080"),
            ("1:2:3:4:5:6:7:8:8080", "; if 8080 is meant as the port, type [1:2:3:4:5:6:7:8]:8080"),
            ("::1", ""),
            ("2001:db8::1", ""),
            ("2001:db8::beef", ""),
            ("localhost", ""),
            ("192.0.2.1", ""),
        ] {
            assert_eq!(meant_port(host), hint, "{host}");
        }
    }

    #[test]
    fn an_error_of_the_path_is_no_reply_and_one_of_this_host_is_an_error() {
        use crate::probe::{SocketError, SocketErrorKind};
        let peer = Peer {
            host: "192.0.2.1".to_owned(),
            address: "192.0.2.1:8080".parse().unwrap(),
            given_port: None,
        };
        for (operation, kind, exit, words) in [
            (SocketOperation::Receive, SocketErrorKind::HostUnreachable, Exit::NoReply, "cannot reach"),
            (SocketOperation::Send, SocketErrorKind::NetworkUnreachable, Exit::NoReply, "cannot reach"),
            (SocketOperation::Receive, SocketErrorKind::Prohibited, Exit::NoReply, "cannot reach"),
            (SocketOperation::Send, SocketErrorKind::NotPermitted, Exit::Error, "cannot send to"),
            (SocketOperation::Receive, SocketErrorKind::Other, Exit::Error, "cannot receive from"),
        ] {
            let failure = Failure::Socket(SocketError { operation, kind, code: None });
            assert_eq!(exit_of(&failure), exit, "{kind:?}");
            let text = explain(&failure, &peer, Dialect::Native).to_string();
            assert_eq!(text, format!("{words} 192.0.2.1 port 8080: the system does not say why"));
        }
    }

    #[test]
    fn no_hint_doubles_the_punctuation() {
        let peer = Peer {
            host: "::1:8080".to_owned(),
            address: "[::1:8080]:8080".parse().unwrap(),
            given_port: None,
        };
        let failures = [
            Failure::Unreachable,
            Failure::Silent { tries: 5, after: Duration::from_millis(3100) },
            Failure::Denied { code: 9 },
        ];
        for failure in failures {
            let text = explain(&failure, &peer, Dialect::Native).to_string();
            assert!(text.contains("[::1]:8080"), "{text}");
            for doubled in ["?;", ";;", ": ;", ":;", "; ;"] {
                assert!(!text.contains(doubled), "{text}");
            }
        }
    }
}
