//! Options of an irtt run: the key, the DSCP of replies, and a size that holds the reply's fields; and why there
//! may be no answer.

use std::net::SocketAddr;

use anyhow::{anyhow, bail};

use crate::cli::args::Ping;
use crate::cli::key;
use crate::probe::{Dialect, Failure, IrttOptions};
use crate::report::milliseconds;
use crate::wire::irtt::{HmacKey, Params};

pub(super) fn options(arguments: &Ping) -> anyhow::Result<IrttOptions> {
    let destination = &arguments.destination;
    let secret = key::secret(destination.key_file.as_deref())?;
    Ok(IrttOptions { key: secret.map(|secret| HmacKey::new(&secret)), dscp: destination.dscp.unwrap_or(0) })
}

/// The size that was asked for, or the least.
pub(super) fn size(asked: Option<u64>, options: &IrttOptions) -> anyhow::Result<u64> {
    let least = Params::default().header(options.key.is_some()) as u64;
    let size = asked.unwrap_or(least);
    if size < least {
        bail!(
            "'{size}' for '--size' is too small: a probe has {least} bytes at least; for example -s {least}"
        );
    }
    Ok(size)
}

/// Why nothing came back, in this dialect.
pub(super) fn explain(
    failure: &Failure,
    dialect: Dialect,
    server: SocketAddr,
    hint: &str,
) -> Option<anyhow::Error> {
    let (ip, port) = (server.ip(), server.port());
    match failure {
        _ if dialect != Dialect::Irtt => None,
        Failure::Unreachable => Some(anyhow!(
            "{ip} port {port} is closed (ICMP port unreachable): no irtt server listens there{hint}"
        )),
        Failure::Silent { tries, after } => Some(anyhow!(
            "no answer from {ip} port {port} to {tries} irtt openings in {}{hint}; likely reasons: no irtt server is \
             there, or on another port; it wants a key or has another one (--key-file); a firewall drops UDP on the \
             path",
            milliseconds(*after),
        )),
        _ => None,
    }
}
