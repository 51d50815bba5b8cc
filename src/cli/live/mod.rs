//! What is seen of a run while it goes on: one model, folded from events, behind every view.

mod about;
mod bins;
mod exposition;
mod ladder;
mod metrics;
mod model;
mod status;
mod web;

pub use about::About;
pub use model::{Live, Snapshot};
pub use status::status;
pub use web::PingPage;
