//! One file per command.

pub(super) mod compare;
pub(super) mod documents;
pub(super) mod find_rate;
pub(super) mod find_size;
pub(super) mod join;
pub(super) mod keygen;
pub(super) mod ping;
pub(super) mod ports;
pub(super) mod profiles;
pub(super) mod proxy;
pub(super) mod report;
pub(super) mod room;
pub(super) mod serve;
pub(super) mod watch;
