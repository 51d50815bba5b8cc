//! Models of what runs right now: a measurement or a server, folded from its events into snapshots
//! that the terminal, the full screen, the live page and `/metrics` show.

mod bins;
mod exposition;
mod fleet_metrics;
mod histogram;
pub mod metrics;
mod probe_metrics;
mod proxy_model;
mod recorded_metrics;
mod run_info;
mod run_model;
mod server_model;
mod status;

pub use bins::Bin;
pub use fleet_metrics::of_fleet;
pub use histogram::{Bar, histogram};
pub use probe_metrics::{SingleProbing, of_probe};
#[cfg(test)]
pub(crate) use proxy_model::example as proxy_example;
pub use proxy_model::{DirectionSecond, ProxyModel, ProxySecond, ProxySnapshot, lost};
pub use recorded_metrics::RecordedMetrics;
pub use run_info::RunInfo;
pub use run_model::{RunModel, RunSnapshot};
pub use server_model::{Client, ServerModel, ServerSecond, ServerSnapshot, unanswered};
pub use status::{clock, proxy_line, server_line, status};
