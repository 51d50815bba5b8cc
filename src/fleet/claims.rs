//! The names that monitors may have on their pages: nobody takes the place of another target by saying its name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::report::host_of;
use super::snapshot::Snapshot;

/// The addresses at which each name is listed, or told by a server.
pub struct Claims<'a> {
    own: &'a str,
    known: BTreeMap<&'a str, BTreeSet<IpAddr>>,
}

impl<'a> Claims<'a> {
    /// As this monitor knows its targets.
    pub fn of(now: &'a Snapshot) -> Self {
        let mut claims = Self { own: &now.source, known: BTreeMap::new() };
        for target in &now.targets {
            let told = target.figures.host().map(|host| host.name.as_str()).filter(|name| !name.is_empty());
            for name in [Some(host_of(&target.wanted.key.target)), told].into_iter().flatten() {
                let places = claims.known.entry(name).or_default();
                places.extend(target.wanted.address.map(|address| address.ip()));
            }
        }
        claims
    }

    /// Whether the page at this address may be that of the monitor with this name. An unknown name is a new host's.
    pub fn allow(&self, name: &str, at: IpAddr) -> bool {
        name != self.own && self.known.get(name).is_none_or(|places| places.contains(&at))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fleet::{Config, Figures, Key, Recent, TargetView, Wanted};
    use crate::probe::{Event, HostNames};

    #[test]
    fn a_page_has_no_name_of_another_target() {
        let group = Arc::new(Config::of_targets(vec!["h".into()]).groups.remove(0));
        let view = |target: &str, address: &str, told: &str| {
            let mut figures = Figures::default();
            figures.observe(&Event::Renamed(HostNames { name: told.into(), ..HostNames::default() }));
            let key = Key { group: "mesh".into(), target: target.into() };
            let address = Some(address.parse().unwrap());
            let wanted = Wanted { key, address, labels: BTreeMap::new(), group: Arc::clone(&group) };
            TargetView { wanted, figures, recent: Recent::default() }
        };
        let targets = vec![
            view("n2:8080", "192.0.2.2:8080", ""),
            view("192.0.2.3:8080", "192.0.2.3:8080", "n3"),
            view("[2001:db8::3]:8080", "[2001:db8::3]:8080", "n3"),
        ];
        let now = Snapshot { source: "n1".into(), targets, ..Snapshot::default() };
        let claims = Claims::of(&now);
        let allowed = |name: &str, at: &str| claims.allow(name, at.parse().unwrap());
        assert!(allowed("n2", "192.0.2.2") && allowed("n3", "192.0.2.3") && allowed("n3", "2001:db8::3"));
        assert!(allowed("n9", "192.0.2.2"), "it is listed under another name than its own");
        assert!(
            !allowed("n3", "192.0.2.2") && !allowed("n2", "192.0.2.3") && !allowed("192.0.2.3", "192.0.2.2")
        );
        assert!(!allowed("n1", "192.0.2.2"), "this monitor itself");
    }
}
