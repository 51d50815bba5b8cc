//! The largest payload that a path carries: found in virtual time, and on real interfaces.

#[cfg(target_os = "linux")]
mod interfaces;
mod simulated;
