//! When an engine sleeps, spins or looks at its sockets again. Pure: reads no clock and no socket.

mod planner;
mod policy;
mod realtime_budget;

pub use planner::Timer;
pub(super) use policy::{Next, Policy, Situation};
