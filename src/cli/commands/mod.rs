//! One file per command.

pub mod compare;
pub mod documents;
pub mod find_size;
pub mod keygen;
pub mod ping;
pub mod ports;
pub mod profiles;
pub mod proxy;
pub mod report;
pub mod serve;
