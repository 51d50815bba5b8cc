//! The full screen of a run.

use std::sync::Arc;

use crate::cli::args::Ping;
use crate::cli::measurement::view::View;
use crate::cli::output::Recorder;
use crate::cli::picture::draw;
use crate::cli::tui::{PingScreen, SharedView, Tui};
use crate::live::RunInfo;
use crate::net::Control;
use crate::probe::Event;
use crate::record::Run;
use crate::stats::Second;
use crate::time::Instant;

pub(super) fn start(
    arguments: &Ping,
    run: &Run,
    control: &Arc<Control>,
) -> anyhow::Result<Option<Box<dyn View>>> {
    if !arguments.tui {
        return Ok(None);
    }
    Ok(Some(Box::new(FullScreen::start(RunInfo::of(&run.config), control)?)))
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
            shared.note(match draw(&folder) {
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
