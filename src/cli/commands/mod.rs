//! One file per command.

#[cfg(feature = "report")]
pub(super) mod compare;
pub(super) mod completions;
pub(super) mod documents;
pub(super) mod find_rate;
pub(super) mod find_size;
#[cfg(all(feature = "control", feature = "tui"))]
pub(super) mod join;
pub(super) mod keygen;
pub(super) mod locate;
pub(super) mod ping;
pub(super) mod ports;
pub(super) mod profiles;
pub(super) mod proxy;
#[cfg(feature = "report")]
pub(super) mod report;
#[cfg(all(feature = "control", feature = "tui"))]
pub(super) mod room;
pub(super) mod serve;
pub(super) mod trace;
#[cfg(feature = "control")]
pub(super) mod watch;
