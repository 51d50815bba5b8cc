//! What shows a run as it goes: text, a full screen, a web page.

use std::sync::Arc;

use super::config::Config;
use super::terminal::Terminal;
use super::view::View;
use crate::cli::commands::report::draw;
use crate::cli::output::Recorder;
use crate::cli::printer::stderr_line;
use crate::cli::tui::{PingScreen, SharedView, Tui};
use crate::cli::web::PingPage;
use crate::live::RunInfo;
use crate::net::Control;
use crate::probe::Event;
use crate::record::Run;
use crate::report::Theme;
use crate::stats::Second;
use crate::time::Instant;

/// All views of a run.
pub(super) struct Views(Vec<Box<dyn View>>);

impl Views {
    /// Those that were asked for. The full screen comes first: it gives the terminal back before text is printed.
    pub(super) fn start(
        config: &Config,
        run: &Run,
        terminal: Terminal,
        control: &Arc<Control>,
    ) -> anyhow::Result<Self> {
        let arguments = config.arguments;
        let mut views: Vec<Box<dyn View>> = Vec::new();
        let page =
            arguments.http.map(|address| PingPage::start(address, &arguments.http_host, run)).transpose()?;
        if arguments.tui {
            views.push(Box::new(FullScreen::start(RunInfo::of(&run.config), control)?));
        }
        if let Some(page) = page {
            views.push(Box::new(page));
        }
        views.push(Box::new(terminal));
        Ok(Self(views))
    }

    pub(super) fn each(&mut self, mut show: impl FnMut(&mut dyn View)) {
        self.0.iter_mut().for_each(|view| show(&mut **view));
    }

    /// Shown in place of the terminal's text where there is a full screen, else on stderr.
    pub(super) fn message(&mut self, text: &str) {
        if !self.0.iter_mut().any(|view| view.message(text)) {
            stderr_line(text);
        }
    }

    /// The errors of the views that could not show everything.
    pub(super) fn finish(self, run: &Run, rows: &[Second]) -> Vec<anyhow::Error> {
        self.0.into_iter().filter_map(|view| view.finish(run, rows).err()).collect()
    }

    pub(super) fn abort(self) {
        self.0.into_iter().for_each(|view| view.abort());
    }
}

impl View for PingPage {
    fn event(&mut self, event: &Event, _ttl: Option<u8>, _now: Instant) {
        PingPage::event(self, event);
    }

    fn second(&mut self, second: &Second) {
        PingPage::second(self, second);
    }

    fn tick(&mut self, now: Instant, in_flight: Option<usize>, run: &Run, recorder: &mut Recorder) {
        PingPage::tick(self, now, in_flight, run, recorder.statistics());
    }

    fn finish(self: Box<Self>, run: &Run, _rows: &[Second]) -> anyhow::Result<()> {
        PingPage::finish(*self, run);
        Ok(())
    }
}

struct FullScreen {
    shared: Arc<SharedView>,
    /// Gives the terminal back when it is dropped.
    _tui: Tui,
}

impl FullScreen {
    fn start(info: RunInfo, control: &Arc<Control>) -> anyhow::Result<Self> {
        let shared = Arc::new(SharedView::new(info));
        let _tui = Tui::start(PingScreen::new(Arc::clone(&shared)), Arc::clone(control))?;
        Ok(Self { shared, _tui })
    }

    /// Draws what is recorded so far, in a thread of its own: the run goes on meanwhile.
    fn draw_report(&self, recorder: &mut Recorder) {
        let Some(folder) = recorder.folder() else {
            return self.shared.note("nothing is recorded, so there is nothing to draw".to_owned());
        };
        recorder.flush();
        let shared = Arc::clone(&self.shared);
        shared.note("drawing the report".to_owned());
        let thread = std::thread::Builder::new().name("report".into());
        // Without a thread there is only the report at the end.
        let _ = thread.spawn(move || {
            shared.note(match draw(&folder, Theme::Light) {
                Ok(picture) => format!("written: {}", picture.display()),
                Err(error) => format!("no report: {error:#}"),
            });
        });
    }
}

impl View for FullScreen {
    fn event(&mut self, event: &Event, _ttl: Option<u8>, _now: Instant) {
        self.shared.live().event(event);
        if let Event::Waiting(why) = event {
            self.shared.note(format!("no server answers yet ({why}); asking until one does"));
        }
    }

    fn second(&mut self, second: &Second) {
        self.shared.live().second(second);
    }

    fn message(&mut self, text: &str) -> bool {
        self.shared.note(text.to_owned());
        true
    }

    fn tick(&mut self, now: Instant, in_flight: Option<usize>, _run: &Run, recorder: &mut Recorder) {
        self.shared.live().tick(now, in_flight);
        if self.shared.wants_report() {
            self.draw_report(recorder);
        }
    }
}
