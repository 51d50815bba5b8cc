//! `/metrics` of a fleet. A family's samples stand together, for all targets.

use std::fmt::Display;

use super::exposition::{Exposition, Kind};
use super::metrics::build_info;
use crate::fleet::{Counters, Detail, OneWay, Snapshot, State, TargetView};
use crate::probe::{Cause, HostNames, Reroll};
use crate::stats::RttBuckets;
use crate::time::Instant;

/// A family's name and help, and its value.
pub(super) type Count = (&'static str, &'static str, fn(&Counters) -> u64);

/// The series that a target has with `detail = "counts"`, and those of `"full"` besides.
pub(super) const COUNTS: [Count; 2] = [
    ("udpecho_replies_total", "Probes with a reply, on time or late.", Counters::replies),
    ("udpecho_replies_late_total", "Probes with a reply after their deadline.", |c| c.outcomes.late()),
];

pub(super) const FULL: [Count; 5] = [
    ("udpecho_probes_sent_total", "Probes that left and are resolved.", |c| c.outcomes.sent()),
    ("udpecho_replies_duplicate_total", "Replies beyond the first to a probe.", |c| c.duplicates),
    ("udpecho_send_errors_total", "Probes that the socket refused.", Counters::send_errors),
    ("udpecho_watch_skipped_probes_total", "Probes due while this host was suspended.", |c| c.skipped),
    ("udpecho_probes_withheld_total", "Probes due while the target was away, as it had said.", |c| {
        c.withheld
    }),
];

/// Families that a record has, too: name and help.
pub(super) type Family = (&'static str, &'static str);
pub(super) const LOST: Family = ("udpecho_probes_lost_total", "Probes without a reply, by cause.");
pub(super) const RTT: Family = ("udpecho_rtt_seconds", "Round-trip times of all replies.");
pub(super) const FLOWS: Family = ("udpecho_flows", "Source ports by which probes take turns.");
pub(super) const FLOWS_LOSSY: Family =
    ("udpecho_flows_lossy", "Flows that lose half of their probes or more.");
pub(super) const UP: Family = ("udpecho_target_up", "Whether the target answers.");
pub(super) const DOWN: Family =
    ("udpecho_target_down", "Targets that do not answer, by the reason; others have no such series.");
pub(super) const TARGET_INFO: Family = (
    "udpecho_target_info",
    "Address, dialect, names that its server tells, and discovered labels of a target.",
);
pub(super) const OBJECTIVE: Family =
    ("udpecho_objective_ratio", "The share of probes that should be answered in time.");
pub(super) const MONITOR_INFO: Family = ("udpecho_watch_info", "Labels of this host.");

/// The page for Prometheus.
pub fn of_fleet(now: &Snapshot) -> String {
    let mut page = Exposition::labelled(&[("source", &now.source)]);
    for (name, help, value) in COUNTS {
        family(&mut page, now, (name, Kind::Counter, help), false, |t| value(&t.figures.counters()));
    }
    for (name, help, value) in FULL {
        family(&mut page, now, (name, Kind::Counter, help), true, |t| value(&t.figures.counters()));
    }
    losses(&mut page, now);
    rtt(&mut page, now);
    one_way(&mut page, now);
    flows(&mut page, now);
    family(&mut page, now, gauge(UP), false, |target| u8::from(target.figures.is_up()));
    down(&mut page, now);
    target_info(&mut page, now);
    objectives(&mut page, now);
    monitor(&mut page, now);
    build_info(&mut page);
    page.finish()
}

fn gauge((name, help): Family) -> (&'static str, Kind, &'static str) {
    (name, Kind::Gauge, help)
}

fn family<T: Display>(
    page: &mut Exposition,
    now: &Snapshot,
    (name, kind, help): (&str, Kind, &str),
    full_only: bool,
    value: impl Fn(&TargetView) -> T,
) {
    page.family(name, kind, help);
    for target in now.targets.iter().filter(|target| !full_only || is_full(target)) {
        page.sample(name, &place(target), value(target));
    }
}

fn is_full(target: &TargetView) -> bool {
    target.wanted.group.detail == Detail::Full
}

fn place(target: &TargetView) -> [(&str, &str); 2] {
    [("group", &target.wanted.key.group), ("target", &target.wanted.key.target)]
}

