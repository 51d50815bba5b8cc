//! The page of a server.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{Issue, Web};
use crate::cli::live::metrics;
use crate::cli::live::service::{Client, ServerNow};
use crate::net::Clock;

pub struct ServePage {
    web: Web,
}

impl ServePage {
    /// Seconds that the page shows.
    const SECONDS: usize = 120;

    pub fn start(
        address: SocketAddr,
        names: &[String],
        now: &ServerNow,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        Ok(Self { web: Web::start(address, names, "/api/server.json", issue(now, false), clock)? })
    }

    pub fn show(&self, now: &ServerNow) {
        self.web.post(issue(now, false));
    }

    pub fn finish(self, now: &ServerNow) {
        self.web.post(issue(now, true));
        self.web.finish();
    }
}

fn issue(now: &ServerNow, over: bool) -> Issue {
    let from = now.seconds.len().saturating_sub(ServePage::SECONDS);
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
    Issue { record: state.to_string(), metrics: metrics::of_server(&now.counters), state, over }
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
