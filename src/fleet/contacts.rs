//! Whether hosts answer the monitors that list them: silent hosts, and hosts that cannot be judged.

use std::collections::{BTreeMap, BTreeSet};

use super::locate::{Finding, Host, Suspect};

/// A host as a monitor that lists it finds it. Of two groups with one host the greater counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Contact {
    /// Its name has no address, so it is not asked.
    Unresolved,
    /// Nothing comes back.
    Silent,
    /// Its server said that it ends, so it is sent nothing until its successor is there.
    Ended,
    /// It refuses a session, so it is there.
    Denied,
    /// It answers, or may answer yet.
    Heard,
}

/// By the host, a place in the list of hosts: the hosts that list it.
#[derive(Clone, Debug, Default)]
pub(super) struct Contacts(BTreeMap<usize, BTreeMap<usize, Contact>>);

impl Contacts {
    pub(super) fn note(&mut self, host: usize, by: usize, contact: Contact) {
        let known = self.0.entry(host).or_default().entry(by).or_insert(contact);
        *known = (*known).max(contact);
    }

    /// The number of hosts that ask this one.
    fn asking(&self, host: usize) -> usize {
        self.0[&host].values().filter(|contact| **contact != Contact::Unresolved).count()
    }

    /// Racks and hosts that answer none of those that ask them, and pairs of others without an answer: where
    /// nothing comes back the direction is unknown.
    pub(super) fn silent(&self, hosts: &[Host]) -> Vec<Finding> {
        let is_silent = |by: &BTreeMap<usize, Contact>| by.values().max() == Some(&Contact::Silent);
        let silent: BTreeSet<usize> =
            self.0.iter().filter(|(_, by)| is_silent(by)).map(|(host, _)| *host).collect();
        let mut findings = Vec::new();
        let mut of_racks = BTreeSet::new();
        let racks = silent.iter().map(|host| &hosts[*host].rack).filter(|rack| !rack.is_empty());
        for rack in racks.collect::<BTreeSet<_>>() {
            let members: BTreeSet<usize> =
                (0..hosts.len()).filter(|host| hosts[*host].rack == *rack).collect();
            if members.len() > 1 && members.is_subset(&silent) {
                findings.push(silence(Suspect::SilentRack(rack.clone()), members.len()));
                of_racks.extend(members);
            }
        }
        let alone = silent.difference(&of_racks);
        findings.extend(
            alone.map(|host| silence(Suspect::Silent(hosts[*host].name.clone()), self.asking(*host))),
        );
        findings.extend(self.unheard(hosts, &silent));
        findings
    }

    /// Pairs in which neither hears the other, while others do. A host that nobody asks can only be the one that hears
    /// nothing.
    fn unheard(&self, hosts: &[Host], silent: &BTreeSet<usize>) -> Vec<Finding> {
        let contact = |host: usize, by: usize| self.0.get(&host)?.get(&by).copied();
        let mut pairs = BTreeSet::new();
        for (host, by) in self.0.iter().flat_map(|(host, by)| by.keys().map(|by| (*host, *by))) {
            let is_deaf = contact(host, by) == Some(Contact::Silent)
                && !matches!(contact(by, host), Some(Contact::Ended | Contact::Denied | Contact::Heard));
            if is_deaf && !silent.contains(&host) && !silent.contains(&by) {
                pairs.insert((host.min(by), host.max(by)));
            }
        }
        let name = |host: usize| hosts[host].name.clone();
        let suspect = |(one, other): (usize, usize)| match [one, other].map(|host| self.0.contains_key(&host))
        {
            [true, false] => Suspect::SilentTo(name(one), name(other)),
            [false, true] => Suspect::SilentTo(name(other), name(one)),
            _ => Suspect::SilentPair(name(one), name(other)),
        };
        pairs.into_iter().map(|pair| silence(suspect(pair), 2)).collect()
    }

    /// The names of hosts of which a monitor finds this.
    pub(super) fn names(&self, hosts: &[Host], contact: Contact) -> Vec<String> {
        let found = self.0.iter().filter(|(_, by)| by.values().any(|found| *found == contact));
        found.map(|(host, _)| hosts[*host].name.clone()).collect()
    }
}

fn silence(suspect: Suspect, paths: usize) -> Finding {
    Finding { suspect, share: 1.0, paths, lossy: paths, gain: f64::INFINITY }
}
