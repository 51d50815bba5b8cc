//! Follows a run: into the record, onto the screen, to the pages, until it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::printer::remark;
use super::super::recorder::Recorder;
use super::super::report as report_command;
use super::super::tui::SharedView;
use super::super::web::PingPage;
use super::mailbox::{Found, Mailbox};
use super::notes::Notes;
use super::plan;
use super::screen::Screen;
use crate::net::{Clock, Observation};
use crate::probe::{Event, Failure};
use crate::record::{self, Run, Summary};
use crate::report;
use crate::time::{Duration, Instant};

/// How the engine's work ended.
pub enum Ended {
    Over,
    Failed(Failure),
    /// Stopped before the first probe.
    NotBegun,
}

/// One run and all that shows it.
pub struct Watch<'a> {
    pub run: &'a mut Run,
    pub recorder: &'a mut Recorder,
    pub screen: &'a mut Screen,
    pub page: &'a mut Option<PingPage>,
    /// What the full screen shows.
    pub desk: Option<Arc<SharedView>>,
    pub clock: Clock,
    pub interim: &'a AtomicBool,
    /// Nothing waits in a buffer.
    pub written_out: bool,
    /// Why the run ended before its time.
    pub failed: Option<String>,
}

impl Watch<'_> {
    /// Rows are written out this often.
    const FLUSH: Duration = Duration::from_millis(500);
    /// And when nothing has happened for so long: there may be no tick between probes far apart.
    const IDLE: Duration = Duration::from_millis(50);

    pub fn until_the_end(&mut self, mailbox: &Mailbox) -> Ended {
        let mut notes = Notes::default();
        let mut next_flush = Instant::ZERO;
        while let Some(observations) = self.next(mailbox) {
            for observation in observations.into_iter().flatten() {
                match observation {
                    Observation::Event(Event::Failed(failure), _) => return Ended::Failed(failure),
                    Observation::Event(event, ttl) => {
                        self.event(&event);
                        self.tell_of_record();
                        notes.of(&event).into_iter().for_each(|note| self.note(note));
                        self.screen.event(&event, ttl, self.clock.now());
                    }
                    Observation::ClockStep { at, by } => {
                        self.note(notes.clock_step(at, by));
                        self.screen.clock_step(by);
                    }
                    Observation::TruncatedMetadata { at, datagrams } => {
                        let note = notes.told_less(at, datagrams);
                        self.screen.told_less(&note.text);
                        self.note(note);
                    }
                    Observation::TxStamps { sent, stamped } => {
                        self.run.stamps.client_send = plan::stamped(sent, stamped);
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

    fn next(&mut self, mailbox: &Mailbox) -> Option<Vec<Vec<Observation>>> {
        loop {
            let soon = !self.written_out && mailbox.is_watched();
            match mailbox.take(if soon { Self::IDLE } else { Self::FLUSH }) {
                Found::Some(observations) => {
                    self.written_out = false;
                    return Some(observations);
                }
                Found::Nothing => {
                    self.recorder.flush();
                    self.written_out = true;
                    self.answer();
                    self.tick(self.clock.now(), None);
                }
                Found::Over => return None,
            }
        }
    }

    fn tick(&mut self, now: Instant, in_engine: Option<usize>) {
        self.screen.tick(now, in_engine);
        if let Some(page) = self.page {
            page.tick(now, in_engine, self.run, self.recorder.statistics());
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
            Event::Waiting(why) => {
                if let Some(desk) = desk {
                    desk.note(format!("no server answers yet ({why}); asking until one does"));
                }
            }
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

    /// Warns once where a record stops while the run goes on.
    fn tell_of_record(&mut self) {
        if let Some(note) = self.recorder.take_note() {
            self.aside(format!("udpecho: warning: {}; all else goes on", note.text));
            self.note(note);
        }
    }

    /// Prints the interim line if it was asked for.
    fn answer(&self) {
        if self.interim.swap(false, Ordering::AcqRel) {
            self.aside(report::interim(&Summary::of(self.recorder.statistics())));
        }
    }

    fn aside(&self, line: String) {
        match &self.desk {
            Some(desk) => desk.note(line),
            None => remark(line),
        }
    }
}
