//! A measurement: the client on a thread of its own, the record and the views on the caller's.

mod beside;
mod config;
mod errors;
mod event_queue;
mod follow;
mod host_figures;
mod irtt;
mod other_dialects;
mod outputs;
mod run_events;
mod stamp;
mod terminal;
mod timestamps;
mod view;
mod views;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;

use anyhow::{Context, anyhow};

use super::exit::Exit;
use super::output::{Finished, Recorder};
use super::picture::draw;
use super::printer::{Printer, print_path};
use crate::net::{ClientEngine, Control, Target, TargetId, lower_priority, use_batch_class};
use crate::probe::SteadySettings;
use crate::record::{self, Clock, Run, Summary};
use crate::time::Duration;
use beside::BesideLoad;
use event_queue::{EventQueue, event_queue};
use follow::{Ended, Follower};
use host_figures::HostFigures;
use outputs::Outputs;
use terminal::{Display, Terminal};
use views::Views;

pub(super) use config::{Config, Connection, Peer};
pub(super) use errors::{cannot_send, exit_of, explain, in_the_middle};
pub(super) use outputs::folder as run_folder;
pub(super) use timestamps::rfc3339;

/// How long a second interrupt waits for a reader that has stopped reading.
const ABORT_TIMEOUT: Duration = Duration::from_millis(200);
/// Above this many probes per second a low priority would not leave the recording thread enough of the processor,
/// and the queue would grow.
const LOW_PRIORITY_RATE: i64 = 20_000;

/// A run that is about to start. Dropped before it has started, it leaves nothing behind.
pub(super) struct Measurement<'a> {
    config: Config<'a>,
    control: Arc<Control>,
    engine: ClientEngine,
    run: Run,
    recorder: Recorder,
    views: Views,
    /// The steady load beside the probes.
    load: Option<SteadySettings>,
    /// Prints data for a program, if the user asked for it.
    data: Option<Printer>,
}

pub(super) enum Outcome {
    /// The run is over; `failures` are the errors of its socket, its outputs and its views.
    Complete { summary: Box<Summary>, failures: Vec<anyhow::Error> },
    /// No probe was sent.
    NotStarted { why: anyhow::Error, exit: Exit },
    /// A second interrupt.
    Aborted,
}

impl<'a> Measurement<'a> {
    /// Opens the outputs, the sockets and the views.
    pub(super) fn prepare(config: Config<'a>, control: &Arc<Control>) -> anyhow::Result<Self> {
        let Config { arguments, connection, settings, clock, .. } = &config;
        let display = Display::of(arguments);
        let stop = Arc::clone(control);
        let host = &connection.peer.host;
        let outputs = Outputs::open(arguments, host, clock.now(), display.status, move || stop.stop())?;
        let Outputs { recorder, lines, data } = outputs;
        let address = connection.peer.address;
        let cannot_send = |error| cannot_send(&error, connection);
        let target =
            Target::connect(address, settings.clone(), &connection.outgoing, *clock).map_err(cannot_send)?;
        let mut run = config.record(&target);
        let load = beside::settings(&config, &arguments.rate_search)?;
        run.load = load.as_ref().map(record::Load::asked);
        let mut engine = ClientEngine::new(connection.outgoing.timer, *clock);
        engine.add(TargetId::default(), target).map_err(cannot_send)?;
        let terminal = Terminal::new(lines, connection, &run, recorder.folder(), display);
        let views = Views::start(&config, &run, terminal, control)?;
        Ok(Self { control: Arc::clone(control), config, engine, run, recorder, views, load, data })
    }

    /// Measures until the run is over. `interim` asks for a line on how it goes.
    pub(super) fn run(self, interim: &AtomicBool) -> anyhow::Result<Outcome> {
        let Self { config, control, engine, mut run, mut recorder, mut views, load, data } = self;
        let Config { arguments, connection, settings, .. } = &config;
        let load = load.map(|load| BesideLoad::start(load, connection, config.clock)).transpose();
        let load = match load {
            Ok(load) => load,
            Err((why, exit)) => {
                drop(views);
                return Ok(Outcome::NotStarted { why, exit });
            }
        };
        let watched = !arguments.quiet || arguments.http.is_some() || arguments.tui || data.is_some();
        let (client, queue) = start(engine, &control, watched)?;
        if settings.schedule.most_within(Duration::from_secs(1)) > LOW_PRIORITY_RATE {
            use_batch_class()
        } else {
            lower_priority()
        }
        let host = (!arguments.no_host_figures).then(|| HostFigures::new(connection.peer.address.ip()));
        let mut follower = Follower::new(&mut run, &mut recorder, &mut views, config.clock, interim, host);
        let ended = follower.until_the_end(&queue);
        let failed = follower.socket_failure.take();
        let zero = follower.zero();
        run.load = load.and_then(|load| load.finish(zero));
        let failed = failed.map(|why| anyhow!("the socket failed in the middle of the run: {why}"));
        let panicked = match ended {
            Ended::Over => panic_of(client),
            Ended::Failed(failure) => {
                // The terminal is given back before the error is printed.
                drop(views);
                let why = errors::explain_run(&failure, connection, &control);
                return Ok(Outcome::NotStarted { why, exit: exit_of(&failure) });
            }
            Ended::NotStarted => {
                drop(views);
                if let Some(error) = failed.or_else(|| panic_of(client)) {
                    return Err(error);
                }
                let why = anyhow!("stopped before {} had answered", connection.peer.address);
                return Ok(Outcome::NotStarted { why, exit: Exit::NoReply });
            }
        };
        if control.abort_asked() {
            recorder.flush();
            views.abort();
            data.into_iter().for_each(|data| data.leave(ABORT_TIMEOUT));
            return Ok(Outcome::Aborted);
        }
        let summary = Summary::of(recorder.statistics()).narrowed_to(run.known());
        run.clock = Clock::of(recorder.statistics());
        run.summary = Some(summary.clone());
        let Finished { rows, folder, mut failures } = recorder.finish(&run);
        failures.extend(failed.into_iter().chain(panicked));
        failures.extend(views.finish(&run, &rows));
        let names_picture = data.is_none() || arguments.verbose;
        failures.extend(data.and_then(|data| data.finish_checked().err()));
        if let Some(folder) = folder {
            match draw(&folder) {
                Ok(path) if names_picture => print_path(&path),
                drawn => failures.extend(drawn.err()),
            }
        }
        Ok(Outcome::Complete { summary: Box::new(summary), failures })
    }
}

/// Runs the client on a thread of its own: nothing that is written or shown delays it.
fn start(
    mut engine: ClientEngine,
    control: &Arc<Control>,
    watched: bool,
) -> anyhow::Result<(JoinHandle<()>, EventQueue)> {
    let (mut sender, queue) = event_queue(watched);
    let control = Arc::clone(control);
    let client = std::thread::Builder::new()
        .name("client".into())
        .spawn(move || {
            // The sender has passed on the error, if there was one.
            drop(engine.run(&control, &mut sender));
        })
        .context("cannot start a thread")?;
    Ok((client, queue))
}

/// The thread has printed the panic's own message.
fn panic_of(client: JoinHandle<()>) -> Option<anyhow::Error> {
    client.join().is_err().then(|| anyhow!("a bug in the program ended the run early"))
}
