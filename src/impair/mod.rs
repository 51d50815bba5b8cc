//! What happens to a packet on purpose: pure models, the links that apply them, the queue of
//! what is held. Deterministic; no clock, no sockets, no files: time, randomness and the reading of
//! files are arguments.
//!
//! A probe's fate is a function of the seed and the probe's sequence number; only the bottleneck of
//! a limited rate and a delay that keeps order look at the traffic before it. One file a model: a
//! new one is a file here and a line in the specification that `Impairment` reads.

mod corrupt;
mod delay;
mod direction;
mod duplicate;
#[cfg(test)]
mod goodness_of_fit;
mod hold_queue;
mod impairment;
mod link;
mod loss;
mod profile;
mod rate;
mod reorder;
mod rounding;
mod scenario;
mod session;
mod spec;
mod treatment;

pub use delay::{Constant, Delay, Empirical, Exponential, Law, LogNormal, Normal, Pareto, Uniform};
pub use direction::{Direction, Ways};
pub use hold_queue::HoldQueue;
pub use impairment::{Impairment, ScenarioNotice};
pub use link::Link;
pub use loss::{Burst, Bursts, GilbertElliott, Loss, Nth, Trace};
pub use profile::{Profile, profiles};
pub use rate::{Bottleneck, RateLimit};
pub use reorder::Reorder;
pub use rounding::{MAX_DELAY, Share};
pub use scenario::{Scenario, ScenarioError, Span, Step};
pub use session::SessionLinks;
pub use spec::{ReadFile, SpecError};
pub use treatment::{DropCause, Dropped, Treatment};
