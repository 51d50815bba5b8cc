//! `udpecho find-size`: the largest datagram that the path carries without fragments.

use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use serde::Serialize;

use crate::cli::args::FindSize;
use crate::cli::exit::{self, Exit};
use crate::cli::key;
use crate::cli::measurement::{Connection, Peer, cannot_send, exit_of, explain};
use crate::cli::printer::Printer;
use crate::cli::signals;
use crate::net::{Clock, Control, find_size, random_bytes};
use crate::probe::{Dialect, Down, PathSize, SizeFinder};
use crate::report::bytes_on_the_wire;
use crate::wire::native::{MAX_SIZE_V4, MAX_SIZE_V6};

/// The JSON schema of `--json`.
pub(crate) const SCHEMA: &str = include_str!("find_size.schema.json");

pub(crate) fn run(arguments: &FindSize) -> anyhow::Result<Exit> {
    let destination = &arguments.destination;
    let key = key::find(destination.key_file.as_deref())?;
    let connection =
        Connection::open(destination, Dialect::Native, destination.outgoing(), key, Clock::start())?;
    let Connection { peer, outgoing, key, .. } = &connection;
    if !outgoing.backend.forbids_fragments() {
        bail!("find-size needs sockets that set don't-fragment, and this backend has none");
    }
    let control = Arc::new(Control::new().context("cannot make a pipe")?);
    signals::watch(&control, || {}).context("cannot watch for signals")?;
    let most = if peer.address.is_ipv4() { MAX_SIZE_V4 } else { MAX_SIZE_V6 };
    let finder = SizeFinder::new(most, u64::from_ne_bytes(random_bytes()?), key.clone());
    let found = find_size(finder, peer.address, outgoing, &control)
        .map_err(|error| cannot_send(&error, &connection))?;
    match found {
        Some(Ok(size)) => {
            let text = if arguments.json { json(&size, peer)? } else { describe(&size, peer) };
            let printer = Printer::start(|| {})?;
            text.lines().for_each(|line| printer.line(line));
            printer.finish_checked()?;
            Ok(Exit::Success)
        }
        Some(Err(failure)) => {
            Ok(exit::print_error(&explain(&failure, peer, Dialect::Native), exit_of(&failure)))
        }
        None => Ok(exit::print_error(&anyhow!("stopped before the size was found"), Exit::NoReply)),
    }
}

/// The keys of `find_size.schema.json`.
#[derive(Serialize)]
struct Found<'a> {
    schema: u32,
    udpecho: &'a str,
    host: &'a str,
    address: String,
    both: u32,
    both_ip_packet: u32,
    up: u32,
    down: Option<u32>,
    down_is_exact: bool,
}

fn json(size: &PathSize, peer: &Peer) -> anyhow::Result<String> {
    let both = size.both_ways();
    let (down, down_is_exact) = match size.down {
        Down::Exactly(down) => (Some(down), true),
        Down::AtLeast(down) => (Some(down), false),
        Down::Unknown => (None, false),
    };
    let found = Found {
        schema: 1,
        udpecho: env!("CARGO_PKG_VERSION"),
        host: &peer.host,
        address: peer.address.to_string(),
        both,
        both_ip_packet: bytes_on_the_wire(both, peer.address.ip()),
        up: size.up,
        down,
        down_is_exact,
    };
    Ok(serde_json::to_string_pretty(&found)?)
}

fn describe(size: &PathSize, peer: &Peer) -> String {
    let of =
        |bytes: u32| format!("{bytes} bytes (IP packet {})", bytes_on_the_wire(bytes, peer.address.ip()));
    let both = size.both_ways();
    match size.down {
        Down::Exactly(down) if down == size.up => format!("largest payload both ways: {}", of(both)),
        Down::Exactly(down) => {
            format!("largest payload both ways: {}; up {}, down {down}", of(both), size.up)
        }
        Down::AtLeast(_) => format!(
            "largest payload both ways: {}; down perhaps more, but nothing longer passes up to test it",
            of(both)
        ),
        Down::Unknown => format!(
            "largest payload up: {}; down unknown, since the server cannot set don't-fragment",
            of(both)
        ),
    }
}
