//! `udpecho ping`: one run, shown as it goes, recorded, summed up.

mod dots;
mod hints;
mod lateness;
mod mailbox;
mod notes;
mod outstanding;
mod places;
mod plan;
mod screen;
mod size;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, anyhow};

use super::args::{Fail, Ping};
use super::embedded::Embedded;
use super::exit::{self, Exit};
use super::recorder::Finished;
use super::tui::{PingScreen, SharedView, Tui};
use super::web::PingPage;
use super::{report as report_command, signals};
use crate::live::RunInfo;
use crate::net::{ClientEngine, Clock, Control, lower_priority, use_batch_class};
use crate::record::{self, ReceiveBuffer, Summary};
use crate::report::{self, Detail, Thresholds};
use crate::time::Duration;
use mailbox::{Mailbox, mailbox};
use places::Places;
use plan::{Plan, Server};
use screen::{Look, Screen};
use watch::{Ended, Watch};

/// How long a reader that has stopped reading is waited for at a second interrupt.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// Fewer probes a second than this can be recorded with the small part of a processor that is left to who
/// stays behind; of more, memory would grow.
const RECORDED_BEHIND: i64 = 20_000;

pub fn run(arguments: &Ping, argv: Vec<String>) -> anyhow::Result<Exit> {
    let plan = Plan::new(arguments)?;
    let clock = Clock::start();
    let embedded = match &plan.server {
        Server::Embedded => Some(Embedded::start(plan.outgoing.backend, plan.key.clone(), clock)?),
        Server::At { .. } => None,
    };
    let peer = plan.peer(embedded.as_ref().map(Embedded::address))?;
    if arguments.find_size {
        return size::run(&peer, &plan.outgoing, plan.key);
    }
    let settings = plan.settings(&peer)?;
    let control = Arc::new(Control::new().context("cannot make a pipe")?);
    let stop = Arc::clone(&control);
    let places = Places::open(arguments, &peer.host, clock.now(), move || stop.stop())?;
    let Places { mut recorder, lines, data } = places;
    let engine = match ClientEngine::connect(peer.address, settings.clone(), &plan.outgoing, clock) {
        Ok(engine) => engine,
        Err(error) => {
            recorder.discard();
            return Err(hints::cannot_send(&error, &peer, plan.outgoing.source));
        }
    };
    let mut run = plan.record(&peer, &settings, argv, &engine);
    run.environment.receive_buffer = engine
        .receive_buffer()
        .map(|(bytes, asked)| ReceiveBuffer { bytes: bytes as u64, asked: asked as u64 });

    let interim = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&interim);
    signals::watch(&control, move || asked.store(true, Ordering::Release))
        .context("cannot watch for signals")?;
    let mut screen = Screen::new(lines, &peer, RunInfo::of(&run.config), &run.stamps, Look::of(arguments));
    screen.name_folder(recorder.folder());

    let page = arguments.http.map(|address| PingPage::start(address, &arguments.http_host, &run)).transpose();
    let mut page = match page {
        Ok(page) => page,
        Err(error) => {
            recorder.discard();
            return Err(error);
        }
    };
    let desk = arguments.tui.then(|| Arc::new(SharedView::new(RunInfo::of(&run.config))));
    let shown = desk.as_ref().map(|desk| Tui::start(PingScreen::new(Arc::clone(desk)), Arc::clone(&control)));
    let full_screen = match shown.transpose() {
        Ok(full_screen) => full_screen,
        Err(error) => {
            recorder.discard();
            return Err(error);
        }
    };

    let watched = !arguments.quiet || page.is_some() || desk.is_some() || data.is_some();
    let (pinger, mailbox) = start(engine, &control, watched)?;
    if settings.schedule.most_within(Duration::from_secs(1)) > RECORDED_BEHIND {
        use_batch_class()
    } else {
        lower_priority()
    }
    let mut watch = Watch {
        run: &mut run,
        recorder: &mut recorder,
        screen: &mut screen,
        page: &mut page,
        desk,
        clock,
        interim: &interim,
        written_out: true,
        failed: None,
    };
    let ended = watch.until_the_end(&mailbox);
    let failed = watch.failed.take();
    let failed = failed.map(|why| anyhow!("the socket failed in the middle of the run: {why}"));
    // From here on the terminal is as it was.
    drop(full_screen);
    let panicked = match ended {
        Ended::Over => fault_of(pinger),
        Ended::Failed(failure) => {
            recorder.discard();
            let why = size::explain(&failure, &peer, plan.key, &plan.outgoing, &control);
            return Ok(exit::complain(&why, plan::exit_of(&failure)));
        }
        Ended::NotBegun => {
            recorder.discard();
            if let Some(fault) = failed.or_else(|| fault_of(pinger)) {
                return Err(fault);
            }
            return Ok(exit::complain(
                &anyhow!("stopped before {} had answered", peer.address),
                Exit::NoReply,
            ));
        }
    };
    if control.abort_asked() {
        recorder.flush();
        screen.leave(LAST_WORDS);
        data.into_iter().for_each(|data| data.leave(LAST_WORDS));
        return Ok(Exit::Interrupted);
    }
    screen.end();
    let summary = Summary::of(recorder.statistics());
    run.clock = record::Clock::of(recorder.statistics());
    run.summary = Some(summary.clone());
    if let Some(page) = page {
        page.finish(&run);
    }
    let Finished { seconds, folder, mut failures } = recorder.finish(&run);
    failures.extend(failed.into_iter().chain(panicked));
    let detail = if arguments.verbose { Detail::All } else { Detail::Usual };
    report::summary(&run, &summary, &seconds, detail).iter().for_each(|line| screen.paragraph(line));
    let told = data.is_none() || arguments.verbose;
    failures.extend(screen.finish().err());
    failures.extend(data.and_then(|data| places::finish(data).err()));
    if let Some(folder) = folder {
        match report_command::draw(&folder, report::Theme::Light) {
            Ok(picture) if told => report_command::say_where(&picture),
            drawn => failures.extend(drawn.err()),
        }
    }
    let breaches = thresholds(&arguments.fail).breaches(&summary);
    for breach in &breaches {
        exit::complain_of_threshold(breach);
    }
    for failure in &failures {
        exit::complain(failure, Exit::Error);
    }
    Ok(match () {
        () if !failures.is_empty() => Exit::Error,
        () if !breaches.is_empty() => Exit::Failed,
        () if summary.ok + summary.late == 0 => Exit::NoReply,
        () => Exit::Success,
    })
}

fn thresholds(fail: &Fail) -> Thresholds {
    Thresholds {
        loss: fail.fail_loss,
        p99: fail.fail_p99,
        jitter: fail.fail_jitter,
        reordering: fail.fail_reorder,
    }
}

/// Whether the thread panicked; what it had to say it has said by itself.
fn fault_of(pinger: JoinHandle<()>) -> Option<anyhow::Error> {
    pinger.join().is_err().then(|| anyhow!("a fault of the program ended the run early"))
}

/// Runs the engine in a thread of its own: nothing that is written or printed holds it up.
fn start(
    mut engine: ClientEngine,
    control: &Arc<Control>,
    watched: bool,
) -> anyhow::Result<(JoinHandle<()>, Mailbox)> {
    let (mut observed, mailbox) = mailbox(watched);
    let control = Arc::clone(control);
    let pinger = std::thread::Builder::new()
        .name("pinger".into())
        .spawn(move || {
            // What made it fail, if it did, was observed.
            drop(engine.run(&control, &mut observed));
        })
        .context("cannot start a thread")?;
    Ok((pinger, mailbox))
}
