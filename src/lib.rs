//! Measures a UDP path from two ends, and rehearses a bad one.

pub mod cli;
pub mod impair;
pub mod net;
pub mod probe;
pub mod record;
pub mod reflect;
pub mod report;
pub mod rng;
pub mod schedule;
pub mod sim;
pub mod stats;
pub mod time;
pub mod units;
pub mod wire;
