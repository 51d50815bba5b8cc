//! The hint where no udpecho server answers: the other dialects that the host speaks, and how to ask for each.

use anyhow::anyhow;

use super::config::{Connection, Peer};
use crate::net::{Clock, ask_other_dialects, random_bytes};
use crate::probe::{Failure, OtherDialect};

/// Asks the host, and says what was found; `unfound` is what to say if nothing was. None where the host is not to be
/// asked: a dialect was named, or the failure is another.
pub(super) fn explain(
    failure: &Failure,
    connection: &Connection,
    unfound: impl FnOnce() -> anyhow::Error,
) -> Option<anyhow::Error> {
    let Connection { peer, outgoing, .. } = connection;
    let is_silent = matches!(failure, Failure::Unreachable | Failure::Silent { .. });
    if !connection.asks_others || !is_silent {
        return None;
    }
    let draw = u64::from_ne_bytes(random_bytes().ok()?);
    let found = ask_other_dialects(peer.address, peer.given_port, outgoing, draw, Clock::start());
    Some(if found.is_empty() {
        let place = if peer.given_port.is_some() { "there" } else { "on their usual ports" };
        let asked: Vec<String> = OtherDialect::ALL.map(|dialect| dialect.words().to_owned()).into();
        anyhow!("{}; asked for {} {place}, too: no answer", unfound(), listed(&asked))
    } else {
        anyhow!("{}", words(peer, &found))
    })
}

fn words(peer: &Peer, found: &[(OtherDialect, u16)]) -> String {
    let each: Vec<String> =
        found.iter().map(|(dialect, port)| how_to_ask(&peer.host, *dialect, *port)).collect();
    let (ip, port) = (peer.address.ip(), peer.address.port());
    format!("no udpecho server answers at {ip} port {port}, but the host speaks {}", listed(&each))
}

/// `STAMP on port 862 (udpecho ping --stamp 192.0.2.1)`.
fn how_to_ask(host: &str, dialect: OtherDialect, port: u16) -> String {
    let target = match host {
        _ if port == dialect.usual_port() => host.to_owned(),
        v6 if v6.contains(':') => format!("[{v6}]:{port}"),
        _ => format!("{host}:{port}"),
    };
    format!("{} on port {port} (udpecho ping {} {target})", dialect.words(), dialect.option())
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn each_dialect_comes_with_the_command_that_measures_it() {
        let address: SocketAddr = "192.0.2.1:8080".parse().unwrap();
        let peer = Peer { host: "router.example".to_owned(), address, given_port: None };
        let found = [(OtherDialect::Stamp, 862), (OtherDialect::Plain, 7)];
        assert_eq!(
            words(&peer, &found),
            "no udpecho server answers at 192.0.2.1 port 8080, but the host speaks STAMP on port 862 \
             (udpecho ping --stamp router.example) and plain echo on port 7 (udpecho ping --plain router.example)"
        );
    }

    #[test]
    fn another_port_than_the_usual_is_named_with_the_host() {
        for (host, target) in [("192.0.2.1", "192.0.2.1:9"), ("2001:db8::1", "[2001:db8::1]:9")] {
            let text = how_to_ask(host, OtherDialect::Stamp, 9);
            assert_eq!(text, format!("STAMP on port 9 (udpecho ping --stamp {target})"));
        }
    }
}
