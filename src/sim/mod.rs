//! A network in virtual time between clients (`probe`) and a server (`reflect`). Deterministic: the
//! same seed gives the same bytes, and a day of traffic passes in seconds.
//!
//! The network records the ground truth of each probe and reply, so that a test can compare a
//! client's conclusions with it. A relay may stand before the server.

mod ground_truth;
mod host;
mod link;
mod rate;
mod socket;
mod world;

pub use ground_truth::{GroundTruth, ProbeTruth};
pub use link::{Conditions, SimulatedLink};
pub use rate::{Change, Judged, Others, RatePath, judge_rate};
pub use socket::Overrun;
pub use world::{RelayedDatagram, Simulation};
