//! The ports of a server beside its main one: their numbers, their options, and what the banner says of them.

use crate::cli::args::Serve;
use crate::net::{OtherPorts, ServerThreads};
use crate::reflect::ServerPort;

pub(super) fn asked(arguments: &Serve) -> OtherPorts {
    ServerPort::ALL.map(|port| match port {
        ServerPort::Main => None,
        ServerPort::Stamp => arguments.stamp,
        ServerPort::Irtt => arguments.irtt,
    })
}

/// The option that gives a port its number, up to that.
pub(super) fn option(port: ServerPort) -> &'static str {
    match port {
        ServerPort::Main => "-p ",
        ServerPort::Stamp => "--stamp=",
        ServerPort::Irtt => "--irtt=",
    }
}

/// The facts that senders at each open port do not learn.
pub(super) fn lines(threads: &ServerThreads, keyed: bool, clean: bool) -> Vec<String> {
    let line = |port| {
        let speaks = match (port, keyed) {
            (ServerPort::Main, _) => return None,
            (ServerPort::Stamp, true) => "authenticated STAMP",
            (ServerPort::Stamp, false) => "STAMP and TWAMP-Light",
            (ServerPort::Irtt, true) => "irtt with HMAC",
            (ServerPort::Irtt, false) => "irtt",
        };
        let number = threads.port_addr(port)?.port();
        let injection = if clean { "" } else { "; its senders take what is injected for the network's" };
        Some(format!("answers {speaks} on UDP port {number}{injection}"))
    };
    ServerPort::ALL.into_iter().filter_map(line).collect()
}
