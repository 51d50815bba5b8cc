//! What several monitors counted, as directed paths between hosts.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::locate::{Host, Path};

/// What a monitor tells of its targets: `/api/targets.json`, or the output of `watch --json`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct MonitorReport {
    /// The name of the monitor's host.
    pub source: String,
    /// `rack` and `zone` say where it stands.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Its targets.
    pub targets: Vec<TargetReport>,
}

/// The counts of one target.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct TargetReport {
    /// `HOST` or `HOST:PORT`; the host is that of another monitor, by its name.
    pub target: String,
    /// Probes that are resolved.
    pub sent: u64,
    /// The lost ones by cause.
    pub causes: BTreeMap<String, u64>,
}

/// The hosts and the paths between them. What both ends of a path counted is added; a loss whose direction is
/// unknown counts for neither.
pub fn mesh(reports: &[MonitorReport]) -> (Vec<Host>, Vec<Path>) {
    let mut hosts: Vec<Host> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut place = |name: &str| {
        *places.entry(name.to_owned()).or_insert_with(|| {
            hosts.push(Host { name: name.to_owned(), rack: String::new(), zone: String::new() });
            hosts.len() - 1
        })
    };
    let mut counts: BTreeMap<(usize, usize), (u64, u64)> = BTreeMap::new();
    for report in reports {
        let from = place(&report.source);
        for target in &report.targets {
            let to = place(host_of(&target.target));
            let lost = |causes: &[&str]| {
                causes.iter().filter_map(|cause| target.causes.get(*cause)).sum::<u64>().min(target.sent)
            };
            let up = lost(&["up", "server_overflow"]);
            let mut add = |way, sent, lost| {
                let (all, gone) = counts.entry(way).or_default();
                *all += sent;
                *gone += lost;
            };
            add((from, to), target.sent, up);
            let answered = target.sent - up;
            add((to, from), answered, lost(&["down", "client_overflow"]).min(answered));
        }
    }
    for report in reports {
        let label = |name: &str| report.labels.get(name).cloned().unwrap_or_default();
        if let Some(host) = hosts.iter_mut().find(|host| host.name == report.source) {
            (host.rack, host.zone) = (label("rack"), label("zone"));
        }
    }
    let path = |((from, to), (sent, lost))| Path { from, to, sent, lost };
    (hosts, counts.into_iter().map(path).collect())
}

/// Without a port and the brackets of an IPv6 address.
fn host_of(target: &str) -> &str {
    if let Some(address) = target.strip_prefix('[') {
        return address.split(']').next().unwrap_or(address);
    }
    match target.split_once(':') {
        Some((host, port)) if !port.contains(':') => host,
        _ => target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A target, its probes, and those lost by each cause.
    type Made<'a> = (&'a str, u64, &'a [(&'a str, u64)]);

    fn report(source: &str, targets: &[Made<'_>]) -> MonitorReport {
        let target = |(target, sent, causes): &Made<'_>| TargetReport {
            target: (*target).to_owned(),
            sent: *sent,
            causes: causes.iter().map(|(cause, count)| ((*cause).to_owned(), *count)).collect(),
        };
        MonitorReport {
            source: source.to_owned(),
            labels: BTreeMap::from([("rack".to_owned(), format!("r-{source}"))]),
            targets: targets.iter().map(target).collect(),
        }
    }

    #[test]
    fn a_path_is_counted_from_both_its_ends() {
        let a = report("a", &[("b:8080", 100, &[("up", 10), ("down", 5), ("unknown", 3)])]);
        let b = report("b", &[("a", 50, &[("server_overflow", 2), ("client_overflow", 1)])]);
        let (hosts, paths) = mesh(&[a, b]);
        assert_eq!(hosts.iter().map(|host| host.rack.as_str()).collect::<Vec<_>>(), ["r-a", "r-b"]);
        let [there, back] = paths[..] else { panic!("{paths:?}") };
        assert_eq!((there.sent, there.lost), (100 + 48, 10 + 1));
        assert_eq!((back.sent, back.lost), (90 + 50, 5 + 2));
    }

    #[test]
    fn hosts_have_their_names_without_ports() {
        for (target, host) in
            [("n8", "n8"), ("n8:80", "n8"), ("[2001:db8::1]:80", "2001:db8::1"), ("::1", "::1")]
        {
            assert_eq!(host_of(target), host);
        }
    }
}
