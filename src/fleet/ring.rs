//! Chooses the peers that a host measures: the next ones on a ring of all hosts, sorted by the hash of their names.
//! Each host asks as many as ask it, and one that comes or goes changes few choices.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::rng::Stream;

/// How many peers of a group are measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peers {
    /// In the host's own rack, or zone where there is no rack.
    #[serde(default)]
    pub near: u16,
    /// Anywhere.
    #[serde(default)]
    pub far: u16,
}

/// A host on the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RingHost<'a> {
    /// The same at every host.
    pub(super) name: &'a str,
    /// Its rack, or its zone; empty if that is unknown.
    pub(super) place: &'a str,
}

/// The indices of the peers that this host measures. The own host may be in the list; it is left out.
pub(super) fn choose(own: RingHost<'_>, others: &[RingHost<'_>], peers: Peers) -> BTreeSet<usize> {
    let is_other = |host: &RingHost<'_>| host.name != own.name;
    let is_near = |host: &RingHost<'_>| is_other(host) && !own.place.is_empty() && host.place == own.place;
    let mut chosen = next_on("near", own, others, peers.near, is_near);
    chosen.extend(next_on("far", own, others, peers.far, is_other));
    chosen
}

fn next_on(
    ring: &str,
    own: RingHost<'_>,
    others: &[RingHost<'_>],
    count: u16,
    stands_there: impl Fn(&RingHost<'_>) -> bool,
) -> BTreeSet<usize> {
    let there = others.iter().enumerate().filter(|(_, host)| stands_there(host));
    let mut order: Vec<_> = there.map(|(index, host)| (place(ring, host.name), index)).collect();
    order.sort_unstable();
    order.dedup_by_key(|(place, _)| *place);
    let own = place(ring, own.name);
    let first = order.partition_point(|(place, _)| *place < own);
    order.iter().cycle().skip(first).take(order.len().min(count.into())).map(|(_, index)| *index).collect()
}

/// Two names with one hash are sorted by name.
fn place<'a>(ring: &str, name: &'a str) -> (u64, &'a str) {
    (Stream::new(0, &format!("{ring}\0{name}")).seed(0), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("n{n}:8080")).collect()
    }

    /// Every pair of a host and its peer, with three racks.
    fn links(names: &[String], peers: Peers) -> BTreeSet<(usize, usize)> {
        const RACKS: [&str; 3] = ["r0", "r1", "r2"];
        let hosts: Vec<RingHost<'_>> =
            names.iter().enumerate().map(|(n, name)| RingHost { name, place: RACKS[n % 3] }).collect();
        let of = |(from, host): (usize, &RingHost<'_>)| {
            choose(*host, &hosts, peers).into_iter().map(move |to| (from, to)).collect::<Vec<_>>()
        };
        hosts.iter().enumerate().flat_map(of).collect()
    }

    #[test]
    fn each_host_asks_as_many_as_ask_it_and_none_asks_itself() {
        let names = names(60);
        for peers in [Peers { near: 0, far: 6 }, Peers { near: 4, far: 0 }] {
            let links = links(&names, peers);
            let count = usize::from(peers.near + peers.far);
            for host in 0..60 {
                assert_eq!(links.iter().filter(|(from, _)| *from == host).count(), count);
                assert_eq!(links.iter().filter(|(_, to)| *to == host).count(), count);
            }
            assert!(links.iter().all(|(from, to)| from != to));
            assert!(peers.far > 0 || links.iter().all(|(from, to)| from % 3 == to % 3));
        }
        // A peer that both rings choose is measured once.
        let both = links(&names, Peers { near: 4, far: 6 }).len();
        assert!((540..=600).contains(&both), "{both} links");
    }

    #[test]
    fn a_host_that_comes_changes_as_many_links_as_it_has() {
        let (before, after) = (names(60), names(61));
        let peers = Peers { near: 0, far: 6 };
        let (before, after) = (links(&before, peers), links(&after, peers));
        let new: Vec<_> = after.difference(&before).collect();
        assert_eq!(new.len(), 12, "6 from it and 6 to it: {new:?}");
        assert_eq!(before.difference(&after).count(), 6);
    }

    #[test]
    fn with_few_hosts_all_are_measured() {
        assert_eq!(links(&names(4), Peers { near: 0, far: 6 }).len(), 12);
        let own = RingHost { name: "a", place: "" };
        assert!(choose(own, &[own], Peers { near: 3, far: 3 }).is_empty());
        // One that is not in the list stands on the ring all the same.
        let other = RingHost { name: "b", place: "" };
        assert_eq!(choose(own, &[other], Peers { near: 3, far: 3 }), BTreeSet::from([0]));
    }
}
