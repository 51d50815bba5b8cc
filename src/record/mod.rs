//! The Run: its configuration, its environment, its samples, and the files that hold them.
//!
//! Everything shown about a run derives from `run.json` and `probes.csv` alone.

mod run;

pub use run::{Clock, Config, Distribution, Environment, Event, Run, SCHEMA, Server, Stamps, Summary};
