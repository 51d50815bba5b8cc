//! `watch --json`: an object a target.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::fleet::{Snapshot, TargetView};
use crate::probe::{Cause, HostNames, Reroll};

/// The JSON schema of `--json`.
pub(crate) const SCHEMA: &str = include_str!("../watch.schema.json");

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    udpecho: &'a str,
    source: &'a str,
    labels: &'a BTreeMap<String, String>,
    seconds: f64,
    targets: Vec<Target<'a>>,
}

#[derive(Serialize)]
struct Target<'a> {
    group: &'a str,
    target: &'a str,
    address: Option<String>,
    host: Option<&'a HostNames>,
    dialect: &'a str,
    state: &'a str,
    sent: u64,
    replies: u64,
    late: u64,
    lost: u64,
    causes: BTreeMap<&'a str, u64>,
    duplicates: u64,
    send_errors: u64,
    skipped: u64,
    withheld: u64,
    loss_share: Option<f64>,
    rtt_us: Option<Rtt>,
    flows: u8,
    lossy_flows: Vec<LossyFlow>,
    rerolls: BTreeMap<&'a str, u64>,
}

#[derive(Serialize)]
struct LossyFlow {
    flow: u32,
    source_port: Option<u16>,
}

#[derive(Serialize)]
struct Rtt {
    min: f64,
    mean: f64,
    max: f64,
    last: Option<f64>,
}

/// The keys of `watch.schema.json`.
pub(crate) fn json(now: &Snapshot) -> anyhow::Result<String> {
    let document = Document {
        schema: 1,
        udpecho: env!("CARGO_PKG_VERSION"),
        source: &now.source,
        labels: &now.labels,
        seconds: now.elapsed.as_secs_f64(),
        targets: now.targets.iter().map(target).collect(),
    };
    Ok(serde_json::to_string_pretty(&document)?)
}

fn target(view: &TargetView) -> Target<'_> {
    let figures = &view.figures;
    let causes = Cause::ALL.into_iter().filter(|cause| figures.lost_by(*cause) > 0);
    let rerolls = Reroll::ALL.into_iter().filter(|result| figures.rerolls(*result) > 0);
    Target {
        group: &view.wanted.key.group,
        target: &view.wanted.key.target,
        address: view.wanted.address.map(|address| address.to_string()),
        host: figures.host(),
        dialect: view.wanted.group.dialect.name(),
        state: figures.state().label(),
        sent: figures.resolved(),
        replies: figures.replies(),
        late: figures.late(),
        lost: figures.lost(),
        causes: causes.map(|cause| (cause.label(), figures.lost_by(cause))).collect(),
        duplicates: figures.duplicates,
        send_errors: figures.send_errors(),
        skipped: figures.skipped,
        withheld: figures.withheld,
        loss_share: figures.loss_share(),
        rtt_us: figures.rtt_range().map(|[min, mean, max]| Rtt {
            min: min.as_micros_f64(),
            mean: mean.as_micros_f64(),
            max: max.as_micros_f64(),
            last: figures.last_rtt().map(|last| last.as_micros_f64()),
        }),
        flows: view.wanted.group.flows,
        lossy_flows: figures
            .lossy_flows()
            .map(|flow| LossyFlow { flow, source_port: figures.flow_port(flow) })
            .collect(),
        rerolls: rerolls.map(|result| (result.label(), figures.rerolls(result))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Figures;
    use crate::probe::{Event, Outcome, Resolved};

    #[test]
    fn probes_that_were_due_and_not_sent_are_told_by_their_reason() {
        let mut figures = Figures::default();
        let not_sent = Resolved { outcome: Outcome::SendError, ..Resolved::unanswered(0) };
        figures.observe(&Event::Resolved(not_sent));
        (0..2).for_each(|_| figures.observe(&Event::Resolved(Resolved { skipped: true, ..not_sent })));
        figures.observe(&Event::Withheld { probes: 3 });
        let targets = vec![TargetView::of_test("g", "h", figures)];
        let text = json(&Snapshot { targets, ..Snapshot::default() }).unwrap();
        let told: serde_json::Value = serde_json::from_str(&text).unwrap();
        let numbers = ["send_errors", "skipped", "withheld"].map(|name| &told["targets"][0][name]);
        assert_eq!(numbers, [1, 2, 3]);
    }
}
