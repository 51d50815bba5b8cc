//! What happens to a packet on purpose: pure models, the pipeline that joins them, the queue of
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
mod loss;
mod pipeline;
mod profile;
mod rate;
mod reorder;
mod rounding;
mod scenario;
mod spec;
mod treatment;

pub use delay::{Constant, Delay, Empirical, Exponential, Law, LogNormal, Normal, Pareto, Uniform};
pub use direction::{Direction, Ways};
pub use hold_queue::HoldQueue;
pub use impairment::{Impairment, ScenarioNotice};
pub use loss::{Burst, Bursts, GilbertElliott, Loss, Nth, Trace};
pub use pipeline::Pipeline;
pub use profile::{Profile, profiles};
pub use rate::RateLimit;
pub use reorder::Reorder;
pub use rounding::{MAX_DELAY, Share};
pub use scenario::{Scenario, ScenarioError, Span, Step};
pub use spec::{ReadFile, SpecError};
pub use treatment::Treatment;
