//! What is seen of a run while it goes on: one model, folded from events, behind every view.

mod about;
mod bins;
mod exposition;
mod ladder;
mod metrics;
mod model;
mod service;
mod status;
mod tui;
mod web;

pub use about::About;
pub use bins::Bin;
pub use model::{Live, Snapshot};
pub use service::Service;
pub use status::{clock, server_line, status};
pub use tui::{PingDesk, PingFace, ServeFace, Tui};
pub use web::{PingPage, ServePage};
