//! The targets of a mesh that this host measures, by the ring of all of them.

use std::collections::BTreeMap;

use crate::fleet::{Peers, RingHost, Wanted, choose_peers, host_of};
use crate::net::is_own_address;

/// Rack, or else zone.
fn place(labels: &BTreeMap<String, String>) -> &str {
    labels.get("rack").or(labels.get("zone")).map_or("", String::as_str)
}

/// The own host is the target with an address of this host, or with its name; one that is no target stands on the ring
/// by its name.
pub(super) fn sample(
    targets: Vec<Wanted>,
    peers: Peers,
    source: &str,
    labels: &BTreeMap<String, String>,
) -> Vec<Wanted> {
    let is_own = |target: &&Wanted| {
        host_of(&target.key.target) == source
            || target.address.is_some_and(|address| is_own_address(address.ip()))
    };
    let own = targets.iter().find(is_own);
    let name = own.map_or(source, |target| &target.key.target);
    let hosts: Vec<RingHost<'_>> = targets
        .iter()
        .map(|target| RingHost { name: &target.key.target, place: place(&target.labels) })
        .collect();
    let chosen = choose_peers(RingHost { name, place: place(labels) }, &hosts, peers);
    let numbered = targets.into_iter().enumerate();
    numbered.filter(|(index, _)| chosen.contains(index)).map(|(_, target)| target).collect()
}
