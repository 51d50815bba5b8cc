//! `udpecho locate`: whose fault losses are, from what several monitors counted.

mod prometheus;

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::json;

use crate::cli::args::Locate;
use crate::cli::exit::Exit;
use crate::cli::printer::Printer;
use crate::cli::target::{Family, Target};
use crate::cli::text_file;
use crate::fleet::locate::{Finding, Suspect};
use crate::fleet::{Mesh, MonitorReport, Verdict};
use crate::net::http_get;

const HTTP: &str = "http://";
const LONGEST: u64 = 64 << 20;

/// The JSON schema of `--json`.
pub(crate) const SCHEMA: &str = include_str!("../locate.schema.json");

pub(crate) fn run(arguments: &Locate) -> anyhow::Result<Exit> {
    if arguments.reports.is_empty() && arguments.prometheus.is_none() {
        bail!(
            "no report given: name pages or files, as in udpecho locate http://n1:9476 n2.json, or ask a Prometheus \
             with --prometheus http://localhost:9090"
        );
    }
    let mut reports = read(arguments)?;
    if let Some(time) = arguments.during {
        if let Some(file) = arguments.reports.iter().find(|place| !place.starts_with(HTTP)) {
            bail!("'--during' reads pages, and {file} is none; for example http://n1:9476");
        }
        std::thread::sleep(time.get().to_std());
        let later = read(arguments)?.into_iter();
        reports = later.zip(&reports).map(|(later, earlier)| later.since(earlier)).collect();
    }
    let verdict = Verdict::of_mesh(&Mesh::of(&reports));
    let printer = Printer::start(|| {})?;
    let text = if arguments.json { document(&verdict)? } else { verdict.to_string() };
    text.lines().for_each(|line| printer.line(line));
    printer.finish_checked()?;
    Ok(if verdict.findings.is_empty() { Exit::Success } else { Exit::Failed })
}

fn read(arguments: &Locate) -> anyhow::Result<Vec<MonitorReport>> {
    if let Some(url) = &arguments.prometheus {
        let bare = url
            .strip_prefix(HTTP)
            .with_context(|| format!("'{url}' is no address; for example http://localhost:9090"))?;
        return prometheus::reports(bare, arguments.last.get()).with_context(|| format!("cannot ask {url}"));
    }
    arguments.reports.iter().map(|place| report(place)).collect()
}

fn report(place: &str) -> anyhow::Result<MonitorReport> {
    let text = match place.strip_prefix(HTTP) {
        Some(url) => fetched(url).with_context(|| format!("cannot read {place}"))?,
        None => text_file::read(Path::new(place), LONGEST)
            .with_context(|| format!("cannot read {place}; a page is named as in http://n1:9476"))?,
    };
    serde_json::from_str(&text).with_context(|| {
        format!("{place} is no report of a monitor: watch --json prints one, and watch --http serves one")
    })
}

/// From the page of a running `watch`.
fn fetched(url: &str) -> anyhow::Result<String> {
    let (authority, path) = url.split_once('/').unwrap_or((url, ""));
    let path = if path.is_empty() { "api/targets.json" } else { path };
    let address = Target::parse(authority, None, 80)?.resolve(Family::default())?;
    Ok(http_get(address, authority, path, LONGEST)?)
}

fn document(verdict: &Verdict) -> anyhow::Result<String> {
    let document = json!({
        "schema": 1,
        "udpecho": env!("CARGO_PKG_VERSION"),
        "verdict": verdict.to_string(),
        "paths": verdict.paths,
        "findings": verdict.findings.iter().map(finding).collect::<Vec<_>>(),
        "denied": verdict.denied,
        "ended": verdict.ended,
        "unresolved": verdict.unresolved,
    });
    Ok(serde_json::to_string_pretty(&document)?)
}

fn finding(finding: &Finding) -> serde_json::Value {
    let (kind, direction, places) = match &finding.suspect {
        Suspect::HostIn(host) => ("host", "in", vec![host]),
        Suspect::HostOut(host) => ("host", "out", vec![host]),
        Suspect::RackIn(rack) => ("rack", "in", vec![rack]),
        Suspect::RackOut(rack) => ("rack", "out", vec![rack]),
        Suspect::Link(from, to) => ("link", "out", vec![from, to]),
        Suspect::Path(from, to) => ("path", "out", vec![from, to]),
        Suspect::SilentRack(rack) => ("rack", "both", vec![rack]),
        Suspect::Silent(host) => ("host", "both", vec![host]),
        Suspect::SilentPair(one, other) | Suspect::SilentTo(one, other) => {
            ("path", "unknown", vec![one, other])
        }
    };
    json!({
        "kind": kind,
        "places": places,
        "direction": direction,
        "loss_share": finding.share,
        "paths": finding.paths,
        "lossy_paths": finding.lossy,
    })
}
