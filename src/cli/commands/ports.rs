//! `udpecho ports`: which ports of a host are open.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;

use crate::cli::args::Ports;
use crate::cli::exit::Exit;
use crate::cli::printer::{Printer, stderr_line};
use crate::cli::signals;
use crate::cli::target::{Family, Target};
use crate::net::{Clock, Control, PortScan, scan_ports};
use crate::probe::Dialect;
use crate::room::{PortCounts, PortProtocol, PortState};

/// The JSON schema of `--json`.
pub(crate) const SCHEMA: &str = include_str!("ports.schema.json");

pub(crate) fn run(arguments: &Ports) -> anyhow::Result<Exit> {
    let family = Family { v4_only: arguments.ipv4, v6_only: arguments.ipv6 };
    let target = Target::parse(&arguments.host, None, Dialect::Native.default_port())?;
    let address = target.resolve(family)?;
    let protocol = if arguments.udp { PortProtocol::Udp } else { PortProtocol::Tcp };
    let control = Arc::new(Control::new().context("cannot make a pipe")?);
    signals::watch(&control, || {}).context("cannot watch for signals")?;
    let printer = Printer::start(|| {})?;
    let clock = Clock::start();
    let began = clock.now();
    let mut states: Vec<(u16, PortState)> = Vec::new();
    let (host, range, patience) = (address.ip(), arguments.range, arguments.deadline.get());
    scan_ports(PortScan { host, range, protocol, patience }, &control, |port, state| {
        if state == PortState::Open && !arguments.json {
            printer.line(format!("Port {port}: Open"));
        }
        states.push((port, state));
    })
    .with_context(|| format!("cannot ask the ports of {address}", address = address.ip()))?;
    let seconds = (clock.now() - began).as_secs_f64();
    states.sort_unstable();
    let complete = states.len() == arguments.range.len();
    if arguments.json {
        json(arguments, address, complete, seconds, &states)?.lines().for_each(|line| printer.line(line));
    } else {
        let counts = PortCounts::of(states.iter().map(|(_, state)| *state));
        let host = &target.host;
        let ports = if states.len() == 1 { "port" } else { "ports" };
        printer.line(format!("{host}: {} {ports} asked in {seconds:.2} s: {counts}", states.len()));
    }
    if !complete {
        stderr_line("interrupted: the other ports were not asked");
    }
    printer.finish_checked()?;
    let open = states.iter().any(|(_, state)| *state == PortState::Open);
    Ok(if open { Exit::Success } else { Exit::NoReply })
}

#[derive(Serialize)]
struct Scan<'a> {
    schema: u32,
    udpecho: &'a str,
    host: &'a str,
    address: String,
    protocol: &'a str,
    complete: bool,
    seconds: f64,
    ports: Vec<Port>,
}

#[derive(Serialize)]
struct Port {
    port: u16,
    state: &'static str,
}

fn json(
    arguments: &Ports,
    address: SocketAddr,
    complete: bool,
    seconds: f64,
    states: &[(u16, PortState)],
) -> anyhow::Result<String> {
    let scan = Scan {
        schema: 1,
        udpecho: env!("CARGO_PKG_VERSION"),
        host: &arguments.host,
        address: address.ip().to_string(),
        protocol: if arguments.udp { "udp" } else { "tcp" },
        complete,
        seconds,
        ports: states.iter().map(|(port, state)| Port { port: *port, state: state.label() }).collect(),
    };
    Ok(serde_json::to_string_pretty(&scan)?)
}
