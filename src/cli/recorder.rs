//! Writes a run down as it goes, to each of the places asked for: rows as they are resolved, figures
//! at the end.
//!
//! A place that fails does not end the measurement, nor the others: what cannot be written is not,
//! and the end says so.

mod sinks;

pub use sinks::{CsvRows, EventLines, FolderFiles, RunObject, Sink};

use crate::probe::Resolved;
use crate::record::{Event, Folder, Run};
use crate::report::SECONDS_IN_TABLE;
use crate::stats::{RunStatistics, Second};

#[derive(Default)]
pub struct Recorder {
    places: Vec<Place>,
    statistics: RunStatistics,
    /// The first seconds, for the table at the end.
    seconds: Vec<Second>,
}

/// Where a run is written to, until it fails.
struct Place {
    sink: Box<dyn Sink>,
    failure: Option<anyhow::Error>,
}

/// What is left of a run that was written down.
pub struct Finished {
    /// The first ones.
    pub seconds: Vec<Second>,
    /// The folder, if its files are complete.
    pub folder: Option<Folder>,
    /// What went wrong, and where.
    pub failures: Vec<anyhow::Error>,
}

impl Recorder {
    /// One more than the table shows, so that it can be told to be too long.
    const SECONDS_KEPT: usize = SECONDS_IN_TABLE + 1;

    /// Without a place figures are kept and nothing is written.
    pub fn new() -> Self {
        Self::default()
    }

    pub fn write_to(&mut self, sink: impl Sink + 'static) {
        self.places.push(Place { sink: Box::new(sink), failure: None });
    }

    /// Time zero has come.
    pub fn start(&mut self, run: &Run) {
        self.each(|sink| sink.start(run));
    }

    /// Takes the next probe; passes on each second that it completes.
    pub fn row(&mut self, probe: &Resolved, mut completed: impl FnMut(&Second)) {
        let Self { places, statistics, seconds } = self;
        each(places, |sink| sink.probe(probe));
        statistics.push(probe, |second| {
            keep(seconds, second);
            each(places, |sink| sink.second(second));
            completed(second);
        });
    }

    pub fn note(&mut self, event: &Event) {
        self.each(|sink| sink.note(event));
    }

    /// What a place has to tell of itself since it was last asked.
    pub fn take_note(&mut self) -> Option<Event> {
        self.places.iter_mut().find_map(|place| place.sink.take_note())
    }

    pub fn flush(&mut self) {
        self.each(|sink| sink.flush());
    }

    /// Where the run's files are, if it has a folder.
    pub fn folder(&self) -> Option<Folder> {
        self.places.iter().find_map(|place| place.sink.folder())
    }

    pub fn statistics(&self) -> &RunStatistics {
        &self.statistics
    }

    /// Completes what is written with the last second and the run's figures.
    pub fn finish(mut self, run: &Run) -> Finished {
        if let Some(second) = self.statistics.last_second() {
            keep(&mut self.seconds, &second);
            self.each(|sink| sink.second(&second));
        }
        self.each(|sink| sink.end(run));
        let mut finished = Finished { seconds: self.seconds, folder: None, failures: Vec::new() };
        for mut place in self.places {
            match place.failure {
                None => finished.folder = finished.folder.or(place.sink.folder()),
                Some(failure) => {
                    place.sink.salvage(run, &failure);
                    finished.failures.push(failure.context(place.sink.complaint()));
                }
            }
        }
        finished
    }

    /// The run did not begin: nothing is left of it.
    pub fn discard(self) {
        for mut place in self.places {
            place.sink.discard();
        }
    }

    fn each(&mut self, write: impl FnMut(&mut dyn Sink) -> anyhow::Result<()>) {
        each(&mut self.places, write);
    }
}

/// Once a place has failed it gets nothing more.
fn each(places: &mut [Place], mut write: impl FnMut(&mut dyn Sink) -> anyhow::Result<()>) {
    for place in places.iter_mut().filter(|place| place.failure.is_none()) {
        place.failure = write(&mut *place.sink).err();
    }
}

fn keep(seconds: &mut Vec<Second>, second: &Second) {
    if seconds.len() < Recorder::SECONDS_KEPT {
        seconds.push(*second);
    }
}