/// A cause that the dialect cannot tell has no series. With `counts`, causes other than the network's have a series once they occur.
fn losses(page: &mut Exposition, now: &Snapshot) {
    let (name, help) = LOST;
    page.family(name, Kind::Counter, help);
    for target in &now.targets {
        let dialect = target.wanted.group.dialect;
        for cause in Cause::ALL.into_iter().filter(|cause| dialect.may_tell(*cause)) {
            let lost = target.figures.lost_by(cause);
            let always = matches!(cause, Cause::Up | Cause::Down | Cause::Unknown);
            if is_full(target) || always || lost > 0 {
                let [group, host] = place(target);
                page.sample(name, &[group, host, ("cause", cause.label())], lost);
            }
        }
    }
}

fn rtt(page: &mut Exposition, now: &Snapshot) {
    let (name, help) = RTT;
    page.family(name, Kind::Histogram, help);
    for target in &now.targets {
        let [group, host] = place(target);
        let rtt = &target.figures.rtt;
        if is_full(target) {
            histogram(page, name, &[group, host], rtt);
            continue;
        }
        page.sample(&format!("{name}_bucket"), &[group, host, ("le", "+Inf")], rtt.count());
        page.sample(&format!("{name}_sum"), &[group, host], rtt.total().as_secs_f64());
        page.sample(&format!("{name}_count"), &[group, host], rtt.count());
    }
}

pub(super) fn histogram(page: &mut Exposition, name: &str, labels: &[(&str, &str)], buckets: &RttBuckets) {
    let bucket = format!("{name}_bucket");
    for (bound, count) in buckets.cumulative() {
        page.sample(&bucket, &[labels, &[("le", &bound.as_secs_f64().to_string())]].concat(), count);
    }
    page.sample(&bucket, &[labels, &[("le", "+Inf")]].concat(), buckets.count());
    page.sample(&format!("{name}_sum"), labels, buckets.total().as_secs_f64());
    page.sample(&format!("{name}_count"), labels, buckets.count());
}

/// Of the groups that ask for it.
fn one_way(page: &mut Exposition, now: &Snapshot) {
    let shown = |target: &&TargetView| is_full(target) && target.wanted.group.one_way;
    if !now.targets.iter().any(|target| shown(&target)) {
        return;
    }
    let none = OneWay::default();
    let of = |target: &'_ TargetView| target.figures.one_way().cloned().unwrap_or_else(|| none.clone());
    let name = "udpecho_one_way_seconds";
    page.family(name, Kind::Histogram, "One-way delays, while the bound of the clock offset is below them.");
    for target in now.targets.iter().filter(shown) {
        let ([group, host], delays) = (place(target), of(target));
        for (direction, buckets) in [("up", &delays.up), ("down", &delays.down)] {
            histogram(page, name, &[group, host, ("direction", direction)], buckets);
        }
    }
    let offset = "udpecho_clock_offset_seconds";
    page.family(offset, Kind::Gauge, "The target's clock minus this host's; NaN while it is unknown.");
    let bound = "udpecho_clock_offset_bound_seconds";
    let value = |target: &TargetView| target.figures.one_way().and_then(OneWay::clock_offset);
    for target in now.targets.iter().filter(shown) {
        let offset_now = value(target).map_or(f64::NAN, |(offset, _)| offset.as_secs_f64());
        page.sample(offset, &place(target), offset_now);
    }
    page.family(bound, Kind::Gauge, "How far that may be off; infinite while it is unknown.");
    for target in now.targets.iter().filter(shown) {
        let bound_now = value(target).map_or("+Inf".to_owned(), |(_, bound)| bound.as_secs_f64().to_string());
        page.sample(bound, &place(target), bound_now);
    }
}

fn flows(page: &mut Exposition, now: &Snapshot) {
    family(page, now, gauge(FLOWS), false, |target| target.wanted.group.flows);
    family(page, now, gauge(FLOWS_LOSSY), false, |target| target.figures.lossy_flows().count());
    let name = "udpecho_flow_rerolls_total";
    page.family(name, Kind::Counter, "Comparisons of a silent port with a fresh one, by their result.");
    for target in now.targets.iter().filter(|target| is_full(target)) {
        let [group, host] = place(target);
        for result in Reroll::ALL {
            page.sample(name, &[group, host, ("result", result.label())], target.figures.rerolls(result));
        }
    }
}

/// Only targets that do not answer have this series, so it costs nothing in a fleet that works.
fn down(page: &mut Exposition, now: &Snapshot) {
    let (name, help) = DOWN;
    page.family(name, Kind::Gauge, help);
    for target in now.targets.iter().filter(|target| !target.figures.is_up()) {
        let [group, host] = place(target);
        page.sample(name, &[group, host, ("reason", target.figures.state().label())], 1);
    }
}

