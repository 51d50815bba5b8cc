//! Codecs: bytes in, values out, and back. No clock, no socket, no allocation; arbitrary bytes
//! never panic. One file a dialect.

pub mod auth;
mod fields;
pub mod irtt;
pub mod native;
pub mod stamp;
pub mod text;
pub mod twamp_control;
