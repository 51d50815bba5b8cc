//! Runs held against each other: what is the same raises no alarm, what changed is found, and the
//! table, the picture and the exit code say so.

#[path = "../common/mod.rs"]
mod common;
#[path = "../fixtures/mod.rs"]
#[allow(dead_code, reason = "each test uses its own part")]
mod fixtures;

mod command;
mod detection;
mod false_alarms;
mod json;
mod paths;
mod picture;
