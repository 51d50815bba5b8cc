//! The page of a server.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::LivePage;
use crate::live::{Client, ServerSecond, ServerSnapshot, metrics, unanswered};
use crate::net::PageState;

pub(crate) struct ServerPage {
    page: LivePage,
}

impl ServerPage {
    /// Seconds on the page.
    const SECONDS: usize = 600;

    pub(crate) fn start(
        address: SocketAddr,
        host_names: &[String],
        now: ServerSnapshot,
    ) -> anyhow::Result<Self> {
        Ok(Self { page: LivePage::start(address, host_names, "/api/server.json", now)? })
    }

    pub(crate) fn show(&self, now: ServerSnapshot) {
        self.page.publish(now);
    }

    pub(crate) fn finish(self, now: ServerSnapshot) {
        self.page.finish(now);
    }
}

impl PageState for ServerSnapshot {
    fn state(&self) -> Value {
        let from = self.seconds.len().saturating_sub(ServerPage::SECONDS);
        json!({
            "kind": "serve",
            "title": format!("udpecho serves {}", self.place),
            "about": format!("injects {}", self.injects),
            "injects": "",
            "elapsed": self.elapsed.as_secs_f64(),
            "left": null,
            "counters": self.counters,
            "rate": self.rate(),
            "seconds": self.seconds.iter().skip(from).map(second).collect::<Vec<_>>(),
            "reasons": unanswered(&self.counters),
            "clients": self.clients.iter().map(client).collect::<Vec<_>>(),
        })
    }

    fn record(&self) -> String {
        self.state().to_string()
    }

    fn metrics(&self) -> String {
        metrics::of_server(&self.counters)
    }
}

fn second(second: &ServerSecond) -> Value {
    json!({
        "second": second.second,
        "probes": second.probes,
        "received_bps": second.received_bytes * 8,
        "sent_bps": second.sent_bytes * 8,
        "load_up_bps": second.load_bytes[0] * 8,
        "load_down_bps": second.load_bytes[1] * 8,
        "dropped": second.dropped,
        "refused": second.refused,
    })
}

fn client(client: &Client) -> Value {
    let figures = &client.figures;
    json!({
        "remote": figures.remote.to_string(),
        "dialect": figures.dialect,
        "size": figures.size,
        "probes": figures.probes,
        "rate": client.probes_per_second.round(),
        "missing": figures.missing,
        "dropped": figures.dropped,
        "silent_us": figures.silent.as_micros_f64(),
    })
}
