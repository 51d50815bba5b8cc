//! The page of a server.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{PageState, Web};
use crate::live::metrics;
use crate::live::{Client, ServerSnapshot};
use crate::net::Clock;

pub struct ServerPage {
    web: Web,
}

impl ServerPage {
    /// Seconds that the page shows.
    const SECONDS: usize = 120;

    pub fn start(
        address: SocketAddr,
        names: &[String],
        now: &ServerSnapshot,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        Ok(Self { web: Web::start(address, names, "/api/server.json", issue(now, false), clock)? })
    }

    pub fn show(&self, now: &ServerSnapshot) {
        self.web.post(issue(now, false));
    }

    pub fn finish(self, now: &ServerSnapshot) {
        self.web.post(issue(now, true));
        self.web.finish();
    }
}

fn issue(now: &ServerSnapshot, over: bool) -> PageState {
    let from = now.seconds.len().saturating_sub(ServerPage::SECONDS);
    let state = json!({
        "kind": "serve",
        "title": format!("udpecho serves {}", now.place),
        "about": format!("injects {}", now.injects),
        "injects": "",
        "elapsed": now.elapsed.as_secs_f64(),
        "left": null,
        "counters": now.counters,
        "rate": now.rate(),
        "seconds": now.seconds.iter().skip(from).collect::<Vec<_>>(),
        "clients": now.clients.iter().map(client).collect::<Vec<_>>(),
    });
    PageState { record: state.to_string(), metrics: metrics::of_server(&now.counters), state, over }
}

fn client(client: &Client) -> Value {
    let figures = &client.figures;
    json!({
        "remote": figures.remote.to_string(),
        "dialect": figures.dialect,
        "size": figures.size,
        "probes": figures.probes,
        "rate": client.rate.round(),
        "missing": figures.missing,
        "dropped": figures.dropped,
        "silent_us": figures.silent.as_micros_f64(),
    })
}
