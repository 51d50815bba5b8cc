//! `udpecho proxy`: impairs any UDP program, between a client and its server.

#[cfg(feature = "control")]
mod api;
mod capture;
mod child;
mod config;
mod error_log;
mod ledger;
mod mappings;
mod record;
mod recorder;
mod reload;
mod replay;
mod seconds;
mod views;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;

use crate::cli::args::Proxy;
use crate::cli::exit::{Exit, print_breach};
use crate::cli::measurement::rfc3339;
use crate::cli::printer::{Printer, stderr_line};
use crate::cli::signals;
#[cfg(not(feature = "control"))]
use crate::cli::without_control::TcpPassThrough;
#[cfg(feature = "control")]
use crate::net::TcpPassThrough;
use crate::net::{Clock, Control, RelayEngine, RelayObservation, RelayObserver};
use crate::record::{ProxyEnd, ProxyRun};
use crate::relay::{Counters, DropCause, Limits, RelayFigures, Tally};
use crate::report::counted;
use crate::time::Instant;
use capture::Capture;
use child::Child;
use error_log::ErrorLog;
use mappings::Mappings;
use record::Record;
use recorder::{Recorder, Sink};
use reload::Reload;
use views::ProxyViews;

pub(crate) fn run(arguments: &Proxy) -> anyhow::Result<Exit> {
    let mut mappings = Mappings::new(arguments)?;
    let tcp = if arguments.tcp { mappings.listen_tcp()? } else { Vec::new() };
    let clock = Clock::start();
    let began = clock.now();
    let mut engine = RelayEngine::bind(mappings.settings(), limits(arguments), clock)
        .with_context(|| format!("cannot listen on {}", mappings.listens()))?;
    let addresses: Vec<SocketAddr> = (0..mappings.len()).map(|mapping| engine.local_addr(mapping)).collect();
    mappings.refuse_loops(&addresses)?;
    let argv: Vec<String> = std::env::args().collect();
    let started = rfc3339(began + clock.wall_offset());
    let record = match &arguments.output {
        Some(path) => {
            let figures = engine.figures();
            let run = ProxyRun::new(argv.clone(), started.clone(), &figures);
            Some(Record::create(path, arguments.force, &run)?)
        }
        None => None,
    };
    let sinks = sinks(arguments, record.as_ref(), began)?;
    let recorder = if sinks.is_empty() { None } else { Some(Recorder::start(sinks)?) };
    let control = Arc::new(Control::new().context("cannot make a pipe")?);
    #[cfg(feature = "control")]
    let api = api::start(arguments, mappings.seed(), engine.handle(&control))?;
    let tcp = TcpPassThrough::start(tcp).context("cannot start a thread for TCP")?;
    let printer = Printer::start(|| {})?;
    // Not mixed with what a command or --json prints.
    let apart = arguments.json || !arguments.command.is_empty();
    let say = |line: String| match (arguments.quiet || arguments.tui && !control.stop_asked(), apart) {
        (true, _) => {}
        (false, false) => printer.line(line),
        (false, true) => stderr_line(line),
    };
    mappings.banner(&addresses).into_iter().for_each(say);
    #[cfg(feature = "control")]
    if let Some(api) = &api {
        say(format!("steered at http://{}/", api.address()));
    }
    let views =
        ProxyViews::start(arguments, (engine.figures(), engine.handle(&control)), &printer, &control, clock)?;
    let names: Vec<String> = mappings.names().into_iter().map(str::to_owned).collect();
    let watched = match &arguments.config {
        None => signals::watch(&control, || {}),
        Some(_) => {
            let handle = engine.handle(&control);
            let reload = Mutex::new(Reload { arguments: arguments.clone(), handle, current: mappings });
            let again = move || reload.lock().unwrap_or_else(PoisonError::into_inner).again();
            signals::watch_and_reload(&control, || {}, again)
        }
    };
    watched.context("cannot watch for signals")?;
    let errors = ErrorLog::start(arguments.tui)?;
    let child = Child::start(&arguments.command, &names, &addresses, &control)?;
    let mut observer = Observer { recorder, errors };
    let ran = engine.run(&control, &mut observer);
    views.finish();
    // The files first: they are whole also where the command cannot be ended.
    let written = observer.recorder.map(Recorder::finish).transpose();
    let code = child.map(Child::finish).transpose();
    observer.errors.finish();
    ran.context("the proxy's socket failed")?;
    written?.into_iter().flatten().for_each(|path| say(path.display().to_string()));
    let code = code?;
    let figures = engine.figures();
    for mapping in &figures.mappings {
        totals(&mapping.settings.name, &mapping.counters).into_iter().for_each(say);
    }
    tcp_totals(&tcp).into_iter().for_each(say);
    let unmet = unmet(arguments, &figures);
    let exit = match code {
        Some(code) if code != 0 => Exit::Command(code),
        _ if !unmet.is_empty() => Exit::Failed,
        _ => Exit::Success,
    };
    let end = ProxyEnd { exit_code: exit.code(), unmet };
    let run = ProxyRun { end: Some(end), ..ProxyRun::new(argv, started, &figures) };
    if let Some(record) = record {
        say(record.finish(&run)?.display().to_string());
    }
    if arguments.json {
        printer.line(serde_json::to_string(&run)?);
    }
    if exit == Exit::Failed {
        run.end.iter().flat_map(|end| &end.unmet).for_each(|unmet| print_breach(unmet));
    }
    printer.finish_checked()?;
    Ok(exit)
}

