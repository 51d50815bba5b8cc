//! Runs held against each other: what is the same raises no alarm, what changed is found, and the
//! table, the picture and the exit code say so.

mod command;
mod detection;
mod false_alarms;
mod json;
mod paths;
mod picture;
mod rates;
mod unknown;
