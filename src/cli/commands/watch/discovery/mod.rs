//! Turns the groups of a configuration into targets with addresses: names, files, URLs and DNS. An error keeps what
//! was known; a name without an address is a target without one. What may wait for a server runs on a thread of its
//! own.

mod lookups;
mod memory;
mod sample;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};

use anyhow::Context;

use crate::cli::printer::stderr_line;
use crate::cli::target::Target;
use crate::cli::text_file;
use crate::fleet::{
    Config, DnsNames, FileTarget, Group, HttpSd, Key, Wanted, read_file_sd, read_file_sd_yaml,
};
use crate::net::{Clock, http_get};
use crate::time::{Duration, Instant};
use lookups::Found;
use memory::Memory;
use sample::sample;

/// How often files are read again.
const FILES: Duration = Duration::from_secs(5);
/// How often the names of single targets are looked up again.
const NAMES: Duration = Duration::from_secs(30);
const LONGEST_FILE: u64 = 64 << 20;
const HTTP_PORT: u16 = 80;

/// All targets, and how discovery went.
pub(super) struct Discovered {
    /// None if they are as before.
    pub targets: Option<Vec<Wanted>>,
    /// Failures by group.
    pub failures: BTreeMap<String, u64>,
    /// By group, when each of its sources last answered.
    pub successes: BTreeMap<String, Instant>,
}

/// Finds targets. It remembers what it found last.
pub(super) struct Discovery {
    clock: Clock,
    /// The label of every series, which decides the groups that this host measures.
    source: String,
    /// Of this host.
    labels: BTreeMap<String, String>,
    /// Files are relative to the configuration's folder.
    folder: PathBuf,
    groups: BTreeMap<String, Arc<Group>>,
    files: Memory<Vec<FileTarget>>,
    urls: Memory<Vec<FileTarget>>,
    records: Memory<Found>,
    /// Of single hosts, without ports.
    hosts: Memory<Vec<SocketAddr>>,
    failures: BTreeMap<String, u64>,
    successes: BTreeMap<String, Instant>,
    /// The last error of each source, so that it is printed once.
    reported: BTreeMap<String, String>,
}

impl Discovery {
    pub(super) fn new(file: Option<&Path>, source: String, clock: Clock) -> Self {
        Self {
            clock,
            source,
            labels: BTreeMap::new(),
            folder: file.and_then(Path::parent).map(Path::to_path_buf).unwrap_or_default(),
            groups: BTreeMap::new(),
            files: Memory::default(),
            urls: Memory::default(),
            records: Memory::default(),
            hosts: Memory::default(),
            failures: BTreeMap::new(),
            successes: BTreeMap::new(),
            reported: BTreeMap::new(),
        }
    }

    /// Targets known without waiting for a server: addresses, files, and earlier results.
    pub(super) fn glance(&mut self, config: &Config) -> Discovered {
        self.labels = config.labels.clone();
        let groups = self.own_groups(config);
        groups.iter().for_each(|group| self.read_file(group));
        self.gather(&groups)
    }

    /// Looks at everything that is due.
    pub(super) fn look(&mut self, config: &Config) -> Discovered {
        self.labels = config.labels.clone();
        let groups = self.own_groups(config);
        for group in &groups {
            self.read_file(group);
            if let Some(http) = &group.http_sd {
                self.fetch(group, http);
            }
            if let Some(dns) = &group.dns {
                self.ask(group, dns);
            }
        }
        self.resolve(&groups);
        self.gather(&groups)
    }

