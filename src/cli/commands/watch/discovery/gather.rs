//! The targets of each group, from its own list and from what discovery found last.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use super::lookups::{self, Found};
use super::{Discovered, Discovery, is_literal, place_of};
use crate::cli::target::Target;
use crate::fleet::{Group, Key, OwnHost, Peers, Wanted, listed_place, sample};

impl Discovery {
    /// The records of a group's name that were found last.
    pub(super) fn records_of(&self, group: &Group) -> Option<&Found> {
        self.records.get(&place_of(group, group.dns.as_ref()?))
    }

    /// The targets of a group that discovery lists as hosts, with their labels.
    fn discovered(&self, group: &Group) -> Vec<(String, BTreeMap<String, String>)> {
        let of_file = group.file.as_ref().and_then(|file| self.files.get(file));
        let of_url = group.http_sd.as_ref().and_then(|http| self.urls.get(&place_of(group, http)));
        let listed = [of_file, of_url].into_iter().flatten().flatten();
        let listed = listed.map(|found| (found.target.clone(), found.labels.clone()));
        let services = self.records_of(group).into_iter().flat_map(|found| &found.services);
        listed.chain(services.map(|(host, port)| (format!("{host}:{port}"), BTreeMap::new()))).collect()
    }

    /// The targets of its own list, and those of discovery.
    pub(super) fn listed(&self, group: &Group) -> Vec<(String, BTreeMap<String, String>)> {
        let own = group.targets.iter().map(|target| (target.clone(), BTreeMap::new()));
        own.chain(self.discovered(group)).collect()
    }

    /// The peers of this host, where names and labels of the list decide them. Only their addresses are needed, so a mesh
    /// of N hosts does not ask for N names from each.
    pub(super) fn peers_by_list(&self, group: &Arc<Group>) -> Option<BTreeSet<String>> {
        let peers = group.peers?;
        let listed = self.candidates(group);
        let has_address_of = self.has_address_of();
        let own = self.own_host(&has_address_of);
        if !lists_decide(&listed, peers, own) {
            return None;
        }
        // Another name of this host is no peer as long as its address is known.
        let aliases: Vec<_> = listed.iter().filter(|target| has_address_of(target)).cloned().collect();
        let chosen = sample(listed, peers, own, &self.survey);
        Some(chosen.into_iter().chain(aliases).map(|target| target.key.target).collect())
    }

    pub(super) fn gather(&mut self, groups: &[Arc<Group>]) -> Discovered {
        self.own.get_mut().refresh(self.clock.now());
        let mut targets = Vec::new();
        for group in groups {
            let found = self.candidates(group);
            targets.extend(match group.peers {
                Some(peers) => sample(found, peers, self.own_host(&self.has_address_of()), &self.survey),
                None => found,
            });
        }
        let (failures, successes) = (self.failures.clone(), self.successes.clone());
        Discovered { targets: Some(targets), failures, successes }
    }

    pub(super) fn has_address_of(&self) -> impl Fn(&Wanted) -> bool {
        |target| target.address.is_some_and(|address| self.own.borrow_mut().has(address.ip()))
    }

    pub(super) fn own_host<'a>(&'a self, has_address_of: &'a dyn Fn(&Wanted) -> bool) -> OwnHost<'a> {
        OwnHost { name: &self.source, labels: &self.labels, has_address_of }
    }

    /// The targets of a group before peers are chosen. Without peers, a host that discovery finds is left out if it is
    /// this one; with peers it has its place on the rings.
    pub(super) fn candidates(&self, group: &Arc<Group>) -> Vec<Wanted> {
        let own: Vec<_> = group.targets.iter().map(|target| (target.clone(), BTreeMap::new())).collect();
        let mut targets = self.with_addresses(group, own);
        let mut found = self.with_addresses(group, self.discovered(group));
        let addresses = self.records_of(group).into_iter().flat_map(|found| &found.addresses);
        found.extend(
            addresses.map(|address| wanted(group, &address.to_string(), Some(*address), BTreeMap::new())),
        );
        let has_address_of = self.has_address_of();
        let own = self.own_host(&has_address_of);
        found.retain(|target| group.peers.is_some() || !own.is(target));
        targets.append(&mut found);
        targets
    }

    fn with_addresses(
        &self,
        group: &Arc<Group>,
        listed: Vec<(String, BTreeMap<String, String>)>,
    ) -> Vec<Wanted> {
        let with_address = |(target, labels): (String, _)| {
            let address = self.address_of(group, &target);
            wanted(group, &target, address, labels)
        };
        listed.into_iter().map(with_address).collect()
    }

    fn address_of(&self, group: &Group, target: &str) -> Option<SocketAddr> {
        let Target { host, port, .. } = Target::parse(target, None, group.dialect.default_port()).ok()?;
        let of_service = || self.records_of(group)?.hosts.get(&host).copied();
        let of_name = || self.hosts.get(&host)?.first().copied();
        let mut address = match is_literal(&host) {
            true => lookups::resolve(&host).ok()?.first().copied()?,
            false => of_service().or_else(of_name)?,
        };
        address.set_port(port);
        Some(address)
    }
}

/// Whether this host stands in the list by its name, and each host has a place in it if places count.
fn lists_decide(listed: &[Wanted], peers: Peers, own: OwnHost<'_>) -> bool {
    let has_place = |target: &Wanted| listed_place(&target.labels).is_some();
    listed.iter().any(|target| own.is_named(target)) && (peers.near == 0 || listed.iter().all(has_place))
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
