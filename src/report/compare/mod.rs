//! Runs in, differences out: what changed against the first run, and what may be chance.
//!
//! A [`Sample`] takes the probes of a run; [`changes`] holds each against the first; [`table`] says
//! so in 80 columns.

mod change;
mod sample;
mod table;

pub use change::{Change, Changes, Figure, Verdict, changes};
pub use sample::Sample;
pub use table::{factor, letter, name, regression, table};
