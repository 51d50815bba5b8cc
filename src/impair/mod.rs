//! Impairments: pure models, the links that apply them, the queue of held packets. Deterministic:
//! no clock, sockets or files; time, seeds and a reader of files are arguments.
//!
//! A packet's treatment is a function of the seed and the packet's number; only the bottleneck of a
//! limited rate and a delay that keeps order depend on the traffic before it. Each model has a file:
//! a new one is a file here and an arm where `Impairment` reads its specification.

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
mod marking;
mod mtu;
mod only;
mod outage;
mod packet;
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
pub use duplicate::Duplicate;
pub use hold_queue::HoldQueue;
pub use impairment::{Impairment, ScenarioNotice};
pub use link::Link;
pub use loss::{Bursts, GilbertElliott, Loss, Nth, Trace};
pub use marking::{Dscp, Ecn};
pub use mtu::Mtu;
pub use only::Only;
pub use outage::Outage;
pub use packet::{Packet, Shared};
pub use profile::{Profile, profiles};
pub use rate::{Bottleneck, RateLimit, RateTrace, opportunities};
pub use reorder::Reorder;
pub use rounding::{MAX_DELAY, Share};
pub use scenario::{Scenario, ScenarioError, Span, Step};
pub use session::SessionLinks;
pub use spec::{ReadFile, SpecError};
pub use treatment::{DropCause, Dropped, Treatment};
