//! The client without a socket. Deterministic: `now` is an argument, deadlines are return values.

mod outcome;

pub use outcome::{Cause, Outcome, Resolved};