/// Everything else about a target, for `* on (source, group, target) group_left (...)`.
fn target_info(page: &mut Exposition, now: &Snapshot) {
    let (name, help) = TARGET_INFO;
    page.family(name, Kind::Gauge, help);
    for target in &now.targets {
        let wanted = &target.wanted;
        let address = wanted.address.map(|address| address.to_string()).unwrap_or_default();
        let mut labels = place(target).to_vec();
        labels.push(("address", &address));
        labels.push(("dialect", wanted.group.dialect.name()));
        labels.extend(target.figures.host().into_iter().flat_map(told_labels));
        labels.extend(wanted.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        page.sample(name, &labels, 1);
    }
}

/// Labels with the names that a host tells, without empty ones.
pub(super) fn told_labels(host: &HostNames) -> impl Iterator<Item = (&str, &str)> {
    let told = [("target_name", &host.name), ("target_rack", &host.rack), ("target_zone", &host.zone)];
    told.into_iter().map(|(name, text)| (name, text.as_str())).filter(|(_, text)| !text.is_empty())
}

fn objectives(page: &mut Exposition, now: &Snapshot) {
    let (name, help) = OBJECTIVE;
    page.family(name, Kind::Gauge, help);
    let mut before = None;
    for target in &now.targets {
        let group = target.wanted.key.group.as_str();
        if before.replace(group) != Some(group)
            && let Some(objective) = target.wanted.group.objective
        {
            page.sample(name, &[("group", group)], objective);
        }
    }
}

fn monitor(page: &mut Exposition, now: &Snapshot) {
    let targets = "udpecho_watch_targets";
    page.family(targets, Kind::Gauge, "Targets by state.");
    for state in State::ALL {
        page.sample(targets, &[("state", state.label())], now.count(state));
    }
    let configured = "udpecho_watch_config_last_reload_successful";
    let help = "Whether the configuration that runs is that of the file.";
    page.single(configured, Kind::Gauge, help, u8::from(now.is_configured));
    let at = "udpecho_watch_config_last_reload_success_timestamp_seconds";
    page.single(at, Kind::Gauge, "When the file was last read without an error.", seconds(now.configured_at));
    let failures = "udpecho_watch_sd_failures_total";
    page.family(failures, Kind::Counter, "Reads of target files and names that failed.");
    for (group, count) in &now.discovery_failures {
        page.sample(failures, &[("group", group)], count);
    }
    let successes = "udpecho_watch_sd_last_success_timestamp_seconds";
    page.family(successes, Kind::Gauge, "When target files, URLs and names last answered.");
    for (group, at) in &now.discovery_successes {
        page.sample(successes, &[("group", group)], seconds(*at));
    }
    let lateness = "udpecho_watch_schedule_lateness_seconds";
    page.family(lateness, Kind::Histogram, "From due to sent, of all probes.");
    histogram(page, lateness, &[], &now.monitor.lateness);
    let overflows = "udpecho_watch_receive_overflows_total";
    let help = "Datagrams that came while a receive buffer of the monitor was full.";
    page.single(overflows, Kind::Counter, help, now.monitor.overflows);
    let foreign = "udpecho_watch_foreign_datagrams_total";
    page.single(
        foreign,
        Kind::Counter,
        "Datagrams from addresses that are no target's.",
        now.monitor.foreign,
    );
    record(page, now);
    let (info, help) = MONITOR_INFO;
    page.family(info, Kind::Gauge, help);
    let labels: Vec<_> = now.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    page.sample(info, &labels, 1);
}

/// Whether the record is written, if the monitor keeps one.
fn record(page: &mut Exposition, now: &Snapshot) {
    let Some(status) = now.record else { return };
    let failures = "udpecho_watch_record_failures_total";
    page.single(failures, Kind::Counter, "Attempts to write the record that failed.", status.failures);
    let at = "udpecho_watch_record_last_success_timestamp_seconds";
    page.single(at, Kind::Gauge, "When rows were last written to the record.", seconds(status.written_at));
}

/// Since 1970, as the clock of a program counts.
fn seconds(at: Instant) -> f64 {
    at.as_nanos() as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::fleet::{Config, Figures, Forecast, Group, Key, Recent, Wanted};
    use crate::probe::HostNames;

    fn snapshot(detail: Detail) -> Snapshot {
        let group = Config::of_targets(vec!["h".into()]).groups.remove(0);
        let group = Arc::new(Group { detail, objective: Some(0.999), ..group });
        let view = |target: &str| TargetView {
            wanted: Wanted {
                key: Key { group: "default".into(), target: target.into() },
                address: None,
                labels: BTreeMap::from([("site".to_owned(), "x".to_owned())]),
                group: Arc::clone(&group),
            },
            figures: Figures::default().without_address(),
            recent: Recent::default(),
        };
        Snapshot { source: "n1".into(), targets: vec![view("a"), view("b")], ..Snapshot::default() }
    }

    fn series_of(page: &str, target: &str) -> usize {
        let of_target = page.lines().filter(|line| line.contains(&format!("target=\"{target}\"")));
        of_target.filter(|line| !line.starts_with("udpecho_target_down{")).count()
    }

    #[test]
    fn every_series_is_there_from_the_start_and_as_many_as_the_forecast_says() {
        for (detail, one_way) in [(Detail::Full, false), (Detail::Full, true), (Detail::Counts, false)] {
            let mut now = snapshot(detail);
            for target in &mut now.targets {
                Arc::make_mut(&mut target.wanted.group).one_way = one_way;
            }
            let page = of_fleet(&now);
            let forecast = Forecast::of(&now.targets[0].wanted.group, 2);
            assert_eq!(2 * series_of(&page, "a"), forecast.series as usize, "{page}");
            assert!(page.contains("udpecho_target_up{source=\"n1\",group=\"default\",target=\"b\"} 0\n"));
            assert!(page.contains("udpecho_watch_targets{source=\"n1\",state=\"unresolved\"} 2\n"));
            assert_eq!(
                page.matches("udpecho_objective_ratio{source=\"n1\",group=\"default\"} 0.999").count(),
                1
            );
        }
    }

    #[test]
    fn a_target_that_does_not_answer_has_a_series_with_the_reason() {
        let mut now = snapshot(Detail::Counts);
        let full = crate::probe::Failure::Full { sessions: 1 };
        now.targets[1].figures.observe(&crate::probe::Event::Failed(full));
        let down = |page: &str| {
            let lines = page.lines().filter(|line| line.starts_with("udpecho_target_down{"));
            lines.map(|line| line.split("target=").nth(1).unwrap().to_owned()).collect::<Vec<_>>()
        };
        let [a, b] = [r#""a",reason="unresolved"} 1"#, r#""b",reason="denied"} 1"#];
        assert_eq!(down(&of_fleet(&now)), [a, b]);
        let reply = crate::probe::Event::Reply {
            seq: 0,
            rtt: crate::time::Duration::ZERO,
            hold: None,
            late_by: None,
            copy: 1,
        };
        now.targets[1].figures.observe(&reply);
        assert_eq!(down(&of_fleet(&now)), [a]);
    }

    #[test]
    fn a_cause_that_the_dialect_cannot_tell_has_no_series() {
        let mut now = snapshot(Detail::Full);
        let group = Group { dialect: crate::probe::Dialect::Plain, ..(*now.targets[0].wanted.group).clone() };
        now.targets[0].wanted.group = Arc::new(group);
        let page = of_fleet(&now);
        let lost = |target: &str| {
            let is_lost = |line: &&str| line.starts_with("udpecho_probes_lost_total{");
            page.lines().filter(is_lost).filter(|line| line.contains(&format!("target=\"{target}\""))).count()
        };
        assert_eq!((lost("a"), lost("b")), (2, 8), "client_overflow and unknown, {page}");
    }

    #[test]
    fn what_a_server_calls_its_host_is_in_the_info_if_it_says_something() {
        let mut now = snapshot(Detail::Full);
        let host = HostNames { name: "n\"7".into(), rack: String::new(), zone: "z1".into() };
        now.targets[0].figures.observe(&crate::probe::Event::Renamed(host));
        let page = of_fleet(&now);
        assert!(
            page.contains("dialect=\"native\",target_name=\"n\\\"7\",target_zone=\"z1\",site=\"x\"} 1\n"),
            "{page}"
        );
        assert_eq!(page.matches("target_name").count(), 1);
    }

    #[test]
    fn a_target_s_labels_hang_on_its_info_alone() {
        let page = of_fleet(&snapshot(Detail::Full));
        assert_eq!(page.matches("site=\"x\"").count(), 2);
    }
}
