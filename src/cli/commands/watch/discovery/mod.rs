//! Turns the groups of a configuration into targets with addresses: names, files, URLs and DNS. An error keeps what
//! was known; a name without an address is a target without one. What may wait for a server runs on a thread of its
//! own.

mod gather;
mod lookups;
mod memory;
mod own_address;
mod told_names;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use anyhow::Context;

use crate::cli::printer::stderr_line;
use crate::cli::target::Target;
use crate::cli::text_file;
use crate::fleet::{
    Config, DnsNames, FileTarget, Group, HttpSd, Survey, Wanted, listed_place, read_file_sd,
    read_file_sd_yaml,
};
use crate::net::{Clock, http_get};
use crate::probe::Dialect;
use crate::time::{Duration, Instant};
use crate::wire::auth::Key as Secret;
use lookups::Found;
use memory::Memory;
use own_address::OwnAddresses;

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
    /// The key of native servers without one of their own.
    key: Option<Secret>,
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
    /// Racks and zones of targets that are listed without.
    survey: Survey,
    /// In a cell: it is read and refreshed while other fields are borrowed.
    own: RefCell<OwnAddresses>,
    failures: BTreeMap<String, u64>,
    successes: BTreeMap<String, Instant>,
    /// The last error of each source, so that it is printed once.
    reported: BTreeMap<String, String>,
}

