//! Where results go: files that are checked before the work, and the record of a run as it goes.

#[cfg(feature = "report")]
mod file;
mod recorder;
mod sinks;

#[cfg(feature = "report")]
pub(super) use file::Output;
pub(super) use recorder::{Completed, Finished, Recorder};
pub(super) use sinks::{CsvRows, EventLines, FolderFiles, RunObject};
