//! Many targets for a long time, without a socket or a clock: which there are, when each is due, what became of
//! their probes, what they cost, and which host, rack or path is at fault.

mod config;
mod discovery;
mod figures;
mod forecast;
pub mod locate;
mod mesh;
mod phase;
mod snapshot;
mod verdict;
mod wanted;

pub use config::{Config, ConfigError, Detail, DnsNames, Group};
pub use discovery::{FileSdError, FileTarget, read_file_sd};
pub use figures::{Figures, State};
pub use forecast::Forecast;
pub use mesh::{MonitorReport, TargetReport, mesh};
pub use phase::phase;
pub use snapshot::{Snapshot, TargetView};
pub use verdict::Verdict;
pub use wanted::{Key, Reload, Wanted};
