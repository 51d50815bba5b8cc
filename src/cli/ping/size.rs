//! `ping --find-size`, and what passes when the size asked for does not.

use std::sync::Arc;

use anyhow::{Context, anyhow, bail};

use super::hints;
use super::plan::{self, Peer};
use crate::cli::exit::{self, Exit};
use crate::cli::printer::Printer;
use crate::cli::signals;
use crate::net::{Control, Outgoing, find_size, random_bytes};
use crate::probe::{Down, Failure, PathSize, SizeFinder};
use crate::report::bytes_on_the_wire;
use crate::wire::auth::Key;
use crate::wire::native::{MAX_SIZE_V4, MAX_SIZE_V6};

/// Prints the largest payload that the path carries in one piece, and ends.
pub fn run(peer: &Peer, outgoing: &Outgoing, key: Option<Key>) -> anyhow::Result<Exit> {
    if !outgoing.backend.forbids_fragments() {
        bail!("--find-size needs sockets that forbid fragments, and these do not");
    }
    let control = Arc::new(Control::new().context("cannot make a pipe")?);
    signals::watch(&control, || {}).context("cannot watch for signals")?;
    let most = if peer.address.is_ipv4() { MAX_SIZE_V4 } else { MAX_SIZE_V6 };
    let finder = SizeFinder::new(most, u64::from_ne_bytes(random_bytes()?), key);
    let found = find_size(finder, peer.address, outgoing, &control)
        .map_err(|error| hints::cannot_send(&error, peer, outgoing.source))?;
    match found {
        Some(Ok(size)) => {
            let printer = Printer::start(|| {})?;
            printer.line(in_words(&size, peer));
            super::places::finish(printer)?;
            Ok(Exit::Success)
        }
        Some(Err(failure)) => Ok(exit::complain(&plan::explain(&failure, peer), plan::exit_of(&failure))),
        None => Ok(exit::complain(&anyhow!("stopped before the size was found"), Exit::NoReply)),
    }
}

fn in_words(size: &PathSize, peer: &Peer) -> String {
    let of =
        |bytes: u32| format!("{bytes} bytes (IP packet {})", bytes_on_the_wire(bytes, peer.address.ip()));
    let both = size.both_ways();
    match size.down {
        Down::Exactly(down) if down == size.up => format!("largest payload there and back: {}", of(both)),
        Down::Exactly(down) => {
            format!("largest payload there and back: {}; up {}, down {down}", of(both), size.up)
        }
        Down::AtLeast(_) => {
            format!(
                "largest payload there and back: {}; down perhaps more, which nothing longer gets up to show",
                of(both)
            )
        }
        Down::Unknown => {
            format!(
                "largest payload up: {}; down unknown, since the server cannot keep its answers whole",
                of(both)
            )
        }
    }
}

/// Why there was no run; where its size was too long, with the one that passes.
pub fn explain(
    failure: &Failure,
    peer: &Peer,
    key: Option<Key>,
    outgoing: &Outgoing,
    control: &Control,
) -> anyhow::Error {
    let (Failure::SizeLost { size } | Failure::SizeNotSent { size }) = *failure else {
        return plan::explain(failure, peer);
    };
    let seed = random_bytes().map(u64::from_ne_bytes);
    let found =
        seed.and_then(|seed| find_size(SizeFinder::new(size, seed, key), peer.address, outgoing, control));
    match found {
        Ok(Some(Ok(found))) if found.both_ways() < size && outgoing.backend.forbids_fragments() => {
            let (ip, passes) = (peer.address.ip(), found.both_ways());
            anyhow!(
                "{size} bytes are too long for the path to {ip}: {passes} come through whole, as in -s {passes}"
            )
        }
        _ => plan::explain(failure, peer),
    }
}
