//! The HTTP interface of a proxy, on localhost.

use anyhow::{Context, bail};

use super::mappings::scope;
use crate::cli::args::Proxy;
use crate::live::metrics;
use crate::net::{ControlPlane, Limits, RelayApi, RelayHandle};
use crate::rng::Seed;

pub(super) fn start(
    arguments: &Proxy,
    seed: Seed,
    handle: RelayHandle,
) -> anyhow::Result<Option<ControlPlane>> {
    let Some(address) = arguments.api else { return Ok(None) };
    if !address.ip().is_loopback() {
        bail!(
            "{address} for '--api' is not on localhost: anybody could steer this proxy; \
             from elsewhere use ssh -L {port}:localhost:{port}",
            port = address.port()
        );
    }
    let api =
        RelayApi { seed, scope: scope(arguments), public: arguments.public, metrics: metrics::of_proxy };
    let plane = ControlPlane::start(address, &[], api.routes(handle), Limits::default());
    plane.map(Some).with_context(|| format!("cannot listen on {address} for '--api'"))
}
