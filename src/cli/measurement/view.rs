//! The interface of everything that shows a run as it goes.

use crate::cli::output::Recorder;
use crate::probe::Event;
use crate::record::Run;
use crate::stats::Second;
use crate::time::Instant;

/// One way to show a run. Each takes the calls that it has a use for.
pub(super) trait View {
    /// `ttl` is that of the datagram that caused the event; `now` is when it was taken from the queue.
    fn event(&mut self, _event: &Event, _ttl: Option<u8>, _now: Instant) {}

    fn second(&mut self, _second: &Second) {}

    /// A row to show: of `--every`, or else of a second.
    fn row(&mut self, _row: &Second) {}

    /// An event that does not come from the client: a clock step, truncated metadata.
    fn notice(&mut self, _text: &str) {}

    /// A message that is no part of the run; false if it has to go to stderr.
    fn message(&mut self, _text: &str) -> bool {
        false
    }

    /// Time has passed. `in_flight` is how many probes the client waits for, if it is known.
    fn tick(&mut self, _now: Instant, _in_flight: Option<usize>, _run: &Run, _recorder: &mut Recorder) {}

    /// The run is over. `rows` are the first of those to show.
    fn finish(self: Box<Self>, _run: &Run, _rows: &[Second]) -> anyhow::Result<()> {
        Ok(())
    }

    /// A second interrupt: shows what takes no time.
    fn abort(self: Box<Self>) {}
}
