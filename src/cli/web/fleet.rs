//! The page of a fleet.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::LivePage;
use crate::fleet::{Snapshot, State, TargetView};
use crate::live::of_fleet;
use crate::net::PageState;
use crate::probe::Cause;

pub(crate) struct FleetPage {
    page: LivePage,
}

impl FleetPage {
    pub(crate) fn start(address: SocketAddr, host_names: &[String], now: Snapshot) -> anyhow::Result<Self> {
        Ok(Self { page: LivePage::start(address, host_names, "/api/targets.json", now)? })
    }

    pub(crate) fn show(&self, now: Snapshot) {
        self.page.publish(now);
    }

    pub(crate) fn finish(self, now: Snapshot) {
        self.page.finish(now);
    }
}

impl PageState for Snapshot {
    fn state(&self) -> Value {
        let measuring = self.count(State::Measuring);
        json!({
            "kind": "fleet",
            "source": self.source,
            "labels": self.labels,
            "title": format!("udpecho watches {} targets", self.targets.len()),
            "about": format!("from {}; {measuring} answer", self.source),
            "injects": "",
            "elapsed": self.elapsed.as_secs_f64(),
            "left": null,
            "targets": self.targets.iter().map(target).collect::<Vec<_>>(),
        })
    }

    fn record(&self) -> String {
        self.state().to_string()
    }

    fn metrics(&self) -> String {
        of_fleet(self)
    }
}

fn target(view: &TargetView) -> Value {
    let figures = &view.figures;
    let micros = |time: crate::time::Duration| time.as_micros_f64();
    let range = figures.rtt_range().map(|range| range.map(micros));
    let causes = Cause::ALL.map(|cause| (cause.label().to_owned(), figures.lost_by(cause).into()));
    json!({
        "group": view.wanted.key.group,
        "target": view.wanted.key.target,
        "address": view.wanted.address.map(|address| address.to_string()),
        "state": figures.state().label(),
        "sent": figures.resolved(),
        "late": figures.late(),
        "lost": figures.lost(),
        "loss": figures.loss_share(),
        "causes": serde_json::Map::from_iter(causes),
        "flows": view.wanted.group.flows,
        "lossy_flows": figures.lossy_flows().map(|flow| json!([flow, figures.flow_port(flow)])).collect::<Vec<_>>(),
        "last_us": figures.last_rtt().map(micros),
        "rtt_us": range,
    })
}
