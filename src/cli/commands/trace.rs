//! `udpecho trace`: a trace in mahimahi's format, made from a recorded run that filled the path.

use anyhow::{Context, bail};

use crate::cli::args::Trace;
use crate::cli::exit::Exit;
use crate::cli::printer::{Printer, stderr_line};
use crate::impair::opportunities;
use crate::probe::Resolved;
use crate::record::Folder;
use crate::time::Duration;

/// IP and UDP headers: the trace counts IP packets.
const HEADERS: u64 = 28;

pub(crate) fn run(arguments: &Trace) -> anyhow::Result<Exit> {
    let folder = Folder::open(&arguments.run)?;
    let mut arrivals: Vec<(Duration, u64)> = Vec::new();
    folder.each_probe(|probe| {
        let at = if arguments.up { at_server(probe) } else { at_client(probe) };
        arrivals.extend(at.map(|at| (at, u64::from(probe.size) + HEADERS)));
    })?;
    arrivals.sort_unstable();
    let opportunities = opportunities(arrivals.iter().copied());
    let (Some((first, _)), Some((last, _)), false) =
        (arrivals.first(), arrivals.last(), opportunities.is_empty())
    else {
        bail!("{}: too few probes came through for a trace", arguments.run.display());
    };
    let bits = (arrivals.iter().map(|(_, bytes)| bytes).sum::<u64>() * 8) as f64;
    let printer = Printer::start(|| {})?;
    opportunities.iter().for_each(|ms| printer.line(ms.to_string()));
    printer.finish_checked().context("cannot write the trace")?;
    let seconds = (*last - *first).as_secs_f64();
    stderr_line(format_args!(
        "{:.2} Mbit/s over {seconds:.1} s, as IP packets: the path's rate if the run sent more than it carries",
        bits / seconds / 1e6
    ));
    Ok(Exit::Success)
}

/// When its reply came.
fn at_client(probe: &Resolved) -> Option<Duration> {
    Some(probe.sent? + probe.rtt?)
}

/// When it came to the server, by the server's clock.
fn at_server(probe: &Resolved) -> Option<Duration> {
    Some(probe.sent? + probe.owd_up?)
}
