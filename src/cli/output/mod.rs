//! Where results go: files that are checked before the work, and the record of a run as it goes.

mod file;
mod recorder;
mod sinks;

pub use file::Output;
pub use recorder::{Completed, Finished, Recorder};
pub use sinks::{CsvRows, EventLines, FolderFiles, RunObject};
