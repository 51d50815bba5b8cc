//! Measures a UDP path from two ends, and rehearses a bad one.

pub mod impair;
pub mod probe;
pub mod record;
pub mod report;
pub mod rng;
pub mod time;
pub mod units;
