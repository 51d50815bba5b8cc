//! `udpecho ping`: one run, shown as it goes, recorded, summed up.

mod dots;
mod notes;
mod outstanding;
mod places;
mod plan;
mod screen;
mod size;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

use anyhow::{Context, anyhow};

use super::args::{Fail, Ping};
use super::embedded::Embedded;
use super::exit::{self, Exit};
use super::live::{About, PingDesk, PingFace, PingPage, Tui};
use super::printer::remark;
use super::recorder::{Finished, Recorder};
use super::{report as report_command, signals};
use crate::net::{ClientEngine, Clock, Control, Observation, Observer, give_way};
use crate::probe::{Event, Failure};
use crate::record::{self, ReceiveBuffer, Run};
use crate::report::{self, Detail, Thresholds};
use crate::time::{Duration, Instant};
use notes::Notes;
use places::Places;
use plan::{Plan, Server};
use screen::{Look, Screen};

/// How long a reader that has stopped reading is waited for at a second interrupt.
const LAST_WORDS: Duration = Duration::from_millis(200);

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
            let from = plan.outgoing.source.map_or(String::new(), |source| format!(" from {source}"));
            return Err(anyhow!(error).context(format!("cannot send to {}{from}", peer.address)));
        }
    };
    let mut run = plan.record(&peer, &settings, argv, engine.has_kernel_stamps());
    run.environment.receive_buffer = engine
        .receive_buffer()
        .map(|(bytes, asked)| ReceiveBuffer { bytes: bytes as u64, asked: asked as u64 });

    let interim = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&interim);
    signals::watch(&control, move || asked.store(true, Ordering::Release))
        .context("cannot watch for signals")?;
    let mut screen = Screen::new(lines, &peer, About::of(&run.config), Look::of(arguments));

    let page = arguments.http.map(|address| PingPage::start(address, &run, clock)).transpose();
    let mut page = match page {
        Ok(page) => page,
        Err(error) => {
            recorder.discard();
            return Err(error);
        }
    };
    let desk = arguments.tui.then(|| Arc::new(PingDesk::new(About::of(&run.config))));
    let shown = desk.as_ref().map(|desk| Tui::start(PingFace::new(Arc::clone(desk)), Arc::clone(&control)));
    let full_screen = match shown.transpose() {
        Ok(full_screen) => full_screen,
        Err(error) => {
            recorder.discard();
            return Err(error);
        }
    };

    let observations = start(engine, &control, !arguments.quiet || page.is_some() || desk.is_some())?;
    give_way();
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
    let ended = watch.until_the_end(&observations);
    let failed = watch.failed.take();
    // From here on the terminal is as it was.
    drop(full_screen);
    match ended {
        Ended::Over => {}
        Ended::Failed(failure) => {
            recorder.discard();
            return Err(size::explain(&failure, &peer, plan.key, &plan.outgoing, &control));
        }
        Ended::NotBegun => {
            recorder.discard();
            return Ok(exit::complain(
                &anyhow!("stopped before {} had answered", peer.address),
                Exit::NoReply,
            ));
        }
    }
    if control.abort_asked() {
        recorder.flush();
        screen.leave(LAST_WORDS);
        data.into_iter().for_each(|data| data.leave(LAST_WORDS));
        return Ok(Exit::Interrupted);
    }
    screen.end();
    let summary = recorder.fold().summary();
    run.clock = recorder.fold().clock();
    run.summary = Some(summary.clone());
    if let Some(page) = page {
        page.finish(&run);
    }
    let Finished { seconds, folder, mut failures } = recorder.finish(&run);
    failures.extend(failed.map(|why| anyhow!("the socket failed in the middle of the run: {why}")));
    let detail = if arguments.verbose { Detail::All } else { Detail::Usual };
    report::summary(&run, &summary, &seconds, detail).into_iter().for_each(|line| screen.line(line));
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

/// How the engine's work ended.
enum Ended {
    Over,
    Failed(Failure),
    /// Stopped before the first probe.
    NotBegun,
}

/// Runs the engine in a thread of its own: nothing that is written or printed holds it up.
fn start(
    mut engine: ClientEngine,
    control: &Arc<Control>,
    watched: bool,
) -> anyhow::Result<Receiver<Vec<Observation>>> {
    let (sender, receiver) = channel();
    let control = Arc::clone(control);
    std::thread::Builder::new()
        .name("pinger".into())
        .spawn(move || {
            // What made it fail, if it did, was observed.
            let mut observer = InChunks::new(sender, watched);
            drop(engine.run(&control, &mut observer));
        })
        .context("cannot start a thread")?;
    Ok(receiver)
}

/// Passes observations on in chunks: to wake the thread that takes them for each takes longer than
/// what is measured.
struct InChunks {
    sender: Sender<Vec<Observation>>,
    chunk: Vec<Observation>,
    /// Somebody looks at each reply as it comes.
    watched: bool,
    now: Instant,
    /// Without anybody who looks what happened may wait until then.
    next_pass: Instant,
}

impl InChunks {
    const MOST: usize = 1024;
    const UNSEEN: Duration = Duration::from_secs(1);

    fn new(sender: Sender<Vec<Observation>>, watched: bool) -> Self {
        Self { sender, chunk: Vec::new(), watched, now: Instant::ZERO, next_pass: Instant::ZERO }
    }

    fn pass(&mut self) {
        if !self.chunk.is_empty() {
            self.next_pass = self.now + Self::UNSEEN;
            // The receiver lives until this sender is gone.
            let _ = self.sender.send(std::mem::take(&mut self.chunk));
        }
    }
}

