//! Asks for the addresses of names: the system's resolver, several names at once, and DNS servers directly.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;

use crate::fleet::dns::{DnsError, Record, RecordKind, Resolvers, answer, question};
use crate::fleet::{DnsKind, DnsNames};
use crate::net::{Clock, ask_dns, random_bytes};
use crate::time::Duration;

/// Threads that wait for the resolver at a time.
const AT_ONCE: usize = 16;
/// A look-up that fails after so long means that the resolver does not answer.
const SLOW: Duration = Duration::from_secs(2);
const RESOLV_CONF: &str = "/etc/resolv.conf";
const DNS_PORT: u16 = 53;

/// The addresses of each of these hosts, by the system's resolver. Once as many look-ups as are made at a time have
/// failed slowly, the others fail at once.
pub(super) fn resolve_all(hosts: &[String], clock: &Clock) -> Vec<io::Result<Vec<SocketAddr>>> {
    let (next, slow) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let found = Mutex::new((0..hosts.len()).map(|_| None).collect::<Vec<_>>());
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(host) = hosts.get(at) else { return };
            let began = clock.now();
            let looked = match slow.load(Ordering::Relaxed) {
                AT_ONCE.. => Err(io::Error::new(io::ErrorKind::TimedOut, "the resolver does not answer")),
                _ => resolve(host),
            };
            if looked.is_err() && clock.now() - began > SLOW {
                slow.fetch_add(1, Ordering::Relaxed);
            }
            found.lock().unwrap_or_else(PoisonError::into_inner)[at] = Some(looked);
        }
    };
    std::thread::scope(|scope| {
        (1..AT_ONCE.min(hosts.len())).for_each(|_| drop(scope.spawn(work)));
        work();
    });
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.into_iter().map(|looked| looked.unwrap_or_else(|| Err(io::ErrorKind::Interrupted.into()))).collect()
}

/// Without ports.
pub(super) fn resolve(host: &str) -> io::Result<Vec<SocketAddr>> {
    Ok((host, 0).to_socket_addrs()?.collect())
}

/// The records of a name.
#[derive(Default)]
pub(super) struct Found {
    pub addresses: Vec<SocketAddr>,
    /// Hosts of SRV records, which have addresses in turn.
    pub services: Vec<(String, u16)>,
    /// The addresses of these hosts, without ports, where the name has a server of its own.
    pub hosts: HashMap<String, SocketAddr>,
    /// Hosts for which that server has an error instead. They keep their last address.
    pub failed: HashMap<String, DnsError>,
}

/// The targets of a name. A and AAAA come from the system's resolver, unless the name has a server of its own.
pub(super) fn look_up(dns: &DnsNames, last: Option<&Found>) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let kinds: &[RecordKind] = match (dns.kind, dns.server) {
        (DnsKind::A, None) => {
            found.addresses = (dns.name.as_str(), dns.port).to_socket_addrs()?.collect();
            &[]
        }
        (DnsKind::A, Some(_)) => &[RecordKind::A, RecordKind::Aaaa],
        (DnsKind::Srv, _) => &[RecordKind::Srv],
    };
    for kind in kinds {
        for record in records(dns, *kind)? {
            match record {
                Record::Address(ip) => found.addresses.push(SocketAddr::new(ip, dns.port)),
                Record::Service { host, port } => found.services.push((host, port)),
            }
        }
    }
    found.addresses.sort_unstable();
    found.addresses.dedup();
    found.services.sort_unstable();
    found.services.dedup();
    if let Some(server) = dns.server {
        for (host, _) in &found.services {
            let address = address_of(host, server)?.unwrap_or_else(|error| {
                found.failed.insert(host.clone(), error);
                last?.hosts.get(host).copied()
            });
            found.hosts.extend(address.map(|address| (host.clone(), address)));
        }
    }
    Ok(found)
}

/// The address of an SRV record's host, by the server that told of it. None if it says that there is none.
fn address_of(host: &str, server: SocketAddr) -> anyhow::Result<Result<Option<SocketAddr>, DnsError>> {
    let mut outcome = Ok(None);
    for kind in [RecordKind::A, RecordKind::Aaaa] {
        match ask(host, kind, &[server])? {
            Ok(records) => {
                if let Some(Record::Address(ip)) = records.first() {
                    return Ok(Ok(Some(SocketAddr::new(*ip, 0))));
                }
            }
            Err(error) => outcome = Err(error),
        }
    }
    Ok(outcome)
}

fn records(dns: &DnsNames, kind: RecordKind) -> anyhow::Result<Vec<Record>> {
    if let Some(server) = dns.server {
        return Ok(ask(&dns.name, kind, &[server])??);
    }
    let text = std::fs::read_to_string(RESOLV_CONF).with_context(|| format!("cannot read {RESOLV_CONF}"))?;
    let resolvers = Resolvers::parse(&text);
    let servers: Vec<_> =
        resolvers.servers.iter().map(|ip: &IpAddr| SocketAddr::new(*ip, DNS_PORT)).collect();
    let mut last = Err(DnsError::NoSuchName);
    for name in resolvers.full_names(&dns.name) {
        last = ask(&name, kind, &servers)?;
        if last != Err(DnsError::NoSuchName) {
            break;
        }
    }
    Ok(last?)
}

/// The answer of the first server that gives one.
fn ask(
    name: &str,
    kind: RecordKind,
    servers: &[SocketAddr],
) -> anyhow::Result<Result<Vec<Record>, DnsError>> {
    let mut last = Err(anyhow::anyhow!("{RESOLV_CONF} names no server"));
    for server in servers {
        let number = u16::from_be_bytes(random_bytes()?);
        let asked = ask_dns(*server, &question(number, name, kind)?);
        match asked.map(|message| answer(&message, number, kind)) {
            Ok(Err(DnsError::Refused(code))) => last = Ok(Err(DnsError::Refused(code))),
            Ok(answered) => return Ok(answered),
            Err(error) => last = Err(error).with_context(|| format!("cannot ask {server}")),
        }
    }
    last
}