impl Discovery {
    pub(super) fn new(file: Option<&Path>, source: String, key: Option<Secret>, clock: Clock) -> Self {
        Self {
            clock,
            key,
            source,
            labels: BTreeMap::new(),
            folder: file.and_then(Path::parent).map(Path::to_path_buf).unwrap_or_default(),
            groups: BTreeMap::new(),
            files: Memory::default(),
            urls: Memory::default(),
            records: Memory::default(),
            hosts: Memory::default(),
            survey: Survey::default(),
            own: RefCell::default(),
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

    /// Looks at everything that is due, but for the names that servers tell.
    fn look(&mut self, config: &Config) -> Discovered {
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
        self.forget_unused(&groups);
        self.gather(&groups)
    }

    /// Looks at everything that is due.
    pub(super) fn look_at_all(&mut self, config: &Config) -> Discovered {
        let found = self.look(config);
        if self.ask_names(config) { self.glance(config) } else { found }
    }

    /// Tells what is found, the targets if they changed, until nothing listens.
    pub(super) fn run(
        mut self,
        mut config: Config,
        configs: &Receiver<Config>,
        listens: impl Fn(Discovered) -> bool,
    ) {
        let mut last: Vec<Wanted> = Vec::new();
        let mut tell = |mut now: Discovered, always: bool| {
            let alike = now.targets.take_if(|targets| !always && are_alike(targets, &last));
            last = alike.or_else(|| now.targets.clone()).unwrap_or_default();
            listens(now)
        };
        loop {
            // Servers are asked for names once their addresses are measured.
            let goes_on = tell(self.look(&config), false)
                && (!self.ask_names(&config) || tell(self.glance(&config), false));
            if !goes_on {
                return;
            }
            match configs.recv_timeout(pause(&config).to_std()) {
                Ok(new) => {
                    config = new;
                    // Targets that need no server are measured at once.
                    if !tell(self.glance(&config), true) {
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
        let groups: Vec<Arc<Group>> = config
            .groups
            .iter()
            .filter(|group| group.is_measured_by(&self.source))
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
        let place = place_of(group, http);
        if self.urls.take_due(&place, self.clock.now(), http.refresh)
            && let Some(targets) = self.checked(group, &http.url, fetched(&http.url))
        {
            self.urls.set(&place, targets);
        }
    }

    fn ask(&mut self, group: &Group, dns: &DnsNames) {
        let place = place_of(group, dns);
        if !self.records.take_due(&place, self.clock.now(), dns.refresh) {
            return;
        }
        let looked = lookups::look_up(dns, self.records.get(&place));
        let Some(found) = self.checked(group, &dns.name, looked) else { return };
        for (host, _) in &found.services {
            let outcome = found.failed.get(host).map_or(Ok(()), |error| Err((*error).into()));
            let _ = self.checked(group, host, outcome);
        }
        self.records.set(&place, found);
    }

    /// Whether the server that names a group's services told this host's address, too.
    fn is_of_service(&self, group: &Group, host: &str) -> bool {
        self.records_of(group).is_some_and(|found| found.hosts.contains_key(host))
    }

    /// Looks up the hosts of targets that have a name.
    fn resolve(&mut self, groups: &[Arc<Group>]) {
        let mut users: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for group in groups {
            let chosen = self.peers_by_list(group);
            for (target, _) in self.listed(group) {
                match Target::parse(&target, None, group.dialect.default_port()) {
                    Ok(Target { host, .. }) => {
                        let is_needed = chosen.as_ref().is_none_or(|chosen| chosen.contains(&target));
                        if is_needed && !is_literal(&host) && !self.is_of_service(group, &host) {
                            users.entry(host).or_default().insert(&group.name);
                        }
                    }
                    Err(error) => _ = self.checked::<()>(group, &target, Err(error)),
                }
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

    /// Forgets what no group uses any more.
    fn forget_unused(&mut self, groups: &[Arc<Group>]) {
        let mut used = BTreeSet::new();
        for group in groups {
            used.extend(group.file.clone());
            used.extend(group.http_sd.iter().flat_map(|http| [place_of(group, http), http.url.clone()]));
            used.extend(group.dns.iter().flat_map(|dns| [place_of(group, dns), dns.name.clone()]));
            let listed = self.listed(group).into_iter();
            used.extend(listed.flat_map(|(target, _)| host_of(&target).into_iter().chain([target])));
        }
        self.files.retain(|at| used.contains(at));
        self.urls.retain(|at| used.contains(at));
        self.records.retain(|at| used.contains(at));
        self.reported.retain(|at, _| used.contains(at));
    }

    /// Asks the servers of peers whose rack and zone no list names. Returns whether something is new.
    fn ask_names(&mut self, config: &Config) -> bool {
        let mut hosts: BTreeMap<SocketAddr, Arc<Group>> = BTreeMap::new();
        for group in self.own_groups(config) {
            let is_asked =
                group.dialect == Dialect::Native && group.peers.is_some_and(|peers| peers.near > 0);
            for target in if is_asked { self.candidates(&group) } else { Vec::new() } {
                let is_own = self.own_host(&self.has_address_of()).is(&target);
                if let Some(address) =
                    target.address.filter(|_| !is_own && listed_place(&target.labels).is_none())
                {
                    hosts.insert(address, Arc::clone(&group));
                }
            }
        }
        let due = self.survey.take_due(&hosts.keys().copied().collect(), self.clock.now());
        if due.is_empty() {
            return false;
        }
        let due: Vec<_> = due.into_iter().map(|host| (host, Arc::clone(&hosts[&host]))).collect();
        match told_names::ask(&due, self.key.as_ref(), self.clock) {
            Ok(told) => {
                let now = self.clock.now();
                let news = told.into_iter().map(|(host, names)| self.survey.answer(host, names, now));
                news.fold(false, |some, one| some | one)
            }
            Err(error) => {
                stderr_line(format_args!("udpecho: cannot ask the peers for their racks: {error:#}"));
                false
            }
        }
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

/// Until something may be due again.
fn pause(config: &Config) -> Duration {
    let refreshes = |group: &Group| {
        [group.dns.as_ref().map(|dns| dns.refresh), group.http_sd.as_ref().map(|http| http.refresh)]
    };
    config.groups.iter().flat_map(refreshes).flatten().fold(FILES, Duration::min)
}

/// The place of what a group found at a URL or by DNS. Another question has another place.
fn place_of(group: &Group, question: &impl Debug) -> String {
    format!("{}: {question:?}", group.name)
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_target_of_no_form_fails_once_a_look() {
        let folder = tempfile::tempdir().unwrap();
        let labels = r#""labels": {"rack": "r1"}"#;
        let list = format!(r#"[{{"targets": ["127.0.0.1:9", "127.0.0.2:99999"], {labels}}}]"#);
        fs::write(folder.path().join("list.json"), list).unwrap();
        for peers in ["", "peers = { near = 1, far = 1 }"] {
            let text = format!("[[group]]\nname = 'a'\nfile = 'list.json'\n{peers}\n");
            let config = Config::from_toml(&text, &|_| None).unwrap();
            let file = folder.path().join("watch.toml");
            let mut discovery = Discovery::new(Some(&file), "n1".into(), None, Clock::start());
            discovery.glance(&config);
            for look in 1..=3 {
                assert_eq!(discovery.look(&config).failures["a"], look, "{peers}");
            }
        }
    }
}
