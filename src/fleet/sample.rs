//! The targets of a mesh that this host measures, by the rings of all of them.

use std::collections::BTreeMap;

use super::report::host_of;
use super::ring::{Peers, RingHost, choose};
use super::survey::Survey;
use super::wanted::Wanted;

/// The host that measures.
#[derive(Clone, Copy)]
pub struct OwnHost<'a> {
    /// Its name, as the label `source` has it.
    pub name: &'a str,
    /// `rack` and `zone` say where it is.
    pub labels: &'a BTreeMap<String, String>,
    /// Whether a target has an address of this host.
    pub has_address_of: &'a dyn Fn(&Wanted) -> bool,
}

impl OwnHost<'_> {
    /// Whether a target is this host, by its name or an address.
    pub fn is(&self, target: &Wanted) -> bool {
        self.is_named(target) || (self.has_address_of)(target)
    }

    /// Whether a target has the name of this host.
    pub fn is_named(&self, target: &Wanted) -> bool {
        host_of(&target.key.target) == self.name
    }
}

/// Chooses the peers on the rings. One that is no target itself has a place on the ring by its name.
pub fn sample(targets: Vec<Wanted>, peers: Peers, own: OwnHost<'_>, told: &Survey) -> Vec<Wanted> {
    let (owns, others): (Vec<_>, Vec<_>) = targets.into_iter().partition(|target| own.is(target));
    let listed = owns.iter().find(|target| own.is_named(target)).or(owns.first());
    let name = listed.map_or(own.name, |target| &target.key.target);
    let hosts: Vec<RingHost<'_>> = others
        .iter()
        .map(|target| RingHost { name: &target.key.target, place: place(target, told) })
        .collect();
    let own = RingHost { name, place: listed_place(own.labels).unwrap_or_default() };
    let chosen = choose(own, &hosts, peers);
    let numbered = others.into_iter().enumerate();
    numbered.filter(|(index, _)| chosen.contains(index)).map(|(_, target)| target).collect()
}

/// Rack, or else zone; none where the labels have neither.
pub fn listed_place(labels: &BTreeMap<String, String>) -> Option<&str> {
    ["rack", "zone"]
        .into_iter()
        .filter_map(|name| labels.get(name))
        .map(String::as_str)
        .find(|place| !place.is_empty())
}

/// The place that the list names, or else the one that the target's server told.
fn place<'a>(target: &'a Wanted, told: &'a Survey) -> &'a str {
    let names = || told.names(target.address?);
    let of_server =
        || [&names()?.rack, &names()?.zone].into_iter().map(String::as_str).find(|place| !place.is_empty());
    listed_place(&target.labels).or_else(of_server).unwrap_or_default()
}