impl Drop for InChunks {
    fn drop(&mut self) {
        self.pass();
    }
}

impl Observer for InChunks {
    fn observe(&mut self, observation: Observation) {
        if !self.watched && matches!(observation, Observation::Event(Event::Reply { .. }, _)) {
            return;
        }
        if let Observation::Tick { now, .. } = observation {
            self.now = now;
        }
        self.chunk.push(observation);
        if self.chunk.len() >= Self::MOST {
            self.pass();
        }
    }

    fn idle(&mut self) {
        if self.watched || self.now >= self.next_pass {
            self.pass();
        }
    }

    fn is_watched(&self) -> bool {
        self.watched
    }
}

/// Follows a run: into the record, onto the screen.
struct Watch<'a> {
    run: &'a mut Run,
    recorder: &'a mut Recorder,
    screen: &'a mut Screen,
    page: &'a mut Option<PingPage>,
    /// What the full screen shows.
    desk: Option<Arc<PingDesk>>,
    clock: Clock,
    interim: &'a AtomicBool,
    /// Nothing waits in a buffer.
    written_out: bool,
    /// Why the run ended before its time.
    failed: Option<String>,
}

impl Watch<'_> {
    /// Rows are written out this often.
    const FLUSH: Duration = Duration::from_millis(500);
    /// And when nothing has happened for so long: there may be no tick between probes far apart.
    const IDLE: Duration = Duration::from_millis(50);

    fn until_the_end(&mut self, observations: &Receiver<Vec<Observation>>) -> Ended {
        let mut notes = Notes::default();
        let mut next_flush = Instant::ZERO;
        while let Some(chunk) = self.next(observations) {
            for observation in chunk {
                match observation {
                    Observation::Event(Event::Failed(failure), _) => return Ended::Failed(failure),
                    Observation::Event(event, ttl) => {
                        self.event(&event);
                        notes.of(&event).into_iter().for_each(|note| self.note(note));
                        self.screen.event(&event, ttl, self.clock.now());
                    }
                    Observation::ClockStep { at, by } => {
                        self.note(notes.clock_step(at, by));
                        self.screen.clock_step(by);
                    }
                    Observation::ToldLess { at, datagrams } => {
                        let note = notes.told_less(at, datagrams);
                        self.screen.told_less(&note.text);
                        self.note(note);
                    }
                    Observation::SocketFailed { at, why } => {
                        self.note(notes.socket_failed(at, &why));
                        self.failed = Some(why);
                    }
                    Observation::Tick { now, in_flight } => {
                        if now >= next_flush {
                            self.recorder.flush();
                            next_flush = now + Self::FLUSH;
                        }
                        self.answer();
                        self.tick(now, Some(in_flight));
                    }
                }
            }
        }
        if self.run.started.is_empty() { Ended::NotBegun } else { Ended::Over }
    }

    fn next(&mut self, observations: &Receiver<Vec<Observation>>) -> Option<Vec<Observation>> {
        loop {
            let patience = if self.written_out { Self::FLUSH } else { Self::IDLE };
            match observations.recv_timeout(patience.to_std()) {
                Ok(chunk) => {
                    self.written_out = false;
                    return Some(chunk);
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.recorder.flush();
                    self.written_out = true;
                    self.answer();
                    self.tick(self.clock.now(), None);
                }
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    fn tick(&mut self, now: Instant, in_engine: Option<usize>) {
        self.screen.tick(now, in_engine);
        if let Some(page) = self.page {
            page.tick(now, in_engine, self.run, self.recorder.fold());
        }
        if let Some(desk) = &self.desk {
            desk.live().tick(now, in_engine);
            if desk.wants_report() {
                self.report();
            }
        }
    }

    fn event(&mut self, event: &Event) {
        let Self { run, recorder, screen, page, desk, .. } = self;
        if let Some(desk) = desk {
            desk.live().event(event);
        }
        if let Some(page) = page {
            page.event(event);
        }
        match event {
            Event::Opened { server: Some(server), .. } => plan::note_server(run, server),
            Event::Started { zero } => {
                run.started = plan::rfc3339(*zero);
                recorder.start(run);
            }
            Event::Resolved(probe) => recorder.row(probe, |second| {
                screen.second(second);
                if let Some(page) = page {
                    page.second(second);
                }
                if let Some(desk) = desk {
                    desk.live().second(second);
                }
            }),
            _ => {}
        }
    }

    /// Draws what is recorded so far, in a thread of its own: the run goes on meanwhile.
    fn report(&mut self) {
        let Some(desk) = self.desk.clone() else { return };
        let Some(folder) = self.recorder.folder() else {
            return desk.note("nothing is recorded, so there is nothing to draw".to_owned());
        };
        self.recorder.flush();
        desk.note("drawing the report".to_owned());
        let drawing = std::thread::Builder::new().name("report".into());
        // Without a thread there is no report now, and one at the end.
        let _ = drawing.spawn(move || {
            desk.note(match report_command::draw(&folder, report::Theme::Light) {
                Ok(picture) => format!("written: {}", picture.display()),
                Err(error) => format!("no report: {error:#}"),
            });
        });
    }

    fn note(&mut self, note: record::Event) {
        self.recorder.note(&note);
        plan::note(self.run, note);
    }

    /// Prints the interim line if it was asked for.
    fn answer(&self) {
        if !self.interim.swap(false, Ordering::AcqRel) {
            return;
        }
        let line = report::interim(&self.recorder.fold().summary());
        match &self.desk {
            Some(desk) => desk.note(line),
            None => remark(line),
        }
    }
}
