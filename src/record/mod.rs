//! The record of a run: configuration, environment, samples, and the files that hold them.
//!
//! Reports derive everything from `run.json` and `probes.csv` alone.

#![cfg_attr(not(test), warn(clippy::cast_possible_truncation))]

mod cell;
mod datagram_reader;
pub mod datagrams;
mod events;
// The core reaches the disk, and starts the thread that reads a record ahead, in these two files only.
#[cfg_attr(not(feature = "net"), allow(clippy::disallowed_methods, clippy::disallowed_types))]
pub mod files;
#[cfg_attr(not(feature = "net"), allow(clippy::disallowed_methods, clippy::disallowed_types))]
mod folder;
mod load;
pub mod pcapng;
mod probes;
mod proxy_run;
mod proxy_seconds;
pub mod rate;
mod rate_rows;
mod rows;
mod run;
mod seconds;
mod sticky_error;
mod summarize;

/// The JSON schema of `run.json`.
pub const RUN_SCHEMA: &str = include_str!("run.schema.json");
/// The JSON schema of a line of the stream of events. It refers to `RUN_SCHEMA`.
pub const EVENTS_SCHEMA: &str = include_str!("events.schema.json");

/// `EVENTS_SCHEMA` with the schema of a run in it, so that a validator needs no second file.
pub fn whole_events_schema() -> String {
    EVENTS_SCHEMA.replacen("\"$defs\": {", &format!("\"$defs\": {{\n\"run\": {},", RUN_SCHEMA.trim_end()), 1)
}

pub use datagram_reader::{DatagramError, DatagramReader, RecordedDatagram};
pub use events::EventWriter;
pub use folder::{DATAGRAMS, Folder, FolderError, PICTURE, PROBES, RATE_ROWS, RUN, SECONDS};
pub use load::{Load, LoadDirection};
pub use probes::{COLUMNS as PROBE_COLUMNS, ProbeReader, ProbeWriter, RowError};
pub use proxy_run::{ProxyEnd, ProxyRun, RecordedLine, RecordedMapping, RecordedProxy};
pub use proxy_seconds::{ProxySeconds, Settled};
pub use rate_rows::{COLUMNS as RATE_COLUMNS, RateSample, RateWriter, read_rate};
pub use run::{
    Clock, Config, Distribution, Duplicated, Environment, Event, Hosts, Knee, LengthCount, LossRuns, Outage,
    RECORD_LIMIT, ReceiveBuffer, Run, SCHEMA, Server, Stamps, Summary,
};
pub use seconds::{COLUMNS as SECOND_COLUMNS, SecondWriter};
