//! Tests of the library: whole runs in virtual time, and pure functions. No sockets, no processes.

#[path = "../common/mod.rs"]
mod common;
#[path = "../fixtures/mod.rs"]
mod fixtures;

mod attribution;
mod compare;
mod dialect_table;
mod faults;
mod fleet;
mod fuzz_corpus;
mod html;
mod load;
mod overflow;
mod protocol;
mod rate_search;
mod relayed;
mod report;
mod report_formats;
mod simulation;
mod watch_record;
