//! Many targets for a long time, without a socket or a clock: which there are, when each is due, what became of
//! their probes, what they cost, and which host, rack or path is at fault.

mod claims;
mod config;
mod contacts;
mod counters;
mod discovery;
pub mod dns;
mod dscp;
mod figures;
mod forecast;
mod history;
pub mod locate;
mod mesh;
mod minutes;
mod monitor;
mod one_way;
mod phase;
mod report;
mod ring;
mod sample;
mod snapshot;
mod sources;
mod survey;
mod verdict;
mod wanted;

pub use claims::Claims;
pub use config::{Config, ConfigError, Detail, Group, Reflect, Secret};
pub use counters::Counters;
pub use discovery::{FileSdError, FileTarget, read_file_sd, read_file_sd_yaml};
pub use figures::{Figures, State};
pub use forecast::Forecast;
pub use history::{History, Period, Recent, Sample, Span};
pub use mesh::{Mesh, MeshPath};
pub use minutes::{
    MinuteRow, Minutes, Moment, RecordedPlace, RowError, days, file_name, header, is_expired, is_record,
    keep_newest, lines_of, minute_text, read_rows,
};
pub use monitor::Monitor;
pub use one_way::OneWay;
pub use phase::phase;
pub use report::{MonitorReport, ProbeCounts, TargetReport, host_of};
pub use ring::Peers;
pub use sample::{OwnHost, listed_place, sample};
pub use snapshot::{RecordStatus, Snapshot, TargetView};
pub use sources::{DnsKind, DnsNames, HttpSd};
pub use survey::Survey;
pub use verdict::Verdict;
pub use wanted::{Key, Reload, Wanted};
