//! The live page: its text, style and script, and what a run or a server publishes on it.

mod fleet;
mod mesh;
mod ping;
mod proxy;
mod serve;

pub(super) use fleet::{FleetPage, Histories, Past};
pub(super) use mesh::MeshView;
pub(super) use ping::PingPage;
pub(super) use proxy::ProxyPage;
pub(super) use serve::ServerPage;

use std::net::SocketAddr;

use anyhow::Context;

use crate::cli::printer::stderr_line;
use crate::net::{ControlPlane, Limits, PageState, Publisher};
use crate::time::Duration;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
/// The page's script, in the order in which its parts build on each other.
const SCRIPTS: [&str; 12] = [
    include_str!("script/format.js"),
    include_str!("script/charts.js"),
    include_str!("script/explore.js"),
    include_str!("script/parts.js"),
    include_str!("script/ping.js"),
    include_str!("script/serve.js"),
    include_str!("script/proxy.js"),
    include_str!("script/fleet_paths.js"),
    include_str!("script/fleet_matrix.js"),
    include_str!("script/fleet_past.js"),
    include_str!("script/fleet.js"),
    include_str!("script/page.js"),
];

/// A page that is served while something runs.
struct LivePage {
    publisher: Publisher,
    control: ControlPlane,
}

impl LivePage {
    /// A page gets a new state this often.
    const PERIOD: Duration = Duration::from_millis(500);
    /// How long the end waits for readers to take the last state.
    const LAST_READ: Duration = Duration::from_millis(300);

    fn start(
        address: SocketAddr,
        host_names: &[String],
        record_path: &str,
        first: impl PageState,
    ) -> anyhow::Result<Self> {
        let html = PAGE.replace("/*STYLE*/", STYLE).replace("/*SCRIPT*/", &SCRIPTS.concat());
        let (publisher, routes) = Publisher::new(html, record_path, first);
        let control = ControlPlane::start(address, host_names, routes, Limits::default());
        let control = control.with_context(|| {
            let other = address.port().wrapping_add(1).max(1024);
            format!("cannot serve a page at {address}; try another address, as in --http {other}")
        })?;
        let address = control.address();
        stderr_line(format_args!("see http://{address}/"));
        if !address.ip().is_loopback() {
            stderr_line("anyone who can reach that address can read it");
        }
        Ok(Self { publisher, control })
    }

    fn publish(&self, state: impl PageState) {
        self.publisher.publish(state);
    }

    fn finish(self, last: impl PageState) {
        self.publisher.publish_last(last);
        self.control.finish(Self::LAST_READ);
    }
}