/// The expectations that were not met, in words.
fn unmet(arguments: &Proxy, figures: &RelayFigures) -> Vec<String> {
    let sum: Counters = figures.mappings.iter().map(|mapping| mapping.counters).sum();
    let unmet = arguments.expect.as_ref().map(|expectations| expectations.unmet(&sum));
    unmet.unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// Passes the relay's events on to counters, files and views.
struct Observer {
    recorder: Option<Recorder>,
    errors: ErrorLog,
}

impl RelayObserver for Observer {
    fn observe(&mut self, observation: RelayObservation, payload: &[u8]) {
        self.errors.note(&observation);
        if let Some(recorder) = &mut self.recorder {
            recorder.note(observation, payload);
        }
    }

    fn idle(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.hand_over();
        }
    }
}

/// The files to write.
fn sinks(arguments: &Proxy, record: Option<&Record>, began: Instant) -> anyhow::Result<Vec<Box<dyn Sink>>> {
    let Proxy { pcap, snaplen, force, .. } = arguments;
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if let Some(record) = record {
        sinks.extend(record.sinks(began)?);
    }
    if let Some(path) = pcap {
        sinks.push(Box::new(Capture::create(path, *force, *snaplen)?));
    }
    Ok(sinks)
}

fn limits(arguments: &Proxy) -> Limits {
    Limits {
        flows: arguments.max_flows,
        idle: arguments.idle,
        held_bytes: usize::try_from(arguments.max_held.get()).unwrap_or(usize::MAX),
        unverified_amplification: !arguments.public,
        ..Limits::default()
    }
}

/// Nothing without a connection.
fn tcp_totals(tcp: &TcpPassThrough) -> Option<String> {
    let (passed, refused) = tcp.counts();
    let at_once = TcpPassThrough::CONNECTIONS;
    match (passed, refused) {
        (0, 0) => None,
        (passed, 0) => Some(format!("TCP connections: {passed} passed")),
        _ => Some(format!("TCP connections: {passed} passed, {refused} refused ({at_once} at once)")),
    }
}

/// A line per direction.
fn totals(name: &str, counters: &Counters) -> [String; 2] {
    [("up", &counters.up), ("down", &counters.down)]
        .map(|(direction, tally)| format!("{name} {direction}: {}", describe(tally, counters.flows_opened)))
}

fn describe(tally: &Tally, flows: u64) -> String {
    let flows = counted(flows, "flow", "flows");
    let mut parts = vec![format!("{} arrived of {flows}", tally.arrived), format!("{} passed", tally.passed)];
    let dropped = DropCause::ALL.map(|cause| (tally.dropped(cause), [cause.label(); 2]));
    let rest = [
        (tally.send_errors, ["send error", "send errors"]),
        (tally.copies, ["copy", "copies"]),
        (tally.marked, ["marked"; 2]),
        (tally.rebound, ["rebound"; 2]),
        (tally.refused, ["refused"; 2]),
        (tally.overflows, ["more lost in a full receive buffer of the proxy"; 2]),
    ];
    for (count, [one, many]) in dropped.into_iter().chain(rest).filter(|(count, _)| *count > 0) {
        parts.push(counted(count, one, many));
    }
    parts.join(", ")
}
