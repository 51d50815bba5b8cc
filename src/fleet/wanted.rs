//! The targets that a configuration and its discovery ask for, and what a reload changes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use super::config::Group;

/// A target's place in every series; its address may change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The group's name.
    pub group: String,
    /// As it is written, or the address where a name stands for many targets.
    pub target: String,
}

/// A target that should be measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Its place in every series.
    pub key: Key,
    /// None while its name has no address.
    pub address: Option<SocketAddr>,
    /// From discovery, for `udpecho_target_info`.
    pub labels: BTreeMap<String, String>,
    /// How it is measured.
    pub group: Arc<Group>,
}

impl Wanted {
    /// Whether probes to the other would be the same.
    fn is_measured_like(&self, other: &Self) -> bool {
        self.address == other.address
            && (Arc::ptr_eq(&self.group, &other.group) || self.group.probes_like(&other.group))
    }
}

/// The changes from one list of targets to another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reload {
    /// Not measured any more; nothing of them stays.
    pub removed: Vec<Key>,
    /// Measured from now on.
    pub added: Vec<Wanted>,
    /// Measured at another address or in another way: a new session, while the counters go on.
    pub changed: Vec<Wanted>,
    /// Their names have no address any more: nothing is sent until one has, while the counters stay.
    pub unresolved: Vec<Wanted>,
    /// Measured as before: session, phase and counters stay. Labels may differ.
    pub kept: Vec<Wanted>,
}

impl Reload {
    /// From the old list to the new one. Of two targets with one key the first counts.
    pub fn between(old: &BTreeMap<Key, Wanted>, new: impl IntoIterator<Item = Wanted>) -> Self {
        let mut reload = Self::default();
        let mut seen = BTreeSet::new();
        for wanted in new {
            if !seen.insert(wanted.key.clone()) {
                continue;
            }
            match old.get(&wanted.key) {
                None => reload.added.push(wanted),
                Some(before) if before.is_measured_like(&wanted) => reload.kept.push(wanted),
                Some(_) if wanted.address.is_none() => reload.unresolved.push(wanted),
                Some(_) => reload.changed.push(wanted),
            }
        }
        reload.removed = old.keys().filter(|key| !seen.contains(key)).cloned().collect();
        reload
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Config;

    fn wanted(target: &str, group: &Arc<Group>) -> Wanted {
        Wanted {
            key: Key { group: group.name.clone(), target: target.to_owned() },
            address: Some("192.0.2.1:8080".parse().unwrap()),
            labels: BTreeMap::new(),
            group: Arc::clone(group),
        }
    }

    fn names(list: &[Wanted]) -> Vec<&str> {
        list.iter().map(|wanted| wanted.key.target.as_str()).collect()
    }

    #[test]
    fn only_targets_that_differ_are_touched() {
        let group = Arc::new(Config::of_targets(vec!["a".into()]).groups.remove(0));
        let faster = Arc::new(Group { interval: "20ms".parse().unwrap(), ..Group::clone(&group) });
        let longer = Arc::new(Group { targets: vec!["a".into(), "x".into()], ..Group::clone(&group) });
        let old = ["gone", "same", "moved", "lost", "faster"].map(|name| wanted(name, &group));
        let old = old.into_iter().map(|wanted| (wanted.key.clone(), wanted)).collect();
        let moved = Wanted { address: Some("192.0.2.2:8080".parse().unwrap()), ..wanted("moved", &group) };
        let lost = Wanted { address: None, ..wanted("lost", &group) };
        let new = [
            wanted("new", &group),
            wanted("same", &longer),
            moved,
            lost,
            wanted("faster", &faster),
            wanted("new", &faster),
        ];
        let reload = Reload::between(&old, new);
        assert_eq!(reload.removed.iter().map(|key| key.target.as_str()).collect::<Vec<_>>(), ["gone"]);
        assert_eq!(names(&reload.added), ["new"]);
        assert_eq!(names(&reload.changed), ["moved", "faster"]);
        assert_eq!(names(&reload.unresolved), ["lost"]);
        assert_eq!(names(&reload.kept), ["same"]);
        assert_eq!(*reload.added[0].group, *group, "of two with one key the first counts");
    }
}
