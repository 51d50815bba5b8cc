//! The live web page of a run.

use crate::cli::args::Ping;
use crate::cli::measurement::view::View;
use crate::cli::output::Recorder;
use crate::cli::web::PingPage;
use crate::probe::Event;
use crate::record::Run;
use crate::stats::Second;
use crate::time::Instant;

pub(super) fn start(arguments: &Ping, run: &Run) -> anyhow::Result<Option<Box<dyn View>>> {
    let Some(address) = arguments.http else { return Ok(None) };
    Ok(Some(Box::new(PingPage::start(address, &arguments.http_host, run)?)))
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
