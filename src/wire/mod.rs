//! Codecs of the wire dialects. No clock, no socket, no allocation; arbitrary bytes never panic.

#![cfg_attr(not(test), warn(clippy::cast_possible_truncation))]

pub mod auth;
mod fields;
pub mod irtt;
pub mod native;
pub mod stamp;
pub mod stun;
pub mod text;
pub mod twamp_control;
