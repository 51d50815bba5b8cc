//! Turns the groups of a configuration into targets with addresses: names, files and DNS. An error keeps what was
//! known; a name without an address is a target without one.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};

use crate::cli::printer::stderr_line;
use crate::cli::target::{Family, Target};
use crate::cli::text_file;
use crate::fleet::{Config, FileTarget, Group, Key, Wanted, read_file_sd};
use crate::time::Duration;

/// How often names and files are looked at again.
const REFRESH: Duration = Duration::from_secs(30);
const LONGEST_FILE: u64 = 64 << 20;

/// All targets, and how often a group could not be read.
pub(super) struct Discovered {
    pub targets: Vec<Wanted>,
    pub failures: BTreeMap<String, u64>,
}

/// Finds targets. It remembers what it found last.
pub(super) struct Discovery {
    /// Files are relative to the configuration's folder.
    folder: PathBuf,
    files: BTreeMap<String, Vec<FileTarget>>,
    names: BTreeMap<String, Vec<SocketAddr>>,
    /// A change of these is a reason to look again.
    failures: BTreeMap<String, u64>,
    reported: BTreeMap<String, String>,
}

impl Discovery {
    pub(super) fn new(file: Option<&Path>) -> Self {
        let folder = file.and_then(Path::parent).map(Path::to_path_buf).unwrap_or_default();
        Self {
            folder,
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            failures: BTreeMap::new(),
            reported: BTreeMap::new(),
        }
    }

    /// Looks everything up once. `source` decides which groups this host measures.
    pub(super) fn look(&mut self, config: &Config, source: &str) -> Discovered {
        let mut targets = Vec::new();
        let mine = |group: &&Group| group.from.is_empty() || group.from.iter().any(|name| name == source);
        for group in config.groups.iter().filter(mine) {
            let shared = Arc::new(group.clone());
            self.failures.entry(group.name.clone()).or_default();
            for target in &group.targets {
                targets.push(self.named(&shared, target, BTreeMap::new()));
            }
            for FileTarget { target, labels } in self.of_file(group) {
                targets.push(self.named(&shared, &target, labels));
            }
            for address in self.of_dns(group) {
                targets.push(wanted(&shared, &address.to_string(), Some(address), BTreeMap::new()));
            }
        }
        Discovered { targets, failures: self.failures.clone() }
    }

    /// Sends what is found now and every 30 s, and whenever a new configuration comes, until nothing listens.
    pub(super) fn run(
        mut self,
        mut config: Config,
        source: &str,
        configs: &Receiver<Config>,
        found: &Sender<Discovered>,
    ) {
        while found.send(self.look(&config, source)).is_ok() {
            match configs.recv_timeout(REFRESH.to_std()) {
                Ok(new) => config = new,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn named(&mut self, group: &Arc<Group>, target: &str, labels: BTreeMap<String, String>) -> Wanted {
        let address = Target::parse(target, None, group.dialect.default_port())
            .and_then(|target| target.resolve(Family::default()));
        let address = self.checked(&group.name, target, address);
        if let Some(address) = address {
            self.names.insert(target.to_owned(), vec![address]);
        }
        let last = self.names.get(target).and_then(|known| known.first().copied());
        wanted(group, target, address.or(last), labels)
    }

    fn of_file(&mut self, group: &Group) -> Vec<FileTarget> {
        let Some(file) = &group.file else { return Vec::new() };
        let path = self.folder.join(file);
        let read = text_file::read(&path, LONGEST_FILE).map_err(anyhow::Error::from);
        let read = read.and_then(|text| Ok(read_file_sd(&text)?));
        if let Some(targets) = self.checked(&group.name, file, read) {
            self.files.insert(file.clone(), targets);
        }
        self.files.get(file).cloned().unwrap_or_default()
    }

    fn of_dns(&mut self, group: &Group) -> Vec<SocketAddr> {
        let Some(dns) = &group.dns else { return Vec::new() };
        let looked = (dns.name.as_str(), dns.port).to_socket_addrs().map_err(anyhow::Error::from);
        let looked = looked.map(|addresses| {
            let mut addresses: Vec<SocketAddr> = addresses.collect();
            addresses.sort_unstable();
            addresses.dedup();
            addresses
        });
        if let Some(addresses) = self.checked(&group.name, &dns.name, looked) {
            self.names.insert(dns.name.clone(), addresses);
        }
        self.names.get(&dns.name).cloned().unwrap_or_default()
    }

    /// Counts an error, and prints it when it is a new one.
    fn checked<T>(&mut self, group: &str, what: &str, outcome: anyhow::Result<T>) -> Option<T> {
        match outcome {
            Ok(found) => {
                self.reported.remove(what);
                Some(found)
            }
            Err(error) => {
                *self.failures.entry(group.to_owned()).or_default() += 1;
                let error = format!("{error:#}");
                if self.reported.insert(what.to_owned(), error.clone()).as_ref() != Some(&error) {
                    stderr_line(format_args!("udpecho: {group}: {what}: {error}"));
                }
                None
            }
        }
    }
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