    /// Sends what is found, the targets if they changed, until nothing listens.
    pub(super) fn run(mut self, mut config: Config, configs: &Receiver<Config>, found: &Sender<Discovered>) {
        let mut last: Vec<Wanted> = Vec::new();
        loop {
            let mut now = self.look(&config);
            if let Some(targets) = now.targets.take_if(|targets| are_alike(targets, &last)) {
                last = targets;
            } else {
                last = now.targets.clone().unwrap_or_default();
            }
            if found.send(now).is_err() {
                return;
            }
            match configs.recv_timeout(FILES.to_std()) {
                Ok(new) => {
                    config = new;
                    // Targets that need no server are measured at once.
                    let now = self.glance(&config);
                    last = now.targets.clone().unwrap_or_default();
                    if found.send(now).is_err() {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// The groups that this host measures. An unchanged group is the same `Arc` as before.
    fn own_groups(&mut self, config: &Config) -> Vec<Arc<Group>> {
        let is_own = |group: &&Group| group.from.is_empty() || group.from.contains(&self.source);
        let groups: Vec<Arc<Group>> = config
            .groups
            .iter()
            .filter(is_own)
            .map(|group| match self.groups.get(&group.name) {
                Some(known) if **known == *group => Arc::clone(known),
                _ => Arc::new(group.clone()),
            })
            .collect();
        self.groups = groups.iter().map(|group| (group.name.clone(), Arc::clone(group))).collect();
        self.failures.retain(|name, _| self.groups.contains_key(name));
        self.successes.retain(|name, _| self.groups.contains_key(name));
        groups.iter().for_each(|group| _ = self.failures.entry(group.name.clone()).or_default());
        groups
    }

    fn read_file(&mut self, group: &Group) {
        let Some(file) = &group.file else { return };
        let path = self.folder.join(file);
        let read = text_file::read(&path, LONGEST_FILE).map_err(anyhow::Error::from);
        let is_yaml = path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml");
        let targets =
            read.and_then(|text| Ok(if is_yaml { read_file_sd_yaml(&text)? } else { read_file_sd(&text)? }));
        if let Some(targets) = self.checked(group, file, targets) {
            self.files.set(file, targets);
        }
    }

    fn fetch(&mut self, group: &Group, http: &HttpSd) {
        if self.urls.take_due(&http.url, self.clock.now(), http.refresh)
            && let Some(targets) = self.checked(group, &http.url, fetched(&http.url))
        {
            self.urls.set(&http.url, targets);
        }
    }

    fn ask(&mut self, group: &Group, dns: &DnsNames) {
        if self.records.take_due(&group.name, self.clock.now(), dns.refresh)
            && let Some(found) = self.checked(group, &dns.name, lookups::look_up(dns))
        {
            self.records.set(&group.name, found);
        }
    }

    /// Looks up the hosts of all targets that have a name.
    fn resolve(&mut self, groups: &[Arc<Group>]) {
        let mut users: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for group in groups {
            let known = self.records.get(&group.name).filter(|_| group.dns.is_some());
            let is_known = |host: &String| known.is_some_and(|found| found.hosts.contains_key(host));
            let hosts = self.listed(group).into_iter().filter_map(|(target, _)| host_of(&target));
            for host in hosts.filter(|host| !is_known(host)) {
                users.entry(host).or_default().insert(&group.name);
            }
        }
        self.hosts.retain(|host| users.contains_key(host));
        let now = self.clock.now();
        let due: Vec<String> =
            users.keys().filter(|host| self.hosts.take_due(host, now, NAMES)).cloned().collect();
        let looked = lookups::resolve_all(&due, &self.clock);
        for (host, addresses) in due.iter().zip(looked) {
            let names: Vec<&Arc<Group>> = groups.iter().filter(|g| users[host].contains(&*g.name)).collect();
            let error = addresses.as_ref().err().map(|error| format!("cannot resolve it: {error}"));
            for group in names {
                let outcome = error.as_ref().map_or(Ok(()), |error| Err(anyhow::anyhow!("{error}")));
                let _ = self.checked(group, host, outcome);
            }
            if let Ok(addresses) = addresses {
                let last = self.hosts.get(host).and_then(|known| known.first().copied());
                self.hosts.set(host, stable(addresses, last));
            }
        }
    }

    /// The targets of a group that are written as hosts, with their labels.
    fn listed(&self, group: &Group) -> Vec<(String, BTreeMap<String, String>)> {
        let of = |memory: &Memory<Vec<FileTarget>>, at: Option<&String>| {
            let targets = at.and_then(|at| memory.get(at)).into_iter().flatten();
            targets.map(|found| (found.target.clone(), found.labels.clone())).collect::<Vec<_>>()
        };
        let own = group.targets.iter().map(|target| (target.clone(), BTreeMap::new()));
        let services = self.records.get(&group.name).into_iter().flat_map(|found| &found.services);
        let services = services.map(|(host, port)| (format!("{host}:{port}"), BTreeMap::new()));
        own.chain(of(&self.files, group.file.as_ref()))
            .chain(of(&self.urls, group.http_sd.as_ref().map(|http| &http.url)))
            .chain(services.filter(|_| group.dns.is_some()))
            .collect()
    }

    fn gather(&mut self, groups: &[Arc<Group>]) -> Discovered {
        let mut targets = Vec::new();
        for group in groups {
            let mut of_group = Vec::new();
            for (target, labels) in self.listed(group) {
                let address = self.address_of(group, &target);
                of_group.push(wanted(group, &target, address, labels));
            }
            let found = self.records.get(&group.name).filter(|_| group.dns.is_some());
            for address in found.into_iter().flat_map(|found| &found.addresses) {
                of_group.push(wanted(group, &address.to_string(), Some(*address), BTreeMap::new()));
            }
            targets.extend(match group.peers {
                Some(peers) => sample(of_group, peers, &self.source, &self.labels),
                None => of_group,
            });
        }
        let (failures, successes) = (self.failures.clone(), self.successes.clone());
        Discovered { targets: Some(targets), failures, successes }
    }

    fn address_of(&mut self, group: &Group, target: &str) -> Option<SocketAddr> {
        let parsed = Target::parse(target, None, group.dialect.default_port());
        let Target { host, port, .. } = match parsed {
            Ok(parsed) => parsed,
            Err(error) => {
                return self.checked(group, target, Err(error));
            }
        };
        let of_service = || self.records.get(&group.name)?.hosts.get(&host).copied();
        let of_name = || self.hosts.get(&host)?.first().copied();
        let mut address = match is_literal(&host) {
            true => lookups::resolve(&host).ok()?.first().copied()?,
            false => of_service().or_else(of_name)?,
        };
        address.set_port(port);
        Some(address)
    }

    /// Counts an error, and prints it when it is a new one.
    fn checked<T>(&mut self, group: &Group, what: &str, outcome: anyhow::Result<T>) -> Option<T> {
        match outcome {
            Ok(found) => {
                self.successes.insert(group.name.clone(), self.clock.now());
                self.reported.remove(what);
                Some(found)
            }
            Err(error) => {
                *self.failures.entry(group.name.clone()).or_default() += 1;
                let error = format!("{error:#}");
                if self.reported.insert(what.to_owned(), error.clone()).as_ref() != Some(&error) {
                    stderr_line(format_args!("udpecho: {}: {what}: {error}", group.name));
                }
                None
            }
        }
    }
}

fn are_alike(some: &[Wanted], others: &[Wanted]) -> bool {
    let is_alike = |(one, other): (&Wanted, &Wanted)| {
        (&one.key, one.address, &one.labels) == (&other.key, other.address, &other.labels)
            && Arc::ptr_eq(&one.group, &other.group)
    };
    some.len() == others.len() && some.iter().zip(others).all(is_alike)
}

/// A name with several addresses keeps the one that it had.
fn stable(mut addresses: Vec<SocketAddr>, last: Option<SocketAddr>) -> Vec<SocketAddr> {
    if let Some(at) = last.and_then(|last| addresses.iter().position(|address| *address == last)) {
        addresses.swap(0, at);
    }
    addresses
}

/// The name of a target's host; none of one that is an address, or none at all.
fn host_of(target: &str) -> Option<String> {
    const ANY_PORT: u16 = 1;
    let host = Target::parse(target, None, ANY_PORT).ok()?.host;
    (!is_literal(&host)).then_some(host)
}

fn is_literal(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok() || host.contains(':')
}

fn fetched(url: &str) -> anyhow::Result<Vec<FileTarget>> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let Target { host, port, .. } = Target::parse(authority, None, HTTP_PORT)?;
    let mut address = *lookups::resolve(&host)?.first().context("it has no address")?;
    address.set_port(port);
    Ok(read_file_sd(&http_get(address, authority, path, LONGEST_FILE)?)?)
}

fn wanted(
    group: &Arc<Group>,
    target: &str,
    address: Option<SocketAddr>,
    labels: BTreeMap<String, String>,
) -> Wanted {
    let key = Key { group: group.name.clone(), target: target.to_owned() };
    Wanted { key, address, labels, group: Arc::clone(group) }
}
