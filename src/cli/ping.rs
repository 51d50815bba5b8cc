//! `udpecho ping`: one run, shown as it goes, recorded, summed up.

mod plan;
mod screen;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use anyhow::{Context, anyhow};

use super::args::Ping;
use super::embedded::Embedded;
use super::exit::{self, Exit};
use super::printer::Printer;
use super::recorder::Recorder;
use super::{report as report_command, signals};
use crate::net::{ClientEngine, Clock, Control, Observation};
use crate::probe::{Event, Failure};
use crate::record::{Folder, Run};
use crate::report::{self, Detail};
use crate::time::{Duration, Instant};
use plan::{Plan, Server};
use screen::Screen;

pub fn run(arguments: &Ping, argv: Vec<String>) -> anyhow::Result<Exit> {
    let plan = Plan::new(arguments)?;
    let clock = Clock::start();
    let embedded = match &plan.server {
        Server::Embedded => Some(Embedded::start(plan.outgoing.backend, clock)?),
        Server::At { .. } => None,
    };
    let peer = plan.peer(embedded.as_ref().map(Embedded::address))?;
    let settings = plan.settings(&peer)?;
    let folder = open_folder(arguments, &peer.host, clock.now())?;
    let mut recorder = Recorder::new(folder);
    let engine = match ClientEngine::connect(peer.address, settings.clone(), &plan.outgoing, clock) {
        Ok(engine) => engine,
        Err(error) => {
            recorder.discard();
            let from = plan.outgoing.source.map_or(String::new(), |source| format!(" from {source}"));
            return Err(anyhow!(error).context(format!("cannot send to {}{from}", peer.address)));
        }
    };
    let mut run = plan.record(&peer, &settings, argv, engine.has_kernel_stamps());

    let control = Arc::new(Control::new().context("cannot make a pipe")?);
    let interim = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&interim);
    signals::watch(&control, move || asked.store(true, Ordering::Release))
        .context("cannot watch for signals")?;
    let stop = Arc::clone(&control);
    let printer = Printer::start(move || stop.stop())?;
    let mut screen = Screen::new(printer, &peer, settings.size, arguments.quiet);

    let observations = start(engine, &control)?;
    let ended = watch(&observations, &mut run, &mut recorder, &mut screen, &interim);
    match ended {
        Ended::Over => {}
        Ended::Failed(failure) => {
            recorder.discard();
            return Err(plan::explain(&failure, &peer));
        }
        Ended::NotBegun => {
            recorder.discard();
            return Ok(exit::complain(
                &anyhow!("stopped before {} had answered", peer.address),
                Exit::NoReply,
            ));
        }
    }
    if run.started.is_empty() {
        recorder.discard();
        return Err(anyhow!("ended before the first probe"));
    }
    if control.abort_asked() {
        recorder.flush();
        return Ok(Exit::Interrupted);
    }
    let summary = recorder.fold().summary();
    run.clock = recorder.fold().clock();
    run.summary = Some(summary.clone());
    let (seconds, written) = recorder.finish(&run);
    let detail = if arguments.verbose { Detail::All } else { Detail::Usual };
    report::summary(&run, &summary, &seconds, detail).into_iter().for_each(|line| screen.line(line));
    drop(screen);
    if let Some(folder) = written? {
        let picture = report_command::draw(&folder, report::Theme::Light)?;
        report_command::say_where(&picture);
    }
    Ok(if summary.ok + summary.late > 0 { Exit::Success } else { Exit::NoReply })
}

/// How the engine's work ended.
enum Ended {
    Over,
    Failed(Failure),
    /// Stopped before the first probe.
    NotBegun,
}

/// Runs the engine in a thread of its own: nothing that is written or printed holds it up.
fn start(mut engine: ClientEngine, control: &Arc<Control>) -> anyhow::Result<Receiver<Observation>> {
    let (sender, receiver) = channel();
    let control = Arc::clone(control);
    std::thread::Builder::new()
        .name("pinger".into())
        .spawn(move || {
            // The receiver lives until this sender is gone. A failing wait ends the run with what it has.
            let mut observe = |observation| drop(sender.send(observation));
            drop(engine.run(&control, &mut observe));
        })
        .context("cannot start a thread")?;
    Ok(receiver)
}

fn watch(
    observations: &Receiver<Observation>,
    run: &mut Run,
    recorder: &mut Recorder,
    screen: &mut Screen,
    interim: &AtomicBool,
) -> Ended {
    const FLUSH: Duration = Duration::from_millis(500);
    let mut begun = None;
    let mut next_flush = Instant::ZERO;
    loop {
        let zero = begun.unwrap_or(Instant::ZERO);
        let observation = match observations.recv_timeout(FLUSH.to_std()) {
            Ok(observation) => observation,
            // Between two probes that are far apart there may be no tick for long.
            Err(RecvTimeoutError::Timeout) => {
                recorder.flush();
                answer(interim, screen, recorder);
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        match observation {
            Observation::Event(event, ttl) => {
                match &event {
                    Event::Failed(failure) => return Ended::Failed(failure.clone()),
                    Event::Opened { server, .. } => run.server = server.as_ref().map(plan::recorded_server),
                    Event::Started { zero: at } => {
                        begun = Some(*at);
                        run.started = plan::rfc3339(*at);
                        recorder.begin(run);
                    }
                    Event::Resolved(probe) => recorder.row(probe, |second| screen.second(second)),
                    _ => {}
                }
                if let Some(event) = screen::recorded_event(&event, zero) {
                    plan::note(run, event);
                }
                screen.event(&event, ttl);
            }
            Observation::ClockStep { at, by } => {
                plan::note(run, screen::clock_step(at - zero, by));
                screen.clock_step(by);
            }
            Observation::Tick { now, .. } => {
                if now >= next_flush {
                    recorder.flush();
                    next_flush = now + FLUSH;
                }
                answer(interim, screen, recorder);
                screen.tick(now);
            }
        }
    }
    if begun.is_some() { Ended::Over } else { Ended::NotBegun }
}

/// Prints the interim line if it was asked for.
fn answer(interim: &AtomicBool, screen: &Screen, recorder: &Recorder) {
    if interim.swap(false, Ordering::AcqRel) {
        screen.interim(&recorder.fold().summary());
    }
}

fn open_folder(arguments: &Ping, host: &str, now: Instant) -> anyhow::Result<Option<Folder>> {
    if arguments.no_record {
        return Ok(None);
    }
    let folder = match &arguments.output {
        Some(path) => Folder::create(path, arguments.force)?,
        None => Folder::create_new(
            &default_parent(),
            &format!("{}-{}", plan::compact_time(now), file_name(host)),
        )?,
    };
    Ok(Some(folder))
}

fn default_parent() -> PathBuf {
    Path::new("results").to_owned()
}

/// The host with what no file name should have replaced.
fn file_name(host: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    host.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}
