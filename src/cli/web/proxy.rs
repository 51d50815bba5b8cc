//! The page of a proxy.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::LivePage;
use crate::live::{DirectionSecond, ProxySecond, ProxySnapshot, lost, metrics};
use crate::net::PageState;
use crate::relay::{FlowFigures, RelayFigures};

pub(crate) struct ProxyPage {
    page: LivePage,
}

impl ProxyPage {
    /// Flows in the table.
    pub(crate) const FLOWS: usize = 200;

    pub(crate) fn start(
        address: SocketAddr,
        host_names: &[String],
        now: ProxySnapshot,
    ) -> anyhow::Result<Self> {
        Ok(Self { page: LivePage::start(address, host_names, "/api/proxy.json", now)? })
    }

    pub(crate) fn show(&self, now: ProxySnapshot) {
        self.page.publish(now);
    }

    pub(crate) fn finish(self, now: ProxySnapshot) {
        self.page.finish(now);
    }
}

impl PageState for ProxySnapshot {
    fn state(&self) -> Value {
        let there = self.figures.mappings.iter().filter(|mapping| !mapping.is_removed);
        let words = there
            .clone()
            .map(|mapping| format!("{}: {} to {}", mapping.settings.name, mapping.listen, mapping.server));
        let [up, down] = self.tallies();
        json!({
            "kind": "proxy",
            "title": "udpecho proxy",
            "about": words.collect::<Vec<_>>().join(", "),
            "injects": "",
            "elapsed": self.figures.elapsed.as_secs_f64(),
            "left": null,
            "up": up,
            "down": down,
            "lost": [lost(&up), lost(&down)],
            "held_bytes": self.figures.held_bytes,
            "release_error_us": self.figures.release_error,
            "flows_now": there.clone().map(|mapping| mapping.counters.flows).sum::<u64>(),
            "seconds": self.seconds.iter().map(second).collect::<Vec<_>>(),
            "mappings": there.collect::<Vec<_>>(),
            "flows": self.flows.iter().map(|(of, port)| flow(&self.figures, of, *port)).collect::<Vec<_>>(),
        })
    }

    fn record(&self) -> String {
        let mut record = json!(self.figures);
        record["schema"] = 1.into();
        record["udpecho"] = env!("CARGO_PKG_VERSION").into();
        record.to_string()
    }

    fn metrics(&self) -> String {
        metrics::of_proxy(&self.figures)
    }
}

fn second(second: &ProxySecond) -> Value {
    let direction = |of: &DirectionSecond| {
        json!({
            "arrived": of.arrived,
            "passed": of.passed,
            "bps": of.bytes * 8,
            "lost": of.lost,
            "queue_us": of.queue.as_micros_f64(),
        })
    };
    let [up, down] = &second.directions;
    json!({ "second": second.second, "up": direction(up), "down": direction(down) })
}

fn flow(figures: &RelayFigures, flow: &FlowFigures, port: Option<u16>) -> Value {
    let name = figures.mappings.get(flow.mapping).map_or("", |mapping| mapping.settings.name.as_str());
    let [up, down] = &flow.directions;
    json!({
        "id": flow.id.number(),
        "mapping": name,
        "client": flow.client.remote.to_string(),
        "port": port,
        "up": up.datagrams,
        "down": down.datagrams,
        "idle_us": flow.idle.as_micros_f64(),
    })
}
