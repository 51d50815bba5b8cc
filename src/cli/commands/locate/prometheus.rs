//! The counters of monitors, from a Prometheus that scrapes them.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::fetched;
use crate::fleet::{MonitorReport, ProbeCounts, TargetReport};
use crate::probe::HostNames;
use crate::time::Duration;

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    error: String,
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    /// The time, and the value as text.
    value: (f64, String),
}

impl Series {
    fn label(&self, name: &str) -> String {
        self.metric.get(name).cloned().unwrap_or_default()
    }

    /// Prometheus extrapolates an increase, so a count may have a fraction.
    fn count(&self) -> u64 {
        self.value.1.parse::<f64>().map_or(0, |value| value.round() as u64)
    }
}

/// A report of each monitor, of this time up to now.
pub(super) fn reports(url: &str, last: Duration) -> anyhow::Result<Vec<MonitorReport>> {
    let window = last.as_secs_f64().ceil().max(1.0) as u64;
    let mut targets: BTreeMap<(String, String), TargetReport> = BTreeMap::new();
    let place = |series: &Series| (series.label("source"), series.label("target"));
    for series in ask(url, "max by (source, target) (udpecho_target_up)")? {
        let state = if series.count() == 0 { "silent" } else { "measuring" };
        let report =
            TargetReport { target: series.label("target"), state: state.into(), ..TargetReport::default() };
        targets.insert(place(&series), report);
    }
    // If one group has an answer of a target, it is up.
    for series in ask(url, "udpecho_target_down == 1")? {
        let down = targets.get_mut(&place(&series)).filter(|target| target.state != "measuring");
        down.into_iter().for_each(|target| target.state = series.label("reason"));
    }
    for series in ask(url, "udpecho_target_info{target_name!=\"\"}")? {
        let [name, rack, zone] = ["target_name", "target_rack", "target_zone"].map(|name| series.label(name));
        if let Some(target) = targets.get_mut(&place(&series)) {
            target.host = Some(HostNames { name, rack, zone });
        }
    }
    let replies =
        format!("sum by (source, target) (increase(udpecho_replies_total{{source!=\"\"}}[{window}s]))");
    for series in ask(url, &replies)? {
        counts(&mut targets, &place(&series)).sent += series.count();
    }
    let lost = format!(
        "sum by (source, target, cause) (increase(udpecho_probes_lost_total{{source!=\"\"}}[{window}s]))"
    );
    for series in ask(url, &lost)? {
        let total = counts(&mut targets, &place(&series));
        total.sent += series.count();
        total.causes.insert(series.label("cause"), series.count());
    }
    let labels: BTreeMap<String, BTreeMap<String, String>> = ask(url, "udpecho_watch_info")?
        .into_iter()
        .map(|series| (series.label("source"), series.metric))
        .collect();
    let mut reports: BTreeMap<String, MonitorReport> = BTreeMap::new();
    for ((source, _), target) in targets {
        let labels = labels.get(&source).cloned().unwrap_or_default();
        let new = || MonitorReport { source: source.clone(), labels, targets: Vec::new() };
        reports.entry(source.clone()).or_insert_with(new).targets.push(target);
    }
    if reports.is_empty() {
        bail!("{url} has no udpecho_target_up: does it scrape the pages of udpecho watch?");
    }
    Ok(reports.into_values().collect())
}

fn counts<'a>(
    targets: &'a mut BTreeMap<(String, String), TargetReport>,
    place: &(String, String),
) -> &'a mut ProbeCounts {
    let new = || TargetReport { target: place.1.clone(), ..TargetReport::default() };
    &mut targets.entry(place.clone()).or_insert_with(new).total
}

fn ask(url: &str, query: &str) -> anyhow::Result<Vec<Series>> {
    let letter = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    let encoded: String = query.bytes().map(letter).collect();
    let text = fetched(&format!("{}/api/v1/query?query={encoded}", url.trim_end_matches('/')))?;
    let answer: Answer = serde_json::from_str(&text).context("it does not answer as Prometheus does")?;
    let data = answer.data.with_context(|| format!("it refuses a query: {}", answer.error))?;
    Ok(data.result)
}
