//! Writes a run as it goes to every output: rows as probes are resolved, figures at the end.
//!
//! An output that fails ends neither the measurement nor the other outputs; the end reports it.

use std::num::NonZero;

use super::sinks::Sink;
use crate::probe::Resolved;
use crate::record::{Event, Folder, Run};
use crate::report::SECONDS_IN_TABLE;
use crate::stats::{RunStatistics, Second, Seconds};

#[derive(Default)]
pub(crate) struct Recorder {
    outputs: Vec<Output>,
    statistics: RunStatistics,
    /// The rows of `--every`, which replace seconds where people and programs read.
    intervals: Option<Seconds>,
    /// The first rows, for the table at the end.
    rows: Vec<Second>,
}

struct Output {
    sink: Box<dyn Sink>,
    /// The first error; the sink gets nothing after it.
    failure: Option<anyhow::Error>,
}

/// The end of a recorded run.
pub(crate) struct Finished {
    /// The first rows: of seconds, or of `--every`.
    pub rows: Vec<Second>,
    /// The folder, if its files are complete.
    pub folder: Option<Folder>,
    /// The error of each output that failed.
    pub failures: Vec<anyhow::Error>,
}

/// A row that a probe completed.
pub(crate) enum Completed<'a> {
    /// Of a second.
    Second(&'a Second),
    /// To show: of `--every`, or else of a second.
    Row(&'a Second),
}

impl Recorder {
    /// One row more than the table shows tells that the table would be too long.
    const ROWS_KEPT: usize = SECONDS_IN_TABLE + 1;

    /// Without a sink it only keeps figures. `every` is the length of the rows to show, in seconds.
    pub(crate) fn new(every: Option<NonZero<u64>>) -> Self {
        Self { intervals: every.map(Seconds::of_length), ..Self::default() }
    }

    pub(crate) fn write_to(&mut self, sink: impl Sink + 'static) {
        self.outputs.push(Output { sink: Box::new(sink), failure: None });
    }

    /// Time zero has come.
    pub(crate) fn start(&mut self, run: &Run) {
        self.each(|sink| sink.start(run));
    }

    /// Takes the next probe; passes on the rows that it completes.
    pub(crate) fn probe(&mut self, probe: &Resolved, mut completed: impl FnMut(Completed)) {
        let Self { outputs, statistics, intervals, rows } = self;
        each(outputs, |sink| sink.probe(probe));
        let mut show = |outputs: &mut [Output], row: &Second, completed: &mut dyn FnMut(Completed)| {
            keep(rows, row);
            each(outputs, |sink| sink.row(row));
            completed(Completed::Row(row));
        };
        statistics.push(probe, |second| {
            each(outputs, |sink| sink.second(second));
            completed(Completed::Second(second));
            if intervals.is_none() {
                show(outputs, second, &mut completed);
            }
        });
        if let Some(intervals) = intervals {
            intervals.record(probe).for_each(|row| show(outputs, &row, &mut completed));
        }
    }

    pub(crate) fn note(&mut self, event: &Event) {
        self.each(|sink| sink.note(event));
    }

    /// The next event that a sink has to report about itself.
    pub(crate) fn take_note(&mut self) -> Option<Event> {
        self.outputs.iter_mut().find_map(|output| output.sink.take_note())
    }

    pub(crate) fn flush(&mut self) {
        self.each(|sink| sink.flush());
    }

    /// The folder of the run, if it has one.
    pub(crate) fn folder(&self) -> Option<Folder> {
        self.outputs.iter().find_map(|output| output.sink.folder())
    }

    pub(crate) fn statistics(&self) -> &RunStatistics {
        &self.statistics
    }

    /// Completes the outputs with the last rows and the run's figures.
    pub(crate) fn finish(mut self, run: &Run) -> Finished {
        let second = self.statistics.last_second();
        if let Some(second) = &second {
            self.each(|sink| sink.second(second));
        }
        let last_row = match self.intervals.take() {
            Some(intervals) => second.map(|_| intervals.open()),
            None => second,
        };
        if let Some(row) = &last_row {
            keep(&mut self.rows, row);
            self.each(|sink| sink.row(row));
        }
        self.each(|sink| sink.end(run));
        let mut finished = Finished { rows: self.rows, folder: None, failures: Vec::new() };
        for mut output in self.outputs {
            match output.failure {
                None => finished.folder = finished.folder.or(output.sink.folder()),
                Some(failure) => {
                    output.sink.salvage(run, &failure);
                    finished.failures.push(failure.context(output.sink.complaint()));
                }
            }
        }
        finished
    }

    fn each(&mut self, write: impl FnMut(&mut dyn Sink) -> anyhow::Result<()>) {
        each(&mut self.outputs, write);
    }
}

fn each(outputs: &mut [Output], mut write: impl FnMut(&mut dyn Sink) -> anyhow::Result<()>) {
    for output in outputs.iter_mut().filter(|output| output.failure.is_none()) {
        output.failure = write(&mut *output.sink).err();
    }
}

fn keep(rows: &mut Vec<Second>, row: &Second) {
    if rows.len() < Recorder::ROWS_KEPT {
        rows.push(*row);
    }
}
